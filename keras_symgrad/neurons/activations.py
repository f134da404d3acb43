"""Recognize the last activation of a layer by its behaviour.

A final sigmoid may be the argument of a `Dense`, a layer, an operation or a user's own code. All of
them return the same numbers for the same numbers, and are recognised by that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.neurons.tracing import Call

# Layers that consist of an activation, without an argument of that name.
ACTIVATION_LAYERS = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
)


@dataclass(frozen=True)
class LastActivation:
    """The activation that a layer ends with.

    Args:
        function: the activation itself.
        before: function from a later call of the layer to its value before the activation.
    """

    function: Callable[..., Any]
    before: Callable[[Call], tf.Tensor]

    @property
    def name(self) -> str:
        """Name of the activation, such as `"elu"`."""
        function: Any = self.function
        return getattr(function, "__name__", None) or function.name


def last_activation(call: Call) -> LastActivation | None:
    """Find the activation that a layer ends with, if it can be taken off.

    Args:
        call: an eager call of the layer.

    Returns:
        A `LastActivation`, also for one that changes nothing; `None` if the layer has none, or
        computes more after it.
    """
    operation = call.operation
    if applies_last(call):
        return LastActivation(operation.activation, lambda later: later.preactivation)
    if isinstance(operation, ACTIVATION_LAYERS) or is_sigmoid(operation) or is_softmax(operation):
        return LastActivation(operation, lambda later: later.inputs)
    return None


def applies_last(call: Call) -> bool:
    """Return whether a layer applies its `activation` last, as `Dense` does.

    Recurrent layers do not: leaving it out changes everything before. This is decided by values:
    the activation of the output without it must equal the output with it.

    Args:
        call: an eager call of the layer.

    Returns:
        True if `call.preactivation` is the layer's value before its activation.
    """
    if call.preactivation is None:
        return False
    again = call.operation.activation(call.preactivation)
    return _close(again, call.output)


def is_sigmoid(function: Callable[..., Any]) -> bool:
    """Return whether a function is the logistic sigmoid, decided by its values.

    Args:
        function: of one tensor; it is tested on a column of numbers.

    Returns:
        True for `keras.activations.sigmoid`, a layer that applies it, or a user's own code.

    Example:

    >>> import keras
    >>> is_sigmoid(keras.layers.Activation("sigmoid")), is_sigmoid(keras.activations.tanh)
    (True, False)
    """
    return _acts_like(function, tf.sigmoid, np.linspace(-4.0, 4.0, 9)[:, None])


def is_softmax(function: Callable[..., Any]) -> bool:
    """Return whether a function is the softmax over the last axis, decided by its values.

    Args:
        function: of one tensor; it is tested on three rows of four numbers.

    Returns:
        True for `keras.activations.softmax` or a layer that applies it.
    """
    return _acts_like(function, tf.nn.softmax, np.linspace(-2.0, 3.0, 12).reshape(3, 4) ** 2)


def stays_in_unit_interval(function: Callable[..., Any]) -> bool:
    """Return whether a function's values are all in [0, 1], as a probability's are.

    Args:
        function: of one tensor; it is tested on numbers from -100 to 100.

    Returns:
        True if so; False also where the test fails.
    """
    values = _tried(function, np.linspace(-100.0, 100.0, 81)[:, None])
    return values is not None and bool(np.all((values >= 0) & (values <= 1)))


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
    # Clipping changes no gradient inside the limits, and 0 and 1 lie outside them.
    inside = tf.clip_by_value(probability, 4 * limits.tiny, 1 - limits.epsneg)
    return tf.math.log(inside) - tf.math.log1p(-inside)


def _acts_like(function: Callable[..., Any], model: Callable[..., Any], x: np.ndarray) -> bool:
    values = _tried(function, x)
    return values is not None and _close(values, model(x))


def _tried(function: Callable[..., Any], x: np.ndarray) -> np.ndarray | None:
    # A layer with weights is not an activation, and one of fixed width would raise here.
    if getattr(function, "weights", None):
        return None
    try:
        with warnings.catch_warnings():
            # Keras warns about a softmax over one number, which is only a test here.
            warnings.simplefilter("ignore")
            return np.asarray(function(tf.constant(x, tf.float32)), dtype=np.float64)
    except Exception:  # noqa: BLE001 - a user's function may raise anything: it is then no activation
        return None


def _close(a: object, b: object) -> bool:
    a, b = (np.asarray(tf.cast(t, tf.float64)) for t in (a, b))
    # Tolerance for float16; functions similar to the sigmoid differ by ten times as much.
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=5e-3, atol=5e-3))
