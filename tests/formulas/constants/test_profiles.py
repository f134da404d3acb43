"""Profiles of the loss: intervals hold the truth, and are open where the rows fix nothing."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.formulas.constants.profiles import Intervals, intervals
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.core.constant_fit import ConstantFit

X1, X2, X3 = sympy.symbols("x1 x2 x3", real=True)
NAMES = (X1, X2, X3)


def field(truth, noise: float, seed: int = 0, rows: int = 500, low=-1.0) -> GradientField:
    """The gradients of a concept in two or three variables with independent errors."""
    rng = np.random.default_rng(seed)
    variables = [name for name in NAMES if name in truth.free_symbols]
    points = rng.uniform(low, 1, size=(rows, len(variables)))
    partials = sympy.lambdify(variables, [sympy.diff(truth, v) for v in variables])(*points.T)
    slopes = np.stack([np.broadcast_to(p, rows) for p in partials], axis=1)
    return GradientField.from_gradients(points, slopes + noise * rng.normal(size=points.shape))


def found(form, rows: GradientField) -> Intervals:
    return intervals(ConstantFit(form, rows))


@pytest.mark.slow
def test_constants_inside_of_functions_are_held_as_often_as_promised():
    truth = sympy.exp(0.6 * X2 * X3) + 2.7 * X1
    inside = []
    for seed in range(12):
        known = found(truth, field(truth, 0.3, seed, rows=300))
        inside += [low <= c <= high for low, c, high in zip(known.low, (0.6, 2.7), known.high)]
    # Of 24, four outside happen in 3 % of all trials.
    assert sum(inside) >= 21


def test_the_ends_are_where_the_profile_meets_its_limit():
    truth = sympy.exp(0.6 * X2 * X3) + 2.7 * X1
    fit = ConstantFit(truth, field(truth, 0.3))
    known = intervals(fit)
    for k, ends in enumerate(zip(known.low, known.high)):
        for end in ends:
            held = known.best.copy()
            held[k] = end
            profile = fit.mean(fit.refined(held, np.arange(2) != k))
            least = fit.mean(known.best)
            assert (profile - least) / (known.limits[k] - least) == pytest.approx(1, abs=0.15)


def test_constants_that_move_together_have_wider_intervals_than_each_alone():
    truth = X1 / (X2 + 4.0) + 0.8 * X3
    rows = field(truth, 0.02)
    together = found(truth, rows)
    alone = found(X1 / (X2 + 4.0) + sympy.Rational(4, 5) * X3, rows)
    assert together.high[1] - together.low[1] > 3 * (alone.high[0] - alone.low[0])
    # At the end of one interval the other constant has moved along.
    assert abs(together.ends[1, 1, 0] - together.best[0]) > 0.5 * (
        together.high[0] - together.best[0]
    )


def test_a_saturated_constant_has_a_lower_end_only():
    truth = X1 * sympy.tanh(40.0 * X1) + X2
    known = found(truth, field(truth, 0.05, low=0.2))
    assert 3 < known.low[0] < 40
    assert known.high[0] == np.inf
    assert np.isnan(known.ends[1, 0]).all()


def test_constants_of_which_only_the_sum_is_fixed_have_no_interval():
    form = X1 * (X2 + 2.0) + 3.0 * X1 + 0.7 * X3
    known = found(form, field(form, 0.05))
    assert np.isfinite(known.low).tolist() == [True, False, False]
    assert np.isfinite(known.high).tolist() == [True, False, False]


def test_a_flat_valley_is_as_wide_as_it_is_flat():
    # The kink of |x1 - c| lies where there are no rows: between them the loss is level.
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 3, size=(2000, 2))
    points = points[(points[:, 0] < 0.5) | (points[:, 0] > 1.0)][:600]
    slopes = np.stack([np.sign(points[:, 0] - 0.7), np.ones(600)], axis=1)
    rows = GradientField.from_gradients(points, slopes + 0.1 * rng.normal(size=slopes.shape))
    known = found(sympy.Abs(X1 - 0.77) + X2, rows)
    # What stands in the formula is -0.77.
    assert -1.1 < known.low[0] <= -0.99 and -0.51 <= known.high[0] < -0.4


def test_what_is_flat_to_a_hundredth_is_wide_on_a_network_of_smooth_errors():
    # A hundredth of the loss is a tenth of its error: a dip of that depth is no evidence.
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(600, 2))
    smooth = np.stack([np.sin(5 * points[:, 0]), np.cos(4 * points[:, 1])], axis=1)
    rows = GradientField.from_gradients(points, np.array([1.0, 1.0]) + 0.2 * smooth)
    fit = ConstantFit(X1 + X2 + 0.02 * sympy.sin(0.8 * X1), rows)
    known = intervals(fit)

    def profile(value: float) -> float:
        held = np.array([known.best[0], value])
        return fit.mean(fit.refined(held, np.array([True, False]))) / fit.mean(known.best)

    flat = [value for value in np.linspace(0.1, 2.0, 20) if profile(value) < 1.01]
    assert len(flat) > 5
    assert known.low[1] <= min(flat) and max(flat) <= known.high[1]


def test_a_ripple_beside_the_best_fit_does_not_end_the_interval():
    class Rippled:
        """A parabola with narrow walls, in the words of a fit."""

        def __init__(self):
            rows = field(X1**2 + 2 * X2**2, 0.1)
            self._fit = ConstantFit(X1**2 + 2.1 * X2**2, rows)
            self.start, self.field = self._fit.start, rows

        def __getattr__(self, name):
            return getattr(self._fit, name)

        def mean(self, constants):
            wall = 0.01 < abs(constants[0] - self.start[0]) < 0.012
            return self._fit.mean(constants) + 10.0 * wall

    plain = found(X1**2 + 2.1 * X2**2, field(X1**2 + 2 * X2**2, 0.1))
    rippled = Rippled()
    rippled.start = plain.best
    known = intervals(rippled)
    assert known.high[0] - known.low[0] > 0.9 * (plain.high[0] - plain.low[0])


def test_a_start_beside_the_best_fit_is_left_for_it():
    truth = sympy.sin(3.0 * X1) + X2
    known = found(sympy.sin(2.2 * X1) + X2, field(truth, 0.05))
    assert known.low[0] < 3.0 < known.high[0] < 3.2


def test_few_rows_leave_everything_open():
    known = found(X1**2 + 2.1 * X2**2, field(X1**2 + 2 * X2**2, 0.1, rows=8))
    assert (known.low == -np.inf).all() and (known.high == np.inf).all()


def test_a_field_without_errors_fixes_a_constant_to_rounding():
    known = found(X1**2 + 2.1 * X2**2, field(X1**2 + 2.3 * X2**2, 0.0))
    assert known.low[0] < 2.3 < known.high[0]
    assert known.high[0] - known.low[0] < 1e-5
