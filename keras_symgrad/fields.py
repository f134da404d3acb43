"""`Field`: unit gradients at points as data, whole, in parts and in blocks of rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from keras_symgrad import field_files
from keras_symgrad.engine import (
    SQUARED,
    Loss,
    as_span,
    block_rows,
    in_frame,
    is_diagonal,
    principal,
    unit,
)
from keras_symgrad.metric import deviations

# Several gradients have a direction of their own where it is this part of their main one. Measured
# on bottlenecks that carry two concepts: 0.6 and 0.7 for the second direction, 0.1 for the third.
INDEPENDENT = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Unit gradients of a scalar function at points; see `gradients.GradientField`."""

    points: np.ndarray
    directions: np.ndarray
    names: tuple[str, ...]
    weights: np.ndarray | None = None
    values: np.ndarray | None = None
    dropped: int = 0
    origin: dict[str, int] = field(default_factory=dict)
    frame: np.ndarray | None = None
    noise: float | None = None
    explained: float = 1.0
    spectrum: tuple[float, ...] = (1.0,)
    loss: Loss = SQUARED
    plateau: int = 0

    @property
    def rows(self) -> int:
        """Number of points."""
        return len(self.points)

    @property
    def variables(self) -> int:
        """Number of variables."""
        return self.points.shape[1]

    @property
    def span(self) -> int:
        """Number of directions that a gradient may be made of: 1 for one function."""
        return as_span(self.directions).shape[1]

    @property
    def independent(self) -> int:
        """Number of independent concepts that several neurons carry, by their spectrum."""
        return max(1, sum(size > INDEPENDENT for size in self.spectrum))

    @property
    def axes(self) -> int:
        """Number of coordinates that directions are compared in."""
        return self.directions.shape[-1]

    @property
    def fills_space(self) -> bool:
        """Whether directions of one function are compared along all variables."""
        frame = self.frame
        whole = frame is None or (frame.ndim == 2 and self.axes == self.variables)
        return whole and self.directions.ndim == 2

    @property
    def keeps_variables_apart(self) -> bool:
        """Whether each coordinate belongs to one variable, and the directions tell its part."""
        frame = self.frame
        aligned = frame is None or (frame.ndim == 2 and is_diagonal(frame))
        return aligned and self.directions.ndim == 2

    @property
    def is_read(self) -> bool:
        """Whether the directions were read of a network, and not given as they are."""
        return "drawn" in self.origin

    def __len__(self) -> int:
        return self.rows

    def directions_of(self, gradients: np.ndarray) -> np.ndarray:
        """Gradients at the points as directions that compare with the field's own."""
        return unit(in_frame(gradients, self.frame))

    @property
    def widths(self) -> np.ndarray:
        """Widths of the variables in the field's metric, `(variables,)`; 1 without a frame.

        They are relative, and 0 for a variable that never changes.
        """
        if self.frame is None:
            return np.ones(self.variables)
        frame = self.frame if self.frame.ndim == 2 else np.sqrt((self.frame**2).mean(axis=0))
        return np.linalg.norm(frame, axis=0)

    def gradients_per_width(self) -> np.ndarray:
        """Partial derivatives by the variables, each in units of its width.

        Returns:
            `(rows, k, variables)`, with k = 1 for one function. Where the frame has fewer axes
            than there are variables it is the shortest gradient with the field's directions.
        """
        span = as_span(self.directions)
        if self.frame is None:
            return span
        widths = self.widths
        units = np.where(widths > 0, widths, 1.0)
        inverse = np.linalg.pinv(self.frame / units)
        return np.einsum("...va,...ka->...kv", inverse, span)

    def gradients_over_range(self) -> np.ndarray:
        """Partial derivatives by the variables, each times the standard deviation of its values.

        Returns:
            `(rows, k, variables)`, as `gradients_per_width`, up to one common factor.
        """
        widths, spread = self.widths, deviations(self.points)
        ranges = np.divide(spread, widths, out=np.zeros_like(widths), where=widths > 0)
        return self.gradients_per_width() * ranges

    def strength(self, rows: np.ndarray) -> np.ndarray:
        """How much each variable turns the directions, over the range of its values.

            s_j = sum_rows w (sigma_j df/dx_j)**2,   sigma_j the standard deviation of x_j

        Args:
            rows: weights w of the rows, `(rows,)`.

        Returns:
            Mean squares as parts of their sum, `(variables,)`.

        Example:

        >>> from keras_symgrad.gradients import GradientField
        >>> x = np.random.default_rng(0).normal(size=(1000, 2)) * [1000.0, 1.0]
        >>> field = GradientField.from_gradients(x, np.tile([0.01, 1.0], (1000, 1)))
        >>> field.strength(np.full(1000, 1e-3)).round(2)
        array([0.99, 0.01])
        """
        squares = rows @ (self.gradients_over_range() ** 2).sum(axis=1)
        return squares / (squares.sum() or 1.0)

    def column_by_column(self) -> Self | None:
        """The field in the metric of its variables' own widths, which keeps variables apart.

        Returns:
            A field with a diagonal frame, or `None` where the directions do not tell each
            variable's part: along a surface, and for the span of several functions.
        """
        if self.keeps_variables_apart:
            return self
        frame = self.frame
        apart = frame is not None and frame.ndim == 2 and self.directions.ndim == 2
        if not apart or np.linalg.matrix_rank(frame / self.widths.max()) < self.variables:
            return None
        directions = unit(self.gradients_per_width()[:, 0])
        return replace(self, frame=np.diag(self.widths), directions=directions)

    def __repr__(self) -> str:
        origin = ", ".join(f"{count} {name}" for name, count in self.origin.items() if count)
        return (
            f"{type(self).__name__}({self.rows} rows{f' ({origin})' if origin else ''}, "
            f"variables: {', '.join(self.names)})"
        )

    def take(self, index: np.ndarray | slice) -> Self:
        """The rows at the given positions, in that order.

        Args:
            index: integer positions, or a slice, whose rows are not copied.

        Returns:
            A field; `dropped` and `origin` still tell of the whole.
        """
        index = index if isinstance(index, slice) else np.asarray(index)
        rows = {
            name: None if (array := getattr(self, name)) is None else array[index]
            for name in ("points", "directions", "weights", "values")
        }
        if self.frame is not None and self.frame.ndim == 3:
            rows["frame"] = self.frame[index]
        return replace(self, **rows)

    def split(self, fraction: float = 0.8, seed: int = 0) -> tuple[Self, Self]:
        """Two fields without common rows, one to search on and one held out.

        Args:
            fraction: of the rows that go to the first one, in (0, 1).
            seed: of the random choice.

        Returns:
            Two fields, each with at least one row.

        Raises:
            ValueError: there are fewer than two rows, or `fraction` is not in (0, 1).
        """
        if not 0 < fraction < 1 or self.rows < 2:
            raise ValueError(
                "`split` needs a fraction between 0 and 1 and at least two rows. "
                f"Received: fraction={fraction}, {self.rows} rows"
            )
        order = np.random.default_rng(seed).permutation(self.rows)
        first = min(max(1, round(fraction * self.rows)), self.rows - 1)
        return self.take(order[:first]), self.take(order[first:])

    def subset(self, rows: int, seed: int = 0) -> Self:
        """A random choice of rows.

        Args:
            rows: number wanted; all rows if there are no more.
            seed: of the random choice.

        Returns:
            A field of `min(rows, self.rows)` rows.
        """
        if rows >= self.rows:
            return self
        return self.take(np.random.default_rng(seed).permutation(self.rows)[:rows])

    def blocks(self) -> Iterator[Self]:
        """The field in blocks of rows small enough to compute with; nothing is copied.

        Yields:
            Fields; this one alone if it is small.
        """
        size = block_rows(self.variables * self.span)
        for start in range(0, self.rows, size):
            yield self.take(slice(start, start + size))

    def save(self, path: str | os.PathLike) -> Path:
        """Writes the field to an `.npz` file, complete or not at all.

        Args:
            path: of the file; `.npz` is added if it has another ending.

        Returns:
            The path written.

        Raises:
            ValueError: nothing can be written there.
        """
        return field_files.write(self, path)

    def on_level_sets(self, gradients: np.ndarray) -> Self:
        """The field along the level sets of a function whose gradient lies in the span.

        There the function is constant, so that of all that the span holds only what is
        independent of it is left.

        Args:
            gradients: of the function, `(rows, variables)`.

        Returns:
            A field with one axis and one direction of the span less, without the rows where the
            function has no gradient.

        Raises:
            ValueError: only one direction is in the span.

        Example:

        >>> from keras_symgrad.gradients import GradientField
        >>> from keras_symgrad import Neuron
        >>> pair = [Neuron(f"x{k}", lambda x, k=k: x[:, k], inputs=3) for k in (0, 1)]
        >>> field = GradientField.from_units(pair, np.random.default_rng(0).normal(size=(9, 3)))
        >>> rest = field.on_level_sets(np.ones((9, 3)) * [1.0, 0.0, 0.0])
        >>> field.axes, field.span, rest.axes, rest.span
        (3, 2, 2, 1)
        """
        if self.span < 2:
            raise ValueError(
                "Of a span of one direction nothing is left along the level sets of a function in "
                f"it. Received: {self}"
            )
        direction = self.directions_of(gradients)
        steep = np.flatnonzero(direction.any(axis=1))
        field, direction = self.take(steep), direction[steep]
        along = np.linalg.svd(direction[:, None])[2][:, 1:]
        frame = np.eye(self.variables) if field.frame is None else field.frame
        span = np.einsum("rba,rka->rkb", along, as_span(field.directions))
        _, directions = principal(span)
        return replace(field, frame=along @ frame, directions=directions[:, : self.span - 1])

    def _usable(self, finite: np.ndarray) -> Self:
        """The rows with finite numbers only; the others count as dropped."""
        finite = finite & np.isfinite(self.points).all(axis=1)
        if self.values is not None:
            finite &= np.isfinite(self.values)
        if not finite.any():
            raise ValueError(
                "Expected finite gradients, but every row holds NaN or infinity. Check the data "
                "and the model's weights."
            )
        if not self.directions[finite].any():
            raise ValueError(
                "The gradient is zero at every row, so it has no direction. The neuron ignores "
                "these inputs or is saturated on them: choose the value before the activation "
                "(`activation=False`), another unit, or other data."
            )
        if finite.all():
            return self
        dropped = self.dropped + int(np.sum(~finite))
        return replace(self.take(np.flatnonzero(finite)), dropped=dropped)
