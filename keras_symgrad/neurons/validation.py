"""Validate a neuron on a few rows before the search.

A gradient must lead from the neuron to the input; the same rows must always give the same numbers;
and each row must be processed independently, because the gradients of all rows are computed
together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.neurons import tracing
from keras_symgrad.neurons.inputs import Inputs

# Tolerance for float16 and for other orders of summation.
REPEATABILITY_TOLERANCE = 1e-2
# Relative change of a row that tests whether the neuron changes.
NEARBY = 0.3


def validate(
    name: str,
    function: Callable[[tf.Tensor], tf.Tensor],
    rows: tf.Tensor,
    steps: Callable[[tf.Tensor], Sequence[tracing.Call]] = lambda x: (),
) -> None:
    """Raise if a scalar function cannot be interpreted.

    Args:
        name: of the neuron.
        function: `(rows, inputs) -> (rows,)`.
        rows: a few points for the test, `(rows, inputs)`.
        steps: the calls of the layers inside it in a run on points, to name the cause.

    Raises:
        ValueError: it has no gradient, is random, or depends on other rows; with advice.

    Warns:
        UserWarning: it depends on a column only by steps.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(rows)
        value = function(rows)
    if not value.dtype.is_floating:
        raise ValueError(
            f"The neuron '{name}' is of dtype {value.dtype.name}: whole numbers, such as the class "
            "that argmax chooses, have no gradient. Read what they are made of, by the layer "
            "before (`layer=`): for two classes the difference of their scores, `unit=(k, j)`."
        )
    try:
        gradient = tape.gradient(value, rows)
    except LookupError as error:
        raise ValueError(
            f"The neuron '{name}' is made with an operation that TensorFlow cannot differentiate. "
            "Read from a layer after it, or make the model with another operation in its place. "
            f"{error}"
        ) from error
    if gradient is None:
        raise ValueError(_no_gradient(name, steps, rows))
    if not _same(function(rows), value):
        raise ValueError(
            f"The neuron '{name}' gives other numbers when it is asked again{_moody(steps, rows)}. "
            "A layer draws random numbers in inference too (`training=True`), or keeps a state "
            "(`stateful=True`). Make the model without it and give it the same weights."
        )
    if not _same(function(rows[:3]), value[:3]):
        raise ValueError(
            f"The neuron '{name}' gives a row other numbers in other company: its rows see each "
            "other (batch statistics with `training=True`, or a mean over rows). Make a model "
            "that treats each row by itself."
        )
    # Inside a SavedModel a missing gradient is returned as zeros.
    flat = not np.any(tf.convert_to_tensor(gradient)) and np.ptp(value) > 0
    # So are gradients of a network of columns around 1e6 that is saturated on rows around 1.
    if flat and _moves(function, rows):
        raise ValueError(_no_gradient(name, steps, rows))
    _warn_of_steps(name, function, rows, gradient)


def _moves(function: Callable[..., Any], rows: tf.Tensor) -> bool:
    """Return whether a function changes between nearby rows, unlike a saturated network."""
    return not _same(function(rows * (1 + NEARBY)), function(rows))


def _warn_of_steps(
    name: str, function: Callable[..., Any], rows: tf.Tensor, gradient: tf.Tensor
) -> None:
    """Warn about columns on which the neuron depends only by steps, without a gradient."""
    flat = np.flatnonzero(~np.any(tf.convert_to_tensor(gradient), axis=0))

    def changes(columns: np.ndarray) -> bool:
        # 0 and 1 are valid indices of any table with two entries.
        low, high = (
            function(tf.constant(points, rows.dtype))
            for points in (_filled(rows, columns, 0.0), _filled(rows, columns, 1.0))
        )
        return not _same(low, high)

    def is_steep_at_zero(columns: np.ndarray) -> np.ndarray:
        # Where a column of numbers around 1e-6 is large, the network may be saturated.
        points = tf.constant(_filled(rows, columns, 0.0), rows.dtype)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            value = function(points)
        return np.any(tape.gradient(value, points, unconnected_gradients="zero"), axis=0)

    try:
        if len(flat) and changes(flat):
            flat = flat[~is_steep_at_zero(flat)[flat]]
        stepped = [k for k in flat if changes(np.array([k]))] if len(flat) and changes(flat) else []
    except tf.errors.OpError:
        return
    if stepped:
        warnings.warn(
            f"The neuron '{name}' depends on column {', '.join(map(str, stepped[:5]))} (from 0) by "
            "steps: a lookup, a one-hot code or rounding. No gradient shows it, so no formula can "
            "hold it and it will look ignored. Keep to rows of one value there, or read from the "
            "layer after it.",
            stacklevel=5,
        )


def _filled(rows: tf.Tensor, columns: np.ndarray, value: float) -> np.ndarray:
    points = np.array(rows)
    points[:, columns] = value
    return points


def _no_gradient(name: str, steps: Callable[..., Any], rows: tf.Tensor) -> str:
    return (
        f"No gradient leads from the neuron '{name}' to the input{_lost(steps, rows)}: what "
        "rounds, counts, looks up or is NumPy code has none, and a constant neither. Read from "
        "a layer after it, `keras.Model(model.get_layer(name).output, model.output)`, with "
        "that layer's values as points."
    )


def _same(again: tf.Tensor, value: tf.Tensor) -> bool:
    again, value = (np.asarray(t, dtype=np.float64) for t in (again, value))
    spread = np.nanmax(np.abs(value), initial=0.0)
    return bool(
        np.allclose(
            again,
            value,
            REPEATABILITY_TOLERANCE,
            REPEATABILITY_TOLERANCE * 1e-2 * spread,
            equal_nan=True,
        )
    )


def _lost(steps: Callable[..., Any], rows: tf.Tensor) -> str:
    """The first layer that depends on the input but has no gradient."""
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(rows)
        calls = steps(rows)

    def connected(structure: Any) -> bool:
        floating = [t for t in tf.nest.flatten(structure) if _is_floating(t)]
        return bool(floating) and tape.gradient(floating, rows) is not None

    lost = (call for call in calls if connected(call.inputs) and not connected(call.output))
    return _named(", lost in", lost)


def _moody(steps: Callable[..., Any], rows: tf.Tensor) -> str:
    """The first layer that returns different numbers for the same numbers."""
    pairs = zip(steps(rows), steps(rows), strict=False)
    moody = (first for first, second in pairs if not _alike(first.output, second.output))
    return _named(", first in", moody)


def _alike(first: Any, second: Any) -> bool:
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return all(_same(a, b) for a, b in pairs if _is_floating(a))


def _is_floating(tensor: Any) -> bool:
    # Tensors inside a `tf.function` have no values here.
    return tf.is_tensor(tensor) and tensor.dtype.is_floating and hasattr(tensor, "numpy")


def _named(text: str, calls: Iterable[tracing.Call]) -> str:
    # A model around the layer in question ends after it: the first one is the deepest.
    call = next(iter(calls), None)
    return f"{text} '{call.operation.name}' ({type(call.operation).__name__})" if call else ""


def steps_of(model: keras.Layer, inputs: Inputs) -> Callable[[tf.Tensor], list[tracing.Call]]:
    """All calls of layers in a run of a model, as a function of points."""
    operations = list(tracing.operations_of(model).values())
    return lambda x: tracing.run(model, inputs(x), operations)[1]
