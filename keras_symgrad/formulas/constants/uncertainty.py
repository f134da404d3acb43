"""Constants of a formula with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import sympy

from keras_symgrad.expressions.formats import from_text, to_pretty
from keras_symgrad.files import Record
from keras_symgrad.formulas.constants.profiles import intervals
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.core import ConstantFit

# Numbers of this size and larger, and those below its inverse, are written as 1.2e+06.
LARGE = 1e6


@dataclass(frozen=True)
class Constant:
    """A constant of the fitted formula, and the number shown for it.

    Attributes:
        value: of the best fit.
        low: lower end of its 95 % interval; minus infinity if the rows do not bound it.
        high: upper end; infinity if the rows do not bound it.
        shown: the simple number shown in the formula, or `None` if the fitted value is shown.

    Example:

    >>> print(Constant(3.1402, 3.1388, 3.1431, sympy.pi))
    3.1402 (3.1388 to 3.1431), shown as pi
    >>> print(Constant(0.77, 0.5), Constant(0.77), sep="; ")
    0.77 (at least 0.50); 0.77 (not fixed by the network)
    """

    value: float
    low: float = -math.inf
    high: float = math.inf
    shown: sympy.Expr | None = None

    def holds(self, number: float) -> bool:
        """Return whether a number lies inside the interval."""
        return self.low <= number <= self.high

    def of_multiple(self, factor: float) -> Constant:
        """The constant times a positive number; only a shown 0 stays simple."""
        if factor == 1:
            return self
        shown = self.shown if self.shown == 0 else None
        return Constant(factor * self.value, factor * self.low, factor * self.high, shown)

    @property
    def is_fixed(self) -> bool:
        """Return whether at least one end of the interval is finite."""
        return math.isfinite(self.low) or math.isfinite(self.high)

    @property
    def interval(self) -> str:
        """The interval in words."""
        low, high = math.isfinite(self.low), math.isfinite(self.high)
        if low and high:
            return f"{self._text(self.low)} to {self._text(self.high)}"
        if low or high:
            return f"at least {self._text(self.low)}" if low else f"at most {self._text(self.high)}"
        return "not fixed by the network"

    def __str__(self) -> str:
        value = self._text(self.value) if self.is_fixed else f"{self.value:.3g}"
        text = f"{value} ({self.interval})"
        return text if self.shown is None else f"{text}, shown as {to_pretty(self.shown)}"

    def _text(self, number: float) -> str:
        """A number with as many decimals as the first two digits of the interval."""
        ends = [end for end in (self.low, self.high) if math.isfinite(end)]
        width = ends[-1] - ends[0] if len(ends) == 2 else abs(self.value - ends[0])
        digit = math.floor(math.log10(max(width, 1e-9 * abs(self.value), 1e-300))) - 1
        if number == 0 or 1 / LARGE < abs(number) < LARGE:
            return f"{number:.{min(max(-digit, 0), 12)}f}"
        digits = math.floor(math.log10(abs(number))) - digit + 1
        return f"{number:.{min(max(digits, 1), 16)}g}"

    def to_dict(self) -> dict[str, Any]:
        """Value, interval and the number shown, as plain data."""
        shown = None if self.shown is None else str(self.shown)
        return {"value": self.value, "low": self.low, "high": self.high, "shown": shown}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Constant:
        """Read a constant from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.

        Raises:
            ValueError: they are not a constant.
        """
        record = Record.of(content)
        shown = from_text(record.text("shown")) if "shown" in record else None
        value = record.number("value")
        if "low" not in record.names:
            # Before version 2 intervals were symmetric, and infinite for a number that was not
            # determined.
            error = record.number("error", math.inf)
            return cls(value, value - error, value + error, shown)
        low, high = record.number("low", -math.inf), record.number("high", math.inf)
        if not low <= high:
            raise record.refused("high", "an end that is not below `low`")
        return cls(value, low, high, shown)


def constants(
    expression: sympy.Expr, field: GradientField, *, signed: bool = False, seed: int = 0
) -> tuple[Constant, ...]:
    """The constants of a formula with 95 % intervals, by the profile of its loss.

    Intervals are those of `profiles.intervals`: open on one side, or on both, where the loss does
    not rise. They contain the errors of this network only: an error that all rows share moves the
    best fit and is not in the interval.

    Args:
        expression: its numbers are the constants, simple ones too, but not its exponents. They are
            fitted here.
        field: rows that it was fitted on.
        signed: whether the opposite direction counts as different.
        seed: of the choice of regions.

    Returns:
        Constants by ascending value. Simple numbers are `shown` unchanged.

    Example:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 2))
    >>> noisy = x * [2, 4] + rng.normal(0, 0.05, x.shape)
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> field = GradientField.from_gradients(x, noisy)
    >>> print(*constants(x1**2 + 2 * x2**2, field))
    1.998 (1.967 to 2.029), shown as 2
    """
    form, simple = released(expression)
    fit = ConstantFit(form, field, signed=signed)
    if not len(fit.start):
        return ()
    found = intervals(fit, seed=seed)
    return tuple(
        Constant(float(best), float(low), float(high), simple.get(float(start)))
        for best, low, high, start in zip(found.best, found.low, found.high, fit.start)
    )


# Stands in a sum for the term that was taken out.
_REST = sympy.Dummy("rest", real=True)


def released(expression: sympy.Expr) -> tuple[sympy.Expr, dict[float, sympy.Expr]]:
    """Replace each number of a formula by a separate float.

    Where a factor around a sum does not change the concept, one of its coefficients is 1, either
    the first term's without a coefficient or the smallest one: the coefficients are determined only
    up to a common factor. Exponents and signs are not changed.

    Args:
        expression: a SymPy expression.

    Returns:
        The expression with floats, all different, and the simple numbers by the floats that stand
        for them.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> form, simple = released(8 * x1**2 + 19 * x2**2)
    >>> form.count(sympy.Float), list(simple.values())
    (1, [19/8])
    """
    simple: dict[float, sympy.Expr] = {}
    return _released(expression, simple, count(1), scaled=True), simple


def _released(
    expression: sympy.Expr, simple: dict[float, sympy.Expr], numbers: count[int], scaled: bool
) -> sympy.Expr:
    if not expression.free_symbols or expression.is_Symbol:
        return expression
    if expression.is_Pow and expression.exp.is_number:
        return sympy.Pow(_released(expression.base, simple, numbers, scaled), expression.exp)
    if not (expression.is_Add or expression.is_Mul):
        parts = (_released(part, simple, numbers, False) for part in expression.args)
        return expression.func(*parts)
    if expression.is_Add and scaled:
        terms = [term for term in expression.args if term.free_symbols]
        split = [term.as_independent(*term.free_symbols, as_Add=False) for term in terms]
        sizes = [abs(float(coefficient)) for coefficient, _ in split]
        kept = sizes.index(1.0) if 1.0 in sizes else sizes.index(min(sizes))
        factor = abs(split[kept][0])
        others = sympy.Add(*(p / factor for p in expression.args if p != terms[kept]), _REST)
        others = _released(others, simple, numbers, False) - _REST
        rest = _released(split[kept][1], simple, numbers, False)
        return sympy.sign(split[kept][0]) * rest + others
    number = expression.func(*(part for part in expression.args if part.is_number))
    parts = [
        _released(part, simple, numbers, scaled) for part in expression.args if not part.is_number
    ]
    # A factor of -1 is a sign.
    if number != expression.func.identity and not (expression.is_Mul and number == -1):
        # Numbers that are equal by chance are separate constants.
        value = float(number) * (1 + 1e-9 * next(numbers))
        if not number.has(sympy.Float):
            simple[value] = number
        number = sympy.Float(value, 17)
    return expression.func(number, *parts)
