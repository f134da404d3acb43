from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid

RNG = np.random.default_rng(0)
# Two correlated columns of different units, a category, and one that never changes.
BASE = RNG.normal(size=(5000, 2)) @ [[1.0, 0.8], [0.0, 0.6]] * [1.0, 1000.0] + [0.0, 1e4]
X = np.column_stack([BASE, np.arange(5000) % 3, np.full(5000, 7.0)])
NAMES = ("a", "b", "kind", "unit")
ROW = np.array([0.5, 10_400.0, 1.0, 7.0])


def test_distances_are_those_of_mahalanobis_in_the_columns_that_vary():
    around = Ellipsoid.of(ROW, X, NAMES)
    points = np.tile(ROW, (50, 1))
    points[:, :2] += RNG.normal(size=(50, 2)) * [1.0, 1000.0]
    step = points[:, :2] - ROW[:2]
    expected = np.sqrt(np.einsum("ra,ab,rb->r", step, np.linalg.inv(np.cov(BASE.T)), step))
    np.testing.assert_allclose(around.distances(points), expected, rtol=0.02)


def test_columns_of_few_values_stay_and_other_levels_are_infinitely_far():
    around = Ellipsoid.of(ROW, X, NAMES)
    drawn = around.draw(2.0, 1000, np.random.default_rng(1))
    assert (drawn[:, 2:] == ROW[2:]).all()
    assert around.moving.tolist() == [True, True, False, False]
    assert np.isinf(around.distances(ROW + [0.0, 0.0, 1.0, 0.0]))[0]
    assert around.distances(ROW)[0] == 0


def test_points_fill_the_ball_evenly():
    around = Ellipsoid.of(ROW, X, NAMES)
    radii = around.distances(around.draw(2.0, 20_000, np.random.default_rng(2)))
    assert radii.max() <= 2.0
    # The area within half the radius is a quarter.
    assert abs(np.mean(radii <= 1.0) - 0.25) < 0.02


def test_points_stay_on_the_plane_of_the_data():
    plane = RNG.uniform(size=(2000, 2))
    x = np.column_stack([plane, 1 - plane.sum(axis=1)])
    around = Ellipsoid.of(x[0], x, ("a", "b", "c"))
    assert around.axes == 2
    np.testing.assert_allclose(around.draw(1.0, 100, np.random.default_rng(3)).sum(axis=1), 1)
    assert np.isinf(around.distances(x[:1] + [0.1, 0.0, 0.0]))[0]


def test_by_columns_each_column_has_its_own_width():
    around = Ellipsoid.of(ROW, X, NAMES, metric="columns")
    point = ROW + [2 * BASE[:, 0].std(), 0.0, 0.0, 0.0]
    assert abs(around.distances(point)[0] - 2) < 0.05


def test_data_of_categories_alone_have_nothing_around_a_row():
    with pytest.raises(ValueError, match="needs a column that varies continuously"):
        Ellipsoid.of(ROW[2:], X[:, 2:], NAMES[2:])
