"""Arrange the columns of one table as the inputs of a model: arrays, lists and dicts.

A neuron is a function of `(rows, inputs)`. For a model of several inputs, or of images, the columns
are split and reshaped: they stand side by side in the order of the model's inputs.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.files import column_names


class InputWidthError(ValueError):
    """Error for a number of columns that is not that of a model.

    Attributes:
        model: its name.
        columns: how many it takes.
        names: of these; `None` for a model of one input.
        given: how many there are.
    """

    def __init__(self, model: str, columns: int, names: tuple[str, ...] | None, given: int):
        self.model, self.columns, self.names, self.given = model, columns, names, given
        detail = "" if names is None else f": {', '.join(names)}"
        super().__init__(f"'{model}' has {columns} input columns{detail}. Received: inputs={given}")


@dataclass(frozen=True)
class Spec:
    """One input tensor of a model.

    Args:
        name: of the input, or its key in a dict.
        shape: without the rows; `None` where it is open.
        dtype: dtype of the input.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    @property
    def size(self) -> int | None:
        """Number of columns; `None` if the shape is open."""
        known = [length for length in self.shape if length is not None]
        return math.prod(known) if len(known) == len(self.shape) else None


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of a model, as columns of one table.

    Args:
        specs: of its input tensors, in the order of the columns.
        pack: function from the list of tensors to the structure that the model takes.
        columns: of all tensors together; `None` if one is open.

    Example:

    >>> left, right = keras.Input((2,), name="left"), keras.Input((1,), name="right")
    >>> inputs = Inputs.of(keras.Model({"left": left, "right": right}, left * right))
    >>> inputs.names
    ('left_1', 'left_2', 'right')
    >>> {key: tensor.shape for key, tensor in inputs(tf.ones((5, 3))).items()}
    {'left': TensorShape([5, 2]), 'right': TensorShape([5, 1])}
    """

    specs: tuple[Spec, ...]
    pack: Callable[[list[tf.Tensor]], Any]
    columns: int | None

    @classmethod
    def of(cls, model: keras.Layer, given: int | None = None) -> Inputs:
        """Describe the inputs of a Keras model.

        Args:
            model: a Keras model or layer.
            given: number of columns, for models that do not define it.

        Returns:
            Its `Inputs`; their number of columns is known.

        Raises:
            ValueError: the model is not built, an input has no gradient (texts, whole numbers) or
                an open shape, or neither the model nor the user gives the number of columns.
        """
        if not model.built:
            raise ValueError(
                f"The model '{model.name}' is not built yet, so it has no weights. Call it once on "
                "data, train it, or put `keras.Input((columns,))` first."
            )
        inputs = cls.made_of(_structure(model), model.name, given, model.variable_dtype)
        if inputs.columns is None:
            raise ValueError(
                f"How many input columns '{model.name}' takes is not known. Say so with `inputs=`."
            )
        return inputs

    @classmethod
    def made_of(
        cls, structure: Any, name: str, given: int | None = None, dtype: str = "float32"
    ) -> Inputs:
        """Describe the inputs of a function with a given structure.

        Args:
            structure: of its argument: an object with `shape` and `dtype` or a bare shape, or lists
                and dicts of them; `None` if it is unknown.
            name: of the model, for errors.
            given: number of columns, for models that do not define it.
            dtype: where the structure holds bare shapes.

        Returns:
            The `Inputs`.

        Raises:
            ValueError: as in `of`.
        """
        leaves, pack = _flattened(structure)
        specs = tuple(
            Spec(
                leaf_name or getattr(leaf, "name", None) or f"input_{k + 1}",
                _shape(leaf, name),
                _dtype(leaf, dtype),
            )
            for k, (leaf_name, leaf) in enumerate(leaves)
        )
        _check_differentiable(specs, name)
        sizes = [spec.size for spec in specs]
        known = [size for size in sizes if size is not None]
        columns = sum(known) if len(known) == len(sizes) else None
        if given is not None and columns is not None and given != columns:
            raise InputWidthError(name, columns, _names(specs) if len(specs) > 1 else None, given)
        if columns is None and given is not None and sizes == [None] and len(specs[0].shape) == 1:
            specs, columns = (Spec(specs[0].name, (given,), specs[0].dtype),), given
        if columns is None and (len(specs) > 1 or len(specs[0].shape) != 1):
            shapes = ", ".join(f"'{spec.name}' {(None, *spec.shape)}" for spec in specs)
            raise ValueError(
                f"How many columns '{name}' takes is open: its inputs have the shapes {shapes}. "
                "Make a model of fixed shapes, `keras.Model(i, model(i))` with "
                "`i = keras.Input(shape)`."
            )
        return cls(specs, pack, columns)

    @property
    def known_columns(self) -> int:
        """Number of columns of all tensors together.

        Raises:
            ValueError: it is open.
        """
        if self.columns is None:
            raise ValueError("How many input columns the model takes is not known.")
        return self.columns

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns by the names of several inputs; `None` for one input alone."""
        return _names(self.specs) if len(self.specs) > 1 else None

    def __call__(self, x: tf.Tensor) -> Any:
        """The structure of tensors that the model takes, from rows of columns.

        Args:
            x: points of shape `(rows, columns)`.

        Returns:
            Tensors in the model's own shapes and dtypes, in its own structure.
        """
        sizes = [spec.size for spec in self.specs]
        parts = [x] if len(sizes) == 1 else tf.split(x, sizes, axis=1)
        return self.pack(
            [
                tf.cast(part if len(spec.shape) == 1 else tf.reshape(part, [-1, *spec.shape]), t)
                for part, spec in zip(parts, self.specs, strict=True)
                for t in [spec.dtype]
            ]
        )

    def tried(self, function: Callable[[tf.Tensor], Any], dtype: str) -> tuple[tf.Tensor, Any]:
        """Find a few rows for which a function runs, with its result.

        They are irregular, so that values show how a layer uses its activation.

        Args:
            function: of rows `(rows, columns)`.
            dtype: of the rows.

        Returns:
            The rows, and the function's value there.

        Raises:
            ValueError: the function fails on all rows.
        """
        rng = np.random.default_rng(0)
        # Numbers in [0, 1) are also valid indices of a table.
        shape = (8, self.known_columns)
        for points in (rng.normal(size=shape), rng.random(shape)):
            rows = tf.constant(points, dtype)
            try:
                return rows, function(rows)
            except tf.errors.OpError as error:
                failure = error
        reason = next((line for line in str(failure).splitlines() if line.strip()), "")
        raise ValueError(
            f"The model could not be run on rows of {self.columns} columns. {reason[:300]}"
        ) from failure


