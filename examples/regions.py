"""
Title: Different formulas in different places
Description: A network that computes two things, each in its own part of the data.
Accelerator: None
"""

"""
## Introduction

Some networks switch: a pump that is on or off, a price with two tariffs. No single formula fits
such a network; several do, each where its condition holds. The shipped network learned `x1*x2`
where `x3 > 0`, and `x1 + x2**2` elsewhere.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import numpy as np

import keras_symgrad as ks

models = Path(__file__).parent / "models"

"""
## Interpret the network

Regions are looked for where a single formula leaves a tenth of the rows unexplained, and kept only
where held-out rows bear them out. Near the switch the network goes over from one formula to the
other, and neither explains it: `remainder` says how many rows these are.
"""

concept = ks.interpret(models / "switch.keras", models / "switch.csv", time_limit=20, verbose=False)
print(concept.headline)
for region in concept.regions:
    print(region)
print(concept.regions.remainder)

"""
## Where a single formula holds

`concept.best` is still one formula for all data. `concept.holds` says where it is near the network.
"""

print(concept.holds)

"""
## All regions as one function

The whole is a Python function, or a Keras layer whose gates may be smooth, as the network's are.
"""

print(concept.regions.to_formula().to_python())
layer = concept.regions.to_layer(smoothness=0.05)
points = np.array([[1.0, 2.0, 1.0], [1.0, 2.0, -1.0]])
print(np.asarray(layer(points))[:, 0].round(2))
