"""
Title: Put the formula back into the model
Description: Replace a part of a network by its formula, see what it cost, train on, and export.
Accelerator: None
"""

"""
## Introduction

The network in `models/pendulum.keras` predicts how long a pendulum takes to swing once, from one
look at it: its angle and its angular velocity. Two hidden layers of 48 units lead to a layer of one
unit, `bottleneck`, and a small decoder makes the period of it. What the bottleneck carries is an
invertible function of the pendulum's energy. Here the two hidden layers go, and the energy takes
their place.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_symgrad as ks
from keras_symgrad.files import read_points

keras.utils.set_random_seed(0)

models = Path(__file__).parent / "models"
model = keras.models.load_model(models / "pendulum.keras")
points, names = read_points(models / "pendulum.csv")
known, fresh = points[:1600], points[1600:]

"""
## The formula

Gradients leave open what the unit makes of the concept; `phi` is fitted afterwards.
"""

energy = ks.interpret(model, known, layer="bottleneck", names=names, time_limit=15, verbose=False)
print(f"the bottleneck is a function of {energy.best.to_pretty()}")

"""
## In its place

`replace` makes a new model: the formula as a `SymbolicLayer`, phi behind it, and the decoder with
weights of its own that gets what it got before. The model that was there is left as it is.
"""

shorter = ks.replace(model, "bottleneck", energy)
shorter.summary()

"""
## What it cost, and what it gained

Both models on rows that nothing was read or fitted on. For numbers R2 is the share of the network's
variance that the new model explains; for a classifier it would be the share of equal decisions.
"""

print(ks.compare_models(model, shorter, fresh))

"""
## Train on

Then the pendulum is hung up on a shorter string. How its weight pulls it back is another constant
of the energy now, and all periods are shorter. `with_free_coefficients` makes weights of all
coefficients of the
formula, the whole numbers too; with `phi="monotone"` phi is piecewise linear and stays monotone
whatever it learns. 300 observations suffice for constants, phi and the small decoder.
"""

from scipy.special import ellipk
from sympy import cos, symbols

PULL = 1.25
angle, speed = symbols("angle speed", real=True)


def observed(x):
    """Periods of the new pendulum, from angles and velocities."""
    total = x[:, 1] ** 2 / 2 - PULL * np.cos(x[:, 0])
    return 4 * ellipk((1 + total / PULL) / 2) / np.sqrt(PULL)


new = ks.replace(model, "bottleneck", energy.best.with_free_coefficients(), known, phi="monotone")
print(f"before: {new.get_layer('bottleneck_formula').expression}")
rate = keras.optimizers.schedules.CosineDecay(1e-2, 60 * 10)
new.compile(keras.optimizers.Adam(rate), "mse")
new.fit(known[:300], observed(known[:300]), batch_size=30, epochs=60, verbose=0)
moved = new.get_layer("bottleneck_formula").expression
print(f"after:  {moved}")
ratio = -moved.coeff(cos(angle)) / moved.coeff(speed**2)
print(f"the pull is {float(ratio / 2):.3f}, in truth {PULL}")

for title, each in (("before", shorter), ("after", new)):
    error = np.sqrt(np.mean((np.asarray(each(fresh))[:, 0] - observed(fresh)) ** 2))
    print(f"{title}: error of the new pendulum's period {error:.4f}")

"""
## A whole classifier

`None` is the model's output. Six inputs and 8,833 weights become a formula and the line that makes
a logit of it: with one segment phi is straight.
"""

classifier = keras.models.load_model(models / "E.keras")
rows, _ = read_points(models / "E.csv")
rule = ks.interpret(classifier, rows[:2400], time_limit=15, verbose=False)
formula = ks.replace(classifier, None, rule, segments=1)
print(f"\n{rule.best.to_pretty()}")
print(ks.compare_models(classifier, formula, rows[2400:]))

"""
## Out of Python

A new model is saved and exported like any other. The formula alone can be written as a Python
function, JSON, LaTeX, a SavedModel, TFLite, or ONNX if `tf2onnx` is installed.
"""

folder = Path(tempfile.mkdtemp())
shorter.save(folder / "shorter.keras")
again = keras.models.load_model(folder / "shorter.keras")
print(f"\nreloaded, same outputs: {np.array_equal(again(fresh), shorter(fresh))}")

for name in ("energy.json", "energy.tflite", "energy"):
    energy.best.export(folder / name)
print(energy.best.export(folder / "energy.py").read_text())
