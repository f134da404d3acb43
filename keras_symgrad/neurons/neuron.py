"""`Neuron`: a scalar of a model as a differentiable function of rows.

A neuron is a function of input rows, one number a row, that TensorFlow can differentiate. This
module differentiates it; `extraction` takes it out of a Keras model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, SupportsIndex

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.neurons import graph_cleanup, loading
from keras_symgrad.neurons.activations import logit_of
from keras_symgrad.neurons.batches import in_batches
from keras_symgrad.neurons.extraction import extract
from keras_symgrad.neurons.tracing import LayerChoice, layer_path
from keras_symgrad.neurons.unit_index import Unit

KINDS = ("logit", "probability", "value")


@dataclass(frozen=True, eq=False)
class Neuron:
    """A scalar of a Keras model as a function of its input rows.

    Made with `Neuron.of(model)`; the constructor takes any differentiable TensorFlow function.

    Args:
        name: such as `"ellipse/logit"` or `"ellipse/hidden_2[5]"`.
        function: `(rows, inputs) -> (rows,)`, written in TensorFlow operations.
        inputs: number of input columns, `None` if unknown.
        is_classifier: True when the value is the logit of a probability, so that rows can be
            selected by that probability. `None` if it must be decided by data; see `settle`.
        dtype: of the input that the function takes.
        names: of the columns by the names of a model's several inputs, or `None`.
        source: arguments of `Neuron.of` that made it, the model among them; `None` for a function.

    Example:

    >>> square = Neuron("square", lambda x: x[:, 0] ** 2, inputs=1)
    >>> square(np.array([[3.0]])).numpy()
    array([9.], dtype=float32)
    """

    name: str
    function: Callable[[tf.Tensor], tf.Tensor]
    inputs: int | None = None
    is_classifier: bool | None = False
    dtype: str = "float32"
    names: tuple[str, ...] | None = None
    source: Mapping[str, Any] | None = None

    def __deepcopy__(self, _memo: object) -> Neuron:
        # A value that never changes, of a function that cannot be copied.
        return self

    def __call__(self, x: tf.Tensor | np.ndarray) -> tf.Tensor:
        """The neuron's value at each row.

        Args:
            x: points of shape `(rows, inputs)`; cast to the neuron's dtype.

        Returns:
            Values of shape `(rows,)`. Inside a `tf.GradientTape` they can be differentiated.
        """
        value = self.function(tf.cast(x, self.dtype))
        return tf.cast(tf.reshape(value, [-1]), self.dtype)

    def values_and_gradients(
        self, x: np.ndarray, batch_size: int = 4096
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the neuron and its gradients with respect to the input.

        Args:
            x: points of shape `(rows, inputs)`, any number of rows.
            batch_size: rows that are differentiated at a time.

        Returns:
            Values of shape `(rows,)` and gradients of shape `(rows, inputs)`, both in the neuron's
            dtype. A gradient is zero where the model ignores its input.

        Raises:
            ValueError: the model cannot be run on points of this shape.

        Example:

        >>> square = Neuron("square", lambda x: x[:, 0] ** 2, inputs=2)
        >>> square.values_and_gradients(np.array([[3.0, 1.0]]))[1]
        array([[6., 0.]], dtype=float32)
        """
        x = self._checked(x)
        values = np.empty(len(x), self.dtype)
        gradients = np.empty(x.shape, self.dtype)
        for rows, batch in in_batches(x, batch_size):
            count = rows.stop - rows.start
            try:
                value, gradient = self._compiled(tf.constant(batch, self.dtype))
                values[rows], gradients[rows] = value.numpy()[:count], gradient.numpy()[:count]
            except (ValueError, TypeError, LookupError, tf.errors.OpError) as error:
                raise self._failed("differentiated", x, error) from error
        return values, gradients

    def values(self, x: np.ndarray, batch_size: int = 4096) -> np.ndarray:
        """Evaluate the neuron alone, at a third of the cost with gradients.

        Args:
            x: points of shape `(rows, inputs)`, any number of rows.
            batch_size: rows that are evaluated at a time.

        Returns:
            Values of shape `(rows,)`, in the neuron's dtype.

        Raises:
            ValueError: the model cannot be run on points of this shape.

        Example:

        >>> square = Neuron("square", lambda x: x[:, 0] ** 2, inputs=2)
        >>> square.values(np.array([[3.0, 1.0]]))
        array([9.], dtype=float32)
        """
        x = self._checked(x)
        values = np.empty(len(x), self.dtype)
        for rows, batch in in_batches(x, batch_size):
            try:
                value = self._compiled_value(tf.constant(batch, self.dtype))
                values[rows] = value.numpy()[: rows.stop - rows.start]
            except (ValueError, TypeError, LookupError, tf.errors.OpError) as error:
                raise self._failed("evaluated", x, error) from error
        return values

    def _checked(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x)
        if x.ndim != 2 or (self.inputs is not None and x.shape[1] != self.inputs):
            raise ValueError(
                f"The neuron '{self.name}' expects points of shape (rows, {self.inputs or 'inputs'}"
                f"). Received: shape {x.shape}"
            )
        return x

    def _failed(self, what: str, x: np.ndarray, error: Exception) -> ValueError:
        reason = next((s for s in str(error).splitlines() if s.strip()), "")
        return ValueError(
            f"The neuron '{self.name}' could not be {what} on points with {x.shape[1]} columns. "
            f"{reason}"
        )

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        def value_and_gradient(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                value = self(x)
            # Rows are independent in inference mode: the gradient of the sum holds all their
            # gradients.
            gradient = tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return value, tf.convert_to_tensor(gradient)

        return self._graph(value_and_gradient)

    @cached_property
    def _compiled_value(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return self._graph(lambda x: self(x))

    def _graph(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # The number of rows is left open, so that a smaller last batch is not compiled again.
        signature = [tf.TensorSpec((None, self.inputs), self.dtype)]

        # A concrete function: TensorFlow would warn about retracing with many neurons.
        def trace(autograph: bool) -> Callable[..., Any]:
            traced = tf.function(function, input_signature=signature, autograph=autograph)
            return traced.get_concrete_function()

        try:
            # Most models need no AutoGraph, which takes a second to rewrite the code of Keras.
            traced = trace(autograph=False)
        except Exception:  # a layer's own code may have an `if` or a `for` on tensors
            traced = trace(autograph=True)
        return graph_cleanup.end_with(traced)

    def settle(self, x: np.ndarray) -> Neuron:
        """Decide by data whether the output is a probability, if the model does not say.

        A model whose last step is not visible (a SavedModel, a `call` that ends in plain TensorFlow
        code) is read as a classifier when its outputs on all of the data lie in [0, 1]; the
        neuron's value is then the logit of that probability. Otherwise the output is taken
        unchanged. `kind` of `Neuron.of` decides it without data.

        Args:
            x: points of shape `(rows, inputs)`, typically the training points.

        Returns:
            This neuron if it was decided before, else one whose `is_classifier` is True or False.
        """
        if self.is_classifier is not None:
            return self
        values = self.values(x)
        if values.size and np.all((values >= 0) & (values <= 1)):
            return self.read_as("probability")
        return self.read_as("value")

    @classmethod
    def of(
        cls,
        model: keras.Layer | str | os.PathLike[str],
        layer: LayerChoice = None,
        unit: Unit = None,
        activation: bool = False,
        *,
        kind: str | None = None,
        inputs: int | None = None,
        signature: str | None = None,
    ) -> Neuron:
        """Make a neuron of a Keras model.

        Without `layer` it is the output neuron. A final sigmoid is taken off exactly, whether it is
        the activation of a `Dense` or a separate layer, so that the value is the logit: the sigmoid
        does not change the concept but flattens its gradients. An output without a sigmoid is a
        logit if the model's loss says so (`BinaryCrossentropy(from_logits=True)`), and otherwise
        taken unchanged. Where the last step is not visible, see `settle`.

        Args:
            model: a built Keras model (functional, Sequential, subclassed, nested), the path of a
                `.keras` file, a legacy `.h5` file or a SavedModel directory, or the result of
                `load_model`.
            layer: a layer of the model, its number in `model.layers`, its name, or a path such as
                `"encoder/latent"` for a layer of an inner model; of a model of several outputs, or
                of a SavedModel, the name of one of them.
            unit: column of the layer's output, needed if it has more than one; for an output of
                several axes, as of a convolution, a position `(row, column, channel)` or the number
                in the flattened row. For a final softmax `unit=k` is the number before the softmax,
                which with `kind="probability"` becomes the logit of class k against all others;
                `unit=(k, j)` is the difference of two of them, the logit of class k against class
                j.
            activation: True for the value after the layer's activation. By default it is left out:
                a monotone activation carries the same concept, and its flat parts have no gradient.
            kind: how to read the model's output: `"logit"`, `"probability"` or `"value"` (a plain
                number, taken unchanged). `None` detects it.
            inputs: number of input columns, where the model does not define it.
            signature: of a SavedModel that has several; `serving_default` by default.

        Returns:
            A `Neuron`. Its input is one row of columns: the model's inputs side by side, flattened;
            `names` lists them.

        Raises:
            FileNotFoundError: nothing is at the path.
            TypeError: it is neither a Keras model nor a path.
            ValueError: the file is not a model, the model is not built, the layer or unit does not
                exist or is not one scalar, the scalar has no gradient with respect to the input, is
                random or depends on other rows of the batch, or Keras does not run on TensorFlow.

        Example:

        >>> model = keras.Sequential([
        ...     keras.Input((2,)),
        ...     keras.layers.Dense(3, activation="tanh", name="hidden"),
        ...     keras.layers.Dense(1, activation="sigmoid"),
        ... ], name="net")
        >>> Neuron.of(model).name, Neuron.of(model).is_classifier
        ('net/logit', True)
        >>> Neuron.of(model, "hidden", unit=2, activation=True).name
        'net/tanh(hidden[2])'
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(f"`kind` is one of {KINDS} or None. Received: kind={kind!r}")
        if isinstance(model, keras.Layer):
            layer = layer_path(model, layer)
        neuron = extract(cls, model, layer, unit, activation, kind, inputs, signature)
        source = {"model": model, "layer": layer, "unit": unit, "activation": activation}
        source |= {"kind": kind, "inputs": inputs, "signature": signature}
        return replace(neuron, source=source)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # Layers that were traced are lost in a copy: a neuron of a file is made of the file again.
        if self.source is not None:
            model = self.source["model"]
            loaded_with = loading.arguments_of(model)
            if isinstance(model, (str, os.PathLike)) or loaded_with is not None:
                path = model if loaded_with is None else None
                return _of_source, ({**self.source, "model": path}, loaded_with)
        return super().__reduce_ex__(protocol)

    def read_as(self, kind: str | None) -> Neuron:
        """Read an output as a logit, a probability or a plain number.

        Args:
            kind: "logit", "probability", "value", or `None` to leave it open.

        Returns:
            The neuron whose value is the logit, or the plain number; this one for `None`.
        """
        if kind is None:
            return self
        name = self.name if kind == "value" else self.name.replace("/output", "/logit")
        # An open kind is decided as in `of`; a logit becomes another function.
        source = None
        if self.source is not None and self.is_classifier is None:
            source = {**self.source, "kind": kind}
        read = replace(self, name=name, is_classifier=kind != "value", source=source)
        if kind == "probability":
            function = self.function
            read = replace(read, function=lambda x: logit_of(tf.cast(function(x), self.dtype)))
        return read


def _of_source(source: dict[str, Any], loaded_with: Mapping[str, Any] | None) -> Neuron:
    if loaded_with is not None:
        source = {**source, "model": loading.load_model(**loaded_with)}
    return Neuron.of(**source)
