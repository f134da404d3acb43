"""Constants of finished formulas: fitted exactly, and simple only where nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.constants import FIT_ROWS, UNNOTICED, ConstantFit
from keras_symgrad.directions import unit
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.gradients import GradientField

NAMES = ("x1", "x2", "x3")
x1, x2, x3 = map(symbol, NAMES)
POINTS = np.random.default_rng(0).uniform(0.5, 2, size=(300, 3))


def field(truth, noise: float = 0.0, weights=None) -> GradientField:
    """The directions of a known concept, blurred by noise of a relative size."""
    directions = unit(gradient(truth, NAMES, POINTS))
    blur = np.random.default_rng(1).normal(scale=noise, size=POINTS.shape) if noise else 0
    return GradientField.from_gradients(POINTS, directions + blur, names=NAMES, weights=weights)


def snapped(expression, truth, noise: float = 0.0) -> sympy.Expr:
    fit = ConstantFit(expression, field(truth, noise))
    return fit.expression(fit.snapped(fit.refined(fit.start)))


@pytest.mark.parametrize(
    ("truth", "start"),
    [
        (x1**2 + 2.3456789 * x2**2, x1**2 + 1.5 * x2**2),
        (sympy.exp(x1 - x2) - 3.3 * x3, sympy.exp(x1 - x2) - 2.0 * x3),
        (x1 + sympy.sin(1.7 * x2) * 0.6 - x3, x1 + sympy.sin(1.4 * x2) * 0.9 - x3),
        (x1 * x2**2.5 + x3, x1 * x2**2.1 + x3),
    ],
    ids=str,
)
def test_constants_are_recovered_in_double_precision(truth, start):
    fit = ConstantFit(start, field(truth))
    found = fit.refined(fit.start)
    expected = sorted(float(number) for number in truth.atoms(sympy.Float))
    np.testing.assert_allclose(sorted(found), expected, rtol=1e-10)
    assert fit.loss(found) < 1e-20


@pytest.mark.parametrize("signed", [False, True])
def test_the_loss_is_that_of_the_exact_path(signed):
    weights = np.random.default_rng(2).uniform(size=300)
    target = field(x1 * x2 + x3, weights=weights)
    candidate = 1.3 * x2**2 - x1 * x3
    fit = ConstantFit(candidate, target, signed=signed)
    for sign in (1, -1):
        fit = ConstantFit(sign * candidate, target, signed=signed)
        exact = loss(
            sign * candidate, NAMES, POINTS, target.directions, target.weights, signed=signed
        )
        assert fit.loss(fit.start) == pytest.approx(exact, rel=1e-10)


def test_refinement_never_makes_it_worse():
    rng = np.random.default_rng(3)
    target = field(sympy.exp(x1 - x2) - x3, noise=0.1)
    fit = ConstantFit(sympy.log(x1 + 1.1) * 2.2 + sympy.sin(3.3 * x2) - 0.4 * x3, target)
    for _ in range(5):
        start = fit.start * rng.uniform(0.3, 3, size=fit.start.size)
        assert fit.loss(fit.refined(start)) <= fit.loss(start)


def test_only_the_constants_that_may_move_do():
    fit = ConstantFit(x1 + 1.5 * x2 + 3.5 * x3, field(x1 + 2 * x2 + 3 * x3))
    found = fit.refined(fit.start, np.array([True, False]))
    assert found[1] == 3.5
    assert found[0] != 1.5


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
    truth = x1**2 + x3 + float(true) * x2**2
    # 2 % from the truth, as a search leaves it.
    found = snapped(x1**2 + x3 + float(1.02 * true) * x2**2, truth, noise=0.02)
    assert found == x1**2 + x3 + simple * x2**2


@pytest.mark.parametrize("true", [2.3, 22 / 7, 3.2, 0.318, 1.0371, -7.7123])
def test_a_constant_that_is_not_simple_stays_what_it_is(true):
    # Without noise every wrong digit is noticed.
    found = snapped(x1**2 + x3 + float(1.02 * true) * x2**2, x1**2 + x3 + float(true) * x2**2)
    assert float(found.coeff(x2**2)) == pytest.approx(true, rel=1e-9)
    assert not found.has(sympy.pi, sympy.sqrt(2))


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.3])
def test_simple_constants_cost_no_more_than_they_may(noise):
    truth = 1.03 * x1**2 + 2.3 * x2**2 + sympy.sin(3.1 * x3)
    fit = ConstantFit(truth, field(truth, noise))
    refined = fit.refined(fit.start)
    values = np.array([float(number) for number in fit.snapped(refined)])
    assert fit.loss(values) <= (1 + UNNOTICED) * fit.loss(refined) + 1e-13


def test_of_several_constants_each_is_judged_by_itself():
    truth = x1 + 2.0 * x2**2 + 2.3 * x3**3
    found = snapped(x1 + 2.05 * x2**2 + 2.25 * x3**3, truth)
    assert found.coeff(x2**2) == 2
    assert isinstance(found.coeff(x2**2), sympy.Integer)
    assert float(found.coeff(x3**3)) == pytest.approx(2.3, rel=1e-6)


def test_a_constant_that_should_not_be_there_becomes_zero():
    found = snapped(x1 + x2 * x3 + 0.0004 * x2**2, x1 + x2 * x3, noise=0.01)
    assert found == x1 + x2 * x3


def test_without_constants_nothing_changes():
    fit = ConstantFit(x1 + x2**2, field(x1 + x2**2))
    assert fit.start.size == 0
    assert fit.expression(fit.snapped(fit.refined(fit.start))) == x1 + x2**2


def test_where_the_formula_has_no_values_the_loss_is_infinite_and_nothing_moves():
    fit = ConstantFit(sympy.log(x1 - 5.0) + x2, field(x1 + x2))
    assert fit.loss(fit.start) == np.inf
    np.testing.assert_array_equal(fit.refined(fit.start), fit.start)
    np.testing.assert_array_equal([float(c) for c in fit.snapped(fit.start)], fit.start)


def test_of_many_rows_and_variables_a_fit_looks_at_those_that_it_needs():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, size=(FIT_ROWS + 1000, 8))
    gradients = np.zeros_like(x)
    gradients[:, 0], gradients[:, 1] = 2 * x[:, 0], 2 * 2.3456789 * x[:, 1]
    fit = ConstantFit(x1**2 + 1.5 * x2**2, GradientField.from_gradients(x, gradients))
    assert fit.residual(fit.start).shape == (FIT_ROWS, 8)
    assert fit.refined(fit.start) == pytest.approx([2.3456789], rel=1e-6)
