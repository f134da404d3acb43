"""
Title: Put the formula where the network was
Description: Turn an interpretation into a layer, train it with other layers, and save the model.
Accelerator: None
"""

"""
## Introduction

A weight swings on a spring, and an instrument shows a reading that has to do with its energy, on a
scale that nobody remembers. A network learns the reading from position and velocity. Its formula is
the energy; what the instrument makes of it is phi, which `interpret` leaves aside.

The formula becomes a Keras layer and a small network behind it becomes phi: two parts that mean
something. Then the spring is exchanged, and only the part that has changed is trained again.

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
## The readings, and a network
"""

rng = np.random.default_rng(0)


def readings(number: int, stiffness: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities, and what the instrument shows."""
    x = rng.uniform([-1.0, -1.5], [1.0, 1.5], size=(number, 2))
    energy = stiffness * x[:, 0] ** 2 + x[:, 1] ** 2
    return x, np.log(1 + energy) + rng.normal(0, 0.01, number)


x, shown = readings(10_000, stiffness=2.6)
network = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(64, activation="swish"),
        keras.layers.Dense(64, activation="swish"),
        keras.layers.Dense(64, activation="swish"),
        keras.layers.Dense(1),
    ],
    name="instrument",
)
epochs, batch = 30, 100
rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * len(x) // batch)
network.compile(keras.optimizers.Adam(rate), "mse")
network.fit(x, shown, batch_size=batch, epochs=epochs, verbose=0)

"""
## Its formula

The network gives a number and decides nothing, so there is no rule.
"""

concept = ks.interpret(network, x, names=["position", "velocity"], time_limit=15)
print(concept)

"""
## The formula as a layer

The floats of the formula are the weights of the layer. Rows of the front have them as they were
found, `concept.best` with simple numbers where the loss does not notice.
"""

formula = concept.front.best.to_layer(name="energy")
phi = keras.Sequential(
    [keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)], name="phi"
)
model = keras.Sequential([keras.Input((2,)), formula, phi])
model.compile(keras.optimizers.Adam(0.01), "mse")
model.fit(x, shown, batch_size=batch, epochs=20, verbose=0)

fresh, truth = readings(10_000, stiffness=2.6)
for each in (network, model):
    error = each.evaluate(fresh, truth, verbose=0) ** 0.5
    print(f"{each.count_params():5,} weights, error on fresh points {error:.4f}")

"""
## Another spring

The instrument is the same, so phi is frozen. 200 readings are plenty for a single constant.
"""

few, few_shown = readings(200, stiffness=2.1)
print(f"\nwith the old spring: {formula.expression}")
phi.trainable = False
model.compile(keras.optimizers.Adam(0.02), "mse")
model.fit(few, few_shown, batch_size=50, epochs=50, verbose=0)
print(f"with the new spring: {formula.expression}")

"""
## Saved like any other model
"""

path = Path(tempfile.mkdtemp()) / "spring.keras"
model.save(path)
again = keras.models.load_model(path)
print(f"\nreloaded from {path}, same outputs: {np.array_equal(again(few), model(few))}")
