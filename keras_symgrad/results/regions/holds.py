"""Conditions under which a formula is near the network, counted on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_symgrad.files import Record
from keras_symgrad.formulas import AGREEMENT, Formula, ScaledFormula
from keras_symgrad.gradients import GradientField, errors
from keras_symgrad.results.assessment import Assessment, HeldOutRows, Match, angle_of
from keras_symgrad.results.regions.conditions import Condition
from keras_symgrad.results.regions.partition import partition

# A gradient within this angle, in degrees, of the network's is near.
NEAR_ANGLE = 10.0
# A value within this share of the network's spread, the range of nine tenths of its values, is
# near.
NEAR_VALUE = 0.1
# Share of rows on which a formula that holds is near.
MOST_ROWS = 0.9
# The same for a formula that needs no condition.
NEARLY_ALL_ROWS = 0.95
# Largest probability of chance alone: of few rows nine tenths may be near anywhere.
MAX_CHANCE = 0.05
# Shares of the rows that the spread leaves out below and above.
SPREAD = 0.05, 0.95
# Fewest held-out rows to look for conditions on; as many confirm them.
MIN_ROWS = 30
# Largest number of rows that are compared.
MAX_ROWS = 10_000
MEASURES = ("angle", "value", "decision")


@dataclass(frozen=True)
class Holds:
    """Where a formula is near the network: conditions, and the share of rows that satisfy them.

    The conditions are found on one half of the held-out rows; all shares are counted on the other.

    Attributes:
        measure: "angle", between the gradients; "value", of phi(formula); or "decision", of the
            rule.
        tolerance: degrees of an angle; for values, a share of the network's spread, the range of
            nine tenths of its values; 0 for decisions, which are equal or not.
        near: share of rows on which the formula is within the tolerance.
        where: the condition; everywhere if `near` is at least 0.95, nowhere if no thresholds on
            one or two inputs show where the formula is near, surely more often than elsewhere.
        share: share of rows that satisfy the condition.
        near_inside: share of these on which the formula is within the tolerance.
        rows: number of rows that the shares were counted on.

    Example:

    >>> holds = Holds("angle", 10.0, 0.99, Condition.everywhere(), 1.0, 0.99, 200)
    >>> print(holds)
    everywhere: within 10 degrees on 99 % of 200 held-out rows
    """

    measure: str
    tolerance: float
    near: float
    where: Condition
    share: float
    near_inside: float
    rows: int

    @classmethod
    def of_rows(
        cls,
        measure: str,
        tolerance: float,
        near: np.ndarray,
        points: np.ndarray,
        names: tuple[str, ...],
        seed: int = 0,
    ) -> Holds:
        """Find the conditions under which rows are near.

        Args:
            measure: one of `MEASURES`.
            tolerance: that `near` is within.
            near: booleans of held-out rows, `(rows,)`.
            points: of these rows, `(rows, variables)`.
            names: of the variables.
            seed: of the two halves of the rows.

        Returns:
            The condition, as far as the second half of the rows confirms it.

        Example:

        >>> x = np.random.default_rng(0).uniform(-1, 1, (800, 2))
        >>> print(Holds.of_rows("angle", 10.0, x[:, 0] > 0.2, x, ("a", "b")))
        where a > 0.2 (42 % of the rows): within 10 degrees on 100 % of these, on 0 % elsewhere
        """
        order = np.random.default_rng([seed, 7]).permutation(len(near))[:MAX_ROWS]
        near, points = near[order], points[order]
        half = len(near) // 2
        if near.mean() >= NEARLY_ALL_ROWS or half < MIN_ROWS:
            always = Condition(((),) if near.mean() >= NEARLY_ALL_ROWS else ())
            return cls._counted(measure, tolerance, near, points, names, always)
        # With these weights a leaf has the label 1 where the formula is near on most of its rows.
        weights = np.where(near[:half], 1 - MOST_ROWS, MOST_ROWS)
        found = partition(points[:half], names, near[:half].astype(int), weights=weights)
        where = found.get(1, Condition(()))
        confirming = near[half:], points[half:], names
        holds = cls._counted(measure, tolerance, *confirming, where)
        inside = where.holds(points[half:], names)
        if holds.near_inside < MOST_ROWS or not _is_more_often(near[half:], inside):
            return cls._counted(measure, tolerance, *confirming, Condition(()))
        return holds

    @classmethod
    def _counted(
        cls,
        measure: str,
        tolerance: float,
        near: np.ndarray,
        points: np.ndarray,
        names: tuple[str, ...],
        where: Condition,
    ) -> Holds:
        inside = where.holds(points, names)
        near_inside = float(near[inside].mean()) if inside.any() else 0.0
        return cls(
            measure,
            tolerance,
            float(near.mean()),
            where,
            float(inside.mean()),
            near_inside,
            len(near),
        )

    @property
    def is_everywhere(self) -> bool:
        """True if the formula needs no condition."""
        return self.where.is_everywhere

    @property
    def _within(self) -> str:
        if self.measure == "decision":
            return "the same decision"
        if self.measure == "value":
            return f"within {100 * self.tolerance:g} % of the spread of the values"
        return f"within {self.tolerance:g} degrees"

    def __str__(self) -> str:
        near = f"{self._within} on {100 * self.near:.0f} % of {self.rows:,} held-out rows"
        if self.is_everywhere:
            return f"everywhere: {near}"
        if not self.where.alternatives:
            return f"{near}; no thresholds on one or two inputs show where"
        outside = 1 - self.share
        elsewhere = (self.near - self.share * self.near_inside) / outside if outside else 0.0
        return (
            f"where {self.where} ({100 * self.share:.0f} % of the rows): {self._within} on "
            f"{100 * self.near_inside:.0f} % of these, on {100 * abs(elsewhere):.0f} % elsewhere"
        )

    def to_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The condition and the shares as plain data."""
        return {
            "measure": self.measure,
            "tolerance": self.tolerance,
            "near": self.near,
            "where": self.where.to_dict(names),
            "share": self.share,
            "near_inside": self.near_inside,
            "rows": self.rows,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Holds:
        """Read the condition and the shares from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: they are something else.
        """
        record = Record.of(content)
        return cls(
            record.one_of("measure", MEASURES),
            record.number("tolerance"),
            record.number("near"),
            Condition.from_dict(record.record("where"), names),
            record.number("share"),
            record.number("near_inside"),
            record.whole("rows"),
        )


def _is_more_often(near: np.ndarray, inside: np.ndarray) -> bool:
    """Return whether rows inside are near more often than those outside, by Fisher's exact test."""
    from scipy.stats import fisher_exact

    table = [[np.sum(near & side), np.sum(~near & side)] for side in (inside, ~inside)]
    return bool(fisher_exact(table, alternative="greater").pvalue < MAX_CHANCE)


def where_it_holds(
    assessment: Assessment, counted: HeldOutRows | None, held_out: GradientField, seed: int = 0
) -> Holds | None:
    """Conditions under which the chosen formula is near the network.

    A rule is compared by its decisions on the data rows that were kept apart, a concept by the
    angle between its gradients and the network's, and an account that is no concept by the values
    of phi(formula).

    Args:
        assessment: of the formula, in the user's units.
        counted: data rows that nothing was fitted on, with the network's values, in the user's
            units; `None` where none were kept apart.
        held_out: rows of its field that nothing was fitted to, in the user's units.
        seed: of all random choices.

    Returns:
        The conditions; `None` where there are too few held-out rows.
    """
    names, best, rule = held_out.names, assessment.best, assessment.rule
    fidelity, phi = assessment.fidelity, assessment.phi
    if counted is not None and len(counted.rows):
        points, network = counted.rows.points[:MAX_ROWS], counted.rows.values[:MAX_ROWS]
        with np.errstate(all="ignore"):
            if rule is not None:
                near = rule.decides(points) == (network > 0)
                return Holds.of_rows("decision", 0.0, near, points, names, seed)
            by_value = fidelity is not None and fidelity.metric != AGREEMENT
            if by_value and phi is not None and assessment.matches != Match.CONCEPT:
                low, high = np.quantile(network, SPREAD)
                off = np.abs(phi(best(points)) - network)
                near = off <= NEAR_VALUE * (high - low)
                return Holds.of_rows("value", NEAR_VALUE, near, points, names, seed)
    if held_out.rows < 2:
        return None
    near = angles(best, held_out) <= NEAR_ANGLE
    return Holds.of_rows("angle", NEAR_ANGLE, near, held_out.points, names, seed)


def angles(formula: Formula, field: GradientField) -> np.ndarray:
    """Angles in degrees between the gradients of a formula and a field.

    Args:
        formula: in the user's units.
        field: in the user's units.

    Returns:
        `(rows,)`.
    """
    expression = formula.expression
    if isinstance(formula, ScaledFormula):
        # Around 1e6 the gradient of an expression in the user's units loses digits.
        expression, field = formula.own, formula.units.field(field)
    return angle_of(errors(expression, field))
