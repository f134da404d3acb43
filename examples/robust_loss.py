"""
Title: A network that is wrong in one region
Description: What mean squares do to a formula, and what a robust loss does.
Accelerator: None
"""

"""
## Introduction

Formulas are found by the directions of a network's gradients, and mean squares of their differences
decide which one fits. A few rows that are far off then decide more than many that are nearly
right. Such rows need not be noise: a network learns the faults of its labels too.

The network in `models/stuck.keras` was trained on the energy of a falling kilogram, 9.81 height +
speed^2/2, by a speedometer that ends at 6.5 m/s wherever the height is above 3 m. In these 14 % of
the rows its gradient knows nothing of the speed.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import sympy

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, points = models / "stuck.keras", models / "stuck.csv"
options = {"search": ks.Search(methods="dictionary"), "time_limit": 20, "verbose": False}

"""
## Mean squares

No formula fits all rows, and the one that does the least harm on all of them is none of physics.
"""

squared = ks.interpret(model, points, loss="squared", **options)
print(f"\nsquared\n{squared}")

"""
## A robust loss

`"huber"` is squared up to an angle of 6 degrees and grows in proportion beyond, and `"angle"` is in
proportion from the start. Both leave the rows alone that nothing fits. By default `interpret` takes
`"huber"` where it finds that some rows are far off a formula that explains most of them. One unit
of loss means the same for all of them: that of a field which is equally far off in every row.
"""

for loss in ("huber", "angle"):
    concept = ks.interpret(model, points, loss=loss, **options)
    print(f"\n{loss}\n{concept}")

"""
## A loss of your own

A loss is a SymPy expression in the squared distance of two unit gradients, which is 0 where they
are parallel and 4 where they are opposite. This one ends at 1, so that a row which is far off
counts no less than one which is farther off. Its derivative is the weight of a row; the engine
compiles it.
"""

d2 = sympy.Symbol("d2")
bounded = ks.Loss("bounded", d2 / (d2 + 0.01))
concept = ks.interpret(model, points, loss=bounded, **options)
print(f"\nbounded\n{concept}")
print("\n2 g =", concept.constants[0] if concept.constants else "unknown", "and should be 19.62")
