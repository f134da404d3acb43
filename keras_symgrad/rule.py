"""The decision rule: where a classifier says yes, in terms of its concept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from keras_symgrad.expressions.text import rounded
from keras_symgrad.formula import Formula

FEWEST_DIGITS, MOST_DIGITS = 3, 17
# What rounding the numbers of the text may cost of the agreement.
ROUNDING_COST = 1e-3


@dataclass(frozen=True)
class Rule:
    """`formula > threshold` or `formula < threshold`, and how often the network agrees.

    Attributes:
        formula: the concept g.
        threshold: g where the network's logit is zero.
        direction: ">" or "<", the side on which the network says yes.
        agreement: share of the points on which rule and network decide alike.
        points: number of points that it was measured on.
        digits: that numbers are written with: three, or as many as the agreement needs.
    """

    formula: Formula
    threshold: float
    direction: str
    agreement: float
    points: int
    digits: int = FEWEST_DIGITS

    @classmethod
    def of(
        cls, formula: Formula, threshold: float, rising: bool, x: np.ndarray, yes: np.ndarray
    ) -> Rule:
        """The rule with its agreement on points.

        Args:
            formula: the concept.
            threshold: where it decides.
            rising: whether the network says yes above the threshold.
            x: points, `(rows, variables)`.
            yes: the network's decisions, `(rows,)`.

        Returns:
            The rule, written with enough digits that it decides as well as it is said to.
        """
        rule = cls(formula, threshold, ">" if rising else "<", 0.0, len(x))
        agreement = rule._share(x, yes)
        # Data around 1,000 with a spread of 1 need more than three digits.
        digits = next(
            (
                digits
                for digits in range(FEWEST_DIGITS, MOST_DIGITS)
                if rule._rounded(digits)._share(x, yes) >= agreement - ROUNDING_COST
            ),
            MOST_DIGITS,
        )
        return replace(rule, agreement=agreement, digits=digits)

    def decides(self, x: np.ndarray) -> np.ndarray:
        """Whether the rule says yes, `(rows,)`; no where the formula is not finite."""
        with np.errstate(invalid="ignore"):
            values = self.formula(x)
            return values > self.threshold if self.direction == ">" else values < self.threshold

    @property
    def text(self) -> str:
        """The rule as text, its numbers rounded to `digits`."""
        return f"{self.formula.to_pretty(self.digits)} {self.direction} {self._written}"

    @property
    def latex(self) -> str:
        """The rule as LaTeX, its numbers rounded to `digits`."""
        mantissa, _, exponent = self._written.partition("e")
        threshold = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
        return f"{self.formula.to_latex(self.digits)} {self.direction} {threshold}"

    def to_mathml(self) -> str:
        """The rule as MathML for web pages, its numbers rounded to `digits`."""
        return self.formula.to_mathml(self.digits, self.direction, self._written)

    @property
    def _written(self) -> str:
        return f"{self.threshold:#.{self.digits}g}"

    def _share(self, x: np.ndarray, yes: np.ndarray) -> float:
        return float(np.mean(self.decides(x) == yes))

    def _rounded(self, digits: int) -> Rule:
        """The rule that a reader of the text applies."""
        formula = self.formula.rewritten(lambda expression: rounded(expression, digits))
        return replace(self, formula=formula, threshold=float(f"{self.threshold:.{digits}g}"))

    def of_multiple(self, formula: Formula, factor: float) -> Rule:
        """The same rule of a multiple of the formula.

        Args:
            formula: whose values are `factor` times those of the rule's.
            factor: positive.
        """
        return replace(self, formula=formula, threshold=factor * self.threshold)

    def to_dict(self) -> dict:
        """The rule as plain data."""
        return {
            "text": self.text,
            "threshold": self.threshold,
            "direction": self.direction,
            "agreement": self.agreement,
            "points": self.points,
            "digits": self.digits,
        }

    def __str__(self) -> str:
        share = f"{100 * self.agreement:.1f} % of {self.points:,} points"
        return f"{self.text}   (agrees with the model on {share})"

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"
