"""The decision rule: where a classifier says yes, in terms of its concept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_symgrad.formula import Formula


@dataclass(frozen=True)
class Rule:
    """`formula > threshold` or `formula < threshold`, and how often the network agrees.

    Attributes:
        formula: the concept g.
        threshold: g where the network's logit is zero.
        direction: ">" or "<", the side on which the network says yes.
        agreement: share of the points on which rule and network decide alike.
        points: number of points that it was measured on.
    """

    formula: Formula
    threshold: float
    direction: str
    agreement: float
    points: int

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
        """
        rule = cls(formula, threshold, ">" if rising else "<", 0.0, len(x))
        agreement = float(np.mean(rule.decides(x) == yes))
        return cls(formula, threshold, rule.direction, agreement, len(x))

    def decides(self, x: np.ndarray) -> np.ndarray:
        """Whether the rule says yes, `(rows,)`; no where the formula is not finite."""
        with np.errstate(invalid="ignore"):
            values = self.formula(x)
            return values > self.threshold if self.direction == ">" else values < self.threshold

    @property
    def text(self) -> str:
        """The rule as text, constants to three digits."""
        return f"{self.formula.to_pretty()} {self.direction} {self.threshold:#.3g}"

    @property
    def latex(self) -> str:
        """The rule as LaTeX."""
        return f"{self.formula.to_latex()} {self.direction} {self.threshold:#.3g}"

    def to_dict(self) -> dict:
        """The rule as plain data."""
        return {
            "text": self.text,
            "threshold": self.threshold,
            "direction": self.direction,
            "agreement": self.agreement,
            "points": self.points,
        }

    def __str__(self) -> str:
        share = f"{100 * self.agreement:.1f} % of {self.points:,} points"
        return f"{self.text}   (agrees with the model on {share})"

    def _repr_latex_(self) -> str:
        return f"${self.latex}$"
