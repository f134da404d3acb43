"""Forward and backward selection of terms by least squares, from inner products alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A term of which the chosen ones leave less than this part is a sum of them.
INDEPENDENT = 1e-4
# Longest sums whose terms may give way to others: time grows like the cube of their number.
MAX_EXCHANGED_TERMS = 12
# Part of the inner products' diagonal that is added to it.
RIDGE = 1e-7


@dataclass(frozen=True)
class Normal:
    """The normal equations of a least-squares problem.

    Attributes:
        gram: inner products of the terms, `(terms, terms)`.
        moments: of the terms with the target, `(terms,)`.
        total: of the target with itself.
    """

    gram: np.ndarray
    moments: np.ndarray
    total: float

    def __sub__(self, other: Normal) -> Normal:
        return Normal(
            self.gram - other.gram, self.moments - other.moments, self.total - other.total
        )

    def of_terms(self, chosen: Sequence[int] | np.ndarray) -> Normal:
        """The problem of some of the terms."""
        chosen = list(chosen)
        return Normal(self.gram[np.ix_(chosen, chosen)], self.moments[chosen], self.total)

    def mixed(self, weights: np.ndarray) -> Normal:
        """The problem of sums of the terms, by weights `(terms, sums)`."""
        return Normal(weights.T @ self.gram @ weights, weights.T @ self.moments, self.total)

    def coefficients(self, chosen: Sequence[int]) -> np.ndarray:
        """Coefficients of the least-squares fit of some terms, `(chosen,)`."""
        chosen = list(chosen)
        gram = self.gram[np.ix_(chosen, chosen)]
        scale = np.sqrt(np.diag(gram))
        scaled = gram / scale / scale[:, None] + RIDGE * np.eye(len(chosen))
        return np.linalg.solve(scaled, self.moments[chosen] / scale) / scale

    def residual(self, chosen: Sequence[int]) -> float:
        """The sum of squares that the fit of some terms leaves."""
        if not len(chosen):
            return self.total
        return max(
            self.total - float(self.moments[list(chosen)] @ self.coefficients(chosen)),
            1e-12 * self.total,
        )


class Sweep:
    """Terms less their projections on the terms chosen, updated term by term.

    Args:
        normal: the problem.
        chosen: terms that are chosen to begin with.
    """

    def __init__(self, normal: Normal, chosen: Sequence[int] = ()):
        self.normal = normal
        self.diagonal = np.diag(normal.gram).copy()
        self.left = self.diagonal.copy()
        self.moments = normal.moments.copy()
        self.residual = normal.total
        self.directions = np.zeros((0, len(self.left)))
        self.chosen: list[int] = []
        for term in chosen:
            self.add(term)

    def add(self, term: int) -> None:
        """Chooses a term."""
        row = self.normal.gram[term] - self.directions[:, term] @ self.directions
        length = np.sqrt(max(self.left[term], RIDGE * self.diagonal[term]))
        row = row / length
        moment = self.moments[term] / length
        self.directions = np.vstack([self.directions, row])
        self.left = self.left - row**2
        self.moments = self.moments - moment * row
        self.residual = max(self.residual - moment**2, 1e-12 * self.normal.total)
        self.chosen.append(term)

    def gains(self) -> np.ndarray:
        """By how much each term would lower the sum of squares, `(terms,)`."""
        open_ = self.left > INDEPENDENT * self.diagonal
        open_[self.chosen] = False
        return np.where(open_, self.moments**2 / np.where(open_, self.left, 1.0), 0.0)


def path(
    normal: Normal, costs: np.ndarray, budget: float, thrift: float = 0.5, start: Sequence[int] = ()
) -> list[tuple[int, ...]]:
    """Sets of terms, each found from the one before by the best step forward and exchanges.

    A step takes the term with the greatest

        log(residual before / residual after) / cost**thrift

    and then each chosen term gives way to any other that does better at a cost no higher.

    Args:
        normal: the problem.
        costs: of the terms, positive, `(terms,)`.
        budget: of the costs of all terms of a set.
        thrift: 0 for the best term whatever it costs, 1 for the best a unit of cost.
        start: terms of the first set.

    Returns:
        Sets of different sizes.
    """
    chosen = list(start)
    found: list[tuple[int, ...]] = [tuple(chosen)] if chosen else []
    while True:
        sweep = Sweep(normal, chosen)
        room = budget - costs[chosen].sum()
        gains = np.where(costs <= room, sweep.gains(), 0.0)
        if not gains.any():
            return found
        with np.errstate(divide="ignore"):
            left = np.maximum(1 - gains / sweep.residual, 1e-12)
        chosen.append(int(np.argmax(-np.log(left) / costs**thrift)))
        chosen = _exchanged(normal, costs, chosen)
        found.append(tuple(chosen))


def _exchanged(normal: Normal, costs: np.ndarray, chosen: list[int]) -> list[int]:
    """The set after each term gave way to a better one of at most its cost."""
    if not 2 <= len(chosen) <= MAX_EXCHANGED_TERMS:
        return chosen
    residual = normal.residual(chosen)
    for place in range(len(chosen) - 1):
        others = chosen[:place] + chosen[place + 1 :]
        sweep = Sweep(normal, others)
        gains = np.where(costs <= costs[chosen[place]], sweep.gains(), 0.0)
        best = int(np.argmax(gains))
        if sweep.residual - gains[best] < (1 - 1e-6) * residual:
            chosen = [*chosen[:place], best, *chosen[place + 1 :]]
            residual = sweep.residual - gains[best]
    return chosen
