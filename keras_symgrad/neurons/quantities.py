"""`Quantities`: functions of the input in whose terms a formula is written.

A formula in pixels is unreadable; one in the units of an earlier layer, or in named features, may
be readable. If the concept is g(x) = T(h(x)) with quantities h, the chain rule maps the gradient of
T to the input, where it is compared with the network's own:

    grad g(x) = J(x)^T (grad T)(h(x)),   J = dh/dx
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.files import check_names, listed_names
from keras_symgrad.neurons import loading, tracing
from keras_symgrad.neurons.batches import in_batches
from keras_symgrad.neurons.inputs import Inputs
from keras_symgrad.neurons.unit_index import only_tensor, position, unit_name

# Numbers in the Jacobians held at a time: for pictures rows by units by pixels.
LARGEST_BATCH = 2**24


class Quantities:
    """Named differentiable functions of a model's input.

    `Quantities.of(model, layer)` takes them from a layer; the constructor takes any function that
    is written in TensorFlow operations.

    Args:
        function: `(rows, inputs) -> (rows, quantities)`, or from `(rows, *shape)` if there is a
            `shape`. It must process each row independently.
        names: one for each quantity; formulas are written in them.
        shape: of one row, such as `(28, 28, 1)`, for a function of images.
        dtype: of the rows that the function takes.

    Raises:
        TypeError: `function` cannot be called.
        ValueError: the names are invalid.

    Example:

    >>> polar = Quantities(
    ...     lambda x: tf.stack([tf.norm(x, axis=1), tf.atan2(x[:, 1], x[:, 0])], axis=1),
    ...     names=["radius", "angle"],
    ... )
    >>> values, jacobians = polar.values_and_jacobians(np.array([[0.0, 2.0]]))
    >>> values.round(3), jacobians.round(3)
    (array([[2.   , 1.571]]), array([[[ 0. ,  1. ],
            [-0.5,  0. ]]]))
    """

    def __init__(
        self,
        function: Callable[[tf.Tensor], tf.Tensor],
        names: Sequence[str],
        *,
        shape: tuple[int, ...] | None = None,
        dtype: str = "float32",
    ):
        if not callable(function):
            raise TypeError(
                "`function` takes rows to quantities in TensorFlow operations; the quantities of a "
                f"layer are `Quantities.of(model, layer)`. Received: {type(function)}"
            )
        self.function = function
        self.names = check_names(names, len(names))
        self.shape = None if shape is None else tuple(shape)
        self.dtype = dtype

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Quantities({listed_names(self.names)})"

    @classmethod
    def of(
        cls,
        model: keras.Layer | str | os.PathLike[str],
        layer: str | int | keras.Layer,
        units: Sequence[int | tuple[int, ...]] | None = None,
        *,
        names: Sequence[str] | None = None,
        inputs: int | None = None,
    ) -> Quantities:
        """Take the units of a layer, after its activation: the input of the next layer.

        Args:
            model: a built Keras model, or the path of a `.keras` or `.h5` file.
            layer: name of a layer or path of names, as in `Neuron.of`.
            units: numbers of units, or positions such as `(2, 3, 0)` in the output of a
                convolution; all of them by default.
            names: one for each; by default those of layer and unit, such as `hidden_1_3`.
            inputs: number of input columns, where the model does not define it.

        Returns:
            The `Quantities`.

        Raises:
            ValueError: the layer or a unit does not exist, or its output is open in size.

        Example:

        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")])
        >>> Quantities.of(model, "hidden", units=[0, 2])
        Quantities(hidden_0, hidden_2)
        """
        model, _ = loading.opened(model)
        if isinstance(model, loading.SavedFunction):
            raise ValueError(
                "Layers of a SavedModel are out of reach: it holds a function. Save the model as "
                f"`.keras`, or give a function of your own to `Quantities`. Received: {layer=}"
            )
        taken = Inputs.of(model, inputs)
        dtype = model.variable_dtype
        _, target = taken.tried(lambda rows: tracing.find(model, taken(rows), layer), dtype)
        where = f"Layer '{target.path}'"
        shape = tuple(only_tensor(target.call.output, where).shape)[1:]
        if units is None:
            units = range(math.prod(shape))
        chosen = [position(unit, shape, where) for unit in units]
        if names is None:
            names = [unit_name(target.path, unit, shape) for unit in chosen]

        def function(x: tf.Tensor) -> tf.Tensor:
            output = only_tensor(target.again(model, taken(x)).output, where)
            flat = tf.reshape(output, [tf.shape(x)[0], math.prod(shape)])
            return flat if len(chosen) == flat.shape[1] else tf.gather(flat, chosen, axis=1)

        return cls(function, names, dtype=dtype)

    def __call__(self, x: tf.Tensor | np.ndarray) -> tf.Tensor:
        """The quantities at each row.

        Args:
            x: points of shape `(rows, inputs)`.

        Returns:
            Values of shape `(rows, quantities)`, that can be differentiated.

        Raises:
            ValueError: the function returns another shape.
        """
        x = tf.cast(x, self.dtype)
        rows = x if self.shape is None else tf.reshape(x, [-1, *self.shape])
        values = tf.convert_to_tensor(self.function(rows))
        if values.shape.rank == 1 and len(self) == 1:
            values = values[:, None]
        wanted = tf.TensorShape([x.shape[0], len(self)])
        if values.shape.rank != 2 or not wanted.is_compatible_with(values.shape):
            # The message omits the number of rows of a padded batch, which would be misleading.
            same = values.shape[:1] == x.shape[:1]
            sizes = ["rows", *values.shape[1:]] if same else values.shape
            raise ValueError(
                f"The function of the quantities {listed_names(self.names)} must return the shape "
                f"(rows, {len(self)}). Received: shape ({', '.join(map(str, sizes))})"
            )
        if not values.dtype.is_floating:
            raise ValueError(
                f"The quantities {listed_names(self.names)} are of dtype {values.dtype.name}, "
                "which has no gradient. Return floating-point numbers that change smoothly."
            )
        return values

    def values(self, x: Any, batch_size: int = 4096) -> np.ndarray:
        """Evaluate the quantities at any number of points.

        Args:
            x: points of shape `(rows, inputs)`.
            batch_size: rows that are evaluated at a time.

        Returns:
            Values `(rows, quantities)`, float64.
        """
        x = np.asarray(x, dtype=self.dtype)
        values = np.empty((len(x), len(self)))
        for rows, batch in in_batches(x, batch_size):
            values[rows] = self(batch).numpy()[: rows.stop - rows.start]
        return values

    def values_and_jacobians(self, x: Any, batch_size: int = 4096) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the quantities and their derivatives with respect to the input.

            J[r, k, i] = d h_k / d x_i  at row r

        Args:
            x: points of shape `(rows, inputs)`.
            batch_size: most rows that are differentiated at a time; fewer if Jacobians are large.

        Returns:
            Values `(rows, quantities)` and Jacobians `(rows, quantities, inputs)`, float64.

        Raises:
            ValueError: the function has no gradient, returns another shape, numbers that are not
                finite, or cannot be run on these points.
        """
        x = np.asarray(x, dtype=self.dtype)
        size = 1 if self.shape is None else math.prod(self.shape)
        if x.ndim != 2 or (self.shape is not None and x.shape[1] != size):
            wanted = "inputs" if self.shape is None else size
            raise ValueError(
                f"Expected points of shape (rows, {wanted}). Received: shape {x.shape}"
            )
        batch_size = max(1, min(batch_size, LARGEST_BATCH // max(1, len(self) * x.shape[1])))
        values = np.empty((len(x), len(self)))
        jacobians = np.empty((len(x), len(self), x.shape[1]))
        for rows, batch in in_batches(x, batch_size):
            count = rows.stop - rows.start
            value, jacobian = self._differentiated(tf.constant(batch))
            values[rows], jacobians[rows] = value[:count], jacobian[:count]
        self._check_finite(values, jacobians)
        return values, jacobians

    def _differentiated(self, x: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
        try:
            values, jacobian = self._compiled(x)
        except (ValueError, TypeError, LookupError, tf.errors.OpError) as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            raise ValueError(
                f"The quantities {listed_names(self.names)} could not be differentiated on points "
                f"with {x.shape[1]} columns. {reason}"
            ) from error
        return values.numpy(), jacobian.numpy()

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        def values_and_jacobian(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
                tape.watch(x)
                values = self(x)
            # A Jacobian would be zero here, as if the quantities did not depend on the input.
            if tape.gradient(values, x) is None:
                raise ValueError(
                    "No gradient leads from them to the input: a step on the way is not "
                    "differentiable (rounding, argmax, integers, NumPy code), or they are constant."
                )
            return values, tape.batch_jacobian(values, x)

        return tf.function(values_and_jacobian, autograph=False, reduce_retracing=True)

    def _check_finite(self, values: np.ndarray, jacobians: np.ndarray) -> None:
        bad = ~(np.isfinite(values) & np.isfinite(jacobians).all(axis=2))
        if bad.any():
            names = [name for name, some in zip(self.names, bad.any(axis=0)) if some]
            rows = int(bad.any(axis=1).sum())
            raise ValueError(
                f"The quantities or their derivatives are not finite in {rows} of {len(values)} "
                f"rows. It is {', '.join(names[:5])}. Leave those points out, or "
                "change the function where it is singular (a square root or logarithm at 0)."
            )
