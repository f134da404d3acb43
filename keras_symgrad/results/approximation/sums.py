"""Sums of basis functions: families of them, their fits to points, and scores of the fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_symgrad.expressions import Complexity
from keras_symgrad.formulas import Fidelity, MonotoneFit
from keras_symgrad.results.approximation.basis import BasisFunction, standardized
from keras_symgrad.results.approximation.refinement import (
    curvature_of_decisions,
    for_decisions,
    for_values,
)
from keras_symgrad.results.approximation.selection import Normal, path
from keras_symgrad.results.approximation.shared_coefficients import shortened
from keras_symgrad.results.approximation.steps import FitRows
from keras_symgrad.results.assessment import predictions

# Linear models of more inputs than these are tried at every fifth size, and of all inputs.
MAX_LINEAR_SIZES = 10
# Families of sums: how much a term may cost for what it gains, see `selection.path`.
THRIFTS = (0.5, 1.0)
# Complexity of a sum that is shortened, as a multiple of what it may cost in the end.
LONGER = 1.7
# Terms of a sum that is shortened: each step tries all pairs of them.
MAX_SHORTENED_TERMS = 50
# Weight of few data rows, with the rest for the ends of steps, for decisions.
LEAST_ROW_SHARE = 0.5
# Rows that weigh as much as all ends of steps; fewer are few.
FEW_ROWS = 500


@dataclass(frozen=True, eq=False)
class Sum:
    """Terms with coefficients that some of them may share.

    Attributes:
        chosen: numbers of the terms.
        shares: `(terms, numbers)` of -1, 0 and 1: the number that is each term's coefficient.
    """

    chosen: tuple[int, ...]
    shares: np.ndarray

    @classmethod
    def of(cls, chosen: Sequence[int]) -> Sum:
        """A sum of terms of which each has a coefficient of its own."""
        return cls(tuple(chosen), np.eye(len(chosen)))

    def shared(self, shares: np.ndarray) -> Sum:
        """The sum of the terms that have an entry in shares.

        Args:
            shares: of its terms, `(terms, numbers)`.
        """
        kept = np.flatnonzero(np.abs(shares).sum(axis=1))
        return Sum(tuple(self.chosen[int(k)] for k in kept), shares[kept])


@dataclass(frozen=True, eq=False)
class SumFit:
    """A sum that was fitted to some of the points.

    Attributes:
        sum: the terms.
        coefficients: of standardized terms, `(terms,)`.
        threshold: where it decides; 0 for values.
    """

    sum: Sum
    coefficients: np.ndarray
    threshold: float


class SumProblem:
    """Basis functions at the points that sums of them are fitted to.

    Args:
        terms: basis functions; those that are not finite at all points are left out.
        rows: the points.
        complexity: of formulas.
        decides: whether decisions are counted.
    """

    def __init__(
        self, terms: Sequence[BasisFunction], rows: FitRows, complexity: Complexity, decides: bool
    ):
        self.terms, self.columns, self.centres, self.widths = standardized(
            terms, rows.points, rows.rows
        )
        self.rows, self.decides, self.complexity = rows, decides, complexity
        self.is_linear = np.array([term.is_linear for term in self.terms])
        self._of_sum = complexity.of_node("add")
        self._of_number = complexity.of_node("mul") + complexity.constant
        costs = np.array([term.cost(complexity) for term in self.terms])
        self._of_terms = costs + self._of_sum
        self.costs = self._of_terms + self._of_number
        equations = rows.equations(np.column_stack([self.columns, rows.values]), rows.values)
        self._left, self._right = equations[:, :-1], equations[:, -1]

    def cost(self, sum_: Sum) -> float:
        """Complexity of a sum; its first term has neither a coefficient nor a plus."""
        numbers = (sum_.shares.shape[1] - 1) * self._of_number
        return float(self._of_terms[list(sum_.chosen)].sum() - self._of_sum + numbers)

    def normal(self, used: np.ndarray) -> Normal:
        """The normal equations of some of the equations, `(rows + steps,)` booleans."""
        left, right = self._left[used], self._right[used]
        return Normal(left.T @ left, left.T @ right, float(right @ right))

    def grown(self, normal: Normal, budget: float) -> list[list[Sum]]:
        """Sums term by term: of all terms, thrifty and less so, and of columns as they are.

        Args:
            normal: the normal equations of the points that are used.
            budget: complexity, but for sums of columns as they are.
        """
        found = [self._path(normal, budget, thrift) for thrift in THRIFTS]
        linear = np.flatnonzero(self.is_linear)
        if len(linear):
            # Whatever many inputs cost, a linear model of all of them is a formula too.
            paths = path(normal.of_terms(linear), self.costs[linear], np.inf, 1.0)
            sums = [Sum.of(linear[list(chosen)].tolist()) for chosen in paths]
            far = sums[MAX_LINEAR_SIZES:]
            found.append(sums[:MAX_LINEAR_SIZES] + far[:-1:5] + far[-1:])
        return found

    def families(self, normal: Normal, used: np.ndarray, budget: float) -> list[list[Sum]]:
        """Families of sums, each by ascending complexity: grown ones, and longer ones shortened.

        Args:
            normal: the normal equations of the points that are used.
            used: `(rows + steps,)` booleans.
            budget: complexity, but for sums of columns as they are.
        """
        grown = self.grown(normal, budget)
        long = [self._path(normal, LONGER * budget, thrift)[-1:] for thrift in THRIFTS]
        for linear in grown[len(THRIFTS) :]:
            long.append([one for one in linear if len(one.chosen) <= MAX_SHORTENED_TERMS][-1:])
        return grown + [
            [one for whole in wholes for one in self._shortened(whole, normal, used, budget)]
            for wholes in long
        ]

    def _path(self, normal: Normal, budget: float, thrift: float) -> list[Sum]:
        budget = budget + self._of_sum + self._of_number
        return [Sum.of(chosen) for chosen in path(normal, self.costs, budget, thrift)]

    def _shortened(self, whole: Sum, normal: Normal, used: np.ndarray, budget: float) -> list[Sum]:
        """Shorter sums of a sum's terms, of which some share coefficients; the shortest first."""
        chosen = list(whole.chosen)
        coefficients = normal.coefficients(chosen)
        curvature = normal.gram[np.ix_(chosen, chosen)]
        if self.decides:
            fit = self.fitted(whole, normal, used)
            coefficients = fit.coefficients
            columns = self.columns[:, chosen][used]
            weights = self._weights(used)
            curvature = curvature_of_decisions(columns, coefficients, fit.threshold, weights)
        widths = self.widths[chosen]
        # Terms share a coefficient as they are, not standardized.
        curvature = curvature * np.outer(widths, widths)
        found = shortened(curvature, coefficients / widths, self._of_terms[chosen], self._of_number)
        kept: list[Sum] = []
        for one in map(whole.shared, found):
            # Each takes time, and neighbours are nearly alike.
            most = self.cost(kept[-1]) - self._of_number if kept else budget
            if self.cost(one) <= most:
                kept.append(one)
        return kept[::-1]

    def _weights(self, used: np.ndarray) -> np.ndarray:
        """Weights of the points that are used, for decisions."""
        is_row = np.arange(len(used)) < self.rows.rows
        at_rows, at_ends = used & is_row, used & ~is_row
        share = row_share(self.rows.rows)
        weights = share * at_rows / max(at_rows.sum(), 1)
        return (weights + (1 - share) * at_ends / max(at_ends.sum(), 1))[used]

    def fitted(self, sum_: Sum, normal: Normal, used: np.ndarray) -> SumFit:
        """A sum with its coefficients, refined on some of the points."""
        chosen = list(sum_.chosen)
        columns, values = self.columns[:, chosen][used], self.rows.values[used]
        part = normal.of_terms(chosen)
        mixed = self.widths[chosen, None] * sum_.shares
        mixed = mixed / np.maximum(
            (self.columns[: self.rows.rows, chosen] @ mixed).std(axis=0), 1e-300
        )
        part, columns = part.mixed(mixed), columns @ mixed
        start = part.coefficients(range(mixed.shape[1]))
        if not self.decides:
            return SumFit(sum_, mixed @ for_values(columns, values, start), 0.0)
        numbers, threshold = for_decisions(columns, values, start, self._weights(used))
        return SumFit(sum_, mixed @ numbers, threshold)

    def score(self, fit: SumFit, used: np.ndarray, held_out: np.ndarray) -> tuple[float, int]:
        """R2 or agreement of a sum at points that it was not fitted to, and their number."""
        g = self.columns[:, list(fit.sum.chosen)] @ fit.coefficients
        return self.score_of_values(g, used, held_out, fit.threshold)

    def score_of_values(
        self, g: np.ndarray, used: np.ndarray, held_out: np.ndarray, threshold: float | None
    ) -> tuple[float, int]:
        """The same of values at all points; without a threshold phi decides."""
        if threshold is not None and self.decides:
            return self.score_of_predictions(g - threshold, held_out)
        fits = used & self._is_row
        if np.unique(g[fits]).size < 2:
            return 0.0, int((held_out & self._is_row).sum())
        phi = MonotoneFit.smooth(g[fits], self.rows.values[fits])
        return self.score_of_predictions(phi(g), held_out)

    def score_of_predictions(self, found: np.ndarray, held_out: np.ndarray) -> tuple[float, int]:
        """R2 or agreement of predictions at some of the points, and the number of rows there.

        Args:
            found: at all points, `(rows + steps,)`; a decision is its sign.
            held_out: points that are counted, `(rows + steps,)` booleans.
        """
        values, at_rows = self.rows.values, held_out & self._is_row
        # Few rows leave much to chance: points between them are counted as well.
        parts = [part for part in (at_rows, held_out & ~self._is_row) if part.any()]
        scores = [
            float(np.mean((found[part] > 0) == (values[part] > 0)))
            if self.decides
            else Fidelity.of_values(values[part], found[part]).formula
            for part in parts
        ]
        share = self.rows.rows / (self.rows.rows + FEW_ROWS)
        shares = (share, 1 - share)[: len(scores)]
        return float(np.average(scores, weights=shares)), int(at_rows.sum())

    @property
    def _is_row(self) -> np.ndarray:
        return np.arange(len(self.rows.points)) < self.rows.rows

    def scores_of_simple_models(self, used: np.ndarray, seed: int) -> list[float]:
        """Scores of a linear or logistic model of all columns and of a small tree.

        Args:
            used: points of which they are fitted to the rows, `(rows + steps,)` booleans; the
                others are counted.
            seed: of the tree.

        Returns:
            Two scores; minus infinity where nothing can be fitted.
        """
        fits, values = used & self._is_row, self.rows.values
        target = (values > 0).astype(int) if self.decides else values
        found = predictions(self.rows.points[fits], target[fits], self.rows.points, seed)
        # Classes are 0 and 1.
        level = 0.5 if self.decides else 0.0
        return [
            -np.inf if one is None else self.score_of_predictions(one - level, ~used)[0]
            for one in found
        ]


def row_share(rows: int) -> float:
    """Weight of all data rows, with 1 less that for all ends of steps; it grows with the rows.

    Ends lie nearer to the middle of the data than rows do, and rows are what is asked about.

    Args:
        rows: number of data rows.

    Example:

    >>> row_share(100), row_share(2000)
    (0.5, 0.8)
    """
    return max(LEAST_ROW_SHARE, rows / (rows + FEW_ROWS))
