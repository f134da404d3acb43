"""Find the concepts that several neurons carry jointly: `interpret_jointly`.

k neurons of a bottleneck may carry two concepts in mixed coordinates, so that none of them alone
encodes anything simple. Together they determine the span of their gradients, and a scalar concept
g = G(f_1, ..., f_k) can be read from them exactly where its gradient lies in that span. After one
concept is found, the next one is searched for along its level sets, where it is constant: the next
concept is independent of it.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_symgrad.api.arguments import check_options
from keras_symgrad.api.interpret import interpret
from keras_symgrad.engine import gradient
from keras_symgrad.files import finite_rows, read_points
from keras_symgrad.gradients import (
    GradientField,
    Sampling,
    errors,
    is_piecewise_constant,
    smoothed,
    smoothing_width,
)
from keras_symgrad.neurons import (
    Inputs,
    LayerChoice,
    Neuron,
    Quantities,
    layer_path,
    loading,
    only_tensor,
    tracing,
)
from keras_symgrad.results import Interpretation, JointInterpretation
from keras_symgrad.search.core import (
    call,
    deferred_interrupts,
    keeps_what_was_found,
    recorded,
    versions,
)


@keeps_what_was_found
def interpret_jointly(
    model: keras.Model | str | os.PathLike[str] | Sequence[Neuron],
    x: Any,
    layer: LayerChoice = None,
    units: Sequence[int] | None = None,
    *,
    activation: bool = False,
    signature: str | None = None,
    names: Sequence[str] | None = None,
    concepts: int | None = None,
    sampling: Sampling = Sampling(),
    seed: int = 0,
    **options: Any,
) -> JointInterpretation:
    """Find the concepts that several neurons encode together, one after the other.

    A concept g can be read from neurons f_1 to f_k where its gradient lies in the span of theirs:

        |(I - P) grad g| = 0,    P the projector on span(grad f_1, ..., grad f_k)

    Args:
        model: a built Keras model, the path of one, or `Neuron`s.
        x: points of shape `(rows, inputs)`, as for `interpret`.
        layer: the layer of the neurons; the output by default.
        units: which of its units; all by default.
        activation: whether to read them after the layer's activation.
        signature: of a SavedModel that has several; `serving_default` by default.
        names: of the variables.
        concepts: how many to search for; by default as many as are independent by the singular
            values of the neurons' unit gradients, those of at least a fifth of the largest.
        sampling: where gradients are read, as for `interpret`: `columns`, `rows`, `metric`,
            `tangent`, `in_terms_of` and `smoothing`. Data rows are read as they are.
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
    layer = layer_path(model, layer) if isinstance(model, keras.Layer) else layer
    given = {name: value for name, value in locals().items() if name != "options"} | options
    check_options(sampling=sampling)
    _check_sampling(sampling)
    in_terms_of = sampling.in_terms_of
    read = read_points(x, sampling.columns)
    read.named(names)  # refused before any model is loaded
    width = read.values.shape[1]
    if isinstance(model, (list, tuple)):
        _check_alone(layer, units, activation, signature, in_terms_of)
        neurons = list(model)
    else:
        opened, _ = loading.opened(model, signature)
        if isinstance(opened, keras.Layer):
            # A model file is loaded once for all units.
            model = opened
        if units is None:
            units = range(_units(opened, layer, width))
        neurons = [
            Neuron.of(model, layer, unit, activation, inputs=width, signature=signature)
            for unit in units
        ]
    if isinstance(in_terms_of, str):
        in_terms_of = Quantities.of(model, in_terms_of, inputs=width)
    if not neurons:
        raise ValueError("`interpret_jointly` reads one neuron at least. Received: none")
    read = read.in_model_order(neurons[0].names, names)
    neurons = sampling.in_table_units(neurons, read.names)
    in_terms_of = sampling.quantities_of_table(in_terms_of, read.names)
    span = GradientField.from_units(
        _averaged(neurons, read.values, sampling.smoothing),
        read,
        rows=sampling.rows,
        metric=sampling.metric,
        tangent=sampling.tangent,
        in_terms_of=in_terms_of,
        seed=seed,
    )
    count = min(concepts or span.independent, span.span)
    found, error = _one_after_the_other(span, count, seed, options)
    settings = recorded(given)
    return JointInterpretation(
        tuple(neuron.name for neuron in neurons),
        tuple(found),
        count,
        span.spectrum,
        tuple(error),
        settings,
        versions(),
        call(settings, interpret_jointly, interpret),
    )


def _one_after_the_other(
    span: GradientField, count: int, seed: int, options: Mapping[str, Any]
) -> tuple[list[Interpretation], list[float]]:
    """The concepts, each along the level sets of those before it, and their errors."""
    found: list[Interpretation] = []
    error, rest = [], span
    with deferred_interrupts() as interrupts:
        for left in range(count - 1, -1, -1):
            try:
                concept = interpret(rest, seed=seed, **options)
            except KeyboardInterrupt:
                if not found:
                    raise
                break
            if concept.matches == "nothing":
                break
            expression = concept.best.expression
            error.append(float(errors(expression, span).mean()))
            found.append(replace(concept, given=tuple(before.best for before in found)))
            if interrupts.presses or not left:
                break
            rest = rest.on_level_sets(gradient(expression, rest.names, rest.points))
        if interrupts.presses and len(found) < count:
            warnings.warn(
                f"Ctrl-C ended the search after {len(found)} of {count} concepts.", stacklevel=4
            )
    return found, error


def _check_sampling(sampling: Sampling) -> None:
    """Raise for options that only a classifier's slab has."""
    default = Sampling()
    given = [
        name
        for name in ("delta", "sampler", "draw", "move")
        if getattr(sampling, name) != getattr(default, name)
    ]
    if given:
        raise ValueError(
            "`interpret_jointly` reads data rows as they are, and several neurons have no common "
            f"decision boundary. Leave out {', '.join(f'`{name}`' for name in given)} of "
            f"`sampling`. Received: sampling={sampling!r}"
        )


def _averaged(
    neurons: Sequence[Neuron], x: np.ndarray, smoothing: str | float | None
) -> Sequence[Neuron]:
    """The neurons with averaged gradients where they jump: all of them, over one width."""
    finite = x[finite_rows(x)]
    jumps = (neuron for neuron in neurons if is_piecewise_constant(neuron, finite))
    width = smoothing_width(next(jumps, neurons[0]), finite, smoothing)
    return neurons if width is None else [smoothed(neuron, finite, width) for neuron in neurons]


def _units(model: keras.Layer | loading.SavedFunction, layer: LayerChoice, inputs: int) -> int:
    """Number of units of the layer, or of the output."""
    if isinstance(model, loading.SavedFunction):
        taken, output = model.inputs(inputs), model.output(layer_path(None, layer))
        _, value = taken.tried(lambda rows: model.function(taken(rows))[output], model.dtype)
    else:
        taken = Inputs.of(model, inputs)
        _, target = taken.tried(
            lambda rows: tracing.find(model, taken(rows), layer), model.variable_dtype
        )
        value = only_tensor(target.call.output, f"'{target.path}'")
    return math.prod(value.shape[1:])


def _check_alone(
    layer: LayerChoice,
    units: Sequence[int] | None,
    activation: bool,
    signature: str | None,
    in_terms_of: str | Quantities | None,
) -> None:
    """Raise if `Neuron`s are given together with arguments that select neurons of a model."""
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
