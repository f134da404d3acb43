"""Rebuild a Keras model with one layer replaced; the original is unchanged.

A functional model is a graph, and Keras can copy it. While the copy is called, the call of the
layer returns a different tensor; parts that no output needs are left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

# Function that replaces a layer: from the columns of the formulas, and the layer's own output where
# it is still computed, to the new output.
Graft = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def as_functional(model: keras.Model) -> keras.Model:
    """Convert the model to a functional one, with the same layers.

    Args:
        model: functional or Sequential.

    Returns:
        A functional model that shares its layers, and was never compiled.

    Raises:
        TypeError: it is not a Keras model.
        ValueError: its graph is not available, or it is not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`replace` makes a new model from a Keras model in memory; load a `.keras` file with "
            "`keras.models.load_model` first. A SavedModel holds a function and no layers. "
            f"Received: {model!r} (of type {type(model).__name__})"
        )
    is_graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not is_graph:
        raise ValueError(
            f"'{model.name}' is a subclassed model: which layer follows which is written in its "
            "`call`, which cannot be rewritten. Replace a layer of a functional or Sequential "
            "model, or put `interpretation.best.to_layer()` into the class yourself. "
            f"Received: a model of class {type(model).__name__}"
        )
    if not model.built or not model.inputs:
        raise ValueError(
            f"The model '{model.name}' is not built yet. Call it once on data, train it, or put "
            "`keras.Input((columns,))` first."
        )
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def copied(model: keras.Model) -> keras.Model:
    """Copy a functional model with its layers and weights.

    Args:
        model: a functional model.

    Returns:
        Its copy.

    Raises:
        ValueError: a layer cannot be rebuilt from its configuration.
    """
    try:
        copy = keras.models.clone_model(model)
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ValueError(
            f"'{model.name}' cannot be copied: one of its layers cannot be made anew from its "
            "configuration, such as a `Lambda` of a Python lambda or a layer without `get_config`. "
            f"{reason[:200]}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        # `set_weights` would leave out values that layers such as `Normalization` derive from
        # theirs.
        path = Path(folder) / "copy.weights.h5"
        model.save_weights(path)
        copy.load_weights(path)
    return copy


def place_of(model: keras.Model, layer: str | None) -> keras.layers.Layer | keras.Operation:
    """Find the operation that computes a layer's output in a functional model.

    Args:
        model: a functional model.
        layer: its name; the path of the last layer of an inner model stands for the inner model;
            `None` for the operation that computes the model's output.

    Returns:
        The layer or operation; it has one call and one output.

    Raises:
        ValueError: there is no such layer, or it is called several times or inside of another.
    """
    if layer is None:
        if len(model.outputs) != 1:
            raise ValueError(
                f"'{model.name}' has several outputs. Choose a layer: "
                f"{', '.join(model.output_names)}. Received: layer=None"
            )
        return model.outputs[0]._keras_history.operation
    name, _, rest = layer.partition("/")
    found = next((op for op in model.operations if op.name == name), None)
    if found is None:
        listed = ", ".join(op.name for op in model.operations)
        raise ValueError(
            f"'{model.name}' has no layer '{name}'. Its layers are: {listed}. "
            f"Received: layer={layer!r}"
        )
    if rest:
        ends_there = place_of(as_functional(found), None).name == rest
        if not ends_there:
            raise ValueError(
                f"'{rest}' is inside of '{name}', and '{name}' does not end with it. Replace the "
                f"layer in the inner model, `replace(model.get_layer({name!r}), {rest!r}, ...)`, "
                f"or all of '{name}'. Received: layer={layer!r}"
            )
    if isinstance(found, keras.layers.InputLayer):
        raise ValueError(f"Nothing leads to an input. Received: layer={layer!r}")
    calls = [node for node in found._inbound_nodes if node in _nodes(model)]
    if len(calls) != 1 or len(calls[0].output_tensors) != 1:
        raise ValueError(
            f"Layer '{layer}' is called {len(calls)} times in '{model.name}' and has "
            f"{len(calls[0].output_tensors)} outputs; one call with one output can be replaced. "
            f"Received: layer={layer!r}"
        )
    return found


def output_of(model: keras.Model, operation: keras.Operation) -> keras.KerasTensor:
    """The tensor that an operation of a functional model returns."""
    return next(n for n in operation._inbound_nodes if n in _nodes(model)).output_tensors[0]


def with_layer_replaced(
    model: keras.Model, layer: str | None, source: str | None, graft: Graft
) -> keras.Model:
    """Copy a functional model with a different output for one layer.

    Args:
        model: a functional model.
        layer: layer whose output is replaced; `None` for the model's output.
        source: layer whose output provides the columns; `None` for the model's inputs side by side.
        graft: function that makes the new output.

    Returns:
        A functional model of the same inputs and outputs, without unused parts.

    Raises:
        ValueError: the source does not come before the layer.
    """
    copy = copied(model)
    place = place_of(copy, layer)
    origin = None if source is None else place_of(copy, source)
    inputs = keras.tree.map_structure(
        lambda t: keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), copy.input
    )
    columns = [side_by_side(inputs)] if origin is None else []

    def called(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        output = operation(*args, **kwargs)
        if operation is origin:
            columns.append(side_by_side(output))
        if operation is not place:
            return output
        if not columns:
            raise ValueError(
                f"Layer '{source}' does not come before what it is to replace. "
                f"Received: layer={layer!r}"
            )
        return graft(columns[0], output)

    changed = keras.models.clone_model(
        copy, input_tensors=inputs, clone_function=lambda each: each, call_function=called
    )
    # Built once more, so that each layer is called in one model only.
    return copied(changed)


def side_by_side(structure: Any) -> keras.KerasTensor:
    """Tensors as columns, in the order of a neuron's input."""
    tensors = [_flat(tensor) for tensor in _leaves(structure)]
    return tensors[0] if len(tensors) == 1 else keras.layers.Concatenate(name="columns")(tensors)


def _flat(tensor: keras.KerasTensor) -> keras.KerasTensor:
    if len(tensor.shape) == 1:
        return keras.layers.Reshape((1,))(tensor)
    return tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)


def _leaves(structure: Any) -> list[keras.KerasTensor]:
    # In the order of insertion: `keras.tree` would sort the keys of dicts.
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in _leaves(part)]
    return [structure]


def _nodes(model: keras.Model) -> set[Any]:
    return {node for nodes in model._nodes_by_depth.values() for node in nodes}
