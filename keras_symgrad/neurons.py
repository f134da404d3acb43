"""Which scalar of which model is to be interpreted: a `Neuron`.

A neuron is a function of input rows, one number a row, that TensorFlow can differentiate. This room
takes it out of a Keras model: the output neuron without its final sigmoid, or a unit of a hidden
layer. It knows how to listen to a model (`tracing`) and how to load one (`loading`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad import activations, loading, tracing
from keras_symgrad.inputs import Inputs
from keras_symgrad.units import (
    Unit,
    against_the_others,
    number_of_units,
    only_tensor,
    picker,
    suffix,
)

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
            selected by that probability. `None` when only data can tell; see `settle`.
        dtype: of the input that the function takes.

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
        """The neuron's values and its gradients with respect to the input.

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
        x = np.asarray(x, dtype=self.dtype)
        if x.ndim != 2 or (self.inputs is not None and x.shape[1] != self.inputs):
            raise ValueError(
                f"The neuron '{self.name}' expects points of shape (rows, {self.inputs or 'inputs'}"
                f"). Received: shape {x.shape}"
            )
        if len(x) == 0:
            return np.zeros(0, self.dtype), np.zeros(x.shape, self.dtype)
        values, gradients = [], []
        for start in range(0, len(x), batch_size):
            try:
                value, gradient = self._compiled(tf.constant(x[start : start + batch_size]))
            except (ValueError, TypeError, tf.errors.OpError) as error:
                reason = next((s for s in str(error).splitlines() if s.strip()), "")
                raise ValueError(
                    f"The neuron '{self.name}' could not be differentiated on points with "
                    f"{x.shape[1]} columns. {reason}"
                ) from error
            values.append(value.numpy())
            gradients.append(gradient.numpy())
        return np.concatenate(values), np.concatenate(gradients)

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        def value_and_gradient(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                value = self(x)
            # Rows do not see each other in inference mode: the gradient of the sum holds them all.
            gradient = tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return value, tf.convert_to_tensor(gradient)

        # The number of rows is left open, so that a last smaller batch is not compiled again.
        signature = [tf.TensorSpec((None, self.inputs), self.dtype)]
        # A concrete function: TensorFlow would warn of too much tracing when neuron follows neuron.
        return tf.function(value_and_gradient, input_signature=signature).get_concrete_function()

    def settle(self, x: np.ndarray) -> Neuron:
        """Decides by data what the model does not say: whether its output is a probability.

        A model whose last step cannot be seen (a SavedModel, a `call` that ends in plain TensorFlow
        code) is read as a classifier when its outputs on all of the data lie in [0, 1]; the
        neuron's value is then the logit of that probability. Otherwise the output is taken as it
        is. `kind` of `Neuron.of` decides it without data.

        Args:
            x: points of shape `(rows, inputs)`, typically the training points.

        Returns:
            This neuron if nothing was open, else one whose `is_classifier` is True or False.
        """
        if self.is_classifier is not None:
            return self
        values = np.asarray(self(x))
        if values.size and np.all((values >= 0) & (values <= 1)):
            return _read_as(self, "probability")
        return _read_as(self, "value")

    @classmethod
    def of(
        cls,
        model: keras.Layer | str | os.PathLike,
        layer: str | None = None,
        unit: Unit = None,
        activation: bool = False,
        *,
        kind: str | None = None,
        inputs: int | None = None,
    ) -> Neuron:
        """A neuron of a Keras model.

        Without `layer` it is the output neuron. A final sigmoid is taken off exactly, whether it is
        the activation of a `Dense` or a layer of its own, so that the value is the logit: the
        sigmoid does not change the concept but flattens its gradients. An output without a sigmoid
        is a logit if the model's loss says so (`BinaryCrossentropy(from_logits=True)`), and else
        taken as it is. Where the last step cannot be seen, see `settle`.

        Args:
            model: a built Keras model (functional, Sequential, subclassed, nested), or the path of
                a `.keras` file, a legacy `.h5` file or a SavedModel directory.
            layer: name of a layer, or a path such as `"encoder/latent"` for a layer of an inner
                model.
            unit: column of the layer's output, needed if it has more than one. Of a final softmax
                `unit=k` is the number before the softmax, which with `kind="probability"` becomes
                the logit of class k against all others; `unit=(k, j)` is the difference of two of
                them, the logit of class k against class j.
            activation: True for the value after the layer's activation. By default it is left out:
                a monotone activation carries the same concept, and its flat parts have no gradient.
            kind: how to read the model's output: `"logit"`, `"probability"` or `"value"` (a plain
                number, taken as it is). `None` finds it out.
            inputs: number of input columns, where the model does not know it.

        Returns:
            A `Neuron`.

        Raises:
            FileNotFoundError: nothing is at the path.
            TypeError: it is neither a Keras model nor a path.
            ValueError: the file is no model, the model is not built, the layer or unit does not
                exist or is not one scalar, or Keras does not run on TensorFlow.

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
        model, loss = loading.opened(model)
        if isinstance(model, loading.SavedFunction):
            return _of_saved_function(model, layer, unit, activation, kind)
        if layer is not None and kind is not None:
            raise ValueError(
                "`kind` says how to read the model's output; with `layer` there is nothing to say. "
                f"Received: layer={layer!r}, kind={kind!r}"
            )
        taken = Inputs.of(model, inputs)
        return _of_model(model, layer, unit, activation, kind, loss, taken)


def logit_of(probability: tf.Tensor) -> tf.Tensor:
    """The logit of a probability, with a gradient that stays finite at saturation.

        log p - log(1 - p), p kept within the smallest and largest number inside (0, 1)

    Args:
        probability: values in [0, 1], any shape.

    Returns:
        Logits of the same shape; at exactly 0 and 1 they are finite and their gradient is zero.

    Example:

    >>> x = tf.constant([0.5, 1.0])
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = logit_of(x)
    >>> tape.gradient(y, x).numpy()
    array([4., 0.], dtype=float32)
    """
    limits = np.finfo(probability.dtype.as_numpy_dtype)
    # Clipping leaves the gradient at the limits alone, and 0 and 1 lie beyond them.
    inside = tf.clip_by_value(probability, 4 * limits.tiny, 1 - limits.epsneg)
    return tf.math.log(inside) - tf.math.log1p(-inside)


def _of_saved_function(
    saved: loading.SavedFunction, layer: str | None, unit: Unit, activation: bool, kind: str | None
) -> Neuron:
    if layer is not None:
        raise ValueError(
            "Inner layers of a SavedModel are out of reach: it holds a function, not layers. Save "
            f"the model as `.keras` for `layer=`. Received: layer={layer!r}"
        )
    where = f"The output of '{saved.name}'"
    units = 1
    if saved.inputs is not None:
        units = number_of_units(saved.function(tf.zeros((1, saved.inputs), saved.dtype)), where)
    pick = picker(unit, units, where)
    neuron = Neuron(
        f"{saved.name}/output{suffix(unit)}",
        lambda x: pick(saved.function(x)),
        saved.inputs,
        False if activation or isinstance(unit, tuple) else None,
        saved.dtype,
    )
    return _read_as(neuron, kind)


def _of_model(
    model: keras.Layer,
    layer: str | None,
    unit: Unit,
    activation: bool,
    kind: str | None,
    loss: object,
    inputs: Inputs,
) -> Neuron:
    dtype = model.variable_dtype
    probe = inputs(tf.constant(inputs.probe(), dtype))
    output, target = tracing.find(model, probe, layer)
    where = f"The output of '{model.name}'" if layer is None else f"Layer '{target.path}'"
    is_output = target is None or target.is_output
    tensor = only_tensor(output if is_output else target.call.output, where)
    units = number_of_units(tensor, where)
    pick = picker(unit, units, where)

    last = None if target is None else activations.last_activation(target.call)
    sigmoid = last is not None and activations.is_sigmoid(last.function)
    softmax = last is not None and activations.is_softmax(last.function)
    # A hidden layer's activation is taken off, but only the squashing of a probability is taken
    # off an output: a bounded output such as tanh is what the model says.
    bare = last is not None and not activation and kind != "value"
    bare = bare and (sigmoid or softmax or layer is not None)
    if bare and softmax and kind is not None and isinstance(unit, int) and units > 1:
        pick = against_the_others(unit, units)

    def function(x: tf.Tensor) -> tf.Tensor:
        if target is None:
            return pick(only_tensor(tracing.run(model, inputs(x), [])[0], where))
        call = target.again(model, inputs(x))
        return pick(last.before(call) if bare else only_tensor(call.output, where))

    name = _name(model, target if layer is not None else None, unit, last, bare)
    neuron = Neuron(name, function, inputs.columns, False, dtype)
    if not is_output or activation:
        return neuron
    if bare and (sigmoid or softmax):
        # Of two sigmoids the difference is no logit; of two softmax outputs it is.
        pair = isinstance(unit, tuple)
        return _read_as(neuron, "logit" if kind or pair == softmax else "value")
    if kind is None and not isinstance(unit, tuple):
        by_loss = loading.kind_by_loss(loss)
        may_be_probability = last is None or activations.stays_in_unit_interval(last.function)
        if may_be_probability:
            neuron = replace(neuron, is_classifier=None)
        if by_loss == "logit" or may_be_probability:
            kind = by_loss
    return _read_as(neuron, kind)


def _name(
    model: keras.Layer,
    target: tracing.Target | None,
    unit: Unit,
    last: activations.LastActivation | None,
    bare: bool,
) -> str:
    if target is None:
        return f"{model.name}/output{suffix(unit)}"
    shown = f"{target.path}{suffix(unit)}"
    if bare or last is None or last.function is keras.activations.linear:
        return f"{model.name}/{shown}"
    return f"{model.name}/{last.name}({shown})"


def _read_as(neuron: Neuron, kind: str | None) -> Neuron:
    """An output read as a logit, a probability or a plain number; unchanged for `None`."""
    if kind is None:
        return neuron
    name = neuron.name if kind == "value" else neuron.name.replace("/output", "/logit")
    read = replace(neuron, name=name, is_classifier=kind != "value")
    if kind == "probability":
        read = replace(read, function=lambda x: logit_of(tf.cast(neuron.function(x), neuron.dtype)))
    return read
