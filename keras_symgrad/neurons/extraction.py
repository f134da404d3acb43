"""Extract a scalar from a model: an output or a layer, before or after its activation.

The sigmoid or softmax at the end of a classifier does not change its concept, but flattens its
gradients: it is taken off exactly where a layer ends with it. This module combines `tracing` of a
model, `loading` and `validation`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from keras_symgrad.neurons import activations, loading, tracing, validation
from keras_symgrad.neurons.inputs import Inputs
from keras_symgrad.neurons.tracing import LayerChoice
from keras_symgrad.neurons.unit_index import Unit, UnitIndex, only_tensor

if TYPE_CHECKING:
    from keras_symgrad.neurons.neuron import Neuron


def extract(
    kind_of_neuron: type[Neuron],
    model: keras.Layer | str | os.PathLike[str],
    layer: LayerChoice,
    unit: Unit,
    activation: bool,
    kind: str | None,
    inputs: int | None,
    signature: str | None,
) -> Neuron:
    """Make the neuron that the arguments of `Neuron.of` describe.

    Args:
        kind_of_neuron: the class of the neuron, whose constructor is called.
        model: a Keras model, or a path.
        layer: of a layer or an output.
        unit: of the layer's output.
        activation: whether to leave the activation on.
        kind: how to read the model's output.
        inputs: number of input columns, where the model does not define it.
        signature: of a SavedModel.

    Returns:
        A `Neuron`, tested on a few points.

    Raises:
        FileNotFoundError, TypeError, ValueError: as in `Neuron.of`.
    """
    model, loss = loading.opened(model, signature)
    if isinstance(model, loading.SavedFunction):
        return _of_saved_function(kind_of_neuron, model, layer, unit, activation, kind, inputs)
    taken = Inputs.of(model, inputs)
    rows, target = _found(model, taken, layer)
    if kind is not None and not target.is_output:
        raise ValueError(
            "`kind` says how to read the model's output; with `layer` there is nothing to say. "
            f"Received: layer={layer!r}, kind={kind!r}"
        )
    neuron = _of_model(kind_of_neuron, model, taken, target, layer, unit, activation, kind, loss)
    validation.validate(neuron.name, neuron.function, rows, validation.steps_of(model, taken))
    return neuron


def _found(
    model: keras.Layer, taken: Inputs, layer: LayerChoice
) -> tuple[tf.Tensor, tracing.Target]:
    """The layer, and a few rows for which the model runs."""
    return taken.tried(lambda rows: tracing.find(model, taken(rows), layer), model.variable_dtype)


def _of_model(
    kind_of_neuron: type[Neuron],
    model: keras.Layer,
    taken: Inputs,
    target: tracing.Target,
    layer: LayerChoice,
    unit: Unit,
    activation: bool,
    kind: str | None,
    loss: object,
) -> Neuron:
    where = f"The output of '{model.name}'" if layer is None else f"Layer '{target.path}'"
    tensor = only_tensor(target.call.output, where)
    pick = UnitIndex.of(unit, tuple(tensor.shape)[1:], where)
    is_pair = pick.second is not None

    last = activations.last_activation(target.call)
    sigmoid = last is not None and activations.is_sigmoid(last.function)
    softmax = last is not None and activations.is_softmax(last.function)
    # A hidden layer's activation is taken off, but for an output only the sigmoid or softmax of a
    # probability is: a bounded output such as tanh is the model's value.
    bare = last is not None and not activation and kind != "value"
    bare = bare and (sigmoid or softmax or not target.is_output or layer is not None)
    one_of_many = bare and softmax and kind is not None and not is_pair and pick.units > 1
    read = pick.against_the_others if one_of_many else pick

    ending = last if bare else None

    def function(x: tf.Tensor) -> tf.Tensor:
        call = target.again(model, taken(x))
        return read(only_tensor(call.output, where) if ending is None else ending.before(call))

    name = _name(model, target, layer, pick, last, bare)
    neuron = kind_of_neuron(name, function, taken.columns, False, model.variable_dtype, taken.names)
    if not target.is_output or activation:
        return neuron
    if bare and (sigmoid or softmax):
        # The difference of two sigmoids is not a logit; that of two classes of one softmax is.
        is_logit = kind or (is_pair and pick.second in pick.rivals if softmax else not is_pair)
        return neuron.read_as("logit" if is_logit else "value")
    if kind is None and not is_pair:
        by_loss = loading.kind_by_loss(loss)
        may_be_probability = last is None or activations.stays_in_unit_interval(last.function)
        if may_be_probability:
            neuron = replace(neuron, is_classifier=None)
        if by_loss == "logit" or may_be_probability:
            kind = by_loss
    return neuron.read_as(kind)


def _name(
    model: keras.Layer,
    target: tracing.Target,
    layer: LayerChoice,
    pick: UnitIndex,
    last: activations.LastActivation | None,
    bare: bool,
) -> str:
    if layer is None:
        return f"{model.name}/output{pick.suffix}"
    shown = f"{target.path}{pick.suffix}"
    if bare or last is None or last.function is keras.activations.linear:
        return f"{model.name}/{shown}"
    return f"{model.name}/{last.name}({shown})"


def _of_saved_function(
    kind_of_neuron: type[Neuron],
    saved: loading.SavedFunction,
    layer: LayerChoice,
    unit: Unit,
    activation: bool,
    kind: str | None,
    inputs: int | None,
) -> Neuron:
    layer = tracing.layer_path(None, layer)
    output = saved.output(layer)
    taken = saved.inputs(inputs)

    def whole(x: tf.Tensor) -> tf.Tensor:
        return saved.function(taken(x))[output]

    rows, shape = None, (1,)
    if taken.columns is not None:
        rows, tensor = taken.tried(whole, saved.dtype)
        shape = tuple(tensor.shape)[1:]
    pick = UnitIndex.of(unit, shape, f"The output of '{saved.name}'")
    neuron = kind_of_neuron(
        f"{saved.name}/{layer or 'output'}{pick.suffix}",
        lambda x: pick(whole(x)),
        taken.columns,
        False if activation or pick.second is not None else None,
        saved.dtype,
        taken.names,
    )
    if rows is not None:
        validation.validate(neuron.name, neuron.function, rows)
    return neuron.read_as(kind)
