"""
Title: From a saved model to a saved formula
Description: Interpret a model file with points from a CSV file, save the result and use it again.
Accelerator: None
"""

"""
## Introduction

Nothing of the code that made a model is needed: a `.keras` file, a legacy `.h5` file or a
SavedModel folder is enough, with points from where the model was trained. From a shell, the same is

    keras-symgrad interpret examples/models/C.keras --data examples/models/C.csv --out result

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import json
import tempfile
from pathlib import Path

import numpy as np

import keras_symgrad as ks

"""
## The interpretation

The network in the file was trained on noisy labels of exp(x1 - x2) - pi x3 > 1. Neither the noise
nor the labels nor the formula are in the file.
"""

models = Path(__file__).parent / "models"
concept = ks.interpret(models / "C.keras", models / "C.csv", time_limit=20)
print(concept)

"""
## The result as a file

The JSON file holds the front, the rule, the errors, and what is needed to repeat it: the seed and
the versions of the packages. Formulas are text in Python's syntax, with all digits.
"""

path = concept.save(Path(tempfile.mkdtemp()) / "C.json")
saved = json.loads(path.read_text())
print(f"\n{path} holds: {', '.join(saved)}")
print(f"rule: {saved['rule']['text']}, seed {saved['seed']}")

"""
## Use it again

`SymbolicLayer` reads the text, and never runs it: a formula from a stranger cannot do harm.
"""

formula = ks.SymbolicLayer(saved["best"]["expression"], names=saved["variables"])
points = np.array([[0.5, -0.5, 0.2], [-0.5, 0.5, 0.2]])
print(f"values of the formula: {np.ravel(formula(points)).round(3)}")
print(f"threshold: {saved['rule']['threshold']:.3f}, direction: {saved['rule']['direction']}")
