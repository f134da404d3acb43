"""Mean gradients of several networks that were trained on the same task.

Networks that differ only in their seeds make different errors. Their mean direction is nearer to
the concept than each of them, and their disagreement estimates how near. Errors that all of them
share do not appear in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_symgrad.engine import unit
from keras_symgrad.neurons import Neuron


def mean_neuron(neurons: Sequence[Neuron], x: np.ndarray) -> Neuron:
    """The mean of several neurons, each with the sign with which it rises where the first one does.

    Args:
        neurons: of the same inputs and kind.
        x: points of shape `(rows, inputs)` that decide on the signs.

    Returns:
        A `Neuron`.

    Raises:
        ValueError: there are no neurons, or they do not belong together.

    Example:

    >>> rising = Neuron("rising", lambda x: x[:, 0], inputs=1)
    >>> falling = Neuron("falling", lambda x: -3 * x[:, 0], inputs=1)
    >>> mean_neuron([rising, falling], np.ones((5, 1)))(np.ones((1, 1))).numpy()
    array([2.], dtype=float32)
    """
    kinds = {(neuron.inputs, neuron.is_classifier) for neuron in neurons}
    if len(kinds) != 1:
        raise ValueError(
            "Several models are read together only if they take the same inputs and are all "
            "classifiers or none is. Received: "
            + (", ".join(f"{n.name} of {n.inputs} inputs" for n in neurons) or "no model")
        )
    first = neurons[0]
    signs = _signs(np.stack([unit(n.values_and_gradients(x)[1]) for n in neurons]))

    def mean(points: tf.Tensor) -> tf.Tensor:
        values = [sign * tf.cast(n(points), first.dtype) for sign, n in zip(signs, neurons)]
        return tf.add_n(values) / len(values)

    return Neuron(
        f"mean of {len(neurons)} x {first.name}",
        mean,
        first.inputs,
        first.is_classifier,
        first.dtype,
        first.names,
    )


def mean_directions(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean of several fields of directions, row weights by agreement, and the mean's error.

    With u_i the directions of k networks, signs aligned, m their mean and n variables, the errors
    of a row and of the whole are those of a mean of k independent ones:

        v = sum_i |u_i - m|^2 / (k (k - 1)),    noise = mean(w v) / (n mean(w))

    and rows have the weights w = 1 / (1 + v / mean(v)): rows without agreement have little weight,
    rows of perfect agreement at most twice that of the others.

    Args:
        directions: unit gradients, `(networks, rows, variables)`, two networks at least.

    Returns:
        Unit directions `(rows, variables)`, weights `(rows,)` with the mean 1, and the loss that
        the disagreement predicts for the true concept.

    Example: two networks, 0.2 apart on one of two rows.

    >>> one = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> other = unit(np.array([[1.0, 0.2], [0.0, 1.0]]))
    >>> mean, weights, noise = mean_directions(np.stack([one, other]))
    >>> mean.round(3).tolist(), weights.tolist(), f"{noise:.4f}"
    ([[0.995, 0.099], [0.0, 1.0]], [0.5, 1.5], '0.0012')
    """
    count, _, variables = directions.shape
    aligned = _signs(directions)[:, None, None] * directions
    mean = aligned.mean(axis=0)
    variance = ((aligned - mean) ** 2).sum(axis=(0, 2)) / (count * (count - 1))
    typical = variance.mean()
    weights = 1 / (1 + variance / typical) if typical > 0 else np.ones(len(variance))
    weights /= weights.mean()
    return unit(mean), weights, float(np.mean(weights * variance) / variables)


def _signs(directions: np.ndarray) -> np.ndarray:
    """+1 or -1 for each network: the sign with which it rises where the first one does."""
    along = np.einsum("krn,rn->k", directions, directions[0])
    return np.where(along < 0, -1.0, 1.0)
