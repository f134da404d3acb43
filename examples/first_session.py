"""
Title: A first session
Description: Thirty steps with a model and a table of one's own, from a look to a formula in use.
Accelerator: None
"""

"""
## A model and a table

A pump moves water through a pipe. A table has its readings, a network was trained to predict the
power. Here both are made, so that the session stands alone: step 1 is the table, with a column of
text and one that nothing depends on; step 2 the network, saved as any other; step 3 both as files.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import copy
import pickle
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import keras_symgrad as ks

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
table = pd.DataFrame(
    {
        "site": rng.choice(["north", "south"], 1500),
        "flow": rng.uniform(0.5, 2.0, 1500),
        "head": rng.uniform(1.0, 3.0, 1500),
        "age": rng.uniform(0.0, 10.0, 1500),
    }
)
table["power"] = table["flow"] * table["head"] + 0.5 * table["flow"] ** 2

keras.utils.set_random_seed(0)
inputs = ["flow", "head", "age"]
normalization = keras.layers.Normalization()
normalization.adapt(table[inputs].to_numpy())
model = keras.Sequential(
    [
        keras.Input((3,)),
        normalization,
        keras.layers.Dense(32, activation="swish", name="hidden"),
        keras.layers.Dense(32, activation="swish"),
        keras.layers.Dense(1, name="power"),
    ],
    name="pump",
)
model.compile(keras.optimizers.Adam(0.01), loss="mse")
model.fit(table[inputs].to_numpy(), table["power"].to_numpy(), epochs=40, batch_size=64, verbose=0)

model.save(folder / "pump.keras")
table.to_csv(folder / "pump.csv", index=False)

"""
## The formula

Steps 4 to 8: interpret the file with the table's columns by name, and look at what came out. In a
notebook `concept` alone shows the front, in which a click chooses a row.
"""

search = ks.Search(methods="dictionary")
columns = ks.Sampling(columns=inputs)
concept = ks.interpret(
    folder / "pump.keras",
    folder / "pump.csv",
    sampling=columns,
    search=search,
    time_limit=8,
    verbose=False,
)
print(concept)
print(concept.headline)
print(concept.matches, "-", concept.matches.promise)
print(f"{concept.angle:.2f} degrees between gradients; {concept.fidelity}")
for one in concept.influence:
    print(f"{one.name}: {100 * one.share:.0f} % ({one.sign})")
print("ignored:", concept.ignored)

"""
## Pictures and a page

Steps 9 to 12.
"""

concept.plot().savefig(folder / "pump.png")
concept.plot_influence().savefig(folder / "influence.png")
ks.plots.front(concept).set_title("Loss against complexity")
page = concept.report(folder / "pump.html")
print(page.name, page.stat().st_size > 100_000)

"""
## Values

Steps 13 to 16: the formula's own values, the network's value by phi, the value in closed form, and
one row as a dictionary.
"""

few = table[inputs].head(3)
print(concept.best(few).round(3))
print(concept.predict(few).round(2), table["power"].head(3).round(2).tolist())
if concept.value is not None:
    print("power =", concept.value.value, f"(R2 {concept.value.r2:.4f})")
print(concept.predict({"flow": 1.0, "head": 2.0, "age": 5.0}).round(2))

"""
## Another row of the front

Steps 17 to 19: the front as a table, another row with a verdict of its own, and the simplest
formula that is faithful enough.
"""

print(concept.front.to_dataframe()[["complexity", "loss"]].round(4).head())
shorter = concept.choose(0)
print(shorter.best, shorter.matches, shorter.fidelity)
print(concept.front.for_fidelity(0.9))

"""
## Out of Python

Steps 20 to 22: LaTeX, SymPy, and a file for other programs.
"""

print(concept.best.to_latex())
flow, head, age = concept.best.symbols
print(concept.best.to_sympy().diff(flow))
print(concept.best.export(folder / "pump.py").read_text(encoding="utf-8").splitlines()[-1].strip())

"""
## Kept for later

Steps 23 to 25: saved, opened again, pickled and compared.
"""

concept.save(folder / "pump.json")
again = ks.load_interpretation(folder / "pump.json")
assert isinstance(again, ks.Interpretation)
print(again.best == concept.best, pickle.loads(pickle.dumps(again)).matches == concept.matches)
print(copy.deepcopy(concept).headline == concept.headline)
agreement = ks.compare_interpretations(concept, again)
print("the same formula:", agreement.same)

"""
## Back into Keras

Steps 26 to 28: the formula as a layer with trainable constants, the network with the formula in its
place, and what that costs.
"""

layer = concept.best.to_layer()
print(np.asarray(layer(few.to_numpy())).ravel().round(3))
replaced = ks.replace(model, "power", concept, table[inputs].to_numpy(), phi="monotone")
comparison = ks.compare_models(model, replaced, table[inputs].to_numpy())
print(comparison)

"""
## Smaller questions

Steps 29 and 30: one row alone, and a unit inside the network.
"""

around = ks.interpret(
    model, table[inputs], near=table[inputs].iloc[0], search=search, time_limit=3, verbose=False
)
print(around.headline, around.radius)
unit = ks.interpret(
    model, table[inputs], layer="hidden", unit=0, search=search, time_limit=3, verbose=False
)
print(unit.neuron, unit.best)
