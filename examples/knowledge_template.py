"""
Title: A formula of a known form
Description: Give the outer form, and let the search find the parts.
Accelerator: None
"""

"""
## Introduction

The network in `models/barrier.keras` says whether a car breaks through a barrier, from its mass and
the two components of its velocity: m (v1^2 + v2^2)/2 > 300 kJ. Say that you want to know what each
of the two contributes, as points that add up: a score f(mass) + g(velocity).

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, cars = models / "barrier.keras", models / "barrier.csv"

"""
## As it comes

Without a form the search finds the shortest formula, a product.
"""

concept = ks.interpret(model, cars, time_limit=20, verbose=False)
print(concept.rule)

"""
## As a sum of two parts

A part is written as a function of the variables that it may hold. Inside it everything is possible;
the form around it stays. The product becomes what the form allows: a sum of logarithms, which is
the same concept, for the logarithm turns no gradient.
"""

form = "f(mass) + g(velocity_1, velocity_2)"
concept = ks.interpret(model, cars, time_limit=20, verbose=False, priors=ks.Priors(template=form))
print(f"\n{concept.front}")
print(f"\n{concept.rule}")
