"""Directions of gradients and the angles between them, in float64 NumPy.

A scalar function has one direction at a point, `(rows, axes)`. Several functions together have the
span of theirs, `(rows, k, axes)`: k orthonormal directions, some of them zero where the gradients
depend on each other. A function g of several others is compared at a point with the direction of
their span that is nearest to its own: the two are parallel exactly where the gradient of g lies in
the span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Singular values below this share of the largest count as zero: float32 has seven digits.
RELATIVE_RANK_TOLERANCE = 1e-5


def unit(gradients: np.ndarray) -> np.ndarray:
    """Gradients scaled to length 1, zero where they are zero or not finite.

        u = g / |g|

    Args:
        gradients: `(rows, variables)`.

    Returns:
        float64 array of the same shape.

    Example:

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0], [1e-200, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ],
           [1. , 0. ]])
    """
    # One copy, changed in place: a field of a million rows is large.
    scaled = np.array(gradients, dtype=np.float64)
    # Dividing by the largest component first keeps the squares of tiny gradients from vanishing.
    largest = np.maximum(scaled.max(axis=1, keepdims=True), -scaled.min(axis=1, keepdims=True))
    usable = np.isfinite(largest) & (largest > 0)
    np.copyto(scaled, 0.0, where=~usable)
    scaled /= np.where(usable, largest, 1.0)
    length = np.sqrt(np.einsum("ra...,ra...->r...", scaled, scaled))[:, None]
    scaled /= np.where(length > 0, length, 1.0)
    return scaled


def in_frame(gradients: np.ndarray, frame: np.ndarray | None) -> np.ndarray:
    """Gradients in the coordinates of a frame.

        c_a = sum_v frame_av g_v

    The rows of a frame are vectors: those of unit length in a tangent space, say, or the unit
    vectors of the variables times their widths.

    Args:
        gradients: `(rows, variables)`.
        frame: `(axes, variables)`, or `(rows, axes, variables)` where it changes from row to row;
            `None` for the variables themselves.

    Returns:
        Coordinates `(rows, axes)`.

    Example:

    >>> in_frame(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 0.6, 0.8]]))
    array([[3.6]])
    """
    return gradients if frame is None else np.einsum("...av,...v->...a", frame, gradients)


def is_diagonal(matrix: np.ndarray) -> bool:
    """Return whether a matrix is square and zero off its diagonal."""
    return matrix.shape[0] == matrix.shape[1] and not (matrix - np.diag(np.diag(matrix))).any()


def as_span(directions: np.ndarray) -> np.ndarray:
    """Directions `(rows, axes)` as spans of one, `(rows, 1, axes)`; spans unchanged."""
    return directions[:, None] if directions.ndim == 2 else directions


def orthonormal_span(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions of a span, ordered by decreasing singular value.

    Args:
        vectors: `(..., k, axes)`.

    Returns:
        Singular values `(..., min(k, axes))` and directions `(..., min(k, axes), axes)`, zero
        where the singular value is.

    Example:

    >>> sizes, directions = orthonormal_span(np.array([[[3.0, 0.0], [4.0, 0.0]]]))
    >>> sizes.round(3).tolist(), np.abs(directions).round(3).tolist()
    ([[5.0, 0.0]], [[[1.0, 0.0], [0.0, 0.0]]])
    """
    _, sizes, directions = np.linalg.svd(vectors, full_matrices=False)
    present = sizes > RELATIVE_RANK_TOLERANCE * sizes[..., :1]
    return sizes, directions * present[..., None]


