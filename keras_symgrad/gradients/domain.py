"""The domain from which points are drawn: the part of the data's box near data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from keras_symgrad.gradients.levels import one_hot_blocks
from keras_symgrad.gradients.tangent_space import enough, tangent_frame

# More neighbours than these would take longer without changing the result.
REFERENCE_ROWS = 5000
# A KD-tree examines all points if there are more variables than this: for 100 variables and 10,000
# points it took 20 s, a matrix product takes 1 s.
MOST_IN_TREE = 12
# Variables whose widths differ by more than this factor are scaled by their widths.
MUCH_WIDER = 1e3
# Points whose distances are computed at a time.
POINTS_PER_DISTANCE_BLOCK = 200


class Domain:
    """Domain of drawn points: the data's box, near the data.

    A box is not enough. Data on a curve, or with a hole, leave most of their box empty, and there
    the network was not trained. A point belongs to the domain if it is no farther from the data
    than the data are from each other: its distance to the nearest data point, in units of the box,
    is within the distance that 99 % of the data have to theirs. Uniform data accept nearly all of
    the box's points.

    Columns of few distinct values (categories, counts, constants) take only these values, and
    one-hot columns one level at a time. For data in a linear subspace (a fixed trace) points are
    drawn in it.

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
        # The first rows decide whether a column is discrete: all rows of a million would be slow.
        self.discrete = np.array([len(np.unique(c)) <= few for c in x[:REFERENCE_ROWS].T])
        fills_box = self.discrete.any() or len(x) <= x.shape[1]
        self.plane = None if fills_box else tangent_frame(x, enough(x) / self.width, "auto")
        self._x = x

    @property
    def units(self) -> np.ndarray:
        """Units of lengths in the box, `(variables,)`.

        Ones, or the widths of the variables where one is thousands of times as wide as another:
        otherwise only the narrow ones would change along the shortest path.
        """
        varying = self.width[self.high > self.low]
        alike = not len(varying) or varying.max() < MUCH_WIDER * varying.min()
        # Ones in float32 keep float32 gradients unchanged.
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
        """Select the points that belong to the domain.

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
