"""`GradientField`: unit gradients of a neuron at points where they are meaningful.

A neuron f that carries exactly the information of a concept g is f = phi(g), so its gradients are
parallel to g's wherever it was trained. A search for g needs only a field of unit gradients of the
network. `Field` holds the data, whole, in parts and in blocks of rows; it is saved as plain numbers
in an `.npz` file.

Source: Wetzel, arXiv 2401.04978, section 3.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np

from keras_symgrad.engine import (
    SQUARED,
    Loss,
    as_span,
    block_rows,
    in_frame,
    is_diagonal,
    orthonormal_span,
    unit,
)
from keras_symgrad.files import (
    Columns,
    Record,
    as_numbers,
    check_names,
    check_weights,
    finite_rows,
    listed_names,
    read_arrays,
    read_points,
    replacing,
    unwritable,
)
from keras_symgrad.gradients.boundary_sampling import Sampler
from keras_symgrad.gradients.ensemble import mean_directions, mean_neuron
from keras_symgrad.gradients.metric import Metric, check_metric, deviations, metric_frame
from keras_symgrad.gradients.row_selection import RowOptions, SelectedRows, select_rows
from keras_symgrad.gradients.tangent_space import Tangent
from keras_symgrad.neurons import Neuron, Quantities

# Several gradients have an independent direction where its part is at least this share of the main
# one. Measured on bottlenecks that carry two concepts: 0.6 and 0.7 for the second direction, 0.1
# for the third.
INDEPENDENT = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Unit gradients of a scalar function at points; see `field.GradientField`."""

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
    def known_values(self) -> np.ndarray:
        """The function's values, `(rows,)`.

        Raises:
            ValueError: the field has none.
        """
        if self.values is None:
            raise ValueError(
                "Expected a field that has the function's values. Give them to "
                f"`GradientField.from_gradients` as `values`. Received: {self}"
            )
        return self.values

    @property
    def span(self) -> int:
        """Number of directions that span a gradient: 1 for one function."""
        return as_span(self.directions).shape[1]

    @property
    def independent(self) -> int:
        """Number of independent concepts that several neurons carry, by their spectrum."""
        return max(1, sum(size > INDEPENDENT for size in self.spectrum))

    @property
    def axes(self) -> int:
        """Number of coordinates in which directions are compared."""
        return self.directions.shape[-1]

    @property
    def fills_space(self) -> bool:
        """True if directions of one function are compared along all variables."""
        frame = self.frame
        whole = frame is None or (frame.ndim == 2 and self.axes == self.variables)
        return whole and self.directions.ndim == 2

    @property
    def keeps_variables_apart(self) -> bool:
        """True if each coordinate belongs to one variable, and directions show its part."""
        frame = self.frame
        aligned = frame is None or (frame.ndim == 2 and is_diagonal(frame))
        return aligned and self.directions.ndim == 2

    @property
    def is_read(self) -> bool:
        """True if the directions were read from a network, and not given by the user."""
        return "drawn" in self.origin

    def __len__(self) -> int:
        return self.rows

    def directions_of(self, gradients: np.ndarray) -> np.ndarray:
        """Convert gradients at the points to directions that compare with the field's own."""
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
        """Contribution of each variable to the gradients, over the range of its values.

            s_j = sum_rows w (sigma_j df/dx_j)**2,   sigma_j the standard deviation of x_j

        Args:
            rows: weights w of the rows, `(rows,)`.

        Returns:
            Mean squares as parts of their sum, `(variables,)`.

        Example:

        >>> from keras_symgrad import GradientField
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
            A field with a diagonal frame, or `None` where the directions do not determine each
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
            f"variables: {listed_names(self.names)})"
        )

    def take(self, index: np.ndarray | slice) -> Self:
        """The rows at the given positions, in that order.

        Args:
            index: integer positions, or a slice, whose rows are not copied.

        Returns:
            A field; its `dropped` and `origin` are those of the whole field.
        """
        index = index if isinstance(index, slice) else np.asarray(index)
        frame = self.frame
        return replace(
            self,
            points=self.points[index],
            directions=self.directions[index],
            weights=None if self.weights is None else self.weights[index],
            values=None if self.values is None else self.values[index],
            frame=frame[index] if frame is not None and frame.ndim == 3 else frame,
        )

    def split(self, fraction: float = 0.8, seed: int = 0) -> tuple[Self, Self]:
        """Split the rows at random in two fields, one for the search and one held out.

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
        """Split the field into blocks of rows small enough for computations, without copies.

        Yields:
            Fields; this one alone if it is small.
        """
        size = block_rows(self.variables * self.span)
        for start in range(0, self.rows, size):
            yield self.take(slice(start, start + size))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the field to an `.npz` file, complete or not at all.

        Args:
            path: of the file; `.npz` is added if it has another ending.

        Returns:
            The path written.

        Raises:
            ValueError: nothing can be written there.
        """
        return _write_field(self, path)

    def arrays(self) -> dict[str, np.ndarray]:
        """The field as arrays of numbers and texts, as `save` writes them."""
        about = {
            "dropped": self.dropped,
            "plateau": self.plateau,
            "origin": self.origin,
            "noise": self.noise,
            "explained": self.explained,
            "spectrum": self.spectrum,
        }
        content = {
            "x": self.points,
            "directions": self.directions,
            "names": np.array(self.names),
            "about": np.array(json.dumps(about)),
        }
        optional = {name: getattr(self, name) for name in OPTIONAL_ARRAYS}
        return content | {name: array for name, array in optional.items() if array is not None}

    def on_level_sets(self, gradients: np.ndarray) -> Self:
        """The field along the level sets of a function whose gradient lies in the span.

        The function is constant there, so only the part of the span that is independent of it
        remains.

        Args:
            gradients: of the function, `(rows, variables)`.

        Returns:
            A field with one axis and one direction of the span less, without the rows where the
            function has no gradient.

        Raises:
            ValueError: only one direction is in the span.

        Example:

        >>> from keras_symgrad import GradientField
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
        _, directions = orthonormal_span(span)
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


