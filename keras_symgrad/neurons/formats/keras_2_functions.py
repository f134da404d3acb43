"""Functions of Keras 2 that Keras 3 computes otherwise or does not have.

They are registered with Keras under names of their own, so that a model that holds them can be
saved again and loaded wherever keras-symgrad is imported.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

PACKAGE = "keras_symgrad"


@keras.saving.register_keras_serializable(PACKAGE, "hard_sigmoid_of_keras_2")  # type: ignore[untyped-decorator]
def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """The hard sigmoid of Keras 1 and 2, whose slope is 1/5; that of Keras 3 is 1/6.

        min(max(x/5 + 1/2, 0), 1)

    Args:
        x: of any shape.

    Returns:
        Values in [0, 1], of the same shape.

    Example:

    >>> hard_sigmoid(tf.constant([-3.0, 1.0])).numpy()
    array([0. , 0.7], dtype=float32)
    """
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


# By the name that a file of Keras 1 or 2 has for them.
FUNCTIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {"hard_sigmoid": hard_sigmoid}
