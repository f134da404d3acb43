"""Loops and buffers in the form that XLA compiles best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def loop(start: object, stop: object, body: Callable[..., Any], *state: object) -> tuple[Any, ...]:
    """Loop of `body` over consecutive indices, strictly sequential."""
    return tf.while_loop(
        lambda index, *_: index < stop, body, (start, *state), parallel_iterations=1
    )


def put(buffer: tf.Tensor, index: tf.Tensor, entry: tf.Tensor) -> tf.Tensor:
    """The buffer with one entry replaced; XLA makes it one write in place."""
    return tf.tensor_scatter_nd_update(buffer, [[index]], entry[None])


def as_slots(buffer: tf.Tensor) -> tf.Tensor:
    """A buffer `(instructions, arity, ...)` as `(slots, ...)`."""
    return tf.reshape(buffer, [-1, *buffer.shape[2:]])
