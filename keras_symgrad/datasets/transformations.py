"""Transformations with an invariant: changes of basis and of the observer.

Each function draws points and their images; the invariants are stated elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy.stats import ortho_group, special_ortho_group

Draw = Callable[[int, Generator], np.ndarray]
Pairs = Callable[[int, Generator], tuple[np.ndarray, np.ndarray]]


def cube(low: float, high: float, columns: int) -> Draw:
    """Points drawn uniformly from a cube.

    Args:
        low: lowest value of every column.
        high: highest value of every column.
        columns: number of columns.

    Returns:
        A function `(rows, rng) -> (rows, columns)`.

    Example:

    >>> cube(0.0, 1.0, 2)(3, np.random.default_rng(0)).shape
    (3, 2)
    """
    return lambda rows, rng: rng.uniform(low, high, size=(rows, columns))


def conjugated(matrices: Draw, bases: Draw) -> Pairs:
    """A matrix, and the same linear map in another basis.

        A,  M A M^-1

    Args:
        matrices: draws A, flattened.
        bases: draws M, flattened.

    Returns:
        A function `(rows, rng) -> (anchors, positives)`, each flattened.

    Example:

    >>> draw = cube(0.0, 1.0, 4)
    >>> a, b = conjugated(draw, draw)(5, np.random.default_rng(0))
    >>> bool(np.allclose(a[:, 0] + a[:, 3], b[:, 0] + b[:, 3]))
    True
    """

    def pairs(rows: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        flat = matrices(rows, rng)
        size = int(np.sqrt(flat.shape[1]))
        a, m = (part.reshape(rows, size, size) for part in (flat, bases(rows, rng)))
        return flat, (m @ a @ np.linalg.inv(m)).reshape(rows, -1)

    return pairs


def of_trace(trace: float, matrices: Draw) -> Draw:
    """2x2 matrices whose diagonal is shifted until they have a given trace.

    Args:
        trace: that of every matrix.
        matrices: draws matrices of any trace, flattened.

    Returns:
        A function `(rows, rng) -> (rows, 4)`.
    """

    def draw(rows: int, rng: Generator) -> np.ndarray:
        a = matrices(rows, rng)
        shift = (trace - a[:, 0] - a[:, 3]) / 2
        return a + shift[:, None] * np.array([1.0, 0.0, 0.0, 1.0])

    return draw


def antisymmetric(rows: int, rng: Generator) -> np.ndarray:
    """Antisymmetric 3x3 matrices of normal numbers, flattened."""
    upper = np.triu(rng.normal(size=(rows, 3, 3)), 1)
    return (upper - np.swapaxes(upper, 1, 2)).reshape(rows, 9)


def orthogonal(rows: int, rng: Generator) -> np.ndarray:
    """Orthogonal 3x3 matrices, rotations and reflections alike, flattened."""
    return ortho_group.rvs(3, size=rows, random_state=rng).reshape(rows, 9)


def lorentz(rows: int, rng: Generator) -> np.ndarray:
    """Lorentz transformations: a rotation, a boost of speed U[0,1], another rotation.

    Args:
        rows: number of transformations.
        rng: source of the random numbers.

    Returns:
        Matrices of shape `(rows, 4, 4)` that act on (t, x, y, z).

    Example:

    >>> change = lorentz(10, np.random.default_rng(0))
    >>> metric = np.diag([1.0, -1.0, -1.0, -1.0])
    >>> bool(np.allclose(np.swapaxes(change, 1, 2) @ metric @ change, metric))
    True
    """
    turns = np.zeros((2, rows, 4, 4))
    turns[..., 0, 0] = 1.0
    spatial = special_ortho_group.rvs(3, size=2 * rows, random_state=rng)
    turns[..., 1:, 1:] = spatial.reshape(2, rows, 3, 3)
    beta = rng.uniform(size=rows)
    gamma = 1.0 / np.sqrt(1.0 - beta**2)
    boost = np.tile(np.eye(4), (rows, 1, 1))
    boost[:, 0, 0] = boost[:, 1, 1] = gamma
    boost[:, 0, 1] = boost[:, 1, 0] = -beta * gamma
    return turns[0] @ boost @ turns[1]


def events(rows: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Events (t, x, y, z) of U[0,1]^4 as two observers see them."""
    x = rng.uniform(size=(rows, 4))
    return x, (lorentz(rows, rng) @ x[:, :, None])[:, :, 0]


def fields(rows: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fields (E1, E2, E3, B1, B2, B3) of U[0,2]^6 as two observers see them.

    F -> L F L^T
    """
    x = rng.uniform(0.0, 2.0, size=(rows, 6))
    change = lorentz(rows, rng)
    return x, fields_of(change @ field_tensor(x) @ np.swapaxes(change, 1, 2))


def field_tensor(x: np.ndarray) -> np.ndarray:
    """The antisymmetric tensor of electric and magnetic fields.

    Args:
        x: fields of shape `(rows, 6)`, the electric ones first.

    Returns:
        Tensors of shape `(rows, 4, 4)`.
    """
    e1, e2, e3, b1, b2, b3 = x.T
    zero = np.zeros_like(e1)
    rows = [[zero, e1, e2, e3], [-e1, zero, -b3, b2], [-e2, b3, zero, -b1], [-e3, -b2, b1, zero]]
    return np.moveaxis(np.array(rows), -1, 0)


def fields_of(tensor: np.ndarray) -> np.ndarray:
    """The fields that a tensor is made of: what `field_tensor` undoes.

    Args:
        tensor: of shape `(rows, 4, 4)`.

    Returns:
        Fields of shape `(rows, 6)`.

    Example:

    >>> x = np.arange(6.0)[None]
    >>> fields_of(field_tensor(x))
    array([[0., 1., 2., 3., 4., 5.]])
    """
    upper = [(0, 1), (0, 2), (0, 3), (3, 2), (1, 3), (2, 1)]
    return np.stack([tensor[:, j, k] for j, k in upper], axis=1)
