"""The nearest point of a classifier's decision boundary to a row, in widths of the data.

The point of f = 0 that is nearest to the row r, where x = r + z S, is a fixed point of the
projection of the row on the tangent plane of f at z,

    z <- g (g z - f) / |g|^2,   g = S grad f

Steps are halved until the merit |z|^2 / 2 + c |f| falls. The search starts at the row and on the
way to the nearest data rows that the network decides otherwise, and the nearest point of all is
taken, so that its distance is an upper bound of the true one.

Source: Hasofer and Lind, J. Eng. Mech. 100 (1974) 111; Zhang and Der Kiureghian (1995), the merit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_symgrad.files import Record
from keras_symgrad.gradients import Domain
from keras_symgrad.neurons import Neuron
from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid

# Data rows of the other decision from which the search starts.
STARTS = 24
# The second pass starts at the points that the first one has found.
PASSES = 2
STEPS = 60
HALVINGS = 8
# Halvings of the segment from the row to a found point, for a point on the boundary to 1e-12.
BISECTIONS = 40
# A step beyond the boundary, as a share of the way to it, at which the decision is the other one.
BEYOND = 1e-3
# Largest number of changes that are listed, and the least one, as a share of the largest.
MAX_CHANGES_NAMED = 6
LEAST_CHANGE = 0.02
# Below this share of the largest a change is rounding.
NO_CHANGE = 1e-3
# Rows that are decided, to find those of the other decision.
MAX_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class BoundaryPoint:
    """The nearest point of the decision boundary that was found.

    Attributes:
        point: `(inputs,)`; the network decides otherwise just beyond.
        distance: from the row, in widths of the data; no point of the boundary that was found is
            nearer.
        change: differences from the row, `(inputs,)`.
        widths: of the data, `(inputs,)`; 0 for the columns that stay.
        to_yes: whether the decision becomes yes there.
        in_data: whether the point is in the domain of the data.
    """

    point: np.ndarray
    distance: float
    change: np.ndarray
    widths: np.ndarray
    to_yes: bool
    in_data: bool

    def listed(self, names: tuple[str, ...]) -> str:
        """The largest changes of the inputs, for people.

        Args:
            names: of the inputs.
        """
        sizes = np.abs(self.change) / np.where(self.widths > 0, self.widths, np.inf)
        least = NO_CHANGE * sizes.max()
        order = [k for k in np.argsort(-sizes, kind="stable") if sizes[k] > least]
        told = [k for k in order if sizes[k] >= LEAST_CHANGE * sizes.max()][:MAX_CHANGES_NAMED]
        texts = [
            f"{names[k]} {self.point[k] - self.change[k]:.4g} -> {self.point[k]:.4g}" for k in told
        ]
        more = len(order) - len(told)
        return ", ".join(texts) + (
            f"; {more} smaller change{'s' if more > 1 else ''}" if more else ""
        )

    def text(self, names: tuple[str, ...]) -> str:
        """The distance and the changes, for people.

        Args:
            names: of the inputs.
        """
        outside = "" if self.in_data else ", outside of the data"
        return (
            f"{self.distance:.3g} widths of the data away{outside}: the decision turns to "
            f"{'yes' if self.to_yes else 'no'} at {self.listed(names)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The point as plain data."""
        return {
            "point": self.point.tolist(),
            "distance": self.distance,
            "change": self.change.tolist(),
            "widths": self.widths.tolist(),
            "to_yes": self.to_yes,
            "in_data": self.in_data,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], variables: int) -> BoundaryPoint:
        """Read a point of a boundary from the plain data of `to_dict`.

        Args:
            content: the data.
            variables: number of inputs.

        Raises:
            ValueError: they are not a point of a boundary.
        """
        record = Record.of(content)
        arrays = [np.array(record.numbers(name)) for name in ("point", "change", "widths")]
        if any(len(one) != variables for one in arrays):
            raise record.refused("point", "a number for each variable")
        point, change, widths = arrays
        flags = record.flag("to_yes"), record.flag("in_data")
        return cls(point, record.number("distance"), change, widths, *flags)


