"""
Title: A classifier of wines, for the grower
Description: Three cultivars told apart by a score each, and how faithful the scores are.
Accelerator: None
"""

"""
## Introduction

Your laboratory measures thirteen quantities of a wine, and a network decides from them which of
three cultivars it was made of. You would like to know by which of the measurements, in a form that
fits on a label, and how often the short form says what the network says.

`models/wines.keras` was trained by `scripts/training/train_tables.py` on the table of wines that
comes with scikit-learn.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine

import keras_symgrad as ks

model = Path(__file__).parent / "models" / "wines.keras"
table = load_wine()
names = [name.replace("/", "_") for name in table.feature_names]

"""
## A score for each cultivar

`scheme="scores"` finds a short sum for each class; the class with the largest sum is chosen.
(`scheme="pairs"` looks for the exact boundary between each two classes, which takes a search for
each pair; this network has no exact formula.) The first lines say how often all together choose as
the network does, on wines that nothing was fitted on, beside softmax regression on all thirteen
measurements and a decision tree of depth 3.
"""

found = ks.interpret_classes(
    model,
    table.data,
    names=names,
    classes=["barolo", "grignolino", "barbera"],
    scheme="scores",
    verbose=False,
)
print(found)

"""
## Shorter scores

How short may the scores be if nine wines in ten are enough?
"""

short = found.scores.for_fidelity(0.9)
if short is not None:
    print(f"agreement {short.fidelity.shown}")
    for name, score in zip(found.classes, short.formulas):
        print(f"{name}: {score.to_pretty()}")

"""
## One wine

The margins of a wine say by how much each cultivar is ahead of the one that comes nearest; the
chosen one alone is above zero. `near=` explains the boundary between the two likeliest around this
wine: its formula, and the nearest wine that the network would give the other name.
"""

wine = 70
margins = found.margins(table.data[wine : wine + 1])[0]
for name, margin in zip(found.classes, margins):
    print(f"{name}: {margin:+.2f}")
second, first = np.sort(np.argsort(margins)[-2:])
local = ks.interpret(
    model,
    table.data,
    unit=(int(first), int(second)),
    names=names,
    near=wine,
    search=ks.Search(methods="dictionary"),
    time_limit=3,
    verbose=False,
)
print(f"{found.classes[first]} against {found.classes[second]}: {local.headline}")
for name, text in local.remarks:
    if name in ("radius", "nearest boundary"):
        print(f"{name}: {text}")

"""
## The classifier as plain functions

Each score is a formula: Python that needs NumPy alone, LaTeX, or a Keras layer.
"""

print(found.scores.best.formulas[0].to_python("barolo"))
