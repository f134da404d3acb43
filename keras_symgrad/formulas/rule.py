"""`Rule`: the decision rule of a classifier as a threshold on its concept."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions.formats import rounded, to_latex, to_pretty
from keras_symgrad.files import Record
from keras_symgrad.formulas.constants import Constant, simple_numbers
from keras_symgrad.formulas.formula import Formula

FEWEST_DIGITS = 3
MOST_DIGITS = 17
# Loss of agreement accepted for rounding the numbers of the text, and for a simple threshold.
ROUNDING_COST = 1e-3
SIMPLICITY_COST = 3e-3


@dataclass(frozen=True)
class Rule:
    """`formula > threshold` or `formula < threshold`, and how often the network agrees.

    Text, LaTeX, MathML, `decides` and the agreement refer to the rule as it is shown: with rounded
    numbers, and a simple threshold in place of the fitted one where the interval of the threshold
    supports it. A rule with the threshold 0 has terms on both sides.

    Attributes:
        formula: the concept g.
        level: g where the network's logit is zero, with its 95 % interval and the simple number
            shown for it.
        direction: ">" or "<", the side on which the network decides yes.
        agreement: share of the points on which rule and network decide alike.
        points: number of points on which the agreement was measured.
        digits: digits of the printed numbers: three, or as many as the agreement needs.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> circle = Formula(x1**2 + x2**2, 7, 0.0, ("x1", "x2"))
    >>> level = Constant(0.5, 0.49, 0.51)
    >>> rule = Rule.of(circle, level, True, x, (x**2).sum(axis=1) > 0.5)
    >>> print(rule)
    x1**2 + x2**2 > 1/2   (agrees with the model on 100.0 % of 1,000 points)
    >>> rule.decides(np.array([[0.1, 0.1], [1.0, 0.0]])).tolist()
    [False, True]
    """

    formula: Formula
    level: Constant
    direction: str
    agreement: float
    points: int
    digits: int = FEWEST_DIGITS

    @classmethod
    def of(
        cls, formula: Formula, level: Constant, rising: bool, x: np.ndarray, yes: np.ndarray
    ) -> Rule:
        """Make the rule and measure its agreement on points.

        Args:
            formula: the concept.
            level: threshold.
            rising: whether the network decides yes above the threshold.
            x: points, `(rows, variables)`.
            yes: the network's decisions, `(rows,)`.

        Returns:
            The rule, with a simple threshold if its interval supports one, and written with enough
            digits to decide as well as with all of them.
        """
        fitted = cls(formula, level, ">" if rising else "<", 0.0, len(x), MOST_DIGITS)
        wanted = fitted._share(x, yes)
        simple = [None] if level.shown is not None else simple_numbers(level.low, level.high)
        ways = [replace(fitted, level=replace(level, shown=n)) for n in simple if n is not None]
        rule = next((w for w in ways if w._share(x, yes) >= wanted - SIMPLICITY_COST), fitted)
        wanted = rule._share(x, yes)
        # Data around 1,000 with a spread of 1 need more than three digits.
        ways = [replace(rule, digits=n) for n in range(FEWEST_DIGITS, MOST_DIGITS)]
        rule = next((w for w in ways if w._share(x, yes) >= wanted - ROUNDING_COST), rule)
        return replace(rule, agreement=rule._share(x, yes))

    @property
    def threshold(self) -> float:
        """The threshold used for decisions."""
        shown = self.level.shown
        return float(f"{self.level.value:.{self.digits}g}" if shown is None else shown)

    def decides(self, x: Any) -> np.ndarray:
        """Decisions of the rule, `(rows,)`; False where the formula is not finite.

        Args:
            x: points, as a `Formula` takes them.
        """
        with np.errstate(invalid="ignore"):
            values = self._rounded(x)
            return values > self.threshold if self.direction == ">" else values < self.threshold

    @cached_property
    def _rounded(self) -> Formula:
        """The formula as printed, with rounded numbers."""
        return self.formula.rewritten(lambda expression: rounded(expression, self.digits))

    @cached_property
    def _sides(self) -> tuple[Formula, str, Formula | None]:
        """Left side, relation and right-hand formula of the rule; `None` for a number."""
        whole, expression = self._rounded, self._rounded.as_computed
        if self.level.shown != 0 or not expression.is_Add:
            return whole, self.direction, None
        below = [term for term in expression.args if term.could_extract_minus_sign()]
        if not 0 < len(below) < len(expression.args):
            return whole, self.direction, None
        right = sympy.Add(*(-term for term in below))
        left = expression + right
        high, low = (left, right) if self.direction == ">" else (right, left)
        return whole.rewritten(lambda _: high), ">", whole.rewritten(lambda _: low)

    @property
    def text(self) -> str:
        """The rule as text, its numbers rounded to `digits`."""
        left, relation, right = self._sides
        other = self._number if right is None else right.to_pretty(self.digits)
        return f"{left.to_pretty(self.digits)} {relation} {other}"

    @property
    def latex(self) -> str:
        """The rule as LaTeX, its numbers rounded to `digits`."""
        left, relation, right = self._sides
        if right is not None:
            other = right.to_latex(self.digits)
        elif self.level.shown is not None:
            other = to_latex(self.level.shown)
        else:
            mantissa, _, exponent = self._number.partition("e")
            other = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
        return f"{left.to_latex(self.digits)} {relation} {other}"

    def to_mathml(self) -> str:
        """The rule as MathML for web pages, its numbers rounded to `digits`."""
        left, relation, right = self._sides
        if right is None:
            shown = self.level.shown
            return left.to_mathml(self.digits, relation, self._number if shown is None else shown)
        sign = f'<math displaystyle="true"><mo>{html.escape(relation)}</mo></math>'
        return f"{left.to_mathml(self.digits)} {sign} {right.to_mathml(self.digits)}"

    @property
    def _number(self) -> str:
        """The threshold as text."""
        shown = self.level.shown
        return f"{self.level.value:#.{self.digits}g}" if shown is None else to_pretty(shown)

    def _share(self, x: np.ndarray, yes: np.ndarray) -> float:
        return float(np.mean(self.decides(x) == yes))

    def of_multiple(self, formula: Formula, factor: float) -> Rule:
        """The same rule of a multiple of the formula.

        Args:
            formula: formula with `factor` times the values of the rule's formula.
            factor: positive.
        """
        return replace(self, formula=formula, level=self.level.of_multiple(factor))

    def to_dict(self) -> dict[str, Any]:
        """The rule as plain data."""
        return {
            "text": self.text,
            "threshold": self.threshold,
            "level": self.level.to_dict(),
            "direction": self.direction,
            "agreement": self.agreement,
            "points": self.points,
            "digits": self.digits,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], formula: Formula) -> Rule:
        """Read a rule from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.
            formula: the concept.

        Raises:
            ValueError: they are not a rule.
        """
        record = Record.of(content)
        # Before version 2 a threshold had no interval.
        threshold = Constant(record.number("threshold"))
        rule = cls(
            formula,
            record.maybe("level", Constant.from_dict) or threshold,
            record.one_of("direction", ("<", ">")),
            record.number("agreement", math.nan),
            record.whole("points"),
        )
        if "digits" in record:
            digits = record.whole("digits", 1)
            if digits > MOST_DIGITS:
                raise record.refused("digits", f"{MOST_DIGITS} at most")
            return replace(rule, digits=digits)
        # Version 0 has the text alone.
        written = record.text("text")
        found = (replace(rule, digits=n) for n in range(FEWEST_DIGITS, MOST_DIGITS + 1))
        return next((rule for rule in found if rule.text == written), rule)

    @property
    def share(self) -> str:
        """The agreement for people."""
        return f"{100 * self.agreement:.1f} % of {self.points:,} points"

    def __str__(self) -> str:
        return f"{self.text}   (agrees with the model on {self.share})"

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"
