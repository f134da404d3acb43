"""`GradientField`: the directions in which a neuron changes, at points where they mean something.

A neuron f that carries exactly the information of a concept g is f = phi(g), so its gradients are
parallel to g's wherever it was trained. A field of unit gradients is all that a search for g needs
to see of the network. This room makes fields; what can be done with one is told in `fields`.

Source: Wetzel, arXiv 2401.04978, section 3.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_symgrad import field_files
from keras_symgrad.engine import in_frame, principal, unit
from keras_symgrad.ensemble import mean_directions, mean_neuron
from keras_symgrad.field_rows import FieldRows, choose_rows
from keras_symgrad.fields import Field
from keras_symgrad.files import Columns, check_names, check_weights, finite_rows, read_points
from keras_symgrad.metric import Metric, check_metric, metric_frame
from keras_symgrad.neurons import Neuron, Quantities
from keras_symgrad.sampling import Sampler
from keras_symgrad.tangent import Tangent

# A direction of less than `INDEPENDENT` may be what the rest of the network has learned to ignore,
# but whoever leaves it out turns the others towards it: on a bottleneck of two concepts the error
# of the first one is 5e-5 with the third direction in the span, and 2e-3 without. Below this part
# of the main one it is rounding and noise.
PRESENT = 0.05
# Points that decide whether two networks rise alike.
SIGN_ROWS = 1000


class GradientField(Field):
    """Unit gradients of a scalar function at points.

    Made with `GradientField.from_neuron`, `from_neurons`, `from_units`, `from_gradients` or
    `load`.

    Args:
        points: float64, `(rows, variables)`.
        directions: float64 gradients of length 1, `(rows, axes)`; zero where the gradient is zero.
            Of several neurons together the orthonormal span of theirs, `(rows, k, axes)`.
        names: one name for each variable.
        weights: of the rows, `(rows,)`, or `None` for equal ones.
        values: the function's values (a classifier's logits) at the points, `(rows,)`, or `None`.
        dropped: number of given rows left out because a number in them was not finite.
        origin: number of rows by where they come from: `data` (given), `drawn` (from the data's
            domain or the user's sampler) and `moved` (onto the slab along the gradient).
        frame: the coordinates that directions are compared in, `(axes, variables)` or, where
            they change from row to row, `(rows, axes, variables)`. Coordinates of a gradient are
            the products with the rows of the frame. `None` for the variables themselves.
        noise: the loss that the true concept is expected to have, known from the disagreement of
            several networks; `None` for one network.
        explained: mean share of the gradients that functions of the variables can have; less than
            1 where the variables are quantities that do not tell all of the input.
        spectrum: of several neurons together, the medians of the singular values of their unit
            gradients, divided by the largest.
        loss: how much a difference between its directions and those of a formula counts.
        plateau: data rows of a classifier left out because its decision boundary is far from
            them, though it is undecided there.

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
            move: whether points may be moved.
            metric: in which directions compare: "covariance" of the data, "columns" (each by
                itself), or a covariance matrix; see `metric.metric_frame`.
            tangent: the tangent space of the data, along which alone gradients are compared; see
                `tangent.tangent_frame`. By default that of the linear subspace that the data lie
                in, if they do. Points are neither drawn nor moved off a surface.
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
        rows = choose_rows(
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
        x, found = read_points(x, options.pop("columns", None))
        options = {"names": found, **options}
        finite = x[finite_rows(x)]
        neurons = [neuron.settle(finite) for neuron in neurons]
        rows = choose_rows(mean_neuron(neurons, finite[:SIGN_ROWS]), x, **options)
        each = [rows.directions_of(n.values_and_gradients(rows.inputs)[1]) for n in neurons]
        directions, weights, noise = mean_directions(np.stack(each))
        if rows.weights is not None:
            weights = weights * rows.weights
        return replace(cls._of_rows(rows, directions), weights=weights, noise=noise)

    @classmethod
    def from_units(cls, neurons: Sequence[Neuron], x: Any, **options) -> GradientField:
        """The span of the gradients of several neurons together.

        A concept that can be read from the neurons jointly is g = G(f_1, ..., f_k), which is
        where its gradient lies in the span of theirs.

        Args:
            neurons: of one model, on the same inputs.
            x: points, as in `from_neuron`.
            **options: of `from_neuron`.

        Returns:
            A `GradientField` whose directions are spans, `(rows, k, axes)`, and whose `spectrum`
            tells how many of them are independent; it has no values.

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
        rows = choose_rows(replace(neurons[0], is_classifier=False), x, **options)
        each = [rows.directions_of(n.values_and_gradients(rows.inputs)[1]) for n in neurons]
        sizes, directions = principal(np.stack(each, axis=1))
        steep = sizes[:, 0] > 0
        spectrum = np.median(sizes[steep] / sizes[steep, :1], axis=0) if steep.any() else sizes[0]
        # A span of all axes would have any gradient in it.
        present = np.clip(np.sum(spectrum > PRESENT), 1, max(1, directions.shape[2] - 1))
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
        """A field of gradients that come from anywhere.

        Args:
            points: `(rows, variables)`.
            gradients: of any length, `(rows, variables)`.
            names: of the variables; `x1`, `x2` and so on by default.
            values: the function's values, `(rows,)`.
            weights: of the rows, `(rows,)`.
            origin: number of rows by where they come from.
            dropped: rows that were left out before.
            metric: in which directions compare, as in `from_neuron`.
            frame: the coordinates to compare directions in; those of the metric by default.

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

    @classmethod
    def _of_rows(cls, rows: FieldRows, directions: np.ndarray) -> GradientField:
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
