"""
Title: Two concepts in three units
Description: Read what the units of a bottleneck encode together when none of them does alone.
Accelerator: None
"""

"""
## Introduction

A mass hangs on a spring and moves in the plane. A network has learned five functions of its state
(x, y, vx, vy), all of which depend on its energy and its angular momentum only, and all
of it passes through a layer of three units. Nobody asked any unit to be the energy, and no unit is:
each is some function of both. But together their gradients span, at every state, the gradients of
everything that can be computed from them.

`interpret_jointly` finds formulas whose gradients lie in that span, one after the other, each
independent of those before. `scripts/training/train_bottleneck.py` trained the network.

## Setup
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

import keras_symgrad as ks

models = Path(__file__).resolve().parent / "models"
model = keras.models.load_model(models / "oscillator.keras")

"""
## One unit alone

No short formula fits the gradients of the first unit.
"""

unit = ks.interpret(model, models / "oscillator.csv", layer="bottleneck", unit=0, time_limit=15)
print(unit.headline)
print(f"1 - |cos| = {unit.cosine_error:.1e}")

"""
## All three together

Three units, but two directions of weight in their gradients: the third is what the decoder
has learned to ignore. The first concept is found in the span, the second one along the level sets
of the first, where any function of both would do: energy, or energy plus angular momentum.
"""

together = ks.interpret_jointly(model, models / "oscillator.csv", layer="bottleneck")
print(together)
