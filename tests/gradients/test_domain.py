"""The domain of drawn points, for few variables and for many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from keras_symgrad.gradients.domain import Domain


@pytest.mark.parametrize("variables", [3, 40])
def test_a_point_belongs_to_the_domain_if_it_is_as_near_to_data_as_data_are(variables):
    rng = np.random.default_rng(0)
    # On a curve in the box, so that most of the box does not belong to it.
    t = rng.uniform(size=(600, 1))
    x = np.sin(t * np.arange(1, variables + 1)) + rng.normal(0, 0.02, (600, variables))
    points = np.concatenate([x[:50] + rng.normal(0, 0.1, (50, variables)), x[rng.permutation(50)]])
    points = np.clip(points, x.min(axis=0), x.max(axis=0))
    width = np.ptp(x, axis=0)
    among = cdist(x / width, x / width)
    np.fill_diagonal(among, np.inf)
    radius = np.quantile(among.min(axis=1), 0.99)
    near = cdist(points / width, x / width).min(axis=1) <= radius
    assert 0 < near.sum() < len(near)
    np.testing.assert_array_equal(Domain(x).holds(points), near)


def test_points_have_one_level_of_a_category_as_the_data_have():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.uniform(size=500), np.eye(3)[rng.choice(3, 500, p=[0.7, 0.2, 0.1])]])
    drawn = Domain(x).draw(2000, rng)
    np.testing.assert_array_equal(np.unique(drawn[:, 1:], axis=0), np.eye(3)[::-1])
    np.testing.assert_allclose(drawn[:, 1:].mean(axis=0), [0.7, 0.2, 0.1], atol=0.05)