def nearest_boundary(neuron: Neuron, around: Ellipsoid, x: np.ndarray) -> BoundaryPoint | None:
    """Find the nearest point of a classifier's decision boundary to a row.

    Args:
        neuron: a classifier's logit.
        around: the row and its steps.
        x: data of shape `(rows, inputs)`, finite, from some of whose rows the search starts.

    Returns:
        The point; `None` where no path leads to another decision.

    Example:

    >>> import tensorflow as tf
    >>> ring = Neuron("ring", lambda x: 1 - tf.reduce_sum(x**2, axis=1), 2, is_classifier=True)
    >>> x = np.random.default_rng(0).normal(size=(4000, 2))
    >>> around = Ellipsoid(np.array([0.2, 0.0]), np.eye(2), ("a", "b"))
    >>> found = nearest_boundary(ring, around, x)
    >>> found.text(("a", "b")).split(":")[1]
    ' the decision turns to no at a 0.2 -> 1'
    """
    yes = bool(neuron.values(around.row[None])[0] > 0)

    def flips(z: np.ndarray) -> np.ndarray:
        return (neuron.values(around.at(z)) > 0) != yes

    starts = np.concatenate([np.zeros((1, around.axes)), _others(neuron, around, x, yes)])
    found = starts[1:]
    for _ in range(PASSES):
        ends = np.concatenate([_projected(neuron, around, starts), found])
        # A point of the boundary to float32 may be on either side of it.
        beyond = ends[np.isfinite(ends).all(axis=1)] * (1 + BEYOND)
        beyond = beyond[flips(beyond)]
        if not len(beyond):
            return None
        found = _crossings(flips, beyond)
        found = found[np.argsort(np.linalg.norm(found, axis=1), kind="stable")[:STARTS]]
        starts = found
    nearest = found[0]
    point = around.at(nearest[None])[0]
    return BoundaryPoint(
        point,
        float(np.linalg.norm(nearest)),
        point - around.row,
        around.widths,
        not yes,
        bool(Domain(x).holds(point[None])[0]),
    )


def _crossings(flips: Callable[[np.ndarray], np.ndarray], ends: np.ndarray) -> np.ndarray:
    """The points where the decision turns on the way from the row to others, by bisection."""
    low, high = np.zeros(len(ends)), np.ones(len(ends))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        flipped = flips(ends * middle[:, None])
        low, high = np.where(flipped, low, middle), np.where(flipped, middle, high)
    return ends * high[:, None]


def _others(neuron: Neuron, around: Ellipsoid, x: np.ndarray, yes: bool) -> np.ndarray:
    """Coordinates of the nearest rows that are decided otherwise at the row's own levels."""
    z = around.coordinates(x[:MAX_ROWS])
    z = z[(neuron.values(around.at(z)) > 0) != yes]
    order = np.argsort(np.linalg.norm(z, axis=1), kind="stable")
    nearest = order[: STARTS // 2]
    # Others evenly over all distances: the nearest ones may share one piece of the boundary.
    spread = order[:: max(1, -(-len(order) // (STARTS - len(nearest))))]
    return z[np.unique(np.concatenate([nearest, spread]))]


def _projected(neuron: Neuron, around: Ellipsoid, starts: np.ndarray) -> np.ndarray:
    """Fixed points of the projection on the tangent planes, from several starts at once."""

    def of(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradients = neuron.values_and_gradients(around.at(z))
        return values.astype(float), gradients.astype(float) @ around.steps.T

    z = starts.copy()
    values, slopes = of(z)
    worse = np.zeros(len(z), bool)
    for _ in range(STEPS):
        square = (slopes**2).sum(axis=1)
        with np.errstate(all="ignore"):
            factor = ((slopes * z).sum(axis=1) - values) / square
            step = np.nan_to_num(factor[:, None] * slopes, posinf=0.0, neginf=0.0) - z
            # Above |z| / |g| the step is a direction of descent of the merit.
            price = np.nan_to_num(2 * np.linalg.norm(z, axis=1) / np.sqrt(square)) + 10.0
        merit = (z**2).sum(axis=1) / 2 + price * np.abs(values)
        size = np.ones(len(z))
        for _ in range(HALVINGS):
            tried = z + size[:, None] * step
            new_values, new_slopes = of(tried)
            with np.errstate(all="ignore"):
                worse = ~((tried**2).sum(axis=1) / 2 + price * np.abs(new_values) < merit)
            if not worse.any():
                break
            size[worse] /= 2
        z = np.where(worse[:, None], z, tried)
        values = np.where(worse, values, new_values)
        slopes = np.where(worse[:, None], slopes, new_slopes)
        if worse.all():
            break
    return z
