"""Directions of gradients and the angle between them, in float64 NumPy."""

from __future__ import annotations

import numpy as np


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
    gradients = np.asarray(gradients, dtype=np.float64)
    # Dividing by the largest component first keeps the squares of tiny gradients from vanishing.
    largest = np.max(np.abs(gradients), axis=1, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    scaled = np.where(usable, gradients, 0.0) / np.where(usable, largest, 1.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(length > 0, length, 1.0)


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