def _structure(model: keras.Layer) -> Any:
    tensors = getattr(model, "inputs", None)
    if tensors:
        # A model that was never called as a layer raises on access to `input`.
        structure = getattr(model, "input", None)
        if structure is None:
            structure = tensors[0] if len(tensors) == 1 else tensors
        return structure
    arguments = [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if len(arguments) > 1:
        raise ValueError(
            f"'{model.name}' takes several arguments ({', '.join(arguments)}) in its `call`. Put "
            "it into a functional model of several inputs: `keras.Model([a, b], model(a, b))` with "
            "`a = keras.Input(...)`."
        )
    # A subclassed model stores the shapes that it was built for.
    return (model.get_build_config() or {}).get("input_shape")


def _flattened(structure: Any) -> tuple[list[tuple[str | None, Any]], Callable[..., Any]]:
    """The leaves of a structure with their keys, in the order in which it was written."""
    leaves: list[tuple[str | None, Any]] = []

    def visit(node: Any, key: str | None) -> Callable[[list[Any]], Any]:
        if isinstance(node, dict):
            parts = {k: visit(child, str(k)) for k, child in node.items()}
            return lambda tensors: {k: part(tensors) for k, part in parts.items()}
        if isinstance(node, (list, tuple)) and not _is_shape(node):
            members = [visit(child, None) for child in node]
            return lambda tensors: [part(tensors) for part in members]
        position = len(leaves)
        leaves.append((key, node))
        return lambda tensors: tensors[position]

    pack = visit(structure, None)
    return leaves, pack


def _is_shape(node: list[Any] | tuple[Any, ...]) -> bool:
    return all(size is None or isinstance(size, (int, np.integer)) for size in node)


def _shape(leaf: Any, name: str) -> tuple[int | None, ...]:
    shape = getattr(leaf, "shape", leaf)
    if getattr(leaf, "sparse", False) or getattr(leaf, "ragged", False):
        raise ValueError(
            f"Input '{leaf.name}' of '{name}' is sparse or ragged. Interpretation needs dense "
            "tensors: make a model with `keras.Input(shape)` and the same layers."
        )
    if shape is None or getattr(shape, "rank", 0) is None:
        return (None,)
    return tuple(None if size is None else int(size) for size in tuple(shape)[1:])


def _dtype(leaf: Any, default: str) -> str:
    dtype = getattr(leaf, "dtype", None)
    return default if dtype is None else tf.as_dtype(dtype).name


def _names(specs: tuple[Spec, ...]) -> tuple[str, ...]:
    return tuple(
        name
        for spec in specs
        for name in column_names(spec.name, tuple(n for n in spec.shape if n is not None))
    )


def _check_differentiable(specs: tuple[Spec, ...], model: str) -> None:
    for spec in specs:
        if not tf.as_dtype(spec.dtype).is_floating:
            raise ValueError(
                f"Input '{spec.name}' of '{model}' is of dtype {spec.dtype}: between two whole "
                "numbers or two texts there is nothing to differentiate by. Read from a layer "
                "after it (such as the `Embedding`): `keras.Model(model.get_layer(name).output, "
                "model.output)`, beside the other inputs if there are any, and that layer's values "
                "as points."
            )
