"""
Title: Start from what you suspect
Description: A formula that you have in mind is fitted first, and the search goes on from it.
Accelerator: None
"""

"""
## Introduction

The network in `models/pendulum.keras` predicts the period of a pendulum through a bottleneck of one
unit. A physicist suspects that the unit holds the energy, but does not know with which
coefficients: the network may have scaled angles and speeds as it liked.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, swings = models / "pendulum.keras", models / "pendulum.csv"
quick = {
    "layer": "bottleneck",
    "search": ks.Search(methods="trees", stopping=ks.Stopping(generations=2)),
    "verbose": False,
}

"""
## Without a guess

Two generations of evolved trees see small swings only, where the energy is a square.
"""

concept = ks.interpret(model, swings, **quick)
print(concept.front)

"""
## With a guess

The same two generations, from `speed**2 - cos(angle)` on. Every coefficient is fitted, those that
are 1 as well: the network says that it is 2. A guess is a start and no rule. What fits better is
preferred, and a wrong guess costs nothing.
"""

guesses = ["speed**2 - cos(angle)", "angle**2 + speed**2"]
concept = ks.interpret(model, swings, priors=ks.Priors(guesses=guesses), **quick)
print(f"\n{concept.front}")

"""
## What cannot be meant is told at once

Before the search, not after a minute of it.
"""

try:
    ks.interpret(model, swings, priors=ks.Priors(guesses=["speed**2 - cosh(angle)"]), **quick)
except ValueError as error:
    print(f"\n{error}")
