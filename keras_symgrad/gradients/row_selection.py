"""Select and weight the rows of a gradient field, and choose its coordinates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from keras_symgrad.engine import in_frame, unit
from keras_symgrad.files import (
    Columns,
    check_weights,
    check_width,
    finite_rows,
    read_points,
)
from keras_symgrad.gradients.boundary_sampling import Rows, Sampler, data_rows, slab_rows
from keras_symgrad.gradients.change_of_variables import ChangeOfVariables, explained
from keras_symgrad.gradients.metric import Metric, check_metric, covariance, metric_frame
from keras_symgrad.gradients.tangent_space import Tangent, can_be_drawn
from keras_symgrad.neurons import Neuron, Quantities


@dataclass(frozen=True, eq=False)
class SelectedRows:
    """Points in random order, with a neuron's values and gradients.

    Attributes:
        inputs: points of the model's input, `(rows, inputs)`.
        values: the neuron's values, `(rows,)`.
        gradients: with respect to the input, `(rows, inputs)`.
        input_frame: maps gradients with respect to the input to the coordinates in which they are
            compared, `(axes, inputs)` or `(rows, axes, inputs)`.
        names: of the variables that formulas are written in.
        points: their values, `(rows, variables)`; the inputs, unless quantities were given.
        frame: maps gradients with respect to them to the same coordinates.
        weights: `(rows,)`, or `None`.
        origin: number of rows by origin.
        dropped: data rows left out because a number is not finite.
        plateau: data rows left out because they are far from the boundary, although the neuron is
            undecided there.
        explained: mean share of the gradients that functions of the variables can have.
    """

    inputs: np.ndarray
    values: np.ndarray
    gradients: np.ndarray
    input_frame: np.ndarray | None
    names: tuple[str, ...]
    points: np.ndarray
    frame: np.ndarray | None
    weights: np.ndarray | None
    origin: dict[str, int]
    dropped: int
    plateau: int = 0
    explained: float = 1.0

    def directions_of(self, gradients: np.ndarray) -> np.ndarray:
        """Convert gradients with respect to the input to directions that are compared."""
        return unit(in_frame(gradients, self.input_frame))


class RowOptions(TypedDict, total=False):
    """Options of a reading; see `GradientField.from_neuron`."""

    names: Sequence[str] | None
    columns: Columns | None
    delta: float | None
    rows: int | None
    sampler: Sampler | None
    draw: bool
    move: bool
    metric: Metric
    tangent: Tangent
    in_terms_of: Quantities | None
    weights: np.ndarray | None
    seed: int
    batch_size: int


def select_rows(
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
) -> SelectedRows:
    """The rows where a neuron's gradients are worth reading; see `GradientField.from_neuron`."""
    check_delta(delta)
    if rows is not None and (not isinstance(rows, (int, np.integer)) or rows < 1):
        raise ValueError(f"`rows` is a positive integer or None. Received: rows={rows!r}")
    metric = check_metric(metric)
    x, names = read_points(x, columns).in_model_order(neuron.names, names)
    if neuron.inputs is not None:
        check_width(names, neuron.inputs, f"The model of '{neuron.name}'")
    weights = check_weights(weights, len(x))
    finite = finite_rows(x)
    if not finite.all():
        x, weights = x[finite], None if weights is None else weights[finite]
    neuron = neuron.settle(x)
    rng = np.random.default_rng(seed)

    if neuron.is_classifier and delta is not None:
        # Off the surface that contains the data the network was not trained.
        drawable = can_be_drawn(tangent)
        chosen = slab_rows(
            neuron,
            x,
            delta=delta,
            rows=rows,
            rng=rng,
            sampler=sampler,
            draw=draw and (drawable or sampler is not None),
            move=move and drawable,
            metric=metric,
            batch_size=batch_size,
        )
        _warn_if_few(chosen, rows, draw)
    else:
        chosen = data_rows(neuron, x, rows=rows, rng=rng, batch_size=batch_size)
    order = rng.permutation(len(chosen.points))
    weights = _weights_of(chosen, weights)
    inputs = chosen.points[order]
    frame = metric_frame(inputs, x, metric, tangent)
    result = SelectedRows(
        inputs,
        chosen.values[order],
        chosen.gradients[order],
        frame,
        names,
        inputs,
        frame,
        None if weights is None else weights[order],
        {"data": len(chosen.data_index), "drawn": chosen.drawn, "moved": chosen.moved},
        int(np.sum(~finite)) + chosen.dropped,
        chosen.plateau,
    )
    if in_terms_of is None:
        return result
    # A matrix of the user's refers to the inputs.
    metric = metric if isinstance(metric, str) else "covariance"
    return _in_terms_of(in_terms_of, result, metric, batch_size)


def _in_terms_of(
    quantities: Quantities, rows: SelectedRows, metric: Metric, batch_size: int
) -> SelectedRows:
    """The same rows, for formulas in quantities that are functions of the input."""
    values, jacobians = quantities.values_and_jacobians(rows.inputs, batch_size)
    frame = np.eye(rows.inputs.shape[1]) if rows.input_frame is None else rows.input_frame
    # Steps along the frame's vectors, in the coordinates of the input.
    jacobians = np.einsum("...qi,...ai->...qa", jacobians, frame)
    share = explained(jacobians, in_frame(rows.gradients, rows.input_frame))
    widths = np.sqrt(np.diag(covariance(values)))
    units = np.where(widths > 0, widths, 1.0)
    through = ChangeOfVariables.through(jacobians / units[:, None])
    input_frame, own_frame = through.of_inputs @ frame, through.of_quantities
    if own_frame is None:
        # The coordinates are the quantities, which have a metric of their own.
        own_frame = metric_frame(values, values, metric)
        mixed = np.diag(1 / units) if own_frame is None else own_frame / units
        input_frame = mixed @ input_frame
    else:
        own_frame = own_frame * units
    return replace(
        rows,
        input_frame=input_frame,
        names=quantities.names,
        points=values,
        frame=own_frame,
        explained=float(np.mean(share)),
    )


def check_delta(delta: float | None) -> None:
    """Raise unless it is `None` or a probability between 0 and 0.5."""
    is_number = isinstance(delta, (int, float, np.number)) and not isinstance(delta, bool)
    if delta is not None and not (is_number and 0 < delta < 0.5):
        raise ValueError(
            "`delta` is the smallest probability of a row that is kept, between 0 and 0.5, or None "
            f"to keep all. Received: delta={delta!r}"
        )


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
            stacklevel=4,
        )
