"""The domain that points are drawn from: the part of the data's box near data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from keras_symgrad.gradients.levels import one_hot_blocks
from keras_symgrad.gradients.tangent_space import enough, tangent_frame

# Nearest neighbours among more rows than these would take longer and say the same.
REFERENCE_ROWS = 5000
# Trees of neighbours look at all points where there are more variables than this: with 100 of them
# 10,000 points took 20 s, and take 1 s by products of matrices.
MOST_IN_TREE = 12
# Variables that differ more in width are measured each in its own.
MUCH_WIDER = 1e3
# Points whose distances are computed at a time.
POINTS_PER_DISTANCE_BLOCK = 200


class Domain:
    """Where points may be drawn: the data's box, near the data.

    A box is not enough. Data on a curve, or with a hole, leave most of their box empty, and what a
    network does there nobody taught it. A point belongs to the domain if it is no farther from the
    data than the data are from each other: its nearest neighbour, in units of the box, is within
    the distance that 99 % of the data have to theirs. Uniform data accept all but a few of the
    box's points.

    Columns of few distinct values (categories, counts, constants) keep to these values, and one-hot
    columns to one level at a time. Data that lie in a linear subspace (a fixed trace) are drawn in
    it.

    Attributes:
        plane: orthonormal vectors of that subspace, `(axes, variables)`; `None` if the data fill
            their space.

    Args:
        x: data of shape `(rows, variables)`, finite.

    Example:

    >>> x = np.random.default_rng(0).uniform(size=(500, 2))
    >>> domain = Domain(np.stack([x[:, 0], x[:, 0]], axis=1))
    >>> domain.holds(np.array([[0.5, 0.5], [0.1, 0.9]]))
    array([ True, False])
    """

    def __init__(self, x: np.ndarray):
        self.low, self.high = x.min(axis=0), x.max(axis=0)
        self.width = np.where(self.high > self.low, self.high - self.low, 1.0)
        few = max(1, min(20, len(x) // 10))
        # The first rows decide whether a column is discrete: all rows would be slow on a million.
        self.discrete = np.array([len(np.unique(c)) <= few for c in x[:REFERENCE_ROWS].T])
        fills_box = self.discrete.any() or len(x) <= x.shape[1]
        self.plane = None if fills_box else tangent_frame(x, enough(x) / self.width, "auto")
        self._x = x

    @property
    def units(self) -> np.ndarray:
        """What lengths in the box are measured in, `(variables,)`.

        The variables as they are, or each in its width where one is thousands of times as wide as
        another: along the shortest way the narrow ones alone would move.
        """
        varying = self.width[self.high > self.low]
        alike = not len(varying) or varying.max() < MUCH_WIDER * varying.min()
        # Ones in float32 leave gradients in float32 as they are.
        return np.ones(len(self.width), np.float32) if alike else self.width

    def draw(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Points drawn uniformly from the box, discrete columns from their values.

        Args:
            rows: number of points.
            rng: source of random numbers.

        Returns:
            Points of shape `(rows, variables)`; not all of them need be in the domain.
        """
        drawn = rng.uniform(self.low, self.high, size=(rows, len(self.low)))
        for column in np.flatnonzero(self.discrete):
            drawn[:, column] = rng.choice(self._x[:, column], size=rows)
        for block in self._blocks:
            # One level at a time, as in the data.
            drawn[:, block] = self._x[rng.integers(len(self._x), size=rows)][:, block]
        if self.plane is not None:
            centre = self._x.mean(axis=0)
            steps = (drawn - centre) / self.width
            drawn = centre + self.width * (steps @ self.plane.T @ self.plane)
        return drawn

    def holds(self, points: np.ndarray) -> np.ndarray:
        """Which points belong to the domain.

        Args:
            points: `(rows, variables)`.

        Returns:
            Booleans of shape `(rows,)`.
        """
        inside = np.all((points >= self.low) & (points <= self.high), axis=1)
        if inside.any():
            distance, radius = self._neighbours
            inside[inside] = distance(points[inside] / self.width)[:, 0] <= radius
        return inside

    @cached_property
    def _blocks(self) -> list[list[int]]:
        return list(map(list, one_hot_blocks(self._x))) if self.discrete.any() else []

    @cached_property
    def _neighbours(self) -> tuple[Callable[..., np.ndarray], float]:
        """Distances to the nearest data, and the largest one that belongs to the domain."""
        # Every k-th row, so that the choice needs no random numbers.
        step = max(1, len(self._x) // REFERENCE_ROWS)
        reference = np.unique(self._x[::step] / self.width, axis=0)
        distance = _distances_to(reference)
        radius = np.inf
        if len(reference) > 1:
            radius = float(np.quantile(distance(reference, 2)[:, 1], 0.99))
        return distance, radius


def _distances_to(reference: np.ndarray) -> Callable[..., np.ndarray]:
    """A function of points and k that returns distances to the k nearest, `(points, k)`."""
    if reference.shape[1] <= MOST_IN_TREE:
        from scipy.spatial import cKDTree

        tree = cKDTree(reference)
        return lambda points, k=1: tree.query(points, k=[*range(1, k + 1)])[0]
    centre = reference.mean(axis=0)
    reference = reference - centre
    own = (reference**2).sum(axis=1)

    def distances(points: np.ndarray, k: int = 1) -> np.ndarray:
        # |p - r|^2 = |p|^2 - 2 p r + |r|^2, a product of matrices.
        nearest = []
        for some in np.array_split(points - centre, -(-len(points) // POINTS_PER_DISTANCE_BLOCK)):
            squares = own - 2 * some @ reference.T
            squares = np.partition(squares, k - 1, axis=1)[:, :k]
            nearest.append(np.sort(squares, axis=1) + (some**2).sum(axis=1)[:, None])
        return np.sqrt(np.maximum(np.concatenate(nearest), 0.0))

    return distances
