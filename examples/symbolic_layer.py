"""
Title: Put the formula where the network was
Description: Turn an interpretation into a layer, fine-tune its constants on labels, and save it.
Accelerator: None
"""

"""
## Introduction

When does a shaft yield under tension and torsion? A network learns it from 20,000 tests. Then the
material changes, and there are 300 tests of the new one: few for a network of 8,577 weights, many
for a formula with one constant. So the formula becomes a Keras layer and is fine-tuned.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_symgrad as ks

keras.utils.set_random_seed(0)

"""
## The tests, and a network

Stresses are in units of 100 MPa. The material yields when tension^2 + a torsion^2 > b^2. No two
shafts are alike, so the criterion is blurred by 2 %.
"""

rng = np.random.default_rng(0)


def tests(number: int, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Stresses of shafts, and 1 for each that yields."""
    stress = rng.uniform([-2.5, -1.6], [2.5, 1.6], size=(number, 2))
    criterion = stress[:, 0] ** 2 + a * stress[:, 1] ** 2
    return stress, (criterion * rng.normal(1, 0.02, number) > b**2).astype("float32")


stress, yields = tests(20_000, a=2.6, b=1.5)
network = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ],
    name="shaft",
)
epochs, batch = 20, 256
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(stress) // batch)
network.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
network.fit(stress, yields, batch_size=batch, epochs=epochs, verbose=0)

"""
## Its formula
"""

concept = ks.interpret(network, stress, names=["tension", "torsion"], time_limit=15)
print(concept)

"""
## The formula as a layer

The formula's floats are the layer's weights, those of the front's best row. `Normalization` brings
its values to a scale that training likes, and a `Dense` layer of one unit is phi: it holds the
threshold, and how sharp it is.
"""

formula = concept.front.best.to_layer(name="formula")
scale = keras.layers.Normalization(name="scale")
scale.adapt(formula(stress))
phi = keras.layers.Dense(1, activation="sigmoid", name="phi")
model = keras.Sequential([keras.Input((2,)), formula, scale, phi], name="formula_and_phi")

"""
## Fine-tuning on the new material

The network is fine-tuned on the same 300 tests for comparison. Both are judged on 20,000 others.
"""

few_stress, few_yields = tests(300, a=3.1, b=1.3)
new_stress, new_yields = tests(20_000, a=3.1, b=1.3)


def accuracy(model: keras.Model) -> str:
    """Share of the new material's tests that the model foretells."""
    right = (model.predict(new_stress, verbose=0)[:, 0] > 0.5) == new_yields
    return f"{model.name}: {right.mean():.1%}"


print(f"\nbefore fine-tuning, {accuracy(network)}")
for tuned, learning_rate in ((network, 1e-3), (model, 0.1)):
    tuned.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy")
    tuned.fit(few_stress, few_yields, batch_size=50, epochs=150, verbose=0)
    print(f"after fine-tuning, {accuracy(tuned)}")
print(f"the formula now: {formula.expression}; in truth it is 3.1")

"""
## Saved like any other model
"""

path = Path(tempfile.mkdtemp()) / "shaft.keras"
model.save(path)
again = keras.models.load_model(path)
print(
    f"\nreloaded from {path}, same outputs: {np.array_equal(again(new_stress), model(new_stress))}"
)
