"""
Title: Operators of your own
Description: Give the search the function that your field knows, in one line.
Accelerator: None
"""

"""
## Introduction

A formula is made of operators. Those that ship are the ones everybody knows; your field may know
another, such as a bell curve, a saturation or a kernel. An `Operator` is one SymPy expression. Its
derivatives come from `sympy.diff`, its TensorFlow code from `sympy.lambdify`, and it then works
everywhere a shipped one does: in the search, in layers, in LaTeX and in files.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import sympy

import keras_symgrad as ks

models = Path(__file__).parent / "models"

"""
## A bell over two variables

The network was trained on x1 exp(-(x2^2 + x3^2)/2) > 0.2. With the shipped operators the search
has to build the bell from squares, a sum and an exponential or a logarithm. Now it is one operator.
Presets, names and operators of your own can be mixed.
"""

a, b = sympy.symbols("a b")
bell = ks.Operator("bell", sympy.exp(-(a**2 + b**2) / 2))
print(f"{bell}, with the partial derivatives {bell.partials}\n")

concept = ks.interpret(
    models / "D.keras", models / "D.csv", operators=["arithmetic", bell], time_limit=20
)
print(concept)

"""
## What is refused, and when

An operator that cannot be differentiated or has no TensorFlow code is refused when it is made, not
after a minute of search.
"""

try:
    ks.Operator("bessel", lambda a: sympy.besselj(0, a))
except ValueError as error:
    print(f"\n{error}")
