"""Trace a model's call: the inputs and outputs of each layer.

A Keras model of any kind (functional, Sequential, subclassed, nested) is run once on a few rows
while the calls of its layers are recorded. Each layer has a wrapper during that one run, which is
always removed again; the model is not changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.files import listed_names

# Two threads that trace one model at a time would remove each other's wrappers.
_LISTENING = threading.RLock()
_ABSENT = object()

# A layer by name or path of names, by its number in `model.layers`, or itself.
LayerChoice: TypeAlias = str | int | keras.Layer | None


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one layer or operation during a run of a model.

    Args:
        operation: the layer, or the operation of a functional model such as `keras.ops.sigmoid`;
            `None` for plain code.
        inputs: its first argument.
        output: its result.
        preactivation: its result with `activation` left out; `None` if it has none.
    """

    operation: Any
    inputs: Any
    output: Any
    preactivation: Any


def operations_of(model: keras.Layer) -> dict[str, Any]:
    """All layers and operations inside a model, by their path of names.

    Args:
        model: any Keras model or layer.

    Returns:
        `{"encoder/latent": layer, ...}` in the order of the model, without the model itself.

    Example:

    >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="a")], name="in")
    >>> list(operations_of(keras.Sequential([inner, keras.layers.Dense(1, name="b")])))
    ['in', 'in/a', 'b']
    """
    found: dict[str, Any] = {}

    def visit(parent: Any, path: str) -> None:
        # Only a functional model lists plain operations; `layers` leaves them out.
        children = [*getattr(parent, "operations", ()), *getattr(parent, "_layers", ())]
        for child in children:
            own = f"{path}{child.name}"
            if isinstance(child, keras.layers.InputLayer) or child in found.values():
                continue
            # Sequential models contain a functional copy of themselves among their layers.
            if isinstance(parent, keras.Sequential) and child is getattr(
                parent, "_functional", None
            ):
                continue
            found[own] = child
            visit(child, f"{own}/")

    visit(model, "")
    return found


def run(model: keras.Layer, inputs: Any, operations: Sequence[Any]) -> tuple[Any, list[Call]]:
    """Run a model in inference mode and record the calls of some of its operations.

    Args:
        model: any Keras model or layer.
        inputs: a tensor or a structure of tensors, as the model takes it.
        operations: the layers and operations to record.

    Returns:
        The model's output, and the calls in the order in which they ended: an inner layer before
        the model around it.
    """
    with _listening(operations) as calls:
        # Layers whose `call` has no `training` argument accept it too.
        output = model(inputs, training=False)
    return output, calls


