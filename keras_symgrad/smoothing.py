"""Networks whose gradients jump, such as ReLU networks, averaged over a small neighbourhood.

The gradient of a ReLU network is constant within a polytope and jumps from each to the next: no
single one is that of the concept, but their mean over several is near it. So the neuron itself is
averaged. The result is a `Neuron` like any other, and whatever reads neurons reads it.

Measured on twelve ReLU and LeakyReLU networks (systems A1, B, D), averaging lowers the loss of the
true concept from about 1e-3 to 3e-5 (A1), 2e-4 to 4e-4 (B) and 3e-4 to 5e-4 (D).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from keras_symgrad.directions import unit
from keras_symgrad.domain import Domain
from keras_symgrad.neurons import Neuron

# So many directions leave a tenth of the error that the kinks leave; see `choose_width`.
SAMPLES = 64
# Widths to choose from, in standard deviations of the data. Others were never best on 18 networks.
WIDTHS = (0.1, 0.14, 0.2, 0.28)
# Rows that a width is chosen on, and rows that are moved to see whether their gradient does.
CHOOSING_ROWS, TESTED_ROWS = 500, 256
# How far those are moved, in standard deviations, and the share of a smooth field's turn that
# counts as none. Within so short a step most rows meet no kink, be the network ever so wide.
STEP, NO_TURN = 1e-3, 0.05


def smoothed(
    neuron: Neuron, x: np.ndarray, width: float | None = None, samples: int = SAMPLES
) -> Neuron:
    """A neuron averaged over a neighbourhood that has the shape of the data.

        f_w(x) = mean_i f(x + w S e_i)        grad f_w(x) = mean_i grad f(x + w S e_i)

    S is the square root of the data's covariance, and the e_i are the same for all x, so that f_w
    is a function and its gradient the gradient of a function. They come in pairs e and -e, so that
    the average of a linear field is exact. A column of few distinct values is not moved.

    Args:
        neuron: whose gradients jump.
        x: points of shape `(rows, inputs)` from where the model was trained.
        width: w, in standard deviations of the data; `choose_width` by default.
        samples: number of e_i, even.

    Returns:
        A `Neuron` that takes `samples` times as long.

    Raises:
        ValueError: `width` or `samples` is not a positive number, or `samples` is odd.

    Example:

    >>> kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    >>> smooth = smoothed(kinked, x, width=0.2)
    >>> gradients = smooth.values_and_gradients(np.array([[0.0, 0.5], [0.6, 0.5]]))[1]
    >>> np.abs(gradients).round(3).tolist()
    [[0.0, 1.0], [1.0, 1.0]]

    Reference: Smilkov et al., SmoothGrad, arXiv 1706.03825.
    """
    neuron = neuron.settle(x)
    width = choose_width(neuron, x, samples) if width is None else width
    if not width > 0:
        raise ValueError(f"`width` is a positive number or None. Received: width={width!r}")
    shifts = tf.constant(width * directions(x.shape[1], samples) @ _shape(x), neuron.dtype)

    def mean(points: tf.Tensor) -> tf.Tensor:
        centre = tf.stop_gradient(points)

        def add(sums: tuple[tf.Tensor, tf.Tensor], shift: tf.Tensor) -> tuple:
            moved = centre + shift
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(moved)
                value = neuron(moved)
            gradient = tape.gradient(value, moved, unconnected_gradients="zero")
            return sums[0] + value, sums[1] + gradient

        # One direction after the other, differentiated at once: a tape over all of them would hold
        # `samples` times the network's activations.
        sums = tf.zeros_like(centre[:, 0]), tf.zeros_like(centre)
        value, gradient = tf.foldl(add, shifts, sums, parallel_iterations=1)
        value, gradient = tf.stop_gradient(value) / samples, tf.stop_gradient(gradient) / samples
        # Has this value, and this gradient.
        return value + tf.reduce_sum((points - centre) * gradient, axis=1)

    return replace(neuron, name=f"{neuron.name}, width {width:.2g}", function=mean)


def choose_width(neuron: Neuron, x: np.ndarray, samples: int = SAMPLES) -> float:
    """The width at which kinks are averaged out and the concept is not yet.

    With u_w the directions of the averaged gradient, each width is compared with a wider one:

        D(w) = mean |u_{sqrt(2) w} - u_w|^2,        w = argmin D(w) / w

    D has two parts, v of the kinks that are averaged away and b of the concept that is distorted.
    As distortion grows like w^2 and its square like w^4, widening by sqrt(2) lowers the squared
    error by v and raises it by 3 b: it is least where v = 3 b. There, with v the same for all
    widths, D grows like w; for narrower ones more slowly and for wider ones faster.

    Measured on 18 networks (A1, B, D and three regressors, ReLU and LeakyReLU, 24 to 256 wide), the
    loss of the truth at this width is at most 1.6 times that at the best of all widths, and 1.1
    times in the middle. The best width was 0.14 to 0.28 for all of them.

    Args:
        neuron: whose gradients jump.
        x: points of shape `(rows, inputs)`. Those nearest to the decision boundary are used.
        samples: directions that are averaged over, even.

    Returns:
        A width of `WIDTHS`, in standard deviations of the data.

    Raises:
        ValueError: `samples` is not an even number.
    """
    neuron, shape = neuron.settle(x), _shape(x)
    rows, shifts = _rows(neuron, x), directions(x.shape[1], samples) @ shape

    def field(width: float) -> np.ndarray:
        return unit(_mean_gradients(neuron, rows, width * shifts) @ shape)

    fields = [field(width) for width in (*WIDTHS, np.sqrt(2) * WIDTHS[-1])]
    changes = [np.mean((wider - narrow) ** 2) for narrow, wider in zip(fields, fields[1:])]
    return WIDTHS[int(np.argmin(np.divide(changes, WIDTHS)))]


def is_piecewise_constant(neuron: Neuron, x: np.ndarray) -> bool:
    """Whether a neuron's gradient differs from row to row and yet stands still around each.

    It does so for ReLU, LeakyReLU, hard sigmoid, max pooling and what else is linear in pieces. A
    linear neuron has one gradient only, and a smooth one turns its gradient within any step.

    Args:
        neuron: any neuron.
        x: points of shape `(rows, inputs)`.

    Returns:
        True if directions of gradients jump.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    >>> is_piecewise_constant(kinked, x)
    True
    >>> is_piecewise_constant(Neuron("smooth", lambda x: x[:, 0] ** 2 + x[:, 1], inputs=2), x)
    False
    """
    neuron, shape = neuron.settle(x), _shape(x)
    rows = _rows(neuron, x, TESTED_ROWS)
    step = STEP * directions(x.shape[1], 2)[:1] @ shape
    here, there = (
        unit(neuron.values_and_gradients(points)[1] @ shape) for points in (rows, rows + step)
    )
    steep = here.any(axis=1) & there.any(axis=1)
    if not steep.any():
        return False
    turned = np.linalg.norm(there - here, axis=1)[steep]
    differ = np.linalg.norm(here[steep] - np.roll(here[steep], 1, axis=0), axis=1)
    # Where rows a standard deviation apart differ by d, a smooth field turns by d STEP on the way.
    return bool(np.median(turned) < NO_TURN * STEP * np.mean(differ))


def spread(
    neuron: Neuron, points: np.ndarray, x: np.ndarray, width: float, samples: int = SAMPLES
) -> np.ndarray:
    """How much the directions of the raw gradients scatter around each point.

        v = 1 - |mean_i u(x + w S e_i)|^2

    It is 0 where all are parallel, and the error that one of them would have if the mean were
    right. Of `weights_of` it makes weights of rows.

    Args:
        neuron: the raw one.
        points: `(points, inputs)` to look around.
        x: points of shape `(rows, inputs)` that give the neighbourhood its shape.
        width: of the neighbourhood, in standard deviations.
        samples: directions that are looked in, even.

    Returns:
        Numbers in [0, 1], one for each point.

    Example:

    >>> kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    >>> spread(kinked, np.array([[0.0, 0.5], [0.6, 0.5]]), x, width=0.2).round(3).tolist()
    [0.5, 0.0]
    """
    shifts = width * directions(x.shape[1], samples) @ _shape(x)
    mean = sum(unit(neuron.values_and_gradients(points + shift)[1]) for shift in shifts) / samples
    return np.maximum(1 - np.sum(mean**2, axis=1), 0.0)


def weights_of(spread: np.ndarray) -> np.ndarray:
    """Weights of rows by their spread, with the mean 1.

    The error of a row has a part that all rows have alike and one in proportion to its spread v. If
    both are equal on average, the inverse of the variance is

        w = 1 / (1 + v / mean(v))

    Args:
        spread: of the rows, at least 0.

    Returns:
        Weights of the same shape.

    Example:

    >>> weights_of(np.array([0.0, 0.2])).tolist()
    [1.5, 0.5]
    """
    typical = spread.mean()
    weights = 1 / (1 + spread / typical) if typical > 0 else np.ones(len(spread))
    return weights / weights.mean()


def directions(inputs: int, samples: int = SAMPLES) -> np.ndarray:
    """Standard normal vectors in pairs e and -e, evenly spread.

    Args:
        inputs: number of columns.
        samples: number of vectors, even.

    Returns:
        Always the same array for the same arguments, `(samples, inputs)`.

    Raises:
        ValueError: `samples` is not an even number of at least 2.
    """
    from scipy.stats import norm, qmc

    if samples < 2 or samples % 2:
        raise ValueError(
            "`samples` is an even number, for directions come in pairs. "
            f"Received: samples={samples!r}"
        )
    # All points of Sobol's sequence that a power of two has, though only some may be taken.
    points = qmc.Sobol(inputs, rng=0).random_base2(int(np.ceil(np.log2(samples // 2))))
    half = norm.ppf(points[: samples // 2])
    return np.concatenate([half, -half])


def _shape(x: np.ndarray) -> np.ndarray:
    """The square root of the data's covariance, without outliers, `(inputs, inputs)`.

    Data on a plane are moved within the plane. A few far rows must not widen it.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    off = np.abs(x - np.median(x, axis=0))
    typical = 1.4826 * np.median(off, axis=0)
    near = x[np.all(off <= np.where(typical > 0, 3 * typical, np.inf), axis=1)]
    covariance = np.cov(near if len(near) > x.shape[1] else x, rowvar=False)
    variances, axes = np.linalg.eigh(np.atleast_2d(covariance))
    root = (axes * np.sqrt(np.maximum(variances, 0))) @ axes.T
    root[:, Domain(x).discrete] = 0
    return root


def _rows(neuron: Neuron, x: np.ndarray, rows: int = CHOOSING_ROWS) -> np.ndarray:
    """Rows that tell of the concept: of a classifier those next to the boundary, else any."""
    x = x[np.isfinite(x).all(axis=1)]
    if not neuron.is_classifier:
        return x[:: -(-len(x) // rows)]
    return x[np.argsort(np.abs(neuron.values_and_gradients(x)[0]), kind="stable")[:rows]]


def _mean_gradients(neuron: Neuron, points: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    return sum(neuron.values_and_gradients(points + shift)[1] for shift in shifts) / len(shifts)
