"""Which table goes into a model and which column comes out: checks that end in a clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Unit = int | tuple[int, int] | None


def number_of_inputs(model: keras.Layer, given: int | None = None) -> int:
    """How many columns a model takes.

    Args:
        model: a Keras model or layer.
        given: what the user says, for models that do not know.

    Returns:
        The number of columns.

    Raises:
        ValueError: the model is not built, has several inputs or one that is no table, or neither
            it nor the user knows the number.

    Example:

    >>> number_of_inputs(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))
    3
    """
    if not model.built:
        raise ValueError(
            f"The model '{model.name}' is not built yet, so it has no weights. Call it once on "
            "data, train it, or put `keras.Input((columns,))` first."
        )
    tensors = tf.nest.flatten(getattr(model, "inputs", None) or [])
    if len(tensors) > 1:
        raise ValueError(
            "Expected a model of one input tensor of shape (rows, columns). "
            f"'{model.name}' has {len(tensors)} inputs: {', '.join(t.name for t in tensors)}. "
            "Join them with a model that splits one table of columns into them."
        )
    if tensors:
        shape = tuple(tensors[0].shape)
    else:
        # A subclassed model knows the shape it was built for.
        shape = (model.get_build_config() or {}).get("input_shape")
    columns = None if shape is None else columns_of(shape, model.name)
    if given is not None and columns is not None and given != columns:
        raise ValueError(f"'{model.name}' has {columns} input columns. Received: inputs={given}")
    columns = columns if given is None else given
    if columns is None:
        raise ValueError(
            f"How many input columns '{model.name}' takes is not known. Say so with `inputs=`."
        )
    return columns


def columns_of(shape: Any, name: str) -> int | None:
    """The number of columns of an input shape `(rows, columns)`.

    Args:
        shape: the shape of a model's input.
        name: the model's name, for the error.

    Returns:
        The columns, `None` if the shape leaves them open.

    Raises:
        ValueError: the shape is not one of rows and columns.
    """
    if getattr(shape, "rank", 0) is None:
        return None
    shape = tuple(shape.values()) if isinstance(shape, dict) else tuple(shape)
    if len(shape) != 2 or any(isinstance(size, (list, tuple)) for size in shape):
        raise ValueError(
            "Expected a model of one input tensor of shape (rows, columns). "
            f"The input of '{name}' has the shape {shape}. For an image or a sequence, put a "
            "`keras.layers.Reshape` in front of the model."
        )
    return None if shape[1] is None else int(shape[1])


def only_tensor(output: Any, where: str) -> tf.Tensor:
    """The one tensor of an output.

    Args:
        output: a tensor or a structure of tensors.
        where: what it is the output of, for the error.

    Returns:
        The tensor.

    Raises:
        ValueError: there are several.
    """
    tensors = tf.nest.flatten(output)
    if len(tensors) != 1:
        raise ValueError(
            f"Expected one output tensor. {where} has {len(tensors)}. Choose a layer that has one "
            "with `layer=`."
        )
    return tensors[0]


def number_of_units(tensor: tf.Tensor, where: str) -> int:
    """How many numbers a row of an output has.

    Args:
        tensor: of shape `(rows,)` or `(rows, units)`.
        where: what it is the output of, for the error.

    Returns:
        The number of units.

    Raises:
        ValueError: the tensor has another rank.
    """
    if tensor.shape.rank not in (1, 2):
        raise ValueError(
            f"Expected values of shape (rows, units), one number for each unit. {where} has the "
            f"shape {tuple(tensor.shape)}. Put a `Flatten` or a pooling layer after it."
        )
    return 1 if tensor.shape.rank == 1 else int(tensor.shape[1])


def picker(unit: Unit, units: int, where: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function that takes one column of an output, or the difference of two.

    Args:
        unit: number of the column, or a pair of them, or `None` for an output that has only one.
        units: number of columns.
        where: what it is the output of, for the error.

    Returns:
        A function `(rows, units) -> (rows,)`.

    Raises:
        ValueError: `unit` is no column, or is missing.

    Example:

    >>> picker((1, 0), 2, "The output")(tf.constant([[1.0, 5.0]])).numpy()
    array([4.], dtype=float32)
    """
    if unit is None and units > 1:
        listed = ", ".join(f"`unit={k}`" for k in range(units) if k < 3 or k == units - 1)
        raise ValueError(
            f"A neuron is one number for each row, but {where[0].lower()}{where[1:]} has {units} "
            f"units. Pass one of {listed if units < 5 else listed.replace(', `unit=2`', ' ...')}, "
            "or `unit=(1, 0)` for the difference of two. Received: unit=None"
        )
    chosen = (0,) if unit is None else unit if isinstance(unit, tuple) else (unit,)
    whole = all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) for k in chosen)
    if not whole or len(chosen) not in (1, 2) or not all(0 <= k < units for k in chosen):
        raise ValueError(
            f"{where} has {units} unit{'s' * (units > 1)}; `unit` is a number from 0 to "
            f"{units - 1}, or a pair of them. Received: unit={unit!r}"
        )

    def pick(tensor: tf.Tensor) -> tf.Tensor:
        columns = tf.reshape(tensor, [-1, units])
        first = columns[:, chosen[0]]
        return first if len(chosen) == 1 else first - columns[:, chosen[1]]

    return pick


def against_the_others(unit: int, units: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function that takes the numbers before a softmax to the logit of one class.

        log p_k / (1 - p_k) = z_k - log sum_{j != k} exp z_j

    Args:
        unit: the class k.
        units: number of classes, at least two.

    Returns:
        A function `(rows, units) -> (rows,)`.
    """
    others = [k for k in range(units) if k != unit]
    return lambda z: z[:, unit] - tf.reduce_logsumexp(tf.gather(z, others, axis=1), axis=1)


def suffix(unit: Unit) -> str:
    """How a unit is shown behind a layer's name: nothing, `[2]` or `[1-0]`."""
    if unit is None:
        return ""
    return f"[{'-'.join(map(str, unit)) if isinstance(unit, tuple) else unit}]"
