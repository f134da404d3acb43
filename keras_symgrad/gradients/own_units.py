"""Rescale variables whose numbers are too large, too small or too far from zero.

Squares of a column around 1e30 overflow float32, and those of one around 1e-30 vanish; for a column
that varies by 1 around 1e6, float32 has three digits left, and x, x**2 and log(x) are
indistinguishable from a straight line. Such columns are searched in

    z = (x - offset) / scale

with round numbers for offset and scale, so that a formula in z can be read as one in x. The
gradients with respect to z are those with respect to x, times the scale, which changes only the
frame: directions stay the same. All other columns stay unchanged, to the last digit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.files import listed_names

if TYPE_CHECKING:
    from keras_symgrad.gradients.field import Field

    AnyField = TypeVar("AnyField", bound=Field)

# Columns narrower or wider than these get a scale.
NARROWEST = 1e-4
WIDEST = 1e4
# Columns whose middle is this many widths away from zero get an offset. For a network's gradients,
# fifty: there x**2, log(x) and 1/x deviate from a line by a hundredth of their rise, which no
# network resolves, and no sum of them represents (x - offset)**2 well. Gradients from elsewhere may
# be exact.
FARTHEST_OF_NETWORK = 50.0
MAX_OFFSET_IN_WIDTHS = 1e3
# Offsets are round numbers within this many widths of the middle.
NEAR_MIDDLE = 1.6
# The share of the rows, at each end, that is ignored for a column's width.
OUTLYING = 0.01
# Columns whose scales differ by at most this many powers of ten get a common scale: most likely
# they are given in the same unit.
SHARED_POWERS = 3
# Largest power of ten whose scale and inverse are doubles.
LARGEST_POWER = 300
# Largest offset that stays a whole number: a double holds it exactly.
LARGEST_WHOLE = 2**53


@dataclass(frozen=True)
class OwnUnits:
    """z = (x - offset) / scale for some of the variables.

    Args:
        names: of all variables, one for each column.
        units: offset and scale by the name of a variable; the others stay as they are.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (1000, 3)) * [1.0, 1e-9, 1.0] + [0.0, 0.0, 1e6]
    >>> own = OwnUnits.of(x, ["a", "b", "c"])
    >>> own.units
    {'b': (0.0, 1e-09), 'c': (1000000.0, 1.0)}
    >>> a, b, c = sympy.symbols("a b c", real=True)
    >>> own.in_users(a * b + c**2)
    1000000000.0*a*b + (c - 1000000)**2
    """

    names: tuple[str, ...]
    units: Mapping[str, tuple[float, float]]

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        names: Collection[str],
        *,
        kept: Collection[str] = (),
        shifts: bool = True,
        farthest: float = MAX_OFFSET_IN_WIDTHS,
    ) -> OwnUnits | None:
        """Choose units for columns of data that need them.

        Args:
            points: finite, `(rows, variables)`.
            names: of the variables.
            kept: variables that are never rescaled.
            shifts: whether offsets are allowed.
            farthest: largest distance of a column's middle from zero without an offset, in widths.

        Returns:
            The units, or `None` where no column needs any.
        """
        low, middle, high = np.quantile(points, (OUTLYING, 0.5, 1 - OUTLYING), axis=0)
        # A column of few ones among zeros is as wide as any other of zeros and ones.
        width = np.where(high > low, high - low, np.ptp(points, axis=0))
        offsets, powers = np.zeros(len(width)), {}
        for k, name in enumerate(names):
            if name in kept or not 0 < width[k] < np.inf:
                continue
            if shifts and abs(middle[k]) > farthest * width[k]:
                near = NEAR_MIDDLE * width[k]
                offsets[k] = roundest(middle[k] - near, middle[k] + near)
            if not NARROWEST <= width[k] <= WIDEST:
                power = int(np.round(np.log10(width[k] / 2)))
                powers[k] = int(np.clip(power, -LARGEST_POWER, LARGEST_POWER))
        powers = _shared(powers)
        units = {
            name: (float(offsets[k]), float(f"1e{powers.get(k, 0)}"))
            for k, name in enumerate(names)
            if offsets[k] or k in powers
        }
        return cls(tuple(names), units) if units else None

    @cached_property
    def offsets(self) -> np.ndarray:
        """Offsets of all variables, `(variables,)`."""
        return np.array([self.units.get(name, (0.0, 1.0))[0] for name in self.names])

    @cached_property
    def scales(self) -> np.ndarray:
        """Scales of all variables, `(variables,)`."""
        return np.array([self.units.get(name, (0.0, 1.0))[1] for name in self.names])

    @property
    def zeros(self) -> dict[sympy.Symbol, sympy.Number]:
        """The k with x = scale (z + k), for the variables z that have an offset."""
        return {
            symbol(name): _offset(float(f"{offset / scale:.15g}"))
            for name, (offset, scale) in self.units.items()
            if offset
        }

    def points(self, x: np.ndarray) -> np.ndarray:
        """Convert points to rescaled variables, `(rows, variables)`."""
        return (np.asarray(x, dtype=np.float64) - self.offsets) / self.scales

    def field(self, field: AnyField, dtype: str = "float64") -> AnyField:
        """Convert a field of gradients to rescaled variables; its directions are the same.

        Args:
            field: in the user's units, of these variables.
            dtype: in which the network received the points: around 1e6 float32 resolves sixteenths.
        """
        seen = np.where(self.offsets != 0, field.points.astype(dtype), field.points)
        frame = field.frame
        if (self.scales != 1).any():
            frame = (np.eye(field.variables) if frame is None else frame) / self.scales
            # A factor of the whole frame does not change directions.
            frame /= np.abs(frame).max()
        return replace(field, points=self.points(seen), frame=frame)

    def in_users(self, expression: sympy.Expr) -> sympy.Expr:
        """Convert an expression in rescaled variables to the user's units, with the same values."""
        users = {}
        for name, (offset, scale) in self.units.items():
            shifted = symbol(name) - _offset(offset)
            # SymPy would expand brackets, and lose digits.
            factor = _factor(_inverse(scale))
            users[symbol(name)] = (
                shifted if factor == 1 else sympy.Mul(factor, shifted, evaluate=False)
            )
        return expression.xreplace(users)

    def in_own(self, expression: sympy.Expr) -> sympy.Expr:
        """Convert an expression in the user's units to rescaled variables, with the same values."""
        return expression.xreplace(
            {
                symbol(name): symbol(name) * _factor(scale) + _offset(offset)
                for name, (offset, scale) in self.units.items()
            }
        )

    def without(self, names: Collection[str]) -> OwnUnits:
        """The same units without those of some variables."""
        return OwnUnits(self.names, {n: u for n, u in self.units.items() if n not in names})

    def among(self, expression: sympy.Expr) -> OwnUnits:
        """The units of the variables that are in an expression."""
        inside = {part.name for part in expression.free_symbols}
        return self.without([name for name in self.units if name not in inside])


