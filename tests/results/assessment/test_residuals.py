"""Noise and structure in the residuals of a formula are separated."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.formulas import Formula, ParetoFront
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.results.assessment.residuals import (
    predictable,
    residuals,
    without_structure,
)

X1 = symbol("x1")
X2 = symbol("x2")
RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1, 1, size=(500, 4))
NOISE = RNG.normal(size=(500, 3))
SMOOTH = np.stack([np.sin(2 * POINTS[:, 0]), POINTS[:, 1] * POINTS[:, 2], POINTS[:, 3]], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_noise_predicts_nothing(seed):
    rng = np.random.default_rng(seed)
    assert predictable(rng.normal(size=(400, 2)), rng.normal(size=(400, 5))) == 0
    # Nor for noise that is stronger here than there.
    uneven = rng.normal(size=(400, 2)) * np.exp(rng.normal(size=(400, 1)))
    assert predictable(uneven, rng.normal(size=(400, 5))) == 0


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_share_of_a_smooth_part_among_noise_is_found(share):
    def unit(part):
        return part / np.sqrt(np.mean(np.sum(part**2, axis=1)))

    mixed = np.sqrt(share) * unit(SMOOTH) + np.sqrt(1 - share) * unit(NOISE)
    assert predictable(mixed, POINTS) == pytest.approx(share, abs=0.12)


@pytest.mark.slow
def test_units_of_the_columns_do_not_matter():
    wide = POINTS * [1e-6, 1.0, 1e6, 1.0] + [0.0, 100.0, 0.0, 0.0]
    assert predictable(SMOOTH, wide) == pytest.approx(predictable(SMOOTH, POINTS), rel=1e-6)


def test_rows_that_are_too_few_or_all_the_same_predict_nothing():
    assert predictable(SMOOTH[:5], POINTS[:5]) == 0
    assert predictable(np.zeros((50, 2)), POINTS[:50]) == 0
    assert predictable(NOISE, np.ones((500, 4))) == 0


def test_residuals_are_those_of_the_nearer_sign():
    points = RNG.uniform(0.5, 1, size=(50, 2))
    field = GradientField.from_gradients(points, gradient(X1 * X2, ("x1", "x2"), points))
    opposite = residuals(-X1 * X2, field)
    assert np.abs(opposite).max() < 1e-12
    left = residuals(X1 + X2, field)
    error = direction_error(field.directions_of(np.ones((50, 2))), field.directions)
    # |u - v|^2 = 2 (1 - cos)
    assert np.mean(np.sum(left**2, axis=1)) / 2 == pytest.approx(error)


@pytest.mark.parametrize(
    ("disturbance", "chosen"),
    [
        # Independent from row to row: only the truth leaves nothing else.
        (0.03 * RNG.normal(size=(500, 2)), X1 + X2 + X1 * X2**2 / 5),
        # As smooth as the errors of a network: the truth leaves structure as well.
        (0.03 * SMOOTH[:, :2], X1 + X2),
    ],
)
def test_a_short_formula_that_misses_structure_is_best_only_beside_smooth_errors(
    disturbance, chosen
):
    truth = X1 + X2 + X1 * X2**2 / 5
    points = POINTS[:, :2]
    directions = gradient(truth, ("x1", "x2"), points)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True) + disturbance
    field = GradientField.from_gradients(points, directions)
    rows = [(X1 + X2, 3), (truth, 15)]
    front = ParetoFront(
        [
            Formula(one, length, float(np.mean(residuals(one, field) ** 2)), field.names)
            for one, length in rows
        ]
    )
    assert front.best.expression == X1 + X2
    assert without_structure(front, field).best.expression == chosen
