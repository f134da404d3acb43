"""Simple numbers take the places of constants where the rows speak for them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.formulas.constants.simple_constants import with_simple_constants
from keras_symgrad.gradients.field import GradientField

NAMES = ("x1", "x2", "x3")
x1, x2, x3 = map(symbol, NAMES)


def field(truth, noise: float = 0.0) -> GradientField:
    """The directions of a known concept, blurred by noise of a relative size."""
    points = np.random.default_rng(0).uniform(0.5, 2, size=(300, 3))
    directions = unit(gradient(truth, NAMES, points))
    blur = np.random.default_rng(1).normal(scale=noise, size=points.shape) if noise else 0
    return GradientField.from_gradients(points, directions + blur, names=NAMES)


@pytest.mark.parametrize(
    ("true", "simple"),
    [
        (2.0, 2),
        (-3.0, -3),
        (0.5, sympy.Rational(1, 2)),
        (1 / 3, sympy.Rational(1, 3)),
        (np.pi, sympy.pi),
        (-2 * np.pi, -2 * sympy.pi),
        (1 / np.pi, 1 / sympy.pi),
        (np.sqrt(2), sympy.sqrt(2)),
    ],
)
def test_simple_constants_are_recognised_through_noise(true, simple):
    rows = field(x1**2 + x3 + float(true) * x2**2, noise=0.003)
    # 2 % from the truth, as a search leaves it.
    found = with_simple_constants(x1**2 + x3 + float(1.02 * true) * x2**2, rows)
    assert found == x1**2 + x3 + simple * x2**2


@pytest.mark.parametrize("true", [2.3, 22 / 7, 3.2, 0.318, 1.0371, -7.7123, 2.37, 19 / 8])
def test_a_constant_that_is_not_simple_stays_what_it_is(true):
    # Without noise every wrong digit is noticed.
    found = with_simple_constants(
        x1**2 + x3 + float(1.02 * true) * x2**2, field(x1**2 + x3 + float(true) * x2**2)
    )
    assert float(found.coeff(x2**2)) == pytest.approx(true, rel=1e-9)
    assert found.coeff(x2**2).is_Float


def test_nothing_is_read_out_of_noise():
    rows = field(x1**2 + x3 + 3.2 * x2**2, noise=1.0)
    found = with_simple_constants(x1**2 + x3 + 3.1 * x2**2, rows)
    assert found.coeff(x2**2).is_Float


def test_of_several_constants_each_is_judged_by_itself():
    truth = x1 + 2.0 * x2**2 + 2.3 * x3**3
    found = with_simple_constants(x1 + 2.05 * x2**2 + 2.25 * x3**3, field(truth))
    assert found.coeff(x2**2) == 2
    assert isinstance(found.coeff(x2**2), sympy.Integer)
    assert float(found.coeff(x3**3)) == pytest.approx(2.3, rel=1e-6)


def test_a_constant_that_should_not_be_there_becomes_zero():
    rows = field(x1 + x2 * x3, noise=0.01)
    assert with_simple_constants(x1 + x2 * x3 + 0.0004 * x2**2, rows) == x1 + x2 * x3


@pytest.mark.parametrize("written", [7, 3, sympy.Rational(7, 3), sympy.pi])
def test_a_number_that_a_search_wrote_down_is_no_truer_than_a_fitted_one(written):
    rows = field(x1**2 + x3 + 2.37 * x2**2, noise=0.01)
    found = with_simple_constants(x1**2 + x3 + written * x2**2, rows)
    assert float(found.coeff(x2**2)) == pytest.approx(2.37, rel=0.01)
    # Not so if the user's rules put it there.
    kept = with_simple_constants(x1**2 + x3 + written * x2**2, rows, whole=False)
    assert kept == x1**2 + x3 + written * x2**2


def test_a_simple_number_must_not_make_the_formula_longer():
    rows, form = field(x1**2 + x3 + np.pi * x2**2), x1**2 + x3 + 3.1 * x2**2
    assert with_simple_constants(form, rows).has(sympy.pi)
    dear = with_simple_constants(form, rows, weight=lambda e: float(e.has(sympy.pi)))
    assert not dear.has(sympy.pi)


def test_without_constants_nothing_changes():
    assert with_simple_constants(x1 + x2**2, field(x1 + x2**2)) == x1 + x2**2