def split(gradients: np.ndarray, span: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Components of gradients inside a span, by its directions, and the remainder across it.

        along_j = <g, e_j>,   across = g - sum_j along_j e_j

    Args:
        gradients: `(features, rows, axes)`.
        span: orthonormal directions e_j, `(rows, k, axes)`.

    Returns:
        Coefficients `(features, rows, k)` and the remainders, `(features, rows, axes)`.

    Example:

    >>> along, across = split(np.array([[[3.0, 4.0]]]), np.array([[[1.0, 0.0]]]))
    >>> along.tolist(), across.tolist()
    ([[[3.0]]], [[[0.0, 4.0]]])
    """
    along = np.stack(
        [np.einsum("fra,ra->fr", gradients, span[:, j]) for j in range(span.shape[1])], axis=2
    )
    across = gradients
    for j in range(span.shape[1]):
        across = across - along[:, :, j, None] * span[:, j]
    return along, across


def reduce_axes(
    gradients: Sequence[np.ndarray], directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients and directions in the fewest coordinates that preserve their products.

    A formula contains few of a hundred variables. No gradient of it has a component along the axes
    of the others, so these axes can be rotated into each other: the directions' components there
    fit into as many axes as there are directions. Lengths and products do not change.

    Args:
        gradients: of some features, each `(rows, axes)`.
        directions: of one function, `(rows, axes)`, or spans, `(rows, k, axes)`.

    Returns:
        Gradients `(features, rows, fewer)`, and directions `(rows, fewer)` or `(rows, k, fewer)`.

    Example:

    >>> reduce_axes([np.array([[2.0, 0.0, 0.0, 0.0]])], np.array([[0.0, 0.6, 0.0, 0.8]]))
    (array([[[2., 0.]]]), array([[0., 1.]]))
    """
    span = as_span(directions)
    idle = ~np.any([each.any(axis=0) for each in gradients], axis=0)
    if idle.sum() <= span.shape[1]:
        return np.stack(gradients), directions
    if directions.ndim == 2:
        rest = np.linalg.norm(directions[:, idle], axis=1, keepdims=True)
    else:
        # In this mode it is one array.
        triangle: Any = np.linalg.qr(span[:, :, idle].transpose(0, 2, 1), mode="r")
        rest = triangle.transpose(0, 2, 1)
    moving = np.stack([each[:, ~idle] for each in gradients])
    padded = np.pad(moving, ((0, 0), (0, 0), (0, span.shape[1])))
    return padded, np.concatenate([directions[..., ~idle], rest], axis=-1)


def nearest(directions: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """The directions to compare with a candidate's.

    Args:
        directions: of one function, `(rows, axes)`, or spans, `(rows, k, axes)`.
        candidate: unit gradients, `(rows, axes)`.

    Returns:
        The directions unchanged, or, for spans, the unit vector of each span nearest to the
        candidate, `(rows, axes)`.

    Example:

    >>> plane = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> nearest(plane, np.array([[0.0, 0.6, 0.8]]))
    array([[0., 1., 0.]])
    """
    if directions.ndim == 2:
        return directions
    return unit(np.einsum("rka,rk->ra", directions, np.einsum("rka,ra->rk", directions, candidate)))


def direction_error(candidate: np.ndarray, truth: np.ndarray) -> float:
    """Mean of `1 - |cos|` between two gradient fields, row by row.

    Two functions carry the same concept exactly when their gradients are parallel everywhere, in
    either direction.

        1 - |<u, v>| / (|u| |v|)

    Args:
        candidate: gradients of shape `(rows, variables)`.
        truth: gradients of the same shape. Rows that are zero or not finite in either count as 1.

    Returns:
        A number in [0, 1]: 0 is parallel everywhere, 1 orthogonal everywhere.

    Raises:
        ValueError: the shapes differ, or there are no rows.

    Example:

    >>> direction_error(np.array([[2.0, 0.0]]), np.array([[-1.0, 0.0]]))
    0.0

    Reference: Wetzel, arXiv 2401.04978, section 3.
    """
    candidate, truth = (np.asarray(g, dtype=np.float64) for g in (candidate, truth))
    if candidate.shape != truth.shape or candidate.ndim != 2 or len(candidate) == 0:
        raise ValueError(
            "`direction_error` compares two arrays of shape (rows, variables) with at least one "
            f"row. Received shapes: {candidate.shape} and {truth.shape}"
        )
    cosine = np.abs(np.sum(unit(candidate) * unit(truth), axis=1))
    return float(np.mean(1.0 - np.minimum(cosine, 1.0)))
