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

models = Path(__file__).parent / "models"
relu, points = models / "B-relu.keras", models / "B.csv"

"""
## The network as it is

The concept may be found all the same, if it is simple: a search that looks at many rows averages
by itself. But formulas with the same decision boundary fit the rough gradients nearly as well.
"""

raw = ks.interpret(relu, points, time_limit=20, verbose=False, sampling=ks.Sampling(smoothing=None))
print(f"\nas it is\n{raw}")

"""
## The network, averaged

By default a gradient that jumps is averaged over a neighbourhood of each row. Its width, in
standard deviations of the data, is one from which on widening averages little more away; a number
given as `ks.Sampling(smoothing=...)` is taken instead.
"""

concept = ks.interpret(relu, points, time_limit=20, verbose=False)
print(f"\naveraged\n{concept}")
print(f"\nloss: {raw.best.loss:.1e} as it is, {concept.best.loss:.1e} averaged")
