"""`Fidelity`: agreement of a formula with a network's values or decisions on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_symgrad.files import Record

R2 = "R2"
AGREEMENT = "agreement"


@dataclass(frozen=True)
class Fidelity:
    """Fidelity of a formula to a network's outputs, beside that of simple models of the network.

    All are fitted to the network's outputs on the same training rows, and counted on the same
    held-out rows.

    Attributes:
        metric: "R2" of phi(formula) against the network's values, or "agreement", the share of
            decisions that are alike.
        formula: of the formula, at most 1.
        majority: of the constant that fits best: 0 for the mean, the larger share for decisions.
        rows: number of held-out rows that it was counted on. Data rows, where there are some:
            none of them was drawn or moved, and nothing was fitted on them.
        linear: of a linear model on all inputs, or a logistic one for decisions; `None` where none
            was fitted.
        tree: of a decision tree of depth 3 on all inputs; `None` where none was fitted.
        held_out: whether the rows were kept apart; of fewer than ten none can be, and the fidelity
            is that of the fit.

    Example:

    >>> yes = np.array([True, True, True, False])
    >>> print(Fidelity.of_decisions(yes, ~yes | yes))
    agreement 75.0 % of 4 held-out rows (majority 75.0 %)
    >>> print(Fidelity("R2", 0.953, 0.0, 200, linear=0.78, tree=0.64))
    R2 0.953 on 200 held-out rows (linear model 0.780, tree of depth 3 0.640)
    """

    metric: str
    formula: float
    majority: float
    rows: int
    linear: float | None = None
    tree: float | None = None
    held_out: bool = True

    @classmethod
    def of_values(cls, network: np.ndarray, formula: np.ndarray) -> Fidelity:
        """By the share of the variance of a network's values that a formula's explain.

        Args:
            network: values, `(rows,)`; rows that are not finite do not count.
            formula: phi(formula) there. Where it is not finite it explains nothing: the network's
                mean is put in its place.
        """
        network, formula = (array[np.isfinite(network)] for array in (network, formula))
        mean = network.mean() if len(network) else np.nan
        variance = np.mean((network - mean) ** 2) if len(network) else 0.0
        formula = np.where(np.isfinite(formula), formula, mean)
        left = np.mean((network - formula) ** 2) / variance if variance > 0 else 0.0
        return cls(R2, float(1 - left), 0.0, len(network))

    @classmethod
    def of_decisions(cls, network: np.ndarray, formula: np.ndarray) -> Fidelity:
        """By the share of a network's decisions that a formula's are equal to.

        Args:
            network: booleans, `(rows,)`.
            formula: booleans, `(rows,)`.
        """
        yes = float(np.mean(network)) if len(network) else 1.0
        alike = float(np.mean(network == formula)) if len(network) else 1.0
        return cls(AGREEMENT, alike, max(yes, 1 - yes), len(network))

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Fidelity:
        """Read a fidelity from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.

        Raises:
            ValueError: they are no fidelity.
        """
        record = Record.of(content)
        # Before there were references a fidelity had a value and a baseline.
        formula, majority = (
            record.number(new if new in record.names else old, float("nan"))
            for new, old in (("formula", "value"), ("majority", "baseline"))
        )
        linear, tree = (
            record.number(name) if name in record else None for name in ("linear", "tree")
        )
        metric = record.one_of("metric", (R2, AGREEMENT))
        held_out = "held_out" not in record or record.flag("held_out")
        return cls(metric, formula, majority, record.whole("rows"), linear, tree, held_out)

    @property
    def explained(self) -> float:
        """The share that the formula explains of what the majority does not: 1 for all of it.

            (formula - majority) / (1 - majority)

        Where the majority is always right there is nothing to explain, and the share is 0.

        >>> Fidelity("agreement", 0.97, 0.9, 500).explained
        0.7
        """
        if self.majority >= 1:
            return 0.0
        return round((self.formula - self.majority) / (1 - self.majority), 12)

    @property
    def explained_surely(self) -> float:
        """The explained share with one more error, for decisions: of few rows luck explains much.

        >>> Fidelity("agreement", 1.0, 0.985, 200).explained_surely  # three rows are not majority
        0.666666666667
        >>> Fidelity("agreement", 1.0, 0.5, 200).explained_surely
        0.99
        """
        if self.metric == R2 or not self.rows:
            return self.explained
        return replace(self, formula=self.formula - 1 / self.rows).explained

    @property
    def shown(self) -> str:
        """The formula's own number for people.

        >>> Fidelity("agreement", 0.97, 0.9, 500).shown, Fidelity("R2", 0.97, 0.0, 500).shown
        ('97.0 %', '0.970')
        """
        return self._number(self.formula)

    @property
    def references(self) -> str:
        """Fidelity of the simple models, for people.

        >>> Fidelity("agreement", 0.97, 0.9, 500, 0.951, 0.924).references
        'logistic model 95.1 %, tree of depth 3 92.4 %, majority 90.0 %'
        """
        of_values = self.metric == R2
        models = [
            ("linear model" if of_values else "logistic model", self.linear),
            ("tree of depth 3", self.tree),
            ("majority", None if of_values else self.majority),
        ]
        return ", ".join(
            f"{name} {self._number(number)}" for name, number in models if number is not None
        )

    def _number(self, number: float) -> str:
        return f"{number:.3f}" if self.metric == R2 else f"{100 * number:.1f} %"

    def __str__(self) -> str:
        counted = "on" if self.metric == R2 else "of"
        beside = f" ({self.references})" if self.references else ""
        return f"{self.metric} {self.shown} {counted} {self.counted_rows}{beside}"

    @property
    def counted_rows(self) -> str:
        """The rows for people: `200 held-out rows`."""
        if self.held_out:
            return f"{self.rows:,} held-out rows"
        return f"{self.rows:,} rows that it was fitted to"

    def to_dict(self) -> dict[str, Any]:
        """Metric and numbers as plain data."""
        return {
            "metric": self.metric,
            "formula": self.formula,
            "linear": self.linear,
            "tree": self.tree,
            "majority": self.majority,
            "rows": self.rows,
            "held_out": self.held_out,
        }
