"""Constants of finished formulas are fitted in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.core.constant_fit import FIT_ROWS, ConstantFit

NAMES = ("x1", "x2", "x3")
x1, x2, x3 = map(symbol, NAMES)
POINTS = np.random.default_rng(0).uniform(0.5, 2, size=(300, 3))


def field(truth, noise: float = 0.0, weights=None) -> GradientField:
    """The directions of a known concept, blurred by noise of a relative size."""
    directions = unit(gradient(truth, NAMES, POINTS))
    blur = np.random.default_rng(1).normal(scale=noise, size=POINTS.shape) if noise else 0
    return GradientField.from_gradients(POINTS, directions + blur, names=NAMES, weights=weights)


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


@pytest.mark.slow
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


def test_without_constants_nothing_changes():
    fit = ConstantFit(x1 + x2**2, field(x1 + x2**2))
    assert fit.start.size == 0
    assert fit.expression(fit.refined(fit.start)) == x1 + x2**2


def test_where_the_formula_has_no_values_the_loss_is_infinite_and_nothing_moves():
    fit = ConstantFit(sympy.log(x1 - 5.0) + x2, field(x1 + x2))
    assert fit.loss(fit.start) == np.inf
    np.testing.assert_array_equal(fit.refined(fit.start), fit.start)


def test_a_coarse_fit_is_near_the_exact_one():
    fit = ConstantFit(
        x1 + sympy.sin(1.4 * x2) * 0.9 - x3, field(x1 + sympy.sin(1.7 * x2) * 0.6 - x3)
    )
    coarse, exact = fit.refined(fit.start, precision=1e-4), fit.refined(fit.start)
    np.testing.assert_allclose(coarse, exact, rtol=1e-3)


def test_values_are_those_of_the_expression_at_the_rows():
    fit = ConstantFit(1.5 * x1 + 2.5 * x2, field(x1 + x2))
    np.testing.assert_allclose(fit.values(np.array([3.0, 4.0])), POINTS[:, :2] @ [3.0, 4.0])


def test_of_many_rows_and_variables_a_fit_looks_at_those_that_it_needs():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, size=(FIT_ROWS + 1000, 8))
    gradients = np.zeros_like(x)
    gradients[:, 0], gradients[:, 1] = 2 * x[:, 0], 2 * 2.3456789 * x[:, 1]
    fit = ConstantFit(x1**2 + 1.5 * x2**2, GradientField.from_gradients(x, gradients))
    assert fit.residual(fit.start).shape == (FIT_ROWS, 8)
    assert fit.refined(fit.start) == pytest.approx([2.3456789], rel=1e-6)
