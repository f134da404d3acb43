"""Variable projection against a general solver for all constants, from the same starts."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy.optimize import least_squares

from keras_symgrad.formulas.variable_projection import ProjectedFit

G, B, C = sympy.symbols("g b c", real=True)
POINTS = np.linspace(-1.0, 2.0, 80)
STARTS = np.array([[0.3, 0.1], [1.0, 0.5], [3.0, -0.5]])


def bent(b, c):
    """Values around which noise leaves a minimum that no constants reach exactly."""
    noise = 0.01 * np.random.default_rng(0).normal(size=len(POINTS))
    return 2.0 * np.tanh(b * POINTS + c) - 0.7 + noise


def test_the_minimum_is_that_of_a_solver_for_all_four_constants():
    values = bent(1.4, 0.3)
    fit = ProjectedFit(sympy.tanh(B * G + C), G, [B, C], POINTS, values)
    found = fit.descended(STARTS, steps=60)
    line = fit.line(found)

    def residual(constants):
        a, b, c, d = constants
        return a * np.tanh(b * POINTS + c) + d - values

    best = least_squares(residual, [2.0, 1.4, 0.3, -0.7], xtol=1e-14, ftol=1e-14)
    total = ((values - values.mean()) ** 2).sum()
    np.testing.assert_allclose(line.loss, 2 * best.cost / total, rtol=1e-3)
    np.testing.assert_allclose(found, np.tile(best.x[1:3], (3, 1)), rtol=1e-2)
    np.testing.assert_allclose(line.factor, best.x[0], rtol=1e-2)
    np.testing.assert_allclose(line.offset, best.x[3], rtol=1e-2)


def test_factor_and_offset_are_those_of_a_straight_line():
    values = bent(1.4, 0.3)
    fit = ProjectedFit(sympy.tanh(B * G + C), G, [B, C], POINTS, values)
    line = fit.line(STARTS)
    for (b, c), factor, offset, loss in zip(STARTS, line.factor, line.offset, line.loss):
        curve = np.tanh(b * POINTS + c)
        expected = np.polyfit(curve, values, 1)
        assert (factor, offset) == pytest.approx(tuple(expected), rel=1e-9)
        left = values - np.polyval(expected, curve)
        assert loss == pytest.approx(left.var() / values.var(), rel=1e-9)


def test_no_start_ends_higher_than_it_began():
    rng = np.random.default_rng(1)
    starts = rng.normal(size=(40, 2)) * [5, 3]
    fit = ProjectedFit(sympy.exp(B * (G + C) ** 2), G, [B, C], POINTS, bent(1.4, 0.3))
    before, after = fit.line(starts).loss, fit.line(fit.descended(starts, steps=25)).loss
    assert np.all(after <= before)
    assert np.sum(after < before) > 20


@pytest.mark.parametrize("start", [[0.0, 1.0], [1.0, np.nan], [1e300, 1e300]])
def test_a_curve_that_is_constant_or_not_finite_has_no_line(start):
    fit = ProjectedFit(sympy.exp(B * G + C), G, [B, C], POINTS, bent(1.4, 0.3))
    starts = np.array([start, [0.5, 0.0]])
    assert np.isinf(fit.line(starts).loss).tolist() == [True, False]
    # The others go on.
    found = fit.descended(starts, steps=10)
    np.testing.assert_array_equal(found[0], start)
    assert fit.line(found).loss[1] < fit.line(starts).loss[1]


def test_a_form_without_inner_constants_is_a_line():
    values = 3 * POINTS - 2
    fit = ProjectedFit(G, G, [], POINTS, values)
    line = fit.line(fit.descended(np.zeros((1, 0)), steps=5))
    assert (line.factor[0], line.offset[0]) == pytest.approx((3, -2))
    assert line.loss[0] < 1e-25
