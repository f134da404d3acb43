"""`GradientField`: the directions in which a neuron changes, at points where they mean something.

A neuron f that carries exactly the information of a concept g is f = phi(g), so its gradients are
parallel to g's wherever it was trained. A field of unit gradients is all that a search for g needs
to see of the network.

Source: Wetzel, arXiv 2401.04978, section 3.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_symgrad import field_files
from keras_symgrad.directions import unit
from keras_symgrad.ensemble import mean_directions, mean_neuron
from keras_symgrad.neurons import Neuron
from keras_symgrad.sampling import Rows, Sampler, data_rows, slab_rows
from keras_symgrad.tables import Columns, check_names, check_weights, finite_rows, read_points

# Points that decide whether two networks rise alike.
SIGN_ROWS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class GradientField:
    """Unit gradients of a scalar function at points.

    Made with `GradientField.from_neuron`, `from_neurons`, `from_gradients` or `load`.

    Args:
        points: float64, `(rows, variables)`.
        directions: float64 gradients of length 1, `(rows, variables)`; zero where the gradient is
            zero.
        names: one name for each variable.
        weights: of the rows, `(rows,)`, or `None` for equal ones.
        values: the function's values (a classifier's logits) at the points, `(rows,)`, or `None`.
        dropped: number of given rows left out because a number in them was not finite.
        origin: number of rows by where they come from: `data` (given), `drawn` (from the data's
            domain or the user's sampler) and `moved` (onto the slab along the gradient).
        scales: of the variables, `(variables,)`. Directions are those of the gradients times
            these: the gradients with respect to x / scale.
        noise: the loss that the true concept is expected to have, known from the disagreement of
            several networks; `None` for one network.

    Example:

    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> GradientField.from_gradients(x, gradients=2 * x, names=["a", "b"]).directions
    array([[0.4472136 , 0.89442719],
           [0.6       , 0.8       ]])
    """

    points: np.ndarray
    directions: np.ndarray
    names: tuple[str, ...]
    weights: np.ndarray | None = None
    values: np.ndarray | None = None
    dropped: int = 0
    origin: dict[str, int] = field(default_factory=dict)
    scales: np.ndarray | None = None
    noise: float | None = None

    def __post_init__(self) -> None:
        if self.scales is None:
            object.__setattr__(self, "scales", np.ones(self.points.shape[1]))

    @property
    def rows(self) -> int:
        """Number of points."""
        return len(self.points)

    @property
    def variables(self) -> int:
        """Number of variables."""
        return self.points.shape[1]

    def __len__(self) -> int:
        return self.rows

    def directions_of(self, gradients: np.ndarray) -> np.ndarray:
        """Gradients at the points as directions that compare with the field's own."""
        return unit(gradients * self.scales)

    def __repr__(self) -> str:
        origin = ", ".join(f"{count} {name}" for name, count in self.origin.items() if count)
        return (
            f"GradientField({self.rows} rows{f' ({origin})' if origin else ''}, "
            f"variables: {', '.join(self.names)})"
        )

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
        weights: np.ndarray | None = None,
        seed: int = 0,
        batch_size: int = 4096,
    ) -> GradientField:
        """Reads the gradients of a neuron where they are worth reading.

        Of a classifier, rows with `delta <= p <= 1 - delta` are kept, where p is its probability:
        elsewhere the labels say nothing of the direction. If the data hold fewer than `rows` of
        them, more points are drawn from the data's domain, and others moved onto the slab along
        the gradient. Of any other neuron a random choice of `rows` data rows is taken.

        Args:
            neuron: what to differentiate.
            x: points of shape `(rows, variables)`: an array, a DataFrame or a file's path.
            names: of the variables; by default those of the DataFrame or file, else `x1`, `x2`...
            columns: names or numbers of the columns of `x` to take; all by default.
            delta: in (0, 0.5), or `None` to keep every row.
            rows: number of rows wanted; `None` for all that the data have and no others.
            sampler: `(n, rng) -> (n, variables)`, draws unlabelled points; by default uniform on
                the part of the data's box that is near data.
            draw: whether unlabelled points may be drawn. Say no if the data fill their domain in a
                way that a box does not describe.
            move: whether points may be moved. Say no if the data live on a surface.
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
        _check_options(delta, rows)
        x, found = read_points(x, columns)
        if neuron.inputs is not None and x.shape[1] != neuron.inputs:
            raise ValueError(
                f"The model of '{neuron.name}' takes {neuron.inputs} columns, but the data have "
                f"{x.shape[1]}: {', '.join(found)}. Choose the model's own with `columns=`, in "
                "its order."
            )
        names = found if names is None else check_names(names, x.shape[1])
        weights = check_weights(weights, len(x))
        finite = finite_rows(x)
        x, weights = x[finite], None if weights is None else weights[finite]
        neuron = neuron.settle(x)
        rng = np.random.default_rng(seed)

        if neuron.is_classifier and delta is not None:
            chosen = slab_rows(
                neuron,
                x,
                delta=delta,
                rows=rows,
                rng=rng,
                sampler=sampler,
                draw=draw,
                move=move,
                batch_size=batch_size,
            )
            _warn_if_few(chosen, rows, draw)
        else:
            chosen = data_rows(neuron, x, rows=rows, rng=rng, batch_size=batch_size)
        result = cls.from_gradients(
            chosen.points,
            chosen.gradients,
            names=names,
            values=chosen.values,
            weights=_weights_of(chosen, weights),
            origin={"data": len(chosen.data_index), "drawn": chosen.drawn, "moved": chosen.moved},
            dropped=int(np.sum(~finite)) + chosen.dropped,
            scales=_scales(x),
        )
        return result.take(rng.permutation(result.rows))

    @classmethod
    def from_neurons(cls, neurons: Sequence[Neuron], x: Any, **options) -> GradientField:
        """The mean field of the same neuron in several networks, and how far it is to be trusted.

        Rows are those where the mean of the neurons is worth reading. The directions there are
        averaged, signs aligned, and weigh by their agreement; `noise` is what their disagreement
        predicts for the error of the mean. See `ensemble.mean_directions`.

        Args:
            neurons: two at least, of networks that were trained apart on the same inputs.
            x: points, as in `from_neuron`.
            **options: of `from_neuron`.

        Returns:
            A `GradientField` with `noise`.

        Raises:
            ValueError: as in `from_neuron`; or the neurons do not belong together.

        Example:

        >>> networks = [Neuron(f"net_{k}", lambda x, k=k: x[:, 0] + 0.1 * k * x[:, 1], inputs=2)
        ...             for k in (0, 1)]
        >>> field = GradientField.from_neurons(networks, np.ones((9, 2)) * np.arange(9)[:, None])
        >>> f"{field.noise:.4f}", field.directions[0].round(2).tolist()
        ('0.0012', [1.0, 0.05])
        """
        if len(neurons) < 2:
            raise ValueError(
                "Disagreement needs two networks at least; `from_neuron` reads one. "
                f"Received: {len(neurons)}"
            )
        x, found = read_points(x, options.pop("columns", None))
        options = {"names": found, **options}
        finite = x[finite_rows(x)]
        neurons = [neuron.settle(finite) for neuron in neurons]
        field = cls.from_neuron(mean_neuron(neurons, finite[:SIGN_ROWS]), x, **options)
        each = [
            field.directions_of(neuron.values_and_gradients(field.points)[1]) for neuron in neurons
        ]
        directions, weights, noise = mean_directions(np.stack(each))
        if field.weights is not None:
            weights = weights * field.weights
        return replace(field, directions=directions, weights=weights, noise=noise)

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
        scales: np.ndarray | None = None,
    ) -> GradientField:
        """A field of gradients that come from anywhere.

        Args:
            points: `(rows, variables)`.
            gradients: of any length, `(rows, variables)`.
            names: of the variables; `x1`, `x2` and so on by default.
            values: the function's values, `(rows,)`.
            weights: of the rows, `(rows,)`.
            origin: number of rows by where they come from.
            dropped: rows that were left out before.
            scales: of the variables, `(variables,)`; 1 by default.

        Returns:
            A `GradientField` without the rows in which a number is not finite.

        Raises:
            ValueError: the shapes do not agree, nothing is finite, or every gradient is zero.
        """
        points, found = read_points(points)
        names = found if names is None else check_names(names, points.shape[1])
        gradients = np.asarray(gradients, dtype=np.float64)
        if gradients.shape != points.shape:
            raise ValueError(
                "Expected one gradient for each point, of the same shape. Received shapes: "
                f"points {points.shape}, gradients {gradients.shape}"
            )
        weights = check_weights(weights, len(points))
        values = None if values is None else np.asarray(values, dtype=np.float64).reshape(-1)
        finite = np.all(np.isfinite(points) & np.isfinite(gradients), axis=1)
        if values is not None:
            finite &= np.isfinite(values)
        if not finite.any():
            raise ValueError(
                "Expected finite gradients, but every row holds NaN or infinity. Check the data "
                "and the model's weights."
            )
        scales = (
            np.ones(points.shape[1]) if scales is None else np.asarray(scales, dtype=np.float64)
        )
        directions = unit(gradients * scales)
        if not directions[finite].any():
            raise ValueError(
                "The gradient is zero at every row, so it has no direction. The neuron ignores "
                "these inputs or is saturated on them: choose the value before the activation "
                "(`activation=False`), another unit, or other data."
            )
        return cls(
            points,
            directions,
            names,
            weights,
            values,
            dropped,
            origin or {"data": len(points)},
            scales,
        )._only(finite)

    def take(self, index: np.ndarray) -> GradientField:
        """The rows at the given positions, in that order.

        Args:
            index: integer positions.

        Returns:
            A `GradientField`; `dropped` and `origin` still tell of the whole.
        """
        index = np.asarray(index)
        rows = {
            name: None if (array := getattr(self, name)) is None else array[index]
            for name in ("points", "directions", "weights", "values")
        }
        return replace(self, **rows)

    def split(self, fraction: float = 0.8, seed: int = 0) -> tuple[GradientField, GradientField]:
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

    def subset(self, rows: int, seed: int = 0) -> GradientField:
        """A random choice of rows.

        Args:
            rows: number wanted; all rows if there are no more.
            seed: of the random choice.

        Returns:
            A `GradientField` of `min(rows, self.rows)` rows.
        """
        return self.take(np.random.default_rng(seed).permutation(self.rows)[:rows])

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

    @classmethod
    def load(cls, path: str | os.PathLike) -> GradientField:
        """Reads a field that `save` wrote.

        Args:
            path: of the `.npz` file.

        Returns:
            The `GradientField`.

        Raises:
            FileNotFoundError: nothing is at the path.
            ValueError: the file is no gradient field.
        """
        return cls(**field_files.read(path))

    def _only(self, keep: np.ndarray) -> GradientField:
        """The rows marked True; the others count as dropped."""
        if keep.all():
            return self
        return replace(self.take(np.flatnonzero(keep)), dropped=self.dropped + int(np.sum(~keep)))


def _check_options(delta: float | None, rows: int | None) -> None:
    if delta is not None and not 0 < delta < 0.5:
        raise ValueError(
            "`delta` is the smallest probability of a row that is kept, between 0 and 0.5, or None "
            f"to keep all. Received: delta={delta}"
        )
    if rows is not None and (not isinstance(rows, (int, np.integer)) or rows < 1):
        raise ValueError(f"`rows` is a positive integer or None. Received: rows={rows!r}")


def _scales(x: np.ndarray) -> np.ndarray:
    """Scales that make variables of very different sizes count alike.

    A gradient with respect to metres is a thousand times one with respect to millimetres: where
    one column is ten times as wide as another, each is measured in its own width. A column that
    never changes says nothing of the gradient along it and gets the scale 0.
    """
    widths = np.ptp(x, axis=0)
    varies = widths > 0
    if not varies.any():
        return np.ones(x.shape[1])
    if widths[varies].max() < 10 * widths[varies].min():
        return varies.astype(float)
    return widths / widths.max()


def _weights_of(chosen: Rows, weights: np.ndarray | None) -> np.ndarray | None:
    if weights is None:
        return None
    own = weights[chosen.data_index]
    others = chosen.drawn + chosen.moved
    return np.concatenate([own, np.full(others, weights.mean())])


def _warn_if_few(chosen: Rows, rows: int | None, draw: bool) -> None:
    if rows is not None and draw and len(chosen.points) < rows:
        warnings.warn(
            f"Only {len(chosen.points)} of {rows} rows were found near the decision boundary. "
            "More data, a `sampler` or a smaller `delta` would give more.",
            stacklevel=3,
        )
