"""`MonotoneLayer`: phi as a Keras layer, piecewise linear, rising or falling, and trainable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.formulas.monotone_fit import MonotoneFit

DEFAULT_SEGMENTS = 16
# Least slope where the points are flat, as a share of the mean slope: phi stays invertible, and
# training can raise the slope again.
MIN_RELATIVE_SLOPE = 1e-6


@keras.saving.register_keras_serializable(package="keras_symgrad")
class MonotoneLayer(keras.layers.Layer):
    """A monotone function of one variable, linear between its knots.

        phi(g) = start +- sum_i slopes_i * clip(g - knots_i, 0, knots_(i+1) - knots_i)

    The slopes are never negative, during training either, so phi keeps its direction. Beyond the
    outer knots the outer slopes continue. The knots are fixed.

    Args:
        knots: at least two ascending numbers.
        start: phi at the first knot.
        slopes: of the pieces, one fewer than knots, nonnegative; 1 by default.
        rising: whether phi grows with its argument.
        **kwargs: arguments of every Keras layer, such as `name` and `dtype`.

    Input shape:
        `(batch, 1)`, or any other: each number is transformed separately.

    Output shape:
        Same as the input.

    Raises:
        ValueError: the knots do not ascend, or the slopes are negative or of the wrong number.

    Example:

    >>> bent = MonotoneLayer([0.0, 1.0, 2.0], start=5.0, slopes=[1.0, 3.0])
    >>> np.asarray(bent(np.array([[-1.0], [0.5], [2.0], [3.0]]))).ravel().tolist()
    [4.0, 5.5, 9.0, 12.0]
    """

    def __init__(
        self,
        knots: Sequence[float] | np.ndarray,
        start: float = 0.0,
        slopes: Sequence[float] | np.ndarray | None = None,
        rising: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        knots = np.asarray(knots, dtype=float)
        if knots.ndim != 1 or len(knots) < 2 or not np.all(np.diff(knots) > 0):
            raise ValueError(
                f"`knots` are at least two ascending numbers. Received: knots={knots.tolist()}"
            )
        slopes = np.ones(len(knots) - 1) if slopes is None else np.asarray(slopes, dtype=float)
        if slopes.shape != (len(knots) - 1,) or not np.all(slopes >= 0):
            raise ValueError(
                f"`slopes` are {len(knots) - 1} numbers that are not negative, one between each "
                f"two of the {len(knots)} knots. Received: slopes={slopes.tolist()}"
            )
        self.knots, self.rising = tuple(knots.tolist()), bool(rising)
        self._initial = float(start), tuple(slopes.tolist())

    @classmethod
    def through(
        cls,
        g: np.ndarray,
        f: np.ndarray,
        segments: int = DEFAULT_SEGMENTS,
        weights: np.ndarray | None = None,
        **kwargs: Any,
    ) -> MonotoneLayer:
        """Fit a layer to points, by least squares.

        Args:
            g: argument, `(rows,)`. Rows that are not finite are left out.
            f: value there, `(rows,)`.
            segments: number of linear pieces at most; one makes phi a straight line.
            weights: of the rows.
            **kwargs: of the layer, such as `name`.

        Returns:
            The layer, rising or falling as the points do.

        Raises:
            ValueError: g has fewer than two different finite values, or there are no segments.

        Example:

        >>> g = np.linspace(0, 1, 200)
        >>> layer = MonotoneLayer.through(g, np.exp(-3 * g))
        >>> apart = np.asarray(layer(g[:, None]))[:, 0] - np.exp(-3 * g)
        >>> layer.rising, bool(np.abs(apart).max() < 0.01)
        (False, True)
        """
        from scipy.optimize import lsq_linear

        if not isinstance(segments, int) or segments < 1:
            raise ValueError(f"`segments` is a positive integer. Received: segments={segments!r}")
        weights = np.ones(len(g)) if weights is None else weights
        fit = MonotoneFit.through(g, f)
        finite = np.isfinite(g) & np.isfinite(f)
        g, f, root = g[finite], f[finite], np.sqrt(weights[finite])
        knots = _knots(fit, g, segments)
        sign = 1.0 if fit.rising else -1.0
        columns = np.column_stack([np.ones(len(g)), sign * _pieces(g, knots)])
        # Columns of similar size: the solver's tolerances are absolute.
        scale = np.linalg.norm(root[:, None] * columns, axis=0)
        scale[scale == 0] = 1.0
        low = np.array([-np.inf, *np.zeros(len(knots) - 1)])
        solution = lsq_linear(root[:, None] * columns / scale, root * f, (low, np.inf)).x / scale
        slopes = np.maximum(solution[1:], MIN_RELATIVE_SLOPE * max(np.mean(solution[1:]), 1e-30))
        return cls(knots, solution[0], slopes, fit.rising, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights `start` and `slopes`."""
        start, slopes = self._initial
        self.start = self.add_weight(
            name="start", shape=(), initializer=lambda _, dtype: tf.constant(start, dtype)
        )
        self.slopes = self.add_weight(
            name="slopes",
            shape=(len(slopes),),
            initializer=lambda _, dtype: tf.constant(slopes, dtype),
            constraint=keras.constraints.NonNeg(),
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """phi of every number."""
        knots = np.asarray(self.knots)
        # The outer pieces are unbounded, so that phi continues beyond them.
        low = np.array([-np.inf, *np.zeros(len(knots) - 2)])
        high = np.array([*np.diff(knots)[:-1], np.inf])
        steps = inputs[..., None] - tf.constant(knots[:-1], inputs.dtype)
        steps = tf.clip_by_value(
            steps, tf.constant(low, inputs.dtype), tf.constant(high, inputs.dtype)
        )
        slopes = tf.cast(tf.convert_to_tensor(self.slopes), inputs.dtype)
        risen = tf.reduce_sum(steps * slopes, axis=-1)
        start = tf.cast(tf.convert_to_tensor(self.start), inputs.dtype)
        return start + risen if self.rising else start - risen

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the output, equal to that of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Configuration for `from_config`."""
        start, slopes = self._initial
        own = {"knots": list(self.knots), "start": start, "slopes": list(slopes)}
        return {**super().get_config(), **own, "rising": self.rising}


def _pieces(g: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Length of each piece below each number, `(rows, pieces)`."""
    low = np.array([-np.inf, *np.zeros(len(knots) - 2)])
    high = np.array([*np.diff(knots)[:-1], np.inf])
    return np.clip(g[:, None] - knots[:-1], low, high)


def _knots(fit: MonotoneFit, g: np.ndarray, segments: int) -> np.ndarray:
    """Knots where there are many points, and where the fit is steep."""
    low, high = np.min(g), np.max(g)
    grid = np.unique([low, *np.quantile(g, np.linspace(0, 1, 200)), *np.linspace(low, high, 200)])
    heights = np.abs(fit(grid) - fit(grid[:1]))
    rows = np.searchsorted(np.sort(g), grid) / len(g)
    way = (grid - low) / (high - low) + rows + heights / max(heights[-1], 1e-300)
    knots = np.interp(np.linspace(way[0], way[-1], segments + 1), way, grid)
    # In float32 two knots must still be different.
    apart = np.concatenate([[True], np.diff(knots) > 1e-6 * (high - low)])
    knots = knots[apart]
    return knots if len(knots) > 1 else np.array([low, high])
