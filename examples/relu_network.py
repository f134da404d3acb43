"""
Title: What did a ReLU network learn?
Description: Gradients that jump, averaged over a small neighbourhood, and what that gains.
Accelerator: None
"""

"""
## Introduction

A ReLU network is linear in pieces. Its gradient stands still within a piece and jumps from one to
the next, while the gradient of the concept that it learned turns smoothly. The network in
`models/B-relu.keras` was trained on the labels x1^2 + sin(x2 + x3) > 1, like its ELU twin in
`models/B.keras`.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks
from keras_symgrad.kinks import is_piecewise_constant
from keras_symgrad.smoothing import averaged, choose_width
from keras_symgrad.tables import read_points

models = Path(__file__).parent / "models"
points, names = read_points(models / "B.csv")

"""
## Does the gradient jump?

Rows are moved a thousandth of the data's width. The gradient of the ELU network turns a little,
that of the ReLU network not at all.
"""

elu, relu = (ks.Neuron.of(models / file) for file in ("B.keras", "B-relu.keras"))
for name, neuron in (("ELU", elu), ("ReLU", relu)):
    print(f"{name}: the gradient jumps: {is_piecewise_constant(neuron, points)}")

"""
## The network as it is

The concept may be found all the same, if it is simple: a search that looks at many rows averages
by itself. But formulas with the same decision boundary fit the rough gradients nearly as well.
"""

raw = ks.interpret(relu, points, names=names, time_limit=20, verbose=False)
print(f"\nas it is\n{raw}")

"""
## The network, averaged

`averaged` takes the directions of the network's mean over a neighbourhood of each row. Its width,
in standard deviations of the data, is one from which on widening averages little more away.
"""

width = choose_width(relu, points)
field = ks.GradientField.from_neuron(relu, points, names=names)
concept = ks.interpret(averaged(field, relu, points, width), time_limit=20, verbose=False)
print(f"\naveraged over a width of {width:g}\n{concept}")
print(f"\nloss: {raw.best.loss:.1e} as it is, {concept.best.loss:.1e} averaged")
