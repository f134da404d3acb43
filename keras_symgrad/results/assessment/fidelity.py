"""`Fidelity`: agreement of a formula with a network's values or decisions on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

R2 = "R2"
AGREEMENT = "agreement"


@dataclass(frozen=True)
class Fidelity:
    """Reproduction of a network's output by a formula, compared with a constant's.

    Attributes:
        metric: "R2" of phi(formula) against the network's values, or "agreement", the share of
            equal decisions.
        value: of the formula, at most 1.
        baseline: of the best constant: 0 for the mean, the larger share for decisions.
        rows: number of held-out rows of the measurement. These are data rows, where there are some:
            they were neither drawn nor moved, nor used in any fit.

    Example:

    >>> yes = np.array([True, True, True, False])
    >>> print(Fidelity.of_decisions(yes, ~yes | yes))
    agreement 75.0 % of 4 held-out rows (always yes or always no: 75.0 %)
    >>> print(Fidelity.of_values(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.9])))
    R2 0.995 on 3 held-out rows (the mean: 0)
    """

    metric: str
    value: float
    baseline: float
    rows: int

    @classmethod
    def of_values(cls, network: np.ndarray, formula: np.ndarray) -> Fidelity:
        """Measure the share of the variance of a network's values that a formula explains.

        Args:
            network: values, `(rows,)`; rows that are not finite do not count.
            formula: phi(formula) there. Where it is not finite, the network's mean is put in its
                place, which explains nothing.
        """
        network, formula = (array[np.isfinite(network)] for array in (network, formula))
        mean = network.mean() if len(network) else np.nan
        variance = np.mean((network - mean) ** 2) if len(network) else 0.0
        formula = np.where(np.isfinite(formula), formula, mean)
        left = np.mean((network - formula) ** 2) / variance if variance > 0 else 0.0
        return cls(R2, float(1 - left), 0.0, len(network))

    @classmethod
    def of_decisions(cls, network: np.ndarray, formula: np.ndarray) -> Fidelity:
        """Measure the share of a network's decisions that a formula reproduces.

        Args:
            network: booleans, `(rows,)`.
            formula: booleans, `(rows,)`.
        """
        yes = float(np.mean(network)) if len(network) else 1.0
        alike = float(np.mean(network == formula)) if len(network) else 1.0
        return cls(AGREEMENT, alike, max(yes, 1 - yes), len(network))

    @property
    def explained(self) -> float:
        """Share of what the baseline does not explain that the formula explains: 1 for all of it.

            (value - baseline) / (1 - baseline)

        If the baseline is always right, the share is 0.

        >>> Fidelity("agreement", 0.97, 0.9, 500).explained
        0.7
        """
        if self.baseline >= 1:
            return 0.0
        return round((self.value - self.baseline) / (1 - self.baseline), 12)

    def __str__(self) -> str:
        if self.metric == R2:
            return f"R2 {self.value:.3f} on {self.rows:,} held-out rows (the mean: 0)"
        return (
            f"agreement {self.value:.1%} of {self.rows:,} held-out rows "
            f"(always yes or always no: {self.baseline:.1%})"
        ).replace("%", " %")

    def to_dict(self) -> dict[str, Any]:
        """Metric and numbers as plain data."""
        return {
            "metric": self.metric,
            "value": self.value,
            "baseline": self.baseline,
            "rows": self.rows,
        }
