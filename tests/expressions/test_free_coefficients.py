"""Free coefficients leave the formula what it is and can all be trained."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.free_coefficients import with_free_coefficients

X = np.random.default_rng(0).uniform(0.2, 2, (100, 3))


@pytest.mark.parametrize(
    ("text", "constants"),
    [
        ("-x1*x2 + (x3 - x1)**2", 4),
        ("x1**2 + sin(x2 + x3)", 4),
        ("3*x1*exp(-x2**2/2)", 2),
        ("pi*x3 - exp(x1 - x2)", 4),
        ("x1*x2", 0),
        ("sqrt(x1 + 1)/(x2 + x3**3)", 4),
        ("Max(2*x1, x2) + tanh(x1 - x3)", 5),
        ("Piecewise((x1, x1 < 1), (x2, True)) + 2", 2),
        ("0.5*x1 + 2**x2", 2),
    ],
)
def test_all_coefficients_become_weights_and_the_values_stay(text, constants):
    names = ("x1", "x2", "x3")
    formula = ks.Formula(from_text(text, names), 5.0, 0.0, names)
    free = formula.with_free_coefficients()
    np.testing.assert_allclose(free(X), formula(X), rtol=1e-12)
    assert free.names == names
    layer = free.to_layer()
    np.testing.assert_allclose(np.asarray(layer(X))[:, 0], formula(X), rtol=1e-5)
    assert layer.count_params() == constants
    exponents = [power.exp for power in with_free_coefficients(formula.expression).atoms(sympy.Pow)]
    assert not any(exponent.has(sympy.Float) for exponent in exponents)
