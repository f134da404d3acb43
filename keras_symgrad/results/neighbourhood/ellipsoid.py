"""The points within a distance of a row, in widths of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_symgrad.files import Record, listed_names
from keras_symgrad.gradients import Metric, Tangent, few_values, steps_of_data

# A point is off the row's surface if it is farther from it than this share of a width.
OFF_SURFACE = 1e-3


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """A row with the steps that data take around it.

    A point x is at the distance |z| of the row r, in widths of the data, where

        x = r + z S,   S'S the covariance of the data

    so that one step of a standard deviation along any direction is one width. Columns of few
    values, such as categories, and constant ones stay as they are in the row.

    Attributes:
        row: the centre, `(inputs,)`.
        steps: S, `(axes, inputs)`; zero for the columns that stay.
        names: of the inputs.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(4000, 2)) * [1.0, 10.0]
    >>> around = Ellipsoid.of(np.array([0.0, 5.0]), x, ("a", "b"))
    >>> around.distances(np.array([[0.0, 25.0], [1.5, 5.0]])).round(1).tolist()
    [2.0, 1.5]
    >>> inside = around.draw(0.5, 100, np.random.default_rng(0))
    >>> bool((around.distances(inside) <= 0.5).all())
    True
    """

    row: np.ndarray
    steps: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        row: np.ndarray,
        x: np.ndarray,
        names: Sequence[str],
        metric: Metric = "covariance",
        tangent: Tangent = "auto",
    ) -> Ellipsoid:
        """The ellipsoid of a row in data.

        Args:
            row: `(inputs,)`, finite.
            x: the data, `(rows, inputs)`, finite.
            names: of the inputs.
            metric: of the data; "columns" takes each by itself.
            tangent: the linear subspace of the data: "auto", vectors, or `None`.

        Raises:
            ValueError: all columns have few values, so that nothing is around the row.
        """
        few = few_values(x)
        moving = [k for k in range(x.shape[1]) if k not in few and np.ptp(x[:, k]) > 0]
        if not moving:
            raise ValueError(
                "A formula around a row needs a column that varies continuously, but each one of "
                f"{listed_names(tuple(names))} has few values. Interpret the model without `near`."
            )
        if not isinstance(metric, str):
            metric = metric[np.ix_(moving, moving)]
        if isinstance(tangent, np.ndarray):
            tangent = tangent[:, moving]
        own = steps_of_data(x[:, moving], metric, tangent)
        steps = np.zeros((len(own), x.shape[1]))
        steps[:, moving] = own
        return cls(np.asarray(row, np.float64), steps, tuple(names))

    @property
    def axes(self) -> int:
        """Number of directions in which points move."""
        return len(self.steps)

    @property
    def moving(self) -> np.ndarray:
        """Mask of the inputs that move, `(inputs,)`."""
        return np.any(self.steps != 0, axis=0)

    @property
    def widths(self) -> np.ndarray:
        """Standard deviations of the inputs, `(inputs,)`; 0 for those that stay."""
        return np.linalg.norm(self.steps, axis=0)

    @cached_property
    def _inverse(self) -> np.ndarray:
        widths = np.where(self.moving, self.widths, 1.0)
        return np.linalg.pinv(self.steps / widths) / widths[:, None]

    def coordinates(self, points: np.ndarray) -> np.ndarray:
        """The z of points, `(rows, axes)`, after projection on the row's surface."""
        return (points - self.row) @ self._inverse

    def at(self, z: np.ndarray) -> np.ndarray:
        """The points of coordinates `(rows, axes)`, `(rows, inputs)`."""
        return self.row + z @ self.steps

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Distances of points from the row in widths of the data.

        Args:
            points: `(rows, inputs)`.

        Returns:
            `(rows,)`, infinite for points that differ in a column that stays, or are off the
            surface of the data.
        """
        points = np.atleast_2d(np.asarray(points, np.float64))
        z = self.coordinates(points)
        units = np.where(self.moving, self.widths, 1.0)
        off = np.abs(self.at(z) - points) / units
        on_surface = np.all(off <= np.where(self.moving, OFF_SURFACE, 0.0), axis=1)
        return np.where(on_surface, np.linalg.norm(z, axis=1), np.inf)

    def draw(self, radius: float, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Points drawn uniformly within a distance of the row.

        Args:
            radius: the distance, in widths of the data.
            rows: number of points.
            rng: source of random numbers.

        Returns:
            `(rows, inputs)`.
        """
        z = rng.normal(size=(rows, self.axes))
        lengths = rng.uniform(size=(rows, 1)) ** (1 / self.axes)
        z *= radius * lengths / np.linalg.norm(z, axis=1, keepdims=True)
        points = self.at(z)
        points[:, ~self.moving] = self.row[~self.moving]
        return points

    def to_dict(self) -> dict[str, Any]:
        """Row and steps as plain data."""
        return {"row": self.row.tolist(), "steps": self.steps.tolist()}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Ellipsoid:
        """Read an ellipsoid from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the inputs.

        Raises:
            ValueError: they are not an ellipsoid.
        """
        record = Record.of(content)
        row = np.array(record.numbers("row"))
        steps = np.array(record.rows("steps", len(names)))
        if len(row) != len(names) or not len(steps):
            raise record.refused("row", "a number for each variable")
        return cls(row, steps, names)
