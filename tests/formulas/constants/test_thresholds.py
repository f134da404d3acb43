"""The threshold of a rule has an interval that holds the true one."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.formulas.constants.thresholds import threshold_interval
from keras_symgrad.gradients.field import GradientField

X1, X2 = sympy.symbols("x1 x2", real=True)


def slab(seed: int, wave: float, rows: int = 1000) -> GradientField:
    """Rows near the ellipse x1**2 + 2*x2**2 = 1 of a network with smooth errors."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1.2, 1.2, size=(20 * rows, 2))
    phase, frequency = rng.uniform(0, 2 * np.pi, 2), rng.normal(0, 4, 2)
    argument = points * frequency + phase
    g = points[:, 0] ** 2 + 2 * points[:, 1] ** 2 + wave * np.sin(argument).sum(axis=1)
    slopes = points * [2, 4] + wave * np.cos(argument) * frequency
    near = np.argsort(np.abs(g - 1))[:rows]
    return GradientField.from_gradients(points[near], slopes[near], values=10 * (g - 1)[near])


def test_intervals_hold_the_true_threshold():
    inside = [
        threshold_interval(X1**2 + 2 * X2**2, slab(seed, 0.02), 1.0).holds(1.0)
        or threshold_interval(X1**2 + 2 * X2**2, slab(seed, 0.02), 1.0).interval
        for seed in range(5)
    ]
    assert inside == [True] * 5


def test_what_a_constant_may_be_the_threshold_may_be_too():
    rows = slab(0, 0.02)
    exact = threshold_interval(X1**2 + 2 * X2**2, rows, 1.0)
    fitted = threshold_interval(X1**2 + 2.0 * X2**2, rows, 1.0)
    assert fitted.high - fitted.low > 1.1 * (exact.high - exact.low)


def test_a_wavier_boundary_fixes_the_threshold_less():
    smooth, wavy = (threshold_interval(X1**2 + 2 * X2**2, slab(1, w), 1.0) for w in (0.01, 0.1))
    assert wavy.high - wavy.low > 5 * (smooth.high - smooth.low)


@pytest.mark.parametrize("rows", [6, 40])
def test_few_rows_fix_no_threshold(rows):
    found = threshold_interval(X1**2 + 2 * X2**2, slab(0, 0.02, rows), 1.0)
    assert (found.value, found.is_fixed) == (1.0, False)
