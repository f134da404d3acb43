"""Detect piecewise-linear networks by the jumps of their gradients."""

from __future__ import annotations

import numpy as np

from keras_symgrad.engine import unit
from keras_symgrad.gradients.smoothing import (
    SMOOTHING_SAMPLES,
    directions,
    informative_rows,
    shape_of,
)
from keras_symgrad.neurons import Neuron

# Step, in standard deviations of the data, for testing whether the gradient changes, and the share
# of a smooth field's change below which it counts as constant. So short a step meets no kink from
# most rows, even for very wide networks.
MAX_TESTED_ROWS = 256
PROBE_STEP = 1e-3
MAX_TURN_WITHOUT_KINK = 0.05


def is_piecewise_constant(neuron: Neuron, x: np.ndarray) -> bool:
    """Return whether a neuron's gradient differs between rows but is constant around each row.

    This holds for ReLU, LeakyReLU, hard sigmoid, max pooling and other piecewise-linear functions.
    A linear neuron has only one gradient, and a smooth one changes its gradient within any step.

    Args:
        neuron: any neuron.
        x: points of shape `(rows, inputs)`.

    Returns:
        True if directions of gradients jump.

    Example:

    >>> import tensorflow as tf
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    >>> is_piecewise_constant(kinked, x)
    True
    >>> is_piecewise_constant(Neuron("smooth", lambda x: x[:, 0] ** 2 + x[:, 1], inputs=2), x)
    False
    """
    if len(x) < 2:
        return False
    neuron, shape = neuron.settle(x), shape_of(x)
    rows = informative_rows(neuron, x, MAX_TESTED_ROWS)
    step = PROBE_STEP * directions(x.shape[1], 2)[:1] @ shape
    here, there = (
        unit(neuron.values_and_gradients(points)[1] @ shape.T) for points in (rows, rows + step)
    )
    steep = here.any(axis=1) & there.any(axis=1)
    if not steep.any():
        return False
    turned = np.linalg.norm(there - here, axis=1)[steep]
    differ = np.linalg.norm(here[steep] - np.roll(here[steep], 1, axis=0), axis=1)
    # Where rows a standard deviation apart differ by d, a smooth field changes by d STEP over the
    # step.
    return bool(np.median(turned) < MAX_TURN_WITHOUT_KINK * PROBE_STEP * np.mean(differ))


def gradient_spread(
    neuron: Neuron,
    points: np.ndarray,
    x: np.ndarray,
    width: float,
    samples: int = SMOOTHING_SAMPLES,
) -> np.ndarray:
    """Scatter of the directions of the raw gradients around each point.

        v = 1 - |mean_i u(x + w S e_i)|^2

    It is 0 where all are parallel; otherwise it is the error of a single direction if the mean is
    correct. `weights_of` converts it to weights of rows.

    Args:
        neuron: the raw one.
        points: `(points, inputs)`, the centres.
        x: points of shape `(rows, inputs)` that give the neighbourhood its shape.
        width: of the neighbourhood, in standard deviations.
        samples: number of directions, even.

    Returns:
        Numbers in [0, 1], one for each point.

    Example:

    >>> import tensorflow as tf
    >>> kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    >>> gradient_spread(kinked, np.array([[0.0, 0.5], [0.6, 0.5]]), x, width=0.2).round(3).tolist()
    [0.5, 0.0]
    """
    shifts = width * directions(x.shape[1], samples) @ shape_of(x)
    mean = sum(unit(neuron.values_and_gradients(points + shift)[1]) for shift in shifts) / samples
    return np.maximum(1 - np.sum(mean**2, axis=1), 0.0)


def weights_of(gradient_spread: np.ndarray) -> np.ndarray:
    """Weights of rows by their spread, with the mean 1.

    The error of a row has a part that is the same for all rows and a part in proportion to its
    spread v. If both are equal on average, the inverse of the variance is

        w = 1 / (1 + v / mean(v))

    Args:
        spread: of the rows, at least 0.

    Returns:
        Weights of the same shape.

    Example:

    >>> weights_of(np.array([0.0, 0.2])).tolist()
    [1.5, 0.5]
    """
    typical = gradient_spread.mean()
    weights = 1 / (1 + gradient_spread / typical) if typical > 0 else np.ones(len(gradient_spread))
    return weights / weights.mean()