def checked_units(units: Mapping[str, Iterable[float]], names: Collection[str]) -> OwnUnits:
    """Check units from a user or a file.

    Args:
        units: offset and scale by the name of a variable.
        names: of all variables.

    Returns:
        The units.

    Raises:
        ValueError: a name is not a variable, or its unit is not a finite offset and positive scale.
    """
    checked = {}
    for name, unit in units.items():
        try:
            offset, scale = (float(number) for number in unit)
        except (TypeError, ValueError):
            offset = scale = float("nan")
        if name not in names or not (np.isfinite(offset) and 0 < scale < np.inf):
            raise ValueError(
                "`units` are a finite offset and a positive scale by the name of a variable, such "
                f"as {{'x1': (1000000.0, 1.0)}}. The variables are {listed_names(names)}. "
                f"Received: {name!r}: {unit!r}"
            )
        checked[name] = (offset, scale)
    return OwnUnits(tuple(names), checked)


def roundest(low: float, high: float) -> float:
    """The number of fewest digits in an interval; of several the one in the middle.

    Args:
        low: the least that it may be, of the same sign as `high`.
        high: the greatest.

    Returns:
        The number.

    Example:

    >>> roundest(101225.0, 101425.0), roundest(2002.1, 2007.9), roundest(0.49999, 0.50002)
    (101300.0, 2005.0, 0.5)
    """
    largest = max(abs(low), abs(high))
    for power in range(int(np.floor(np.log10(largest))) + 1, -330, -1):
        step = float(f"1e{power}")
        first, last = np.ceil(low / step), np.floor(high / step)
        if first <= last and abs(last) < LARGEST_WHOLE:
            times = int(np.clip(np.round((low + high) / 2 / step), first, last))
            return float(f"{times}e{power}")
        if abs(last) >= LARGEST_WHOLE:
            break
    return (low + high) / 2


def _shared(powers: Mapping[int, int]) -> dict[int, int]:
    """One common power of ten for all columns whose scales are close."""
    shared: dict[int, int] = {}
    group: list[int] = []
    for k in [*sorted(powers, key=lambda k: powers[k]), None]:
        if group and (k is None or powers[k] - powers[group[0]] > SHARED_POWERS):
            common = int(np.round(np.mean([powers[j] for j in group])))
            shared |= dict.fromkeys(group, common)
            group = []
        if k is not None:
            group.append(k)
    return shared


def _offset(value: float) -> sympy.Number:
    """A whole number as an integer, which nothing rounds."""
    whole = value.is_integer() and abs(value) < LARGEST_WHOLE
    return sympy.Integer(int(value)) if whole else sympy.Float(value, 17)


def _factor(value: float) -> sympy.Number:
    """A float, which SymPy does not distribute over a sum."""
    return sympy.Integer(1) if value == 1 else sympy.Float(value, 17)


def _inverse(scale: float) -> float:
    """1e9 for 1e-9, for which 1 / 1e-9 is 999999999.9999999."""
    power = round(float(np.log10(scale)))
    return float(f"1e{-power}") if float(f"1e{power}") == scale else 1 / scale
