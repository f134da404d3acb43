"""`UnitIndex`: the position of a unit in an output, and its name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Unit = int | tuple[Any, ...] | None


@dataclass(frozen=True)
class UnitIndex:
    """One number of each row of an output, or the difference of two.

    Args:
        shape: of one row of the output.
        first: position of the number in the flattened row.
        second: position of the number that is subtracted, or `None`.
        named: whether the user chose it, so that it is part of the neuron's name.

    Example:

    >>> rows = tf.constant([[1.0, 5.0]])
    >>> UnitIndex.of((1, 0), (2,), "The output")(rows).numpy()
    array([4.], dtype=float32)
    >>> UnitIndex.of((2, 0, 1), (3, 3, 2), "Layer 'conv'")
    UnitIndex(shape=(3, 3, 2), first=13, second=None, named=True)
    """

    shape: tuple[int, ...]
    first: int
    second: int | None = None
    named: bool = True

    @classmethod
    def of(cls, unit: Unit, shape: tuple[int | None, ...], where: str) -> UnitIndex:
        """Read the user's `unit`.

        Args:
            unit: the number of a column; a pair of them for their difference; for an output of
                several axes the number in the flattened row, a position such as `(2, 0, 1)`, or a
                pair of positions; `None` for an output that has only one number.
            shape: of one row of the output.
            where: description of the output, for the error.

        Returns:
            The `UnitIndex`.

        Raises:
            ValueError: there is no such unit, or it is missing.
        """
        shape = _fixed(shape, where)
        if unit is None:
            if math.prod(shape) > 1:
                raise ValueError(_which(shape, where))
            return cls(shape, position(0, shape, where), named=False)
        is_place = len(shape) > 1 and isinstance(unit, tuple) and len(unit) == len(shape)
        if isinstance(unit, tuple) and len(unit) == 2 and not (is_place and _whole(unit)):
            first, second = (position(one, shape, where) for one in unit)
            return cls(shape, first, second)
        return cls(shape, position(unit, shape, where))

    @property
    def units(self) -> int:
        """Number of entries in a row of the output."""
        return math.prod(self.shape)

    @property
    def rivals(self) -> list[int]:
        """The other numbers along the last axis: the competing classes of a softmax."""
        start = self.first - self.first % self.shape[-1]
        return [k for k in range(start, start + self.shape[-1]) if k != self.first]

    @property
    def suffix(self) -> str:
        """Index shown after a layer's name: nothing, `[2]`, `[1-0]` or `[2,0,1]`."""
        if not self.named:
            return ""
        places = [self.first] if self.second is None else [self.first, self.second]
        shown = [
            ",".join(map(str, np.unravel_index(place, self.shape or (1,)))) for place in places
        ]
        return f"[{'-'.join(shown)}]"

    def __call__(self, tensor: tf.Tensor) -> tf.Tensor:
        """Map the output `(rows, *shape)` to `(rows,)`."""
        columns = tf.reshape(tensor, [-1, self.units])
        first = columns[:, self.first]
        return first if self.second is None else first - columns[:, self.second]

    def against_the_others(self, tensor: tf.Tensor) -> tf.Tensor:
        """Map the numbers before a softmax to the logit of the class, `(rows,)`.

        log p_k / (1 - p_k) = z_k - log sum_{j != k} exp z_j
        """
        columns = tf.reshape(tensor, [-1, self.units])
        others = tf.reduce_logsumexp(tf.gather(columns, self.rivals, axis=1), axis=1)
        return columns[:, self.first] - others


def _which(shape: tuple[int, ...], where: str) -> str:
    units = math.prod(shape)
    listed = ", ".join(f"`unit={k}`" for k in range(units) if k < 3 or k == units - 1)
    one = listed if units < 5 else listed.replace(", `unit=2`", " ...")
    if len(shape) > 1:
        one += f", a position such as `unit={(0,) * len(shape)}` in its shape {shape}"
    # For positions, a pair of two numbers is already one.
    pair = ", or `unit=(1, 0)` for the difference of two" if len(shape) == 1 else ""
    return (
        f"A neuron is one number for each row, but {where[0].lower()}{where[1:]} has {units} "
        f"units. Pass one of {one}{pair}. Received: unit=None"
    )


def _whole(place: tuple[Any, ...]) -> bool:
    return all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) for k in place)


def only_tensor(output: Any, where: str) -> tf.Tensor:
    """Return the only tensor of an output.

    Args:
        output: a tensor or a structure of tensors.
        where: description of the output, for the error.

    Returns:
        The tensor.

    Raises:
        ValueError: there are several.
    """
    tensors = tf.nest.flatten(output)
    if len(tensors) != 1:
        raise ValueError(
            f"Expected one output tensor. {where} has {len(tensors)}. Choose a layer that has one "
            "with `layer=`; of a layer that returns its states too, interpret the model that ends "
            "at the one you mean, `keras.Model(model.inputs, tensor)`."
        )
    return tensors[0]


def position(unit: int | tuple[int, ...], shape: tuple[int | None, ...], where: str) -> int:
    """Position of a unit in a flattened row of an output.

    Args:
        unit: the number in the flattened row, or the indices in an output of several axes.
        shape: of one row of the output.
        where: description of the output, for the error.

    Returns:
        The number in the flattened row.

    Raises:
        ValueError: there is no such unit, or the output's size is open.

    Example:

    >>> position((1, 2), (3, 4), "The output"), position(6, (3, 4), "The output")
    (6, 6)
    """
    shape = _fixed(shape, where)
    sizes = (math.prod(shape),) if not isinstance(unit, tuple) else shape
    place = unit if isinstance(unit, tuple) else (unit,)
    inside = len(place) == len(sizes) and _whole(place)
    if not inside or not all(0 <= k < size for k, size in zip(place, sizes)):
        units = math.prod(shape)
        places = f", or a position from {(0,) * len(shape)} to {tuple(n - 1 for n in shape)}"
        raise ValueError(
            f"{where} has {units} unit{'s' * (units > 1)}; `unit` is a number from 0 to {units - 1}"
            f"{places if len(shape) > 1 else ''}, or a pair of them. Received: unit={unit!r}"
        )
    return int(np.ravel_multi_index(place, sizes))


def _fixed(shape: tuple[int | None, ...], where: str) -> tuple[int, ...]:
    """The shape, if none of its sizes is open."""
    fixed = tuple(size for size in shape if size is not None)
    if len(fixed) < len(shape):
        raise ValueError(
            f"{where} has an output of open size, {(None, *shape)}. Give the model an input of "
            "fixed shape, or put a global pooling layer after it."
        )
    return fixed


def unit_name(layer: str, unit: int, shape: tuple[int, ...]) -> str:
    """Name of a unit as a variable: `hidden_1_3`, `conv_2_5_0`, or `latent` for a single unit.

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
