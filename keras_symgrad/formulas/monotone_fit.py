"""Fit phi, the monotone function in f = phi(g), to points.

A penalized spline (P. Eilers and B. Marx, "Flexible smoothing with B-splines and penalties", 1996)
of straight pieces h(g) minimizes

    sum_i (f_i - h(g_i))^2 + lambda * integral h''^2,

lambda by generalized cross-validation, and its heights at the knots are made monotone. Isotonic
regression has as many degrees of freedom as it has levels (M. Meyer and M. Woodroofe, "On the
degrees of freedom in shape-restricted regression", 2000), so both can be compared. SciPy's
smoothing spline takes twenty times as long, and phi is fitted to thousands of formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from keras_symgrad.files import Record

# Knots of the spline where the rows are, and rows for each; half as many follow evenly, for where
# rows are far apart.
MOST_KNOTS = 24
ROWS_PER_KNOT = 6
# Knots of isotonic regression.
STEP_KNOTS = 64
# Values of g that are a few levels, each with rows of its own, are not smoothed.
FEW_LEVELS = 12
# The weights of the penalty that are tried, for g of range 1, for each row.
PENALTIES = np.logspace(-7, 4, 23)
# What a degree of freedom counts in cross-validation: at 1 the fit follows noise now and then.
CAUTION = 1.4
# The spline goes on in its last slopes for this share of its range.
BEYOND = 0.25
# A spline that uses more than this share of its degrees of freedom may try to be a step.
MANY_DEGREES = 0.4
# What isotonic regression may promise of the spline's error, to be preferred.
CLEARLY = 0.97
# Distance of two knots, as a share of the range, below which they are one; and below which knots of
# isotonic regression are one, of their own size.
CLOSE = 1e-6
ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class MonotoneFit:
    """A monotone function of one variable, fitted to points.

    Between its knots it is a monotone cubic; beyond them it is constant.

    Attributes:
        knots: ascending values of the concept g, `(knots,)`.
        values: the neuron's value at the knots, ascending or descending.
        r2: share of the variance of the neuron's value that it explains, at most 1.

    Example:

    >>> g = np.linspace(0, 2, 500)
    >>> phi = MonotoneFit.through(g, np.tanh(3 * (g - 1)))
    >>> f"{phi.preimage(0.0):.2f} {phi.r2:.3f}"
    '1.00 1.000'
    """

    knots: np.ndarray
    values: np.ndarray
    r2: float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MonotoneFit):
            return NotImplemented
        arrays = np.array_equal(self.knots, other.knots) and np.array_equal(
            self.values, other.values
        )
        return arrays and self.r2 == other.r2

    def __hash__(self) -> int:
        return hash((self.knots.tobytes(), self.values.tobytes()))

    @classmethod
    def through(cls, g: np.ndarray, f: np.ndarray) -> MonotoneFit:
        """The best monotone fit of f against g, rising or falling, by isotonic regression.

        It follows the points closely, so it is for many of them, nearly without noise.

        Args:
            g: values of the concept, `(rows,)`. Rows that are not finite are left out.
            f: values of the neuron, `(rows,)`.

        Returns:
            The fit.

        Raises:
            ValueError: g has fewer than two different finite values.
        """
        rows = _SortedRows.of(g, f)
        steps, regression = _isotonic(rows)
        return cls(steps.knots, steps.heights, rows.explained(regression))

    @classmethod
    def smooth(cls, g: np.ndarray, f: np.ndarray, zero: float | None = None) -> MonotoneFit:
        """The monotone fit of f against g that promises least error on other rows.

        It is a smoothing spline made monotone, which goes on in its last slope for a quarter of its
        range, or isotonic regression where that promises less error: at steps. It is for few rows,
        and for formulas that say a part of what the neuron computes.

        Args:
            g: values of the concept, `(rows,)`. Rows that are not finite are left out.
            f: values of the neuron, `(rows,)`.
            zero: g where the fit is to be zero, whatever the values say; it rises there.

        Returns:
            The fit.

        Raises:
            ValueError: g has fewer than two different finite values.
        """
        rows = _SortedRows.of(g, f, None if zero is None else 1)
        curve = _smoothing_spline(rows)
        if curve is None or curve.bends:
            steps, _ = _isotonic(rows)
            if curve is None or steps.promised_error(rows) < CLEARLY * curve.promised_error(rows):
                curve = steps
        knots, heights = curve.knots, curve.heights
        if zero is not None:
            below, apart = knots < zero, knots != zero
            heights = np.where(below, np.minimum(heights, 0), np.maximum(heights, 0))
            first = int(np.sum(below))
            knots = np.insert(knots[apart], first, zero)
            heights = np.insert(heights[apart], first, 0.0)
        fit = cls(knots, heights, 1.0)
        return replace(fit, r2=rows.explained(fit(rows.g)))

    @classmethod
    def of_neuron(cls, g: np.ndarray, f: np.ndarray, *, decides: bool) -> MonotoneFit:
        """Phi of a neuron whose gradients were read at many points.

        That of a decision follows the points, as smoothing would move the level of the concept
        where the network changes its mind. That of a value is asked at other rows.

        Args:
            g: values of the concept, `(rows,)`.
            f: values of the neuron, `(rows,)`.
            decides: whether they are scores of a decision.

        Raises:
            ValueError: g has fewer than two different finite values.
        """
        return cls.through(g, f) if decides else cls.smooth(g, f)

    def of_multiple(self, factor: float) -> MonotoneFit:
        """The same fit against a multiple of the concept.

        Args:
            factor: positive.
        """
        return replace(self, knots=factor * self.knots)

    def to_dict(self) -> dict[str, Any]:
        """Knots, values and R2 as plain data."""
        return {"knots": self.knots.tolist(), "values": self.values.tolist(), "r2": self.r2}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> MonotoneFit:
        """Read a fit from the plain data of `to_dict`.

        Args:
            content: the data.

        Raises:
            ValueError: they are not a monotone function.
        """
        record = Record.of(content)
        knots, values = (np.array(record.numbers(name)) for name in ("knots", "values"))
        steps = np.diff(values)
        monotone = len(knots) == len(values) > 0 and (np.diff(knots) > 0).all()
        if not monotone or not ((steps >= 0).all() or (steps <= 0).all()):
            raise record.refused("knots", "ascending knots with a monotone value each")
        return cls(knots, values, record.number("r2", math.nan))

    @property
    def rising(self) -> bool:
        """True if the neuron grows with the concept."""
        return bool(self.values[-1] >= self.values[0])

    def __call__(self, g: np.ndarray) -> np.ndarray:
        """phi(g), `(rows,)`."""
        if len(self.knots) < 2:
            return np.full(np.shape(g), self.values[0])
        return self._cubic(np.clip(g, self.knots[0], self.knots[-1]))

    @cached_property
    def _cubic(self) -> Callable[[np.ndarray], np.ndarray]:
        from scipy.interpolate import PchipInterpolator

        return PchipInterpolator(self.knots, self.values)

    def preimage(self, value: float) -> float | None:
        """The g with phi(g) = value, or `None` where phi does not take that value."""
        low, high = sorted((self.values[0], self.values[-1]))
        if not low <= value <= high:
            return None
        order = slice(None) if self.rising else slice(None, None, -1)
        return float(np.interp(value, self.values[order], self.knots[order]))


@dataclass(frozen=True, eq=False)
class _SortedRows:
    """Points by ascending g.

    Attributes:
        g: ascending, `(rows,)`.
        f: `(rows,)`.
        levels: the different values of g.
        sign: 1 where a monotone fit rises, -1 where it falls.
    """

    g: np.ndarray
    f: np.ndarray
    levels: np.ndarray
    sign: int

    @classmethod
    def of(cls, g: np.ndarray, f: np.ndarray, sign: int | None = None) -> _SortedRows:
        """The rows that are finite; without a sign that of Spearman's correlation."""
        from scipy.stats import rankdata

        finite = np.isfinite(g) & np.isfinite(f)
        order = np.argsort(g[finite], kind="stable")
        g, f = g[finite][order], f[finite][order]
        levels = np.unique(g)
        if len(levels) < 2:
            raise ValueError(
                "A monotone fit needs at least two different finite values of the formula. "
                f"Received: {len(levels)} in {len(f)} finite rows"
            )
        if sign is None:
            first, last = (np.searchsorted(g, g, side) for side in ("left", "right"))
            sign = 1 if (first + last - len(g)) @ rankdata(f) >= 0 else -1
        return cls(g, f, levels, sign)

    def explained(self, found: np.ndarray) -> float:
        """The share of the variance of f that values for all rows explain."""
        variance = float(np.var(self.f))
        return 1 - float(np.mean((self.f - found) ** 2)) / variance if variance > 0 else 1.0


