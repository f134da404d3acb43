"""
Title: What does my regressor compute?
Description: A regressor read as one formula: its concept, and the function around it.
Accelerator: None
"""

"""
## Introduction

The network in `models/air_pressure.keras` predicts how thin air is, as a share of the pressure at
sea level, from the gas's molar mass (g/mol), the height (km) and the temperature (K). The table
that it was trained on follows the barometric formula exp(-g M h/(R T)), which nobody told it.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import numpy as np

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, points = models / "air_pressure.keras", models / "air_pressure.csv"

"""
## The concept

Directions of gradients do not see what is wrapped around a concept. They show which combination of
the inputs counts.
"""

concept = ks.interpret(model, points, time_limit=20, verbose=False)
print(concept)

"""
## The function around it

With the concept g known, the network's value is a function phi of one variable, and a few of its
values show which. Its constant is physics too: 9.81 m/s^2 over 8.314 J/(mol K), the acceleration of
gravity over the gas constant, is 1.180. `r2` is measured on rows that nothing was fitted on.
"""

phi = concept.value
print(f"\nphi(g) = {phi}")
print(f"the network computes {phi.value.to_pretty()}")
print(f"which explains {phi.r2:.4%} of its variance on {phi.rows} fresh rows")

"""
## Back into Keras

The formula is a layer. It can stand in the network's place, and train further.
"""

layer = phi.value.to_layer()
rows = concept.gradients.points
apart = np.abs(np.asarray(layer(rows))[:, 0] - np.asarray(ks.Neuron.of(model)(rows)))
print(f"layer and network are at most {apart.max():.1e} apart")
