"""
Title: A page for the paper's supplement
Description: See a result in pictures, and write it as one page that opens in any browser.
Accelerator: None
"""

"""
## Introduction

A formula convinces nobody by itself. What did the network decide, and where does the formula decide
otherwise? How good are the gradients, and what else fits? The pictures say it at a glance, and the
report says all of it on one page, with what is needed to repeat it.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import tempfile
from pathlib import Path

import keras_symgrad as ks
from keras_symgrad import plots

models = Path(__file__).parent / "models"
folder = Path(tempfile.mkdtemp())

"""
## What was found

The network was trained on noisy labels of x1^2 + sin(x2 + x3) > 1. A notebook shows the result with
its formulas set in type.
"""

concept = ks.interpret(models / "B.keras", models / "B.csv", time_limit=20)
concept

"""
## Pictures

All useful ones in one figure: the Pareto front, phi, the angles between the gradients, and what
network and formula decide, here on a slice through the three variables.
"""

figure = concept.plot()
figure.savefig(folder / "overview.png")
figure

"""
Each of them alone is a function that takes and returns Matplotlib axes. Another slice:
"""

network, formula = plots.boundary(concept, variables=["x1", "x2"])
network.figure.savefig(folder / "slice.png")

"""
## The page

One file, which loads nothing and can be printed, sent or kept beside the paper. From a shell:

    keras-symgrad interpret model.keras --data points.csv --report report.html
"""

path = concept.report(folder / "report.html")
print(f"{path}: {path.stat().st_size / 1024:.0f} kB, {concept.rule}")
