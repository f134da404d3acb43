"""
Title: Shapes that you do not want
Description: Forbid operators inside of others, long arguments and deep formulas.
Accelerator: None
"""

"""
## Introduction

The network in `models/C.keras` was trained on exp(x1 - x2) - pi x3 > 1. Some fields never take an
exponential of a difference, or a sine of a sine: a formula that holds one is hard to read there,
and most often wrong.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, points = models / "C.keras", models / "C.csv"

"""
## As it comes
"""

concept = ks.interpret(model, points, time_limit=15, verbose=False)
print(concept.rule)

"""
## No sums inside of exponentials

`forbidden` names the operators that may stand nowhere inside of another. Here the formula has a
form that obeys, a quotient of two exponentials, and the search finds it.
"""

rules = ks.Constraints(forbidden={"exp": "add, sub"})
concept = ks.interpret(
    model, points, time_limit=15, verbose=False, priors=ks.Priors(constraints=rules)
)
print(f"\n{concept.rule}")

"""
## No exponential of anything but a variable, and nothing deep

`arguments` limits the complexity of what an operator is applied to, `depth` the number of operators
inside of each other. Where no formula of the network's concept obeys, the best of those that do is
what you get, and its loss says how good that is.
"""

rules = ks.Constraints(arguments={"exp": 1}, depth=2)
concept = ks.interpret(
    model, points, time_limit=15, verbose=False, priors=ks.Priors(constraints=rules)
)
print(f"\n{concept.front}")
