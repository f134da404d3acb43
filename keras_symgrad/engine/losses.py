"""Losses of the angle between unit gradients.

With u the unit gradient of a neuron in a row and U that of a formula, their squared distance is

    d2 = |u - U|^2 = 2 (1 - cos),    0 where they are parallel, 4 where they are opposite

A loss is a function rho of it, one SymPy expression. Its derivative is the weight of the row in a
weighted least-squares problem of the same slope, so a least-squares solver can fit any loss
(iteratively reweighted least squares). Engine, spectral fit and refit take both from here.

All losses are written on one scale: that of the squared distance which, if every row had it, would
give the same mean of rho (a quasi-arithmetic mean).

    L = rho^-1(mean rho(d2)) / axes

It orders formulas as the mean of rho does, is the usual mean of squares for rho = d2, and gives
limits, floors and fronts the same meaning for all losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from keras_symgrad.expressions.codegen import differentiate, numpy_function, tensorflow_function

if TYPE_CHECKING:
    import tensorflow as tf

# Squared distance of opposite unit vectors.
LARGEST = 4.0
# Weights are evaluated between these squared distances: the slope of an angle is unbounded at
# either end. Below a thousandth of a radian every loss is fitted like the squared one.
WEIGHTED_FROM = 1e-6
WEIGHTED_TO = 3.99
# rho is inverted by a table of this many distances, and this many secants between two entries. They
# are 4 % apart.
INVERTED_FROM = 1e-30
TABLE_ROWS = 2000
SECANTS = 8

_D2 = sympy.Symbol("d2", nonnegative=True)


@dataclass(frozen=True)
class Loss:
    """A loss as a function of the squared distance between two unit gradients.

    Args:
        name: name of the loss, for people.
        expression: SymPy expression in one symbol, which stands for the squared distance, from 0
            to 4. It is 0 at 0, finite, and never falls.

    Raises:
        ValueError: the expression does not satisfy this.

    Example: a loss that gives little weight to rows that are more than 6 degrees off.

    >>> d2 = sympy.Symbol("d2")
    >>> bounded = Loss("Geman-McClure", d2 / (d2 + 0.01))
    >>> bounded.of(np.array([0.0, 0.01, 4.0])).round(3).tolist()
    [0.0, 0.5, 0.998]
    >>> bounded.weights(np.array([1e-4, 1.0])).round(2).tolist()
    [98.03, 0.01]

    Reference: Holland and Welsch, Communications in Statistics 6 (1977) 813.
    """

    name: str
    expression: sympy.Expr

    def __post_init__(self) -> None:
        if len(symbols := getattr(self.expression, "free_symbols", ())) == 1:
            # One symbol for all losses, so that equal losses are equal objects.
            expression = self.expression.xreplace(dict.fromkeys(symbols, _D2))
            object.__setattr__(self, "expression", expression)
            distances = np.concatenate([[0.0], np.geomspace(WEIGHTED_FROM, LARGEST, 200)])
            rho, slopes = self.of(distances), self.weights(distances)
            finite = np.isfinite(rho).all() and np.isfinite(slopes).all()
            if finite and abs(rho[0]) < 1e-9 and (np.diff(rho) >= 0).all() and rho[-1] > 0:
                return
        raise ValueError(
            "A loss is a SymPy expression in one symbol, the squared distance of two unit "
            "gradients: 0 at 0, finite and never falling up to 4, such as d2/(d2 + 0.01). "
            f"Received: {self.name}, {self.expression}"
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_squared(self) -> bool:
        """Return whether this is the squared distance itself."""
        return self.expression == _D2

    def of(self, distances: np.ndarray) -> np.ndarray:
        """rho of squared distances, an array of the same shape."""
        distances = np.asarray(distances, np.float64)
        if self.is_squared:
            return distances
        return _numpy_code(self.expression)[0](np.clip(distances, 0, LARGEST))

    def weights(self, distances: np.ndarray) -> np.ndarray:
        """Weights of rows in the least-squares problem that has the slope of this loss, rho'(d2).

        Args:
            distances: squared, of any shape.

        Returns:
            An array of the same shape; ones for the squared loss.
        """
        distances = np.clip(np.asarray(distances, np.float64), WEIGHTED_FROM, WEIGHTED_TO)
        if self.is_squared:
            return np.ones_like(distances)
        return _numpy_code(self.expression)[1](distances)

    def average(self, distances: np.ndarray, rows: np.ndarray | None = None) -> float:
        """The squared distance that, if every row had it, would give the same mean of rho.

        Args:
            distances: squared, `(rows,)`.
            rows: weights of the rows; equal by default.

        Returns:
            A number from 0 to 4; NaN if a distance is NaN.

        Example:

        >>> f"{Loss('distance', sympy.sqrt(_D2)).average(np.array([0.0, 4.0])):.6f}"
        '1.000000'
        """
        return float(self.distance(np.average(self.of(distances), weights=rows)))

    def distance(self, rho: np.ndarray) -> np.ndarray:
        """The squared distances at which rho has given values: the inverse of `of`."""
        rho = np.asarray(rho, np.float64)
        if self.is_squared:
            return rho
        distances, values = _table(self.expression)
        after = np.clip(np.searchsorted(values, rho), 1, len(values) - 1)
        low, high = distances[after - 1], distances[after]
        under, over = values[after - 1] - rho, values[after] - rho
        found, was_below = high, np.full(rho.shape, False)
        for step in range(SECANTS):
            level = over <= under
            share = np.where(level, 1.0, -under / np.where(level, 1.0, over - under))
            found = low + (high - low) * np.clip(share, 0, 1)
            error = self.of(found) - rho
            below = error < 0
            # The Illinois rule: an end that stays twice counts half, or it would stay for ever.
            half = np.where((below == was_below) & (step > 0), 0.5, 1.0)
            low, high = np.where(below, found, low), np.where(below, high, found)
            under, over = np.where(below, error, half * under), np.where(below, half * over, error)
            was_below = below
        return np.where(np.isnan(rho), np.nan, np.where(rho > 0, found, 0.0))

    def code(self, distances: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """rho and the weights of squared distances as TensorFlow operations.

        Args:
            distances: squared; values outside [0, 4] by rounding are clipped.

        Returns:
            Two tensors of the same shape.
        """
        import tensorflow as tf

        rho, weights = _tensorflow_code(self.expression)
        (rho,) = rho(tf.clip_by_value(distances, 0, LARGEST))
        (weights,) = weights(tf.clip_by_value(distances, WEIGHTED_FROM, WEIGHTED_TO))
        return rho, weights


class Huber(Loss):
    """Squared for gradients that are near, linear in the distance for those that are not.

        rho(d2) = d2                     where d <= width
                = 2 width d - width^2    beyond

    Rows beyond the width all pull with the same force.

    Args:
        width: distance up to which the loss is squared, in (0, 2); for near directions it is the
            angle in radians.

    Raises:
        ValueError: `width` is not such a number.

    Example:

    >>> Huber(0.1).of(np.array([0.01, 1.0])).round(6).tolist()
    [0.01, 0.19]

    Reference: Huber, Annals of Mathematical Statistics 35 (1964) 73.
    """

    width: float

    def __init__(self, width: float = 0.1):
        if isinstance(width, bool) or not isinstance(width, (int, float)) or not 0 < width < 2:
            raise ValueError(
                "`width` of `Huber` is a distance of unit vectors, between 0 and 2; 0.1 is an "
                f"angle of 6 degrees. Received: width={width!r}"
            )
        width = float(width)
        beyond = 2 * width * sympy.sqrt(_D2) - width**2
        super().__init__(f"Huber({width})", sympy.Piecewise((_D2, _D2 <= width**2), (beyond, True)))
        object.__setattr__(self, "width", width)

    def distance(self, rho: np.ndarray) -> np.ndarray:
        """The squared distances at which rho has given values, in closed form.

        A search for outlying rows inverts some thousand means one by one.
        """
        rho = np.asarray(rho, np.float64)
        beyond = ((rho + self.width**2) / (2 * self.width)) ** 2
        return np.clip(np.where(rho <= self.width**2, rho, beyond), 0.0, LARGEST)


def as_loss(loss: str | Loss) -> Loss:
    """Convert the name of a loss to a `Loss`.

    Args:
        loss: "squared", "angle", "huber", or a `Loss` such as `Huber(0.05)`.

    Returns:
        The `Loss`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(loss, Loss):
        return loss
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ValueError(
            f"`loss` is one of 'auto', {', '.join(map(repr, LOSSES))}, or a `Loss` such as "
            f"`keras_symgrad.Huber(0.05)`. Received: loss={loss!r}"
        )
    return _shipped(loss)


