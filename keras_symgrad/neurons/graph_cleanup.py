"""Release custom gradients together with their graph.

TensorFlow registers the gradient of each call of a `tf.custom_gradient` in a graph (swish is one)
under a unique name permanently, and the gradient holds the graph: more than half a megabyte for
each network that is read. There is no public way to remove it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

try:
    from tensorflow.python.framework.ops import gradient_registry

    _registered = gradient_registry._registry
except (ImportError, AttributeError):  # Another TensorFlow: nothing is released.
    _registered = {}

# The operation of a custom gradient, and its attribute with the gradient's name.
CUSTOM_GRADIENT_OPERATION = "IdentityN"
CUSTOM_GRADIENT_ATTRIBUTE = "_gradient_op_type"


def end_with(
    function: tf.types.experimental.ConcreteFunction,
) -> tf.types.experimental.ConcreteFunction:
    """Release a traced function's custom gradients together with the function.

    Args:
        function: a `tf.types.experimental.ConcreteFunction`.

    Returns:
        The function.

    Example:

    >>> import tensorflow as tf
    >>> trace = tf.function(tf.nn.silu).get_concrete_function
    >>> function = end_with(trace(tf.TensorSpec([None])))
    >>> function(tf.zeros(1)).numpy()
    array([0.], dtype=float32)
    """
    names = [
        operation.get_attr(CUSTOM_GRADIENT_ATTRIBUTE).decode()
        for operation in function.graph.get_operations()
        if operation.type == CUSTOM_GRADIENT_OPERATION
        and CUSTOM_GRADIENT_ATTRIBUTE in operation.node_def.attr
    ]
    if names:
        weakref.finalize(function, _forget, names).atexit = False
    return function


def _forget(names: list[str]) -> None:
    for name in names:
        _registered.pop(name, None)
