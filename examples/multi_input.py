"""
Title: A model of several named inputs
Description: Read a model that takes a dict and scales its inputs, in the units of the data.
Accelerator: None
"""

"""
## Introduction

The network in `models/barrier.keras` says whether a car breaks through a crash barrier. It takes
two inputs by name: `mass`, in kilograms, and `velocity`, in metres a second along and across the
road. Each passes a `Normalization` layer of its own. It was trained on what happened, which is
decided by the kinetic energy; nobody told it of energy.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras
import numpy as np

import keras_symgrad as ks

"""
## The model and its points

Points are given as the model takes them: a dict (or a list) of arrays. A table whose columns are
the inputs side by side, here `mass, velocity_1, velocity_2`, would do as well.
"""

models = Path(__file__).parent / "models"
model = keras.models.load_model(models / "barrier.keras")
table = np.loadtxt(models / "barrier.csv", delimiter=",", skiprows=1)
cars = {"mass": table[:, :1], "velocity": table[:, 1:]}
print("the model takes the columns", ", ".join(ks.Neuron.of(model).names))

"""
## The interpretation

Gradients are taken with respect to what goes into the model, so the formula is in kilograms and
metres a second, not in what the `Normalization` layers make of them.
"""

concept = ks.interpret(model, cars, time_limit=25)
print(concept)

"""
## How to read it

Directions of gradients fix a formula up to an invertible function of it: the mass times the squared
speed, its logarithm or the energy itself are one concept. The threshold is where the network says
yes as often as no.
"""

if concept.rule:
    x = np.array([[1600.0, 18.0, 6.0], [1600.0, 19.0, 6.0]])
    for car, breaks in zip(x, concept.rule.decides(x)):
        energy = car[0] * (car[1] ** 2 + car[2] ** 2) / 2000
        print(f"{car} kg, m/s: {energy:.0f} kJ, breaks the barrier: {breaks}")

"""
## Any layer between

Units of the layers in between are read in the same units of the data. Here is one after the inputs
were joined: a scaled velocity.
"""

unit = ks.Neuron.of(model, layer="joined", unit=2)
values, gradients = unit.values_and_gradients(table[:3])
print(f"\n{unit.name} at three cars: {values.round(2)}")
print(f"its gradient by {', '.join(unit.names)}: {gradients[0].round(4)}")
