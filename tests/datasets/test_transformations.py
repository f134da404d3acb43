"""Changes of basis and of the observer, against linear algebra and textbook formulas."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.datasets.transformations import (
    antisymmetric,
    conjugated,
    cube,
    events,
    field_tensor,
    fields,
    fields_of,
    lorentz,
    of_trace,
    orthogonal,
)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_conjugated_matrix_keeps_its_eigenvalues_and_changes_its_entries(size, rng):
    draw = cube(0.0, 1.0, size**2)
    a, b = conjugated(draw, draw)(200, rng)

    def coefficients(flat):
        return np.array([np.poly(m) for m in flat.reshape(-1, size, size)])

    # A basis that is nearly singular amplifies rounding.
    tame = np.abs(b).max(axis=1) < 100
    assert tame.mean() > 0.8
    np.testing.assert_allclose(coefficients(a)[tame], coefficients(b)[tame], atol=1e-7)
    assert np.abs(a - b).mean() > 0.1


def test_a_shifted_diagonal_gives_the_trace_and_leaves_the_rest(rng):
    plain = cube(-10.0, 10.0, 4)(100, np.random.default_rng(3))
    shifted = of_trace(5.0, cube(-10.0, 10.0, 4))(100, rng)

    np.testing.assert_allclose(shifted[:, 0] + shifted[:, 3], 5)
    np.testing.assert_allclose(shifted[:, 0] - shifted[:, 3], plain[:, 0] - plain[:, 3])
    np.testing.assert_array_equal(shifted[:, 1:3], plain[:, 1:3])


def test_antisymmetric_matrices_stay_so_in_a_turned_basis(rng):
    a, b = (m.reshape(-1, 3, 3) for m in conjugated(antisymmetric, orthogonal)(100, rng))
    turns = orthogonal(100, rng).reshape(-1, 3, 3)

    for m in (a, b):
        np.testing.assert_allclose(m, -np.swapaxes(m, 1, 2), atol=1e-12)
    np.testing.assert_allclose(
        turns @ np.swapaxes(turns, 1, 2), np.tile(np.eye(3), (100, 1, 1)), atol=1e-12
    )
    determinants = np.linalg.det(turns).round(9)
    assert set(determinants) == {-1.0, 1.0}


def test_lorentz_transformations_keep_the_metric_and_the_direction_of_time(rng):
    change = lorentz(500, rng)
    metric = np.diag([1.0, -1.0, -1.0, -1.0])
    scale = np.abs(change).max(axis=(1, 2), keepdims=True) ** 2

    kept = np.swapaxes(change, 1, 2) @ metric @ change
    np.testing.assert_allclose((kept - metric) / scale, 0, atol=1e-12)
    gamma = change[:, 0, 0]
    assert np.all(gamma >= 1)
    # Speeds are uniform, and the first entry is gamma.
    speed = np.sqrt(1 - 1 / gamma**2)
    np.testing.assert_allclose(np.quantile(speed, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.08)


def test_events_keep_their_interval(rng):
    a, b = events(500, rng)
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    scale = (b**2).sum(axis=1)

    assert np.all((a >= 0) & (a <= 1))
    np.testing.assert_allclose(((a**2 - b**2) @ metric) / scale, 0, atol=1e-12)


def test_boosted_fields_are_those_of_the_textbook(rng):
    x = rng.uniform(0, 2, size=(50, 6))
    beta, gamma = 0.6, 1.25
    boost = np.eye(4)
    boost[:2, :2] = [[gamma, -beta * gamma], [-beta * gamma, gamma]]
    e, b, v = x[:, :3], x[:, 3:], np.array([beta, 0.0, 0.0])
    across = np.array([1.0, gamma, gamma])

    # E' = gamma (E + v x B), B' = gamma (B - v x E) across the motion, unchanged along it. With the
    # signs of this tensor a boost of beta is a motion of -beta.
    expected = np.hstack([across * (e - np.cross(v, b)), across * (b + np.cross(v, e))])
    np.testing.assert_allclose(fields_of(boost @ field_tensor(x) @ boost.T), expected, atol=1e-12)


def test_fields_keep_both_of_their_invariants(rng):
    a, b = fields(500, rng)
    scale = (b**2).sum(axis=1)

    for invariant in (
        lambda x: (x[:, :3] * x[:, 3:]).sum(axis=1),
        lambda x: (x[:, :3] ** 2).sum(axis=1) - (x[:, 3:] ** 2).sum(axis=1),
    ):
        np.testing.assert_allclose((invariant(a) - invariant(b)) / scale, 0, atol=1e-12)
    assert np.abs(a - b).mean() > 0.1
