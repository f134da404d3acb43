"""Which numbers of an output are meant, what they are called, and what to say if there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

Unit = int | tuple[int, int] | None


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


def column_names(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names for the columns of an input: `age`, `pos_1` and `pos_2`, `image_0_3` for a pixel.

    Args:
        name: of the input.
        shape: of one row. The numbers of a vector are counted from 1, as in `x1`; a place in an
            image is its index, without axes of length 1.

    Returns:
        As many names as a row has numbers.

    Example:

    >>> column_names("pos", (2,)), column_names("age", (1,))
    (('pos_1', 'pos_2'), ('age',))
    >>> column_names("image", (1, 2, 1))
    ('image_1', 'image_2')
    """
    shape = tuple(size for size in shape if size != 1)
    if len(shape) == 1:
        return tuple(f"{name}_{k + 1}" for k in range(shape[0]))
    return tuple("_".join(map(str, (name, *place))) for place in np.ndindex(shape))


def position(unit: int | tuple[int, ...], shape: tuple[int | None, ...], where: str) -> int:
    """The place of a unit in a flattened row of an output.

    Args:
        unit: the number in the flattened row, or the indices in an output of several axes.
        shape: of one row of the output.
        where: what it is the output of, for the error.

    Returns:
        The number in the flattened row.

    Raises:
        ValueError: there is no such unit, or the output's size is open.

    Example:

    >>> position((1, 2), (3, 4), "The output"), position(6, (3, 4), "The output")
    (6, 6)
    """
    if None in shape:
        raise ValueError(
            f"{where} has an output of open size, {(None, *shape)}. Give the model an input of "
            "fixed shape, or put a global pooling layer after it."
        )
    sizes = (math.prod(shape),) if not isinstance(unit, tuple) else shape
    place = unit if isinstance(unit, tuple) else (unit,)
    whole = all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) for k in place)
    if not whole or len(place) != len(sizes) or not all(0 <= k < n for k, n in zip(place, sizes)):
        last = math.prod(shape) - 1
        places = f", or a position from {(0,) * len(shape)} to {tuple(n - 1 for n in shape)}"
        raise ValueError(
            f"{where} has the units 0 to {last}{places if len(shape) > 1 else ''}. "
            f"Received: unit={unit!r}"
        )
    return int(np.ravel_multi_index(place, sizes))


def unit_name(layer: str, unit: int, shape: tuple[int, ...]) -> str:
    """A unit's name as a variable: `hidden_1_3`, `conv_2_5_0`, or `latent` if it is the only one.

    Args:
        layer: path of the layer.
        unit: number in the flattened row.
        shape: of one row.

    Returns:
        The name.

    Example:

    >>> unit_name("encoder/conv", 6, (3, 4))
    'encoder_conv_1_2'
    """
    place = np.unravel_index(unit, shape) if math.prod(shape) > 1 else ()
    return "_".join([*layer.split("/"), *map(str, place)])
