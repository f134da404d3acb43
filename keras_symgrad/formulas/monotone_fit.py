"""Fit phi, the monotone function in f = phi(g), by isotonic regression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_symgrad.files import Record

# Relative distance below which two knots are one.
ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class MonotoneFit:
    """A monotone function of one variable, fitted by isotonic regression.

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
    def through(
        cls, g: np.ndarray, f: np.ndarray, knots: int = 64, zero: float | None = None
    ) -> MonotoneFit:
        """The best monotone fit of f against g, rising or falling.

        Args:
            g: values of the concept, `(rows,)`. Rows that are not finite are left out.
            f: values of the neuron, `(rows,)`.
            knots: largest number of knots.
            zero: g where the fit is to be zero, whatever the values say; it rises there.

        Returns:
            The fit.

        Raises:
            ValueError: g has fewer than two different finite values.
        """
        from scipy.optimize import isotonic_regression
        from scipy.stats import rankdata

        finite = np.isfinite(g) & np.isfinite(f)
        f = f[finite]
        # Rows with the same g are one point, at their mean: phi is a function of g.
        g, place, counts = np.unique(g[finite], return_inverse=True, return_counts=True)
        if len(g) < 2:
            raise ValueError(
                "A monotone fit needs at least two different finite values of the formula. "
                f"Received: {len(g)} in {len(f)} finite rows"
            )
        # The sign of Spearman's correlation; g is ranked already.
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[place] - (len(f) + 1) / 2
        rising = bool(ranks @ rankdata(f) >= 0)
        means = np.bincount(place, f) / counts
        smooth = isotonic_regression(means, weights=counts, increasing=rising).x
        # Means over equal shares of the rows: knots where the data are, without duplicates.
        shares = np.minimum((np.cumsum(counts) - 1) * knots // len(f), knots - 1)
        _, first = np.unique(shares, return_index=True)
        size = np.add.reduceat(counts, first)
        positions = np.add.reduceat(counts * g, first) / size
        heights = np.add.reduceat(counts * smooth, first) / size
        # Rounding must not make a flat part decrease.
        heights = (np.maximum if rising else np.minimum).accumulate(heights)
        # Nor must it join knots: g may vary by its rounding errors only.
        kept = np.diff(positions, prepend=-np.inf) > ROUNDING * np.abs(positions)
        positions, heights = positions[kept], heights[kept]
        if zero is not None:
            below = positions < zero
            heights = np.where(below, np.minimum(heights, 0), np.maximum(heights, 0))
            apart = positions != zero
            first = int(np.sum(positions[apart] < zero))
            positions = np.insert(positions[apart], first, zero)
            heights = np.insert(heights[apart], first, 0.0)
            smooth = cls(positions, heights, 1.0)(g)
        variance = float(np.var(f))
        residual = float(np.mean((f - smooth[place]) ** 2))
        r2 = 1 - residual / variance if variance > 0 else 1.0
        return cls(positions, heights, r2)

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
        from scipy.interpolate import PchipInterpolator

        g = np.clip(g, self.knots[0], self.knots[-1])
        if len(self.knots) < 2:
            return np.full(np.shape(g), self.values[0])
        return PchipInterpolator(self.knots, self.values)(g)

    def preimage(self, value: float) -> float | None:
        """The g with phi(g) = value, or `None` where phi does not take that value."""
        low, high = sorted((self.values[0], self.values[-1]))
        if not low <= value <= high:
            return None
        order = slice(None) if self.rising else slice(None, None, -1)
        return float(np.interp(value, self.values[order], self.knots[order]))
