"""Tangent spaces of data on a submanifold.

Matrices of fixed trace, antisymmetric ones, states of one energy: where the data lie on a surface,
the network was never trained on steps off it, and the component of its gradient across the surface
is noise. So both gradients, the network's and a candidate's, are projected on the tangent space of
the data, and then normalized and compared. Formulas that agree on the surface are one concept,
because the data do not distinguish them.

A tangent space is written as a frame: its orthonormal vectors, one a row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_symgrad.engine import orthonormal_span

# The data do not vary along a direction below this share of the largest scatter: float32 has seven
# digits.
FLAT = 1e-5
# Few points always lie in a plane: this many are required for each variable.
MIN_ROWS_PER_VARIABLE = 3
# Neighbours used for a local tangent space, for each fitted coefficient.
NEIGHBOURS_PER_COEFFICIENT = 4
# Largest number of neighbours for the dimension: a surface of more dimensions needs too much data.
MOST_NEIGHBOURS = 64
# A drop of the scatter of neighbours by this factor separates directions along a surface from
# others.
LOCAL_DROP = 4.0
# Rows used to test whether data lie in a linear subspace; more take longer for the same result.
ENOUGH_ROWS = 50_000

Tangent = str | np.ndarray | Callable[[np.ndarray], np.ndarray] | None


def tangent_frame(
    points: np.ndarray, x: np.ndarray, tangent: Tangent = "auto"
) -> np.ndarray | None:
    """The tangent space of data at points.

    Args:
        points: points of the frame, `(rows, variables)`.
        x: the data, `(samples, variables)`.
        tangent: `"auto"` finds the linear subspace that the data lie in, if there is one; `"local"`
            estimates a tangent space at each point from the nearest data; an array holds the
            vectors of a linear subspace, one a row; a function maps points `(rows, variables)` to
            vectors `(rows, axes, variables)`; `None` leaves gradients unchanged.

    Returns:
        Orthonormal vectors `(axes, variables)`, or `(rows, axes, variables)` where they change
        from point to point; `None` where the data fill their space.

    Raises:
        ValueError: `tangent` is another value, or its vectors do not fit the data.

    Example:

    >>> x = np.random.default_rng(0).uniform(size=(100, 2))
    >>> np.abs(tangent_frame(x, np.stack([x[:, 0], 1 - x[:, 0]], axis=1))).round(3)
    array([[0.707, 0.707]])
    """
    if tangent is None:
        return None
    check_tangent(tangent)
    if isinstance(tangent, str):
        return _linear(x) if tangent == "auto" else _local(points, x)
    given = callable(tangent)
    vectors = np.asarray(tangent(points) if callable(tangent) else tangent, dtype=np.float64)
    shape = (len(points), -1, points.shape[1]) if given else (-1, points.shape[1])
    fits = vectors.ndim == len(shape) and all(n in (-1, m) for n, m in zip(shape, vectors.shape))
    if not fits or not np.isfinite(vectors).all() or not vectors.size:
        wanted = "(rows, axes, variables)" if given else "(axes, variables)"
        raise ValueError(
            f"`tangent` must be finite vectors of shape {wanted} for points of shape "
            f"{points.shape}. Received: shape {vectors.shape}"
        )
    return orthonormal(vectors)


def check_tangent(tangent: Tangent) -> None:
    """Raise for a name that is neither "auto" nor "local"."""
    if isinstance(tangent, str) and tangent not in ("auto", "local"):
        raise ValueError(
            '`tangent` is "auto", "local", vectors of the tangent space, a function that returns '
            f"them, or None. Received: tangent={tangent!r}"
        )


def can_be_drawn(tangent: Tangent) -> bool:
    """Return whether points may be added to data: not on a surface known only from the data."""
    return tangent is None or (isinstance(tangent, str) and tangent == "auto")


def enough(x: np.ndarray) -> np.ndarray:
    """Evenly spaced rows of data, enough to find a linear subspace; not copied.

    Args:
        x: the data, `(samples, variables)`.

    Returns:
        All rows, or every second, third...

    Example:

    >>> enough(np.zeros((1_000_000, 2))).shape
    (50000, 2)
    """
    return x[:: -(-len(x) // ENOUGH_ROWS)]


def orthonormal(vectors: np.ndarray) -> np.ndarray:
    """Orthonormal vectors of the same span; zero where vectors depend on each other.

    Args:
        vectors: `(..., vectors, variables)`.

    Returns:
        `(..., min(vectors, variables), variables)`, those of the widest directions first.
    """
    return orthonormal_span(vectors)[1]


def undetermined_directions(frame: np.ndarray) -> list[np.ndarray]:
    """The directions that are missing in a linear frame, each scaled to a largest entry of 1.

    Args:
        frame: orthonormal vectors, `(axes, variables)`.

    Returns:
        Vectors of shape `(variables,)`, each with as few nonzero entries as possible.

    Example:

    >>> undetermined_directions(np.array([[0.6, -0.8, 0.0], [0.0, 0.0, 1.0]]))[0].round(2)
    array([1.  , 0.75, 0.  ])
    """
    from scipy.linalg import null_space, qr

    missing = null_space(frame).T
    if not len(missing):
        return []
    # Row reduction on the most independent columns leaves the most zeros.
    _, _, order = qr(missing, pivoting=True)
    reduced = np.linalg.solve(missing[:, order[: len(missing)]], missing)
    reduced[np.abs(reduced) < 1e-6] = 0
    return [row / row[np.argmax(np.abs(row))] for row in reduced]


def _linear(x: np.ndarray) -> np.ndarray | None:
    """The linear subspace that data lie in; `None` if they fill their space or are too few."""
    if len(x) <= MIN_ROWS_PER_VARIABLE * x.shape[1]:
        return None
    # R of x = Q R has the singular values and directions of x, and needs no memory for Q.
    _, sizes, directions = np.linalg.svd(np.linalg.qr(x - x.mean(axis=0), mode="r"))
    shown = sizes > FLAT * sizes[0]
    if shown.all() or not shown.any():
        return None
    return directions[shown]


def _local(points: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """A tangent space at each point, of one dimension for all; `None` if it is the whole space.

    The main axes of the nearest data are tilted by the curvature of the surface. With t along them
    and n across, relative to the point, the surface is n = B t + C t t, and B is the tilt.
    """
    axes = _dimension(x)
    variables = x.shape[1]
    if axes == variables:
        return None
    coefficients = axes + axes * (axes + 1) // 2
    near = _neighbours(points, x, NEIGHBOURS_PER_COEFFICIENT * coefficients)
    spread = near - near.mean(axis=1, keepdims=True)
    along = np.linalg.svd(spread, full_matrices=False)[2][:, :axes]
    steps = near - points[:, None]
    t = np.einsum("rkv,rav->rka", steps, along)
    n = steps - t @ along
    i, j = np.triu_indices(axes)
    fit = np.linalg.pinv(np.concatenate([t, t[:, :, i] * t[:, :, j]], axis=2)) @ n
    return orthonormal(along + fit[:, :axes])


def _dimension(x: np.ndarray) -> int:
    """Dimension of the surface that contains the data, from the scatter of neighbours.

    The scatter across the surface is of the order of its curvature, along it of their distance.
    """
    some = x[:: max(1, len(x) // 500)]
    variables = x.shape[1]
    near = _neighbours(some, x, min(NEIGHBOURS_PER_COEFFICIENT * variables, MOST_NEIGHBOURS))
    sizes = np.linalg.svd(near - near.mean(axis=1, keepdims=True), compute_uv=False)
    # Fewer neighbours than variables have no scatter in the other directions.
    typical = np.pad(np.median(sizes, axis=0), (0, max(0, variables - sizes.shape[1])))
    drops = typical[:-1] / (typical[1:] + FLAT * typical[0])
    if not len(drops) or drops.max() < LOCAL_DROP:
        return variables
    return int(np.argmax(drops)) + 1


def _neighbours(points: np.ndarray, x: np.ndarray, count: int) -> np.ndarray:
    """The nearest data of each point, `(rows, count, variables)`."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(x).query(points, k=min(len(x), max(count, 3)))
    return x[index]
