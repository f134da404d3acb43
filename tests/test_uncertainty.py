"""Intervals of constants: they hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.uncertainty import Constant, constants

X1, X2 = sympy.symbols("x1 x2", real=True)


def field(seed: int, noise: float, waves: bool = False, rows: int = 600) -> GradientField:
    """The field of x1**2 + 2.3*x2**2 with errors, those of neighbours alike if they are waves."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, size=(rows, 2))
    error = rng.normal(size=points.shape)
    if waves:
        phases = points @ rng.normal(0, 4, size=(2, 2)) + rng.uniform(0, 2 * np.pi, size=2)
        error = np.sqrt(2) * np.sin(phases)
    return GradientField.from_gradients(points, points * [2, 4.6] + noise * error)


@pytest.mark.parametrize("waves", [False, True], ids=["rows apart", "neighbours alike"])
def test_intervals_hold_the_true_constant_as_often_as_they_say(waves):
    inside = []
    for seed in range(60):
        (constant,) = constants(X1**2 + 2.1 * X2**2, field(seed, 0.1, waves))
        inside.append(abs(constant.value - 2.3) <= constant.error)
        assert constant.error < 0.5
    # 95 % are promised. Of 60, six outside happen in 4 % of all trials.
    assert np.mean(inside) >= (0.9 if not waves else 0.8)


@pytest.mark.parametrize(
    ("expression", "simple"),
    [
        (X1**2 + 2 * X2**2, [2]),
        (X1**2 + 2.1 * X2**2, [None]),
        (X1**2 + sympy.pi / 2 * X2**2, [sympy.pi / 2]),
        (X1**2 - sympy.exp(-X2 / 3) + 4.0 * X2**2, [sympy.Rational(-1, 3), None]),
        (X1 / (X2 - 3), [-3]),
    ],
)
def test_simple_numbers_are_constants_like_others_and_exponents_are_not(expression, simple):
    assert [c.shown for c in constants(expression, field(0, 0.1))] == simple


def test_more_rows_fix_a_constant_better():
    few, many = (
        constants(X1**2 + 2.1 * X2**2, field(0, 0.1, rows=n))[0].error for n in (400, 6400)
    )
    assert many < 0.5 * few


@pytest.mark.parametrize(
    ("id", "expression", "truth"),
    [("A1", X1**2 + 1.9 * X2**2, [2]), ("A", X1**2 + 2.9 * X1 * X2 + 1.9 * X2**2, [2, 3])],
)
def test_constants_of_a_trained_network_are_known_to_a_few_per_cent(id, expression, truth, models):
    read = GradientField.from_neuron(Neuron.of(models / f"{id}.keras"), models / f"{id}.csv")
    found = constants(expression, read)
    for constant, true in zip(found, truth, strict=True):
        assert abs(constant.value - true) < 2 * constant.error < 0.1 * true


def test_what_the_rows_do_not_fix_has_no_interval():
    noisy = field(0, 0.1)
    # A common factor of both changes no direction.
    for constant in constants(1.5 * X1**2 + 3.4 * X2**2, noisy):
        assert constant.error == np.inf
    (constant,) = constants(X1**2 + 2.1 * X2**2, noisy.take(np.arange(8)))
    assert constant.error == np.inf
    assert constants(X1**2 + X2, noisy) == ()


@pytest.mark.parametrize(
    ("constant", "text"),
    [
        (Constant(2.0031, 0.0214, sympy.Integer(2)), "2.003 +- 0.021 (shown as 2)"),
        (Constant(-31.4, 2.5), "-31.4 +- 2.5"),
        (Constant(314.2, 25.0), "314 +- 25"),
        (Constant(2.0, np.inf), "2 +- inf"),
        (Constant(3.141, 0.013, sympy.pi), "3.141 +- 0.013 (shown as pi)"),
    ],
)
def test_a_constant_is_written_to_the_digits_that_are_known(constant, text):
    assert str(constant) == text
