"""
Title: A concept, or only its boundary
Description: What a classifier's labels can tell of a formula, and what the result says of that.
Accelerator: None
"""

"""
## Introduction

The network in `models/E.keras` was trained on the labels x1*x2 / ((x3 - x4)^2 + (x5 - x6)^2) > 1,
which are those of x1*x2 - (x3 - x4)^2 - (x5 - x6)^2 > 0 as well: labels fix one level set of a
formula and nothing else. A result therefore says whether it is the concept, or one of several
formulas with its boundary.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

"""
## Read the network

Six inputs would be many for a search that knows nothing. Here the gradients show, before any
search, which variables enter together and through which function.
"""

models = Path(__file__).parent / "models"
concept = ks.interpret(models / "E.keras", models / "E.csv", time_limit=30)
print(concept)
for group in concept.groups:
    print("enter only as:", group)

"""
## Concept or boundary

`matches` is the verdict. The rivals are formulas of the same boundary, derived from the one that
was found; `error_ratio` compares how well they fit the network's gradients around it.
"""

print("matches:", concept.matches)
for rival in concept.rivals:
    print("rival:", rival.formula.to_pretty(), f"with {rival.error_ratio:.2g} times the error")
