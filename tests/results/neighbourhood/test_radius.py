from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid
from keras_symgrad.results.neighbourhood.radius import (
    CONFIDENCE,
    SHARE,
    fewest_near,
    holding,
    nearness,
    spread_of,
)

LINE = Ellipsoid(np.zeros(1), np.eye(1), ("x",))


def test_a_share_that_passes_is_rarely_seen_where_too_few_points_are_near():
    fewest = round(fewest_near(4000) * 4000)
    assert binom.sf(fewest - 1, 4000, SHARE) <= 1 - CONFIDENCE
    assert binom.sf(fewest - 2, 4000, SHARE) > 1 - CONFIDENCE
    assert fewest_near(10) > 1


def test_the_radius_is_where_the_values_part():
    """sin x and x differ by x^3/6, and 95 % of a segment are within 0.95 r of its middle."""
    found = holding(LINE, lambda x: np.sin(x[:, 0]), lambda x: x[:, 0], 100.0, 3.0)
    grid = np.linspace(0.05, 3.0, 4000)
    at = 0.95 * grid
    tolerance = 0.05 * 2 * np.sin(0.9 * grid)
    exact = grid[np.abs(np.sin(at) - at) <= tolerance].max()
    assert 0.9 * exact < found.radius < exact
    fresh = nearness(
        LINE,
        found.radius,
        lambda x: np.sin(x[:, 0]),
        lambda x: x[:, 0],
        100.0,
        np.random.default_rng(99),
        100_000,
    )
    assert fresh.share > 0.95


def test_the_smaller_of_the_two_spreads_counts():
    def network(x):
        return np.sin(x[:, 0])

    def formula(x):
        return np.sin(x[:, 0]) + 0.02

    rng = np.random.default_rng(0)
    assert nearness(LINE, 2.0, network, formula, 10.0, rng).share == 1
    assert nearness(LINE, 2.0, network, formula, 0.1, rng).share == 0
    assert nearness(LINE, 0.1, network, formula, 10.0, rng).share == 0


def test_nothing_is_claimed_beyond_the_largest_radius_nor_where_nothing_holds():
    assert holding(LINE, lambda x: x[:, 0], lambda x: x[:, 0], 1.0, 0.7).radius == 0.7
    nowhere = holding(LINE, lambda x: x[:, 0], lambda x: np.full(len(x), np.nan), 1.0, 0.7)
    assert (nowhere.radius, nowhere.share) == (0.0, 0.0)


def test_a_formula_that_is_wrong_at_the_row_alone_does_not_hold():
    def formula(x):
        return np.where(x[:, 0] == 0, 5.0, x[:, 0])

    found = holding(LINE, lambda x: x[:, 0], formula, 1.0, 0.7)
    assert (found.radius, found.at_row) == (0.0, False)
    assert found.share == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_radius(seed):
    one, other = (
        holding(LINE, lambda x: np.exp(x[:, 0]), lambda x: 1 + x[:, 0], 9.0, 2.0, seed)
        for _ in range(2)
    )
    assert one == other


def test_the_spread_is_the_range_of_nine_tenths():
    assert spread_of(np.linspace(0, 10, 1001)) == pytest.approx(9.0)
    assert spread_of(np.array([np.nan, 1.0, 1.0])) == 0