OPTIONAL_ARRAYS = ("weights", "values", "frame")
ARRAYS = ("x", "directions", "names", "about", *OPTIONAL_ARRAYS)


def _write_field(field: Field, path: str | os.PathLike[str]) -> Path:
    """Write a field; see `GradientField.save`."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    try:
        with replacing(path) as file:
            # No array is named like the option `allow_pickle`.
            np.savez_compressed(file, **field.arrays())  # type: ignore[arg-type]
    except OSError as error:
        raise unwritable(path, "The gradient field", error) from error
    return path


def _read_field(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Arguments of `GradientField` from a file that `write` wrote; see `GradientField.load`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a saved gradient field. There is no file at: {path}")
    try:
        found = read_arrays(path, ARRAYS)
        return _checked_parts({key: array for key, array in found.items() if array is not None})
    except ValueError as error:
        raise ValueError(
            f"Expected a file that `GradientField.save` wrote. {path} is not one: {error}"
        ) from None


def _checked_parts(content: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arguments of `GradientField`; raises `ValueError` for arrays that are not a field's."""
    try:
        return _field_parts(content)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(reason) from None


def _field_parts(content: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arguments of a field, with checked shapes."""
    points, directions = (_field_numbers(content, name) for name in ("x", "directions"))
    rows = len(points)
    if points.ndim != 2 or directions.ndim not in (2, 3) or len(directions) != rows:
        raise ValueError(f"its arrays have the shapes {points.shape} and {directions.shape}")
    optional = {name: _field_numbers(content, name) for name in OPTIONAL_ARRAYS if name in content}
    for name in ("weights", "values"):
        if name in optional and optional[name].shape != (rows,):
            raise ValueError(f"its {name} have the shape {optional[name].shape}")
    # For a file without a frame the coordinates are the variables.
    frame = optional.get("frame", np.eye(points.shape[1]))
    shape = (directions.shape[-1], points.shape[1])
    if frame.shape not in (shape, (rows, *shape)):
        raise ValueError(f"its frame has the shape {frame.shape}")
    about = Record(json.loads(str(content["about"])))
    return {
        "points": points,
        "directions": directions,
        "names": check_names([str(name) for name in content["names"].ravel()], points.shape[1]),
        "dropped": about.whole("dropped"),
        "plateau": about.whole("plateau") if "plateau" in about else 0,
        "origin": about.by_name("origin", int),
        "noise": about.number("noise") if "noise" in about else None,
        "explained": about.number("explained") if "explained" in about else 1.0,
        "spectrum": tuple(about.numbers("spectrum")) if "spectrum" in about else (1.0,),
        **optional,
    }


def _field_numbers(content: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    array = as_numbers(content[name], f"the array {name}")
    if not np.isfinite(array).all():
        raise ValueError(f"its array {name} holds what is not finite")
    return array


# A direction below `INDEPENDENT` may be one that the rest of the network ignores, but leaving it
# out rotates the others towards it: on a bottleneck of two concepts the error of the first one is
# 5e-5 with the third direction in the span, and 2e-3 without. Below this share of the main one it
# is rounding and noise.
MIN_RELATIVE_DIRECTION = 0.05
# Points used to decide whether two networks rise alike.
SIGN_ROWS = 1000


class GradientField(Field):
    """Unit gradients of a scalar function at points.

    Made with `GradientField.from_neuron`, `from_neurons`, `from_units`, `from_gradients` or
    `load`.

    Args:
        points: float64, `(rows, variables)`.
        directions: float64 gradients of length 1, `(rows, axes)`; zero where the gradient is zero.
            For several neurons together the orthonormal span of theirs, `(rows, k, axes)`.
        names: one name for each variable.
        weights: of the rows, `(rows,)`, or `None` for equal ones.
        values: the function's values (a classifier's logits) at the points, `(rows,)`, or `None`.
        dropped: number of given rows left out because a number in them was not finite.
        origin: number of rows by origin: `data` (given), `drawn` (from the data's domain or the
            user's sampler) and `moved` (onto the slab along the gradient).
        frame: the coordinates that directions are compared in, `(axes, variables)` or, where
            they change from row to row, `(rows, axes, variables)`. Coordinates of a gradient are
            the products with the rows of the frame. `None` for the variables themselves.
        noise: the expected loss of the true concept, estimated from the disagreement of several
            networks; `None` for one network.
        explained: mean share of the gradients that functions of the variables can have; less than 1
            where the variables are quantities that do not determine the input.
        spectrum: of several neurons together, the medians of the singular values of their unit
            gradients, divided by the largest.
        loss: how much a difference between its directions and those of a formula counts.
        plateau: data rows of a classifier left out because they are far from its decision boundary,
            although it is undecided there.

    Example:

    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> GradientField.from_gradients(x, gradients=2 * x, names=["a", "b"]).directions
    array([[0.4472136 , 0.89442719],
           [0.6       , 0.8       ]])
    """

    @classmethod
    def from_neuron(
        cls,
        neuron: Neuron,
        x: Any,
        *,
        names: Sequence[str] | None = None,
        columns: Columns | None = None,
        delta: float | None = 1e-2,
        rows: int | None = 2000,
        sampler: Sampler | None = None,
        draw: bool = True,
        move: bool = True,
        metric: Metric = "covariance",
        tangent: Tangent = "auto",
        in_terms_of: Quantities | None = None,
        weights: np.ndarray | None = None,
        seed: int = 0,
        batch_size: int = 4096,
    ) -> GradientField:
        """Read the gradients of a neuron where they are meaningful.

        For a classifier, rows with `delta <= p <= 1 - delta` are kept, where p is its probability:
        elsewhere the labels do not determine the direction. If the data hold fewer than `rows` of
        them, more points are drawn from the data's domain, and others moved onto the slab along the
        gradient. For any other neuron a random choice of `rows` data rows is taken.

        Args:
            neuron: what to differentiate.
            x: points of shape `(rows, variables)`: an array, a DataFrame or a file's path.
            names: of the variables; by default those of the DataFrame or file, else `x1`, `x2`...
            columns: names or numbers of the columns of `x` to take; all by default.
            delta: in (0, 0.5), or `None` to keep every row.
            rows: number of rows wanted; `None` for all that the data have and no others.
            sampler: `(n, rng) -> (n, variables)`, draws unlabelled points; by default uniform on
                the part of the data's box that is near data.
            draw: whether unlabelled points may be drawn. Use False if a box does not describe the
                domain of the data.
            move: whether points may be moved.
            metric: in which directions compare: "covariance" of the data, "columns" (each by
                itself), or a covariance matrix; see `metric.metric_frame`.
            tangent: the tangent space of the data, along which alone gradients are compared; see
                `tangent_space.tangent_frame`. By default that of the linear subspace that the data
                lie in, if they do. Points are neither drawn nor moved off a surface.
            in_terms_of: quantities that formulas are to be written in, instead of the input.
            weights: one for each row of `x`; drawn and moved rows get their mean.
            seed: of all random choices.
            batch_size: rows that are differentiated at a time.

        Returns:
            A `GradientField`, its rows in random order.

        Raises:
            ValueError: the data are empty or of the wrong width, no row is left, or the gradient is
                zero everywhere.

        Example:

        >>> ring = Neuron("ring/logit", lambda x: 9 * (x[:, 0]**2 + x[:, 1]**2 - 1),
        ...               inputs=2, is_classifier=True)
        >>> x = np.random.default_rng(0).uniform(-2, 2, size=(1000, 2))
        >>> GradientField.from_neuron(ring, x, rows=500)
        GradientField(500 rows (198 data, 302 drawn), variables: x1, x2)
        """
        rows = select_rows(
            neuron,
            x,
            names=names,
            columns=columns,
            delta=delta,
            rows=rows,
            sampler=sampler,
            draw=draw,
            move=move,
            metric=metric,
            tangent=tangent,
            in_terms_of=in_terms_of,
            weights=weights,
            seed=seed,
            batch_size=batch_size,
        )
        return cls._of_rows(rows, rows.directions_of(rows.gradients))

    @classmethod
    def from_neurons(
        cls, neurons: Sequence[Neuron], x: Any, **options: Unpack[RowOptions]
    ) -> GradientField:
        """The mean field of the same neuron in several networks, with an estimate of its error.

        Rows are selected by the mean of the neurons. The directions there are averaged, with
        aligned signs, and weighted by their agreement; `noise` is the error of the mean that their
        disagreement predicts. See `ensemble.mean_directions`.

        Args:
            neurons: at least two, of networks that were trained separately on the same inputs.
            x: points, as in `from_neuron`.
            **options: of `from_neuron`.

        Returns:
            A `GradientField` with `noise`.

        Raises:
            ValueError: as in `from_neuron`; or the neurons do not belong together.

        Example:

        >>> networks = [Neuron(f"net_{k}", lambda x, k=k: x[:, 0] + 0.1 * k * x[:, 1], inputs=2)
        ...             for k in (0, 1)]
        >>> x = np.random.default_rng(0).normal(size=(900, 2))
        >>> field = GradientField.from_neurons(networks, x)
        >>> f"{field.noise:.4f}", field.directions[0].round(2).tolist()
        ('0.0012', [1.0, 0.05])
        """
        if len(neurons) < 2:
            raise ValueError(
                "Disagreement needs two networks at least; `from_neuron` reads one. "
                f"Received: {len(neurons)}"
            )
        points = read_points(x, options.pop("columns", None)).in_model_order(
            neurons[0].names, options.pop("names", None)
        )
        finite = points.values[finite_rows(points.values)]
        neurons = [neuron.settle(finite) for neuron in neurons]
        rows = select_rows(mean_neuron(neurons, finite[:SIGN_ROWS]), points, **options)
        each = [rows.directions_of(n.values_and_gradients(rows.inputs)[1]) for n in neurons]
        directions, weights, noise = mean_directions(np.stack(each))
        if rows.weights is not None:
            weights = weights * rows.weights
        return replace(cls._of_rows(rows, directions), weights=weights, noise=noise)

    @classmethod
    def from_units(
        cls, neurons: Sequence[Neuron], x: Any, **options: Unpack[RowOptions]
    ) -> GradientField:
        """The span of the gradients of several neurons together.

        A concept that can be read from the neurons jointly is g = G(f_1, ..., f_k), which is
        where its gradient lies in the span of theirs.

        Args:
            neurons: of one model, on the same inputs.
            x: points, as in `from_neuron`.
            **options: of `from_neuron`.

        Returns:
            A `GradientField` whose directions are spans, `(rows, k, axes)`, and whose `spectrum`
            shows how many of them are independent; it has no values.

        Raises:
            ValueError: as in `from_neuron`; or there is no neuron.

        Example:

        >>> pair = [Neuron("sum", lambda x: x[:, 0] + x[:, 1], inputs=3),
        ...         Neuron("difference", lambda x: x[:, 0] - x[:, 1], inputs=3)]
        >>> GradientField.from_units(pair, np.random.default_rng(0).normal(size=(9, 3))).span
        2
        """
        if not neurons:
            raise ValueError("Expected one neuron at least. Received: none")
        rows = select_rows(replace(neurons[0], is_classifier=False), x, **options)
        each = [rows.directions_of(n.values_and_gradients(rows.inputs)[1]) for n in neurons]
        sizes, directions = orthonormal_span(np.stack(each, axis=1))
        steep = sizes[:, 0] > 0
        spectrum = np.median(sizes[steep] / sizes[steep, :1], axis=0) if steep.any() else sizes[0]
        # A span of all axes would contain any gradient.
        present = np.clip(
            np.sum(spectrum > MIN_RELATIVE_DIRECTION), 1, max(1, directions.shape[2] - 1)
        )
        field = cls._of_rows(rows, directions[:, :present])
        return replace(field, values=None, spectrum=tuple(float(s) for s in spectrum))

    @classmethod
    def from_gradients(
        cls,
        points: np.ndarray,
        gradients: np.ndarray,
        *,
        names: Sequence[str] | None = None,
        values: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        origin: dict[str, int] | None = None,
        dropped: int = 0,
        metric: Metric = "covariance",
        frame: np.ndarray | None = None,
    ) -> GradientField:
        """A field of gradients from any source.

        Args:
            points: `(rows, variables)`.
            gradients: of any length, `(rows, variables)`.
            names: of the variables; `x1`, `x2` and so on by default.
            values: the function's values, `(rows,)`.
            weights: of the rows, `(rows,)`.
            origin: number of rows by origin.
            dropped: rows that were left out before.
            metric: in which directions compare, as in `from_neuron`.
            frame: the coordinates to compare directions in; those of the metric by default.

        Returns:
            A `GradientField` without the rows in which a number is not finite.

        Raises:
            ValueError: the shapes do not agree, nothing is finite, or every gradient is zero.
        """
        points, names = read_points(points).named(names)
        gradients = np.asarray(gradients, dtype=np.float64)
        if gradients.shape != points.shape:
            raise ValueError(
                "Expected one gradient for each point, of the same shape. Received shapes: "
                f"points {points.shape}, gradients {gradients.shape}"
            )
        if frame is None:
            usable = np.isfinite(points).all(axis=1)
            known = points[usable] if usable.any() else np.zeros((1, points.shape[1]))
            frame = metric_frame(known, known, check_metric(metric))
        weights = check_weights(weights, len(points))
        values = None if values is None else np.asarray(values, dtype=np.float64).reshape(-1)
        directions = unit(in_frame(gradients, frame))
        return cls(
            points,
            directions,
            names,
            weights,
            values,
            dropped,
            origin or {"data": len(points)},
            frame,
        )._usable(np.isfinite(gradients).all(axis=1))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GradientField:
        """Read a field that `save` wrote.

        Args:
            path: of the `.npz` file.

        Returns:
            The `GradientField`.

        Raises:
            FileNotFoundError: nothing is at the path.
            ValueError: the file is no gradient field.
        """
        return cls(**_read_field(path))

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> GradientField:
        """The field of arrays that `arrays` returned.

        Args:
            arrays: by name.

        Raises:
            ValueError: their shapes do not agree, or one is missing.
        """
        return cls(**_checked_parts(arrays))

    @classmethod
    def _of_rows(cls, rows: SelectedRows, directions: np.ndarray) -> GradientField:
        return cls(
            rows.points,
            directions,
            rows.names,
            rows.weights,
            np.asarray(rows.values, np.float64),
            rows.dropped,
            rows.origin,
            rows.frame,
            explained=rows.explained,
            plateau=rows.plateau,
        )._usable(np.isfinite(rows.gradients).all(axis=1))
