"""The neighbourhood of a point: directions to look in, in the shape of the data."""

from __future__ import annotations

import numpy as np

from keras_symgrad.domain import MUCH_WIDER, Domain
from keras_symgrad.neurons import Neuron

# So many directions leave a tenth of the error that the kinks of a network leave.
SAMPLES = 64


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


def shape_of(x: np.ndarray) -> np.ndarray:
    """The square root of the data's covariance: what makes a ball a neighbourhood.

    Data on a plane are moved within the plane, and a column of few distinct values is not moved.
    Rows that are far out, by three standard deviations of the middle ones, do not count.

    Args:
        x: points of shape `(rows, inputs)`; those that are not finite do not count either.

    Returns:
        A matrix S, `(inputs, inputs)`: steps are e S for e in a ball, and the slopes along them
        S grad f. It is symmetric but for columns that are not moved; where one column is
        thousands of times as wide as another, the root is taken in units of their widths, of
        which rounding would else leave the wide ones alone.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x[np.isfinite(x).all(axis=1)]
    off = np.abs(x - np.median(x, axis=0))
    typical = 1.4826 * np.median(off, axis=0)
    near = x[np.all(off <= np.where(typical > 0, 3 * typical, np.inf), axis=1)]
    near = near if len(near) > x.shape[1] else x
    widths = near.std(axis=0)
    varies = widths > 0
    alike = not varies.any() or widths[varies].max() < MUCH_WIDER * widths[varies].min()
    units = np.ones(x.shape[1]) if alike else np.where(varies, widths, 1.0)
    covariance = np.cov(near if alike else near / units, rowvar=False)
    variances, axes = np.linalg.eigh(np.atleast_2d(covariance))
    root = (axes * np.sqrt(np.maximum(variances, 0))) @ axes.T * units
    root[:, Domain(x).discrete] = 0
    return root


def telling_rows(neuron: Neuron, x: np.ndarray, rows: int) -> np.ndarray:
    """Rows that tell of a neuron's concept: of a classifier those next to its boundary.

    Args:
        neuron: whose gradients are to be read.
        x: points of shape `(rows, inputs)`.
        rows: number wanted.

    Returns:
        At most so many rows of `x`.
    """
    x = x[np.isfinite(x).all(axis=1)]
    if not neuron.is_classifier:
        return x[:: -(-len(x) // rows)]
    return x[np.argsort(np.abs(neuron.values(x)), kind="stable")[:rows]]
