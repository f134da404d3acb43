"""
Title: A forecast of lent bicycles, for the lender
Description: A network with a one-hot season and an hour, its short account, and where it holds.
Accelerator: None
"""

"""
## Introduction

A network forecasts how many hundred bicycles you lend in an hour, from the weather, the hour,
whether people work that day, and the season, which is four columns of zeros and ones. You want to
know what moves the forecast, whether a formula in a spreadsheet would do, and for which hours.

`models/bicycles.keras` was trained by `scripts/training/train_tables.py` on a table that is drawn
after real ones; `models/bicycles.csv` has a part of its rows.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras_symgrad as ks

models = Path(__file__).parent / "models"
network = models / "bicycles.keras", models / "bicycles.csv"
quick = {"search": ks.Search(methods="dictionary"), "time_limit": 6, "verbose": False}

"""
## What moves the forecast

The four columns of the season are found to be one variable of four levels and named so, in
conditions as well (`season is winter`). The sign is `+-` where an input moves the forecast up in
one place and down in another, as the hour does. Then come the pairs that bend each other's effect.
"""

concept = ks.interpret(*network, **quick)
for one in concept.influence[:5]:
    print(one)
for one in concept.interactions[:3]:
    print(one)

"""
## The short account and its fidelity

Rush hours are two peaks of a working day, which no straight line has: R2 says which share of the
forecast's variance an account explains on rows kept apart, beside a linear model on all inputs and
a decision tree of depth 3.
"""

print(f"{concept.matches}: {concept.headline}")
print(concept.fidelity)

"""
## Where it holds

An account with an R2 below 1 is right somewhere and wrong elsewhere. The condition is found on one
half of the rows that were kept apart and counted on the other.
"""

print(concept.holds)

"""
## One hour explained

Around one row a much shorter formula holds, up to the radius, in widths of the table. Columns of
few values stay as they are in the row.
"""

local = ks.interpret(*network, near=3, **quick | {"time_limit": 3})
print(f"{local.matches}: {local.headline}")
for name, text in local.remarks:
    if name in ("radius", "stay as in the row"):
        print(f"{name}: {text}")
