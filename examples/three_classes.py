"""
Title: A classifier of three classes
Description: A formula for each pair of classes, and one symbolic classifier made of all of them.
Accelerator: None
"""

"""
## Introduction

A softmax over three classes hides three concepts, one for each pair: between classes k and j the
network decides by the difference of their scores. `interpret_classes` reads each difference where
these two are the likeliest, and puts the formulas together.

The network in `models/regions.keras` was trained on labels that say which of 1, x1*x2 and
x3^2 + x4^2 is the largest. It has never seen any of them.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras
import numpy as np

import keras_symgrad as ks

"""
## One formula for each pair

`time_limit` is for all pairs together. Everything else that `interpret` takes may be given as well.
"""

models = Path(__file__).parent / "models"
found = ks.interpret_classes(
    models / "regions.keras",
    models / "regions.csv",
    classes=["flat", "saddle", "bowl"],
    time_limit=45,
)
print(found)

"""
## The formulas of one pair

Each pair is an `Interpretation` of its own, with its front, its rivals and its constants.
"""

print(f"\n{found.pairs[2, 1]}")

"""
## The symbolic classifier

A point belongs to the class that no formula rules out. Here it takes the place of the network.
"""

model = keras.models.load_model(models / "regions.keras")
rng = np.random.default_rng(1)
points = rng.uniform([0, 0, -1.2, -1.2], [2, 2, 1.2, 1.2], size=(10_000, 4))
network = np.argmax(model(points), axis=1)
formulas = found.predict(points)
print(f"\nformulas and network choose alike at {np.mean(formulas == network):.2%} of new points")
for k, name in enumerate(found.classes):
    print(f"  {name}: {np.mean(formulas[network == k] == k):.2%} of {np.sum(network == k):,}")

"""
## One class against all others

`ks.Neuron.of(model, unit=k, kind="probability")` reads the logit of the own probability of class k,
which is a concept of its own: here "x1*x2 is larger than the larger of two numbers". Nothing simple
says that everywhere.
"""

alone = ks.interpret(
    ks.Neuron.of(models / "regions.keras", unit=1, kind="probability"),
    models / "regions.csv",
    time_limit=15,
)
print(f"\n{alone.neuron}: {alone.headline} (matches: {alone.matches})")
if alone.rule:
    print(alone.rule)
