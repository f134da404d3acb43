"""Directions to look in, and the shape of a neighbourhood."""

from __future__ import annotations

import numpy as np

from keras_symgrad.gradients.smoothing import directions, shape_of


def test_directions_have_no_mean_unit_variance_and_are_the_same_every_time():
    e = directions(4, 256)
    np.testing.assert_allclose(e.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(e.std(axis=0), 1, atol=0.1)
    np.testing.assert_array_equal(e, directions(4, 256))


def test_the_shape_of_independent_columns_is_their_deviation():
    x = np.random.default_rng(0).normal(size=(5000, 3)) * [1, 10, 0.1]
    np.testing.assert_allclose(np.diag(shape_of(x)), x.std(axis=0), rtol=0.03)


def test_the_square_of_the_shape_is_the_covariance():
    x = np.random.default_rng(0).uniform(size=(500, 2)) @ np.array([[1.0, 2.0], [0.0, 1.0]])
    shape = shape_of(x)
    np.testing.assert_allclose(shape @ shape, np.cov(x, rowvar=False), rtol=1e-9)


def test_the_shape_of_columns_from_tiny_to_huge_is_theirs_in_units_of_their_own():
    x = np.random.default_rng(0).uniform(size=(500, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    scale = np.array([1e-12, 1e12])
    shape = shape_of(x * scale)
    np.testing.assert_allclose(
        shape.T @ shape / np.outer(scale, scale), np.cov(x, rowvar=False), rtol=1e-9
    )
