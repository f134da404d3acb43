"""
Title: What is known of a concept before the search
Description: A network of a hundred poor measurements, and what its symmetries make of it.
Accelerator: None
"""

"""
## Introduction

Two equal masses on a line are held together by a spring. Their energy was measured a hundred
times, with errors of a tenth of its scatter, and a network was trained on it. Whoever looks at its
gradients sees the concept, and what the network made of the errors.

Some of that noise can be told from the concept without knowing it: the masses are alike, only their
distance matters, and the energy does not know left from right.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, points = models / "springs.keras", models / "springs.csv"
options = {
    "operators": "polynomial",
    "search": ks.Search(methods="dictionary"),
    "time_limit": 20,
    "verbose": False,
}

"""
## The network as it is

The formula tells the masses apart, which nobody meant.
"""

plain = ks.interpret(model, points, **options)
print(f"\nas it is\n{plain}")

"""
## The network with its symmetries

Variables that belong to one mass are exchanged together, as a tuple. `Translation` is a continuous
symmetry: what gradients have along it is taken off. For the others, the network is averaged over
the images of each point.

The result says of each symmetry how far the network's gradients were from having it, 1 - cos, and
whether the formula has it. A network that plainly has not is warned of.
"""

symmetries = [
    ks.Exchange(("x1", "v1"), ("x2", "v2")),
    ks.Translation("x1", "x2"),
    ks.Even("v1"),
    ks.Even("v2"),
]
concept = ks.interpret(model, points, priors=ks.Priors(symmetries=symmetries), **options)
print(f"\nwith its symmetries\n{concept}")

"""
## A symmetry that is none

A spring is not a pendulum: turning the velocities into each other is harmless here, for the masses
are equal, but turning place into velocity is not. The warning says so.
"""

import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    wrong = ks.interpret(
        model, points, priors=ks.Priors(symmetries=[ks.Rotation("x1", "v1")]), **options
    )
print("\na symmetry that is none")
print(*(warning.message for warning in caught), sep="\n")
print(wrong.symmetries[0])