@dataclass(frozen=True, eq=False)
class _Curve:
    """Heights of a monotone fit at knots.

    Attributes:
        knots: ascending.
        heights: ascending or descending.
        degrees: of freedom.
        bends: whether it may be the spline of a step.
    """

    knots: np.ndarray
    heights: np.ndarray
    degrees: float
    bends: bool = False

    def promised_error(self, rows: _SortedRows) -> float:
        """Mean square error on other rows, by generalized cross-validation."""
        left = rows.f - MonotoneFit(self.knots, self.heights, 1.0)(rows.g)
        free = max(len(rows.f) - CAUTION * self.degrees, 1.0)
        return float(left @ left) * len(rows.f) / free**2


def _isotonic(rows: _SortedRows) -> tuple[_Curve, np.ndarray]:
    """Isotonic regression as means over equal shares of the rows, and at all rows."""
    from scipy.optimize import isotonic_regression

    # Rows with the same g are one point, at their mean: phi is a function of g.
    g, place, counts = np.unique(rows.g, return_inverse=True, return_counts=True)
    means = np.bincount(place, rows.f) / counts
    smooth = isotonic_regression(means, weights=counts, increasing=rows.sign > 0).x
    # Means over equal shares of the rows: knots where the data are, without duplicates.
    shares = np.minimum((np.cumsum(counts) - 1) * STEP_KNOTS // len(rows.f), STEP_KNOTS - 1)
    _, first = np.unique(shares, return_index=True)
    size = np.add.reduceat(counts, first)
    positions = np.add.reduceat(counts * g, first) / size
    heights = np.add.reduceat(counts * smooth, first) / size
    # Rounding must not make a flat part decrease.
    heights = rows.sign * np.maximum.accumulate(rows.sign * heights)
    # Nor must it join knots: g may vary by its rounding errors only.
    kept = np.diff(positions, prepend=-np.inf) > ROUNDING * np.abs(positions)
    return _Curve(positions[kept], heights[kept], len(np.unique(heights))), smooth[place]


def _smoothing_spline(rows: _SortedRows) -> _Curve | None:
    """A smoothing spline made monotone; `None` of few levels of g."""
    from scipy.linalg import eigh
    from scipy.optimize import isotonic_regression

    g, total = rows.g, len(rows.g)
    knots, is_close = _spline_knots(g)
    few = len(rows.levels) <= FEW_LEVELS and total >= ROWS_PER_KNOT * len(rows.levels)
    if few or len(knots) < 3:
        return None
    # Each row has weights at the two knots around it.
    left = np.clip(np.searchsorted(knots, g, side="right") - 1, 0, len(knots) - 2)
    upper = (g - knots[left]) / (knots[left + 1] - knots[left])
    lower, size = 1 - upper, len(knots)
    mean = rows.f.mean()
    f = rows.f - mean

    def at_knots(of_lower: np.ndarray, of_upper: np.ndarray) -> np.ndarray:
        return np.bincount(left, of_lower, size) + np.bincount(left + 1, of_upper, size)

    diagonal, beside = at_knots(lower**2, upper**2), np.bincount(left, lower * upper, size)[:-1]
    # Knots without rows around them follow from the penalty alone.
    normal = np.diag(diagonal + 1e-9 * total / size) + np.diag(beside, 1) + np.diag(beside, -1)
    penalty = _curvature(np.diff(knots) / (knots[-1] - knots[0]))
    values, vectors = eigh(penalty, normal)
    moments = vectors.T @ at_knots(lower * f, upper * f)
    shrunk = 1 / (1 + np.outer(total * PENALTIES, np.maximum(values, 0)))
    squares = float(f @ f)
    errors = np.maximum(squares - (2 * shrunk - shrunk**2) @ moments**2, 1e-12 * squares)
    degrees = shrunk.sum(axis=1)
    promised = errors / np.maximum(total - CAUTION * degrees, 1) ** 2
    # The straightest of equals.
    best = len(PENALTIES) - 1 - int(np.argmin(promised[::-1]))
    heights = mean + vectors @ (shrunk[best] * moments)
    weights = np.maximum(diagonal, 1e-9)
    heights = isotonic_regression(heights, weights=weights, increasing=rows.sign > 0).x
    reach = BEYOND * (knots[-1] - knots[0])
    slopes = np.diff(heights) / np.diff(knots)
    return _Curve(
        np.concatenate([[knots[0] - reach], knots, [knots[-1] + reach]]),
        np.concatenate(
            [[heights[0] - reach * slopes[0]], heights, [heights[-1] + reach * slopes[-1]]]
        ),
        float(degrees[best]),
        bends=is_close or float(degrees[best]) > MANY_DEGREES * size,
    )


def _spline_knots(g: np.ndarray) -> tuple[np.ndarray, bool]:
    """Knots for ascending values, and whether some were too close to be two."""
    number = int(np.clip(len(g) // ROWS_PER_KNOT, 3, MOST_KNOTS))
    places = np.round(np.linspace(0, len(g) - 1, number)).astype(int)
    even = np.linspace(g[0], g[-1], number // 2 + 2)
    knots = np.unique(np.concatenate([g[places], even]))
    range_ = knots[-1] - knots[0]
    if not range_ > ROUNDING * np.abs(knots).max():
        return knots[:1], True
    kept = np.diff(knots, prepend=-np.inf) > CLOSE * range_
    return knots[kept], not kept.all()


def _curvature(widths: np.ndarray) -> np.ndarray:
    """The integral of the square of second derivatives, as a quadratic form of heights at knots."""
    inner = len(widths) - 1
    rows, second = np.arange(inner), np.zeros((inner, inner + 2))
    second[rows, rows] = 1 / widths[:-1]
    second[rows, rows + 1] = -1 / widths[:-1] - 1 / widths[1:]
    second[rows, rows + 2] = 1 / widths[1:]
    second /= np.sqrt((widths[:-1] + widths[1:]) / 2)[:, None]
    return second.T @ second
