"""Tangent spaces of data."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.gradients.tangent_space import (
    orthonormal,
    tangent_frame,
    undetermined_directions,
)


@pytest.fixture(scope="module")
def sphere():
    x = np.random.default_rng(0).normal(size=(2000, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def of_fixed_trace(dtype=np.float64):
    x = np.random.default_rng(0).uniform(-1, 1, size=(500, 4))
    x[:, 3] = 5 - x[:, 0]
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fixed_trace_is_found_in_the_data(dtype):
    frame = tangent_frame(of_fixed_trace(dtype), of_fixed_trace(dtype))
    assert frame.shape == (3, 4)
    np.testing.assert_allclose(frame @ [1, 0, 0, 1], 0, atol=1e-5)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("tangent", ["auto", "local", None])
def test_data_that_fill_their_space_have_no_frame(tangent):
    x = np.random.default_rng(0).uniform(size=(1000, 3))
    assert tangent_frame(x, x, tangent) is None


def test_a_narrow_direction_is_still_a_direction():
    x = np.random.default_rng(0).uniform(size=(500, 3)) * [1, 1, 1e-3]
    assert tangent_frame(x, x) is None


def test_the_local_tangent_space_of_a_sphere_is_across_the_radius(sphere):
    frame = tangent_frame(sphere[:300], sphere, "local")
    assert frame.shape == (300, 2, 3)
    along_radius = np.abs(np.einsum("rav,rv->ra", frame, sphere[:300]))
    assert np.median(along_radius.max(axis=1)) < 1e-3
    gram = np.einsum("rav,rbv->rab", frame, frame)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(2), gram.shape), atol=1e-9)


def test_a_tangent_space_may_be_given_as_vectors_or_as_a_function(sphere):
    x = of_fixed_trace()
    given = tangent_frame(x, x, [[1, 0, 0, -1], [0, 2, 0, 0], [0, 1, 3, 0]])
    found = tangent_frame(x, x)
    np.testing.assert_allclose(given.T @ given, found.T @ found, atol=1e-6)
    frame = tangent_frame(
        sphere, sphere, lambda p: np.stack([np.cross(p, [1, 0, 0]), np.cross(p, [0, 1, 0])], axis=1)
    )
    np.testing.assert_allclose(np.einsum("rav,rv->ra", frame, sphere), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("tangent", "text"),
    [
        ("global", "Received: tangent='global'"),
        (np.ones((2, 3)), r"Received: shape \(2, 3\)"),
        (np.full((2, 4), np.nan), "finite vectors"),
        (lambda points: np.ones((3, 1, 4)), r"\(rows, axes, variables\)"),
    ],
)
def test_what_is_no_tangent_space_is_refused(tangent, text):
    x = of_fixed_trace()
    with pytest.raises(ValueError, match=text):
        tangent_frame(x, x, tangent)


def test_dependent_vectors_leave_zeros():
    vectors = orthonormal(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]))
    np.testing.assert_allclose(np.abs(vectors[0]), [0.5**0.5, 0.5**0.5, 0], atol=1e-12)
    assert not vectors[1].any()


def test_what_was_never_shown_is_told_in_few_variables():
    # An antisymmetric matrix: three entries are zero, and three pairs add to zero.
    upper = [(1, 3), (2, 6), (5, 7)]
    frame = np.zeros((3, 9))
    for axis, (i, j) in enumerate(upper):
        frame[axis, i], frame[axis, j] = 0.5**0.5, -(0.5**0.5)
    missing = undetermined_directions(frame)
    assert sorted(tuple(np.flatnonzero(v)) for v in missing) == sorted([(0,), (4,), (8,), *upper])
    for vector in missing:
        np.testing.assert_allclose(frame @ vector, 0, atol=1e-12)
