"""Find the concepts that several neurons carry jointly: `interpret_jointly`.

k neurons of a bottleneck may carry two concepts in mixed coordinates, so that none of them alone
encodes anything simple. Together they determine the span of their gradients, and a scalar concept
g = G(f_1, ..., f_k) can be read from them exactly where its gradient lies in that span. After one
concept is found, the next one is looked for along its level sets, where it is constant: what is
found there is independent of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_symgrad.api.interpret import interpret
from keras_symgrad.engine import gradient
from keras_symgrad.files import check_names, finite_rows, in_model_order, read_points
from keras_symgrad.gradients import (
    GradientField,
    Metric,
    Tangent,
    check_metric,
    check_smoothing,
    errors,
    is_piecewise_constant,
    smoothed,
    smoothing_width,
)
from keras_symgrad.neurons import Inputs, Neuron, Quantities, loading, only_tensor, tracing
from keras_symgrad.results import JointInterpretation
from keras_symgrad.search.core import call, recorded, versions


def interpret_jointly(
    model: keras.Model | str | os.PathLike | Sequence[Neuron],
    x: Any,
    layer: str | None = None,
    units: Sequence[int] | None = None,
    *,
    activation: bool = False,
    signature: str | None = None,
    weights: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    columns: Sequence[str | int] | None = None,
    concepts: int | None = None,
    rows: int = 2000,
    metric: Metric = "covariance",
    tangent: Tangent = "auto",
    in_terms_of: str | Quantities | None = None,
    smoothing: str | float | None = "auto",
    seed: int = 0,
    **options: Any,
) -> JointInterpretation:
    """Finds the concepts that several neurons encode together, one after the other.

    A concept g can be read from neurons f_1 to f_k where its gradient lies in the span of theirs:

        |(I - P) grad g| = 0,    P the projector on span(grad f_1, ..., grad f_k)

    Args:
        model: a built Keras model, the path of one, or `Neuron`s.
        x: points of shape `(rows, inputs)`, as for `interpret`.
        layer: the layer of the neurons; the output by default.
        units: which of its units; all by default.
        activation: whether to read them after the layer's activation.
        signature: of a SavedModel that has several; `serving_default` by default.
        weights: file with the weights of a model in JSON, as for `interpret`.
        custom_objects: that a file needs, as for `interpret`.
        names: of the variables.
        columns: of `x` that the model takes.
        concepts: how many to look for; by default as many as are independent by the singular
            values of the neurons' unit gradients, those of at least a fifth of the largest.
        rows: how many rows to read.
        metric: in which directions compare, as for `interpret`.
        tangent: the surface that the data lie on, as for `interpret`.
        in_terms_of: the layer or `Quantities` that formulas are to be written in.
        smoothing: width that gradients are averaged over, as for `interpret`: "auto" averages
            those of networks whose gradients jump.
        seed: of all random choices.
        **options: of `interpret`, for the search.

    Returns:
        A `JointInterpretation`.

    Raises:
        ValueError: as for `interpret`.

    Example:

    >>> import tensorflow as tf
    >>> total = Neuron("total", lambda x: tf.exp(x[:, 0] * x[:, 1] + x[:, 2]), inputs=3)
    >>> mixed = Neuron("mixed", lambda x: x[:, 0] * x[:, 1] - x[:, 2] ** 3, inputs=3)
    >>> x = np.random.default_rng(0).uniform(1, 2, (2000, 3))
    >>> found = interpret_jointly([total, mixed], x, operators="polynomial", verbose=False)
    >>> [str(formula.expression) for formula in found.best]
    ['x3', 'x1*x2']
    """
    given = {name: value for name, value in locals().items() if name != "options"} | options
    check_smoothing(smoothing)
    metric = check_metric(metric)
    points, own = read_points(x, columns)
    names = own if names is None else check_names(names, points.shape[1])
    if isinstance(model, (list, tuple)):
        _check_alone(layer, units, activation, signature, in_terms_of)
        neurons = list(model)
    else:
        model = loading.loaded(model, signature, weights, custom_objects)
        opened, _ = loading.opened(model, signature)
        if isinstance(opened, keras.Layer):
            # A file is read once and not for each unit.
            model = opened
        inputs = points.shape[1]
        if units is None:
            units = range(_units(opened, layer, inputs))
        neurons = [
            Neuron.of(model, layer, unit, activation, inputs=inputs, signature=signature)
            for unit in units
        ]
        if isinstance(in_terms_of, str):
            in_terms_of = Quantities.of(model, in_terms_of, inputs=inputs)
    if not neurons:
        raise ValueError("`interpret_jointly` reads one neuron at least. Received: none")
    points, names = in_model_order(points, names, neurons[0].names)
    span = GradientField.from_units(
        _averaged(neurons, points, smoothing),
        points,
        names=names,
        rows=rows,
        metric=metric,
        tangent=tangent,
        in_terms_of=in_terms_of,
        seed=seed,
    )
    found, error, rest = [], [], span
    count = min(concepts or span.independent, span.span)
    for left in range(count - 1, -1, -1):
        concept = interpret(rest, seed=seed, **options)
        if concept.matches == "nothing":
            break
        expression = concept.best.expression
        error.append(float(errors(expression, span).mean()))
        found.append(replace(concept, given=tuple(before.best for before in found)))
        if left:
            rest = rest.on_level_sets(gradient(expression, rest.names, rest.points))
    return JointInterpretation(
        tuple(neuron.name for neuron in neurons),
        tuple(found),
        count,
        span.spectrum,
        tuple(error),
        recorded(given),
        versions(),
        call(recorded(given), interpret_jointly, interpret),
    )


def _averaged(
    neurons: Sequence[Neuron], x: np.ndarray, smoothing: str | float | None
) -> Sequence[Neuron]:
    """The neurons with averaged gradients where they jump: all of them, over one width."""
    finite = x[finite_rows(x)]
    jumps = (neuron for neuron in neurons if is_piecewise_constant(neuron, finite))
    width = smoothing_width(next(jumps, neurons[0]), finite, smoothing)
    return neurons if width is None else [smoothed(neuron, finite, width) for neuron in neurons]


def _units(model: keras.Layer | loading.SavedFunction, layer: str | None, inputs: int) -> int:
    """How many units the layer has, or the output."""
    if isinstance(model, loading.SavedFunction):
        taken, output = model.inputs(inputs), model.output(layer)
        _, value = taken.tried(lambda rows: model.function(taken(rows))[output], model.dtype)
    else:
        taken = Inputs.of(model, inputs)
        _, target = taken.tried(
            lambda rows: tracing.find(model, taken(rows), layer), model.variable_dtype
        )
        value = only_tensor(target.call.output, f"'{target.path}'")
    return math.prod(value.shape[1:])


def _check_alone(
    layer: str | None,
    units: Sequence[int] | None,
    activation: bool,
    signature: str | None,
    in_terms_of: str | Quantities | None,
) -> None:
    """Raises where neurons come with what chooses neurons of a model."""
    if (layer, units, activation, signature) != (None, None, False, None):
        raise ValueError(
            "`layer`, `units`, `activation` and `signature` choose neurons of a model. `Neuron`s "
            "are some already: leave them out, or pass the model. "
            f"Received: {layer=}, {units=}, {activation=}, {signature=}"
        )
    if isinstance(in_terms_of, str):
        raise ValueError(
            "`in_terms_of` names a layer of the model, but a `Neuron` does not know its model. "
            f"Pass `Quantities.of(model, {in_terms_of!r})`. Received: {in_terms_of=}"
        )