@contextmanager
def _listening(operations: Sequence[Any]) -> Iterator[list[Call]]:
    calls: list[Call] = []

    def listener(operation: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            inputs = args[0] if args else next(iter(kwargs.values()), None)
            bare = _without_activation(operation, original, args, kwargs)
            calls.append(Call(operation, inputs, output, bare))
            return output

        return call

    with _LISTENING:
        before = [operation.__dict__.get("call", _ABSENT) for operation in operations]
        try:
            # Bypasses Keras's `__setattr__`, which would track the wrapper as a part of the model.
            for operation in operations:
                operation.__dict__["call"] = listener(operation, operation.call)
            yield calls
        finally:
            for operation, call in zip(operations, before, strict=True):
                _put_back(operation, "call", call)


def _without_activation(
    operation: Any, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The operation's output with `activation` replaced by the identity for this one call."""
    if not callable(getattr(operation, "activation", None)):
        return None
    before = operation.__dict__.get("activation", _ABSENT)
    operation.__dict__["activation"] = lambda x: x
    try:
        return call(*args, **kwargs)
    finally:
        _put_back(operation, "activation", before)


def _put_back(operation: Any, name: str, value: Any) -> None:
    if value is _ABSENT:
        operation.__dict__.pop(name, None)
    else:
        operation.__dict__[name] = value


@dataclass(frozen=True)
class Target:
    """The call that contains a neuron, found in a first run of the model.

    Args:
        path: of the layer in the model, such as `"encoder/latent"`, or the name of an output.
        call: the call in the first run; its `operation` is `None` for code outside of layers.
        index: number of the call among the layer's calls in one run.
        is_output: whether it returns an output of the model.
    """

    path: str | None
    call: Call
    index: int
    is_output: bool

    def again(self, model: keras.Layer, inputs: Any) -> Call:
        """The same call in a new run of the model.

        Args:
            model: the model in which the target was found.
            inputs: a tensor or a structure of tensors, as the model takes it.

        Returns:
            The call.

        Raises:
            ValueError: the layer runs inside a separate `tf.function` and cannot be traced.
        """
        if self.call.operation is None:
            output, _ = run(model, inputs, [])
            return Call(None, inputs, _named_outputs(output)[self.path], None)
        _, calls = run(model, inputs, [self.call.operation])
        if self.index < len(calls) and _within_reach(calls[self.index].output):
            return calls[self.index]
        raise ValueError(
            f"Layer '{self.path}' of '{model.name}' is called inside a `tf.function`, where its "
            "value is out of reach. Remove the decorator from the model's `call`."
        )


def find(model: keras.Layer, inputs: Any, layer: LayerChoice) -> Target:
    """Run a model once and find the call of a layer.

    Args:
        model: any Keras model or layer.
        inputs: input of the model, a few rows.
        layer: name of a layer or path of names, or the key of one of the model's outputs; `None`
            for the model's only output. A number or a layer, as in `layer_path`.

    Returns:
        The target.

    Raises:
        ValueError: no layer or several have the name, the layer is not called exactly once, or
            there are several outputs and no name is given.
    """
    layer = layer_path(model, layer)
    operations = operations_of(model)
    output, calls = run(model, inputs, list(operations.values()))
    paths = {id(operation): path for path, operation in operations.items()}
    outputs = _named_outputs(output)
    if layer is None and len(outputs) != 1:
        made = [_maker(tensor, calls) for tensor in outputs.values()]
        names = (
            list(outputs)
            if isinstance(output, dict)
            else [paths[id(c.operation)] for c in made if c]
        )
        raise ValueError(
            f"Expected one output tensor. '{model.name}' has {len(outputs)}. Choose one with "
            f"`layer=`: {listed_names(names)}."
        )
    if layer is None or (layer in outputs and layer not in operations):
        key = next(iter(outputs)) if layer is None else layer
        call = _maker(outputs[key], calls)
        if call is None:
            return Target(key, Call(None, inputs, outputs[key], None), 0, True)
        own = [other for other in calls if other.operation is call.operation]
        return Target(paths[id(call.operation)], call, own.index(call), True)
    path = _path(model, operations, layer)
    own = [call for call in calls if call.operation is operations[path]]
    if len(own) != 1 or not _within_reach(own[0].output):
        raise ValueError(
            f"Expected a layer that is called once in a run of the model. '{path}' of "
            f"'{model.name}' is called {len(own)} times; one inside a `tf.function` is out of "
            "reach. Choose another layer, remove the decorator from the model's `call`, or "
            f"interpret the layer itself: `model.get_layer('{path.split('/')[-1]}')` in the place "
            "of the model, with its own inputs as points."
        )
    return Target(path, own[0], 0, any(own[0].output is tensor for tensor in outputs.values()))


def layer_path(model: Any, layer: LayerChoice) -> str | None:
    """The name of a layer that was chosen by name, by number or as itself.

    Args:
        model: a Keras model; a path or several models, where a number stays one.
        layer: its name or path of names, its number as in `model.layers`, or the layer.

    Returns:
        The name or path; `None` for `None`.

    Raises:
        ValueError: the model has no such layer.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")])
    >>> layer_path(model, 0), layer_path(model, model.layers[-1])
    ('hidden', 'hidden')
    """
    if layer is None or isinstance(layer, str):
        return layer
    if isinstance(layer, (bool, np.bool_)) or not isinstance(layer, (int, np.integer, keras.Layer)):
        raise ValueError(
            "`layer` is the name of a layer, its number in `model.layers`, or the layer itself. "
            f"Received: layer={layer!r}"
        )
    if not isinstance(model, keras.Layer):
        raise ValueError(
            "A layer of a file, of a SavedModel or of several models is chosen by its name. "
            f"Received: layer={layer!r}"
        )
    operations, chosen = operations_of(model), layer if isinstance(layer, keras.Layer) else None
    if chosen is None:
        layers = list(getattr(model, "layers", ()))
        if not -len(layers) <= int(layer) < len(layers):
            raise ValueError(
                f"'{model.name}' has {len(layers)} layers, numbered from 0: "
                f"{listed_names([one.name for one in layers])}. Received: layer={layer!r}"
            )
        chosen = layers[int(layer)]
        if isinstance(chosen, keras.layers.InputLayer):
            raise ValueError(
                f"Layer {layer} of '{model.name}' is its input, which computes nothing. Choose one "
                f"of: {', '.join(operations)}. Received: layer={layer!r}"
            )
    path = next((path for path, one in operations.items() if one is chosen), None)
    if path is None:
        raise ValueError(
            f"The layer '{chosen.name}' is not a layer of '{model.name}', but of another model or "
            f"of none. Pass one of `{model.name}`, or a name: {', '.join(operations)}. "
            f"Received: layer={layer!r}"
        )
    return path


def _named_outputs(output: Any) -> dict[Any, Any]:
    """Outputs by their keys, or by their numbers where they have none."""
    return output if isinstance(output, dict) else dict(enumerate(tf.nest.flatten(output)))


def _maker(tensor: Any, calls: list[Call]) -> Call | None:
    """The call that returned a tensor; `None` for code outside of all layers."""
    # Inner layers end before the models around them: the first call is the deepest.
    return next((call for call in calls if call.output is tensor), None)


def _path(model: keras.Layer, operations: dict[str, Any], layer: str) -> str:
    if layer in operations:
        return layer
    matches = [path for path in operations if path.endswith(f"/{layer}")]
    if len(matches) != 1:
        problem = "is the name of several layers" if matches else "does not exist"
        raise ValueError(
            f"Layer '{layer}' {problem} in '{model.name}'. Choose one of: "
            f"{', '.join(matches or operations)}. Received: layer={layer!r}"
        )
    return matches[0]


def _within_reach(output: Any) -> bool:
    """Return whether tensors belong to this run; those inside a `tf.function` do not."""
    tensors = tf.nest.flatten(output)
    if tf.executing_eagerly():
        return all(hasattr(tensor, "numpy") for tensor in tensors)
    graph = tf.compat.v1.get_default_graph()
    return all(tensor.graph is graph for tensor in tensors)
