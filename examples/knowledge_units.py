"""
Title: Formulas that can be true
Description: With the units of the variables, only formulas that have a dimension are looked at.
Accelerator: None
"""

"""
## Introduction

A ball is thrown upwards, on planets much like the Earth. A person says whether it flies over a bar,
and is wrong by 10 cm or so; the network in `models/throws.keras` learned from 4,000 such answers.
What decides is the highest point, h + v^2/(2 g). But heights, speeds and gravities lie close
together, and the answers are noisy: many formulas fit as well.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, throws = models / "throws.keras", models / "throws.csv"

"""
## Without units

What fits best takes the cosine of a height, or adds metres to seconds. It is a fine description of
the network on these throws, and of nothing else.
"""

concept = ks.interpret(model, throws, time_limit=20, verbose=False)
print(concept.front)

"""
## With units

`pint` reads the units. From then on, terms of a sum have one dimension, and functions such as the
cosine take numbers alone. Nothing else is said: which formula it is, the network says.
"""

units = {"height": "m", "speed": "m/s", "gravity": "m/s**2"}
concept = ks.interpret(
    model, throws, time_limit=20, verbose=False, priors=ks.Priors(dimensions=units)
)
print(f"\n{concept.front}")
print(f"\n{concept.rule}")

"""
## Constants with a dimension

Had gravity not been among the variables, the formula would hold it as a number: 0.05 s^2/m. Numbers
have no dimension unless `constants="any"` says that they may.
"""

planet = ks.Dimensions({"height": "m", "speed": "m/s"}, constants="any")
print(f"\n{planet}")