@lru_cache(maxsize=64)
def _numpy_code(expression: sympy.Expr) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """rho and its derivative."""

    def compiled(one: sympy.Expr) -> Callable[[np.ndarray], np.ndarray]:
        code = numpy_function([one], [_D2])
        return lambda numbers: code(numbers.reshape(-1, 1)).reshape(numbers.shape)

    return compiled(expression), compiled(differentiate(expression, _D2))


@lru_cache(maxsize=64)
def _table(expression: sympy.Expr) -> tuple[np.ndarray, np.ndarray]:
    distances = np.geomspace(INVERTED_FROM, LARGEST, TABLE_ROWS)
    return distances, _numpy_code(expression)[0](distances)


@lru_cache(maxsize=64)
def _tensorflow_code(expression: sympy.Expr) -> tuple[Callable[..., Any], Callable[..., Any]]:
    expressions = expression, differentiate(expression, _D2)
    value, slope = (tensorflow_function([_D2], [one], fast=False) for one in expressions)
    return value, slope


SQUARED = Loss("squared", _D2)
LOSSES = ("squared", "angle", "huber")


@cache
def _shipped(name: str) -> Loss:
    """The loss of a name; those that need code of SymPy are made when they are first asked for."""
    if name == "squared":
        return SQUARED
    if name == "huber":
        return Huber()
    # 2 asin(d/2) is acos(1 - d^2/2), and keeps its digits where the angle is small.
    return Loss("angle", 2 * sympy.asin(sympy.sqrt(_D2) / 2))
