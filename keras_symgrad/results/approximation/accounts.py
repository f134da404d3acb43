"""Sums of basis functions that reproduce a network, chosen by cross-validation.

Sums of all sizes are selected for value and slope together, their coefficients refined for what is
counted: R2 of phi(g) or agreement of decisions. How faithful a size is, rows tell that its terms
were not selected on; the rows that fidelity is reported on have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.formulas import Fidelity, MonotoneFit
from keras_symgrad.results.approximation.basis import (
    BasisFunction,
    Term,
    basis,
    products,
    writable,
)
from keras_symgrad.results.approximation.refinement import for_decisions, for_values
from keras_symgrad.results.approximation.selection import Normal, path
from keras_symgrad.results.approximation.steps import FitRows

FOLDS = 5
# Fewer rows than these are divided into folds several times: one division leaves much to chance.
FEW_ROWS = 500
DIVISIONS_OF_FEW = 3
# Linear models of more inputs than these are tried at every fifth size, and of all inputs.
MAX_LINEAR_SIZES = 10
# Families of sums: how much a term may cost for what it gains, see `selection.path`.
THRIFTS = (0.5, 1.0)
# Terms that are kept for products with others, by what each gains alone.
MAX_KEPT_TERMS = 150
# Products of chosen terms that are tried.
MAX_PRODUCTS = 800
# Factors of a product.
MAX_FACTORS = 3
# Transforms that chosen terms are multiplied with.
SIMPLE_TRANSFORMS = ("itself", "square", "above", "below", "inverse")
# Weight of few data rows, with the rest for the ends of steps, for decisions and in scores.
LEAST_ROW_SHARE = 0.5
# A simpler sum is better unless a longer one gains more than this, in R2 or agreement.
GAIN = 1e-3
# How far the chosen sum may be from the most faithful one, in R2 or agreement.
DISTANCE = 0.005


@dataclass(frozen=True, eq=False)
class Account:
    """A sum of basis functions, or a formula as it is.

    Attributes:
        terms: the basis functions.
        coefficients: of the terms, `(terms,)`.
        threshold: where the sum decides; 0 for values.
        cost: its complexity, or nearly so.
        score: R2 or agreement by cross-validation.
    """

    terms: tuple[Term, ...]
    coefficients: np.ndarray
    threshold: float
    cost: float
    score: float


@dataclass(frozen=True, eq=False)
class _Fit:
    """A sum that was fitted to some of the points."""

    chosen: tuple[int, ...]
    coefficients: np.ndarray
    threshold: float


class _Problem:
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
        with np.errstate(all="ignore"):
            columns = np.column_stack([term.values(rows.points) for term in terms])
        spread = columns[: rows.rows].std(axis=0)
        kept = np.flatnonzero(np.isfinite(columns).all(axis=0) & (spread > 0))
        self.terms = [terms[int(k)] for k in kept]
        self.centres, self.widths = columns[: rows.rows, kept].mean(axis=0), spread[kept]
        self.columns = (columns[:, kept] - self.centres) / self.widths
        self.rows, self.decides, self.complexity = rows, decides, complexity
        self.is_linear = np.array([term.is_linear for term in self.terms])
        sum_, product = complexity.of_node("add"), complexity.of_node("mul")
        self._joined = sum_ + product + complexity.constant
        self.costs = np.array([term.cost(complexity) for term in self.terms]) + self._joined
        equations = rows.equations(np.column_stack([self.columns, rows.values]), rows.values)
        self._left, self._right = equations[:, :-1], equations[:, -1]

    def cost(self, chosen: Sequence[int]) -> float:
        """Complexity of a sum; its first term has neither a coefficient nor a plus."""
        return float(self.costs[list(chosen)].sum() - self._joined)

    def normal(self, used: np.ndarray) -> Normal:
        """The normal equations of some of the equations, `(rows + steps,)` booleans."""
        left, right = self._left[used], self._right[used]
        return Normal(left.T @ left, left.T @ right, float(right @ right))

    def families(self, normal: Normal, budget: float) -> list[list[tuple[int, ...]]]:
        """Paths of sums: of all terms, thrifty and less so, and of columns as they are."""
        budget = budget + self._joined
        found = [path(normal, self.costs, budget, thrift) for thrift in THRIFTS]
        linear = np.flatnonzero(self.is_linear)
        if not len(linear):
            return found
        part = Normal(normal.gram[np.ix_(linear, linear)], normal.moments[linear], normal.total)
        # Whatever many inputs cost, a linear model of all of them is a formula too.
        sums = path(part, self.costs[linear], np.inf, 1.0)
        long = sums[MAX_LINEAR_SIZES:]
        sums = sums[:MAX_LINEAR_SIZES] + long[:-1:5] + long[-1:]
        return [*found, [tuple(linear[list(chosen)]) for chosen in sums]]

    def fitted(self, chosen: tuple[int, ...], normal: Normal, used: np.ndarray) -> _Fit:
        """A sum with its coefficients, refined on some of the points."""
        start = normal.coefficients(chosen)
        columns, values = self.columns[:, list(chosen)][used], self.rows.values[used]
        if not self.decides:
            return _Fit(chosen, for_values(columns, values, start), 0.0)
        at_rows = used & (np.arange(len(used)) < self.rows.rows)
        at_ends = used & ~at_rows
        share = row_share(self.rows.rows)
        weights = share * at_rows / max(at_rows.sum(), 1)
        weights = weights + (1 - share) * at_ends / max(at_ends.sum(), 1)
        return _Fit(chosen, *for_decisions(columns, values, start, weights[used]))

    def score(self, fit: _Fit, used: np.ndarray, held_out: np.ndarray) -> tuple[float, int]:
        """R2 or agreement of a sum at points that it was not fitted to, and their number."""
        g = self.columns[:, list(fit.chosen)] @ fit.coefficients
        return self.score_of_values(g, used, held_out, fit.threshold)

    def score_of_values(
        self, g: np.ndarray, used: np.ndarray, held_out: np.ndarray, threshold: float | None
    ) -> tuple[float, int]:
        """The same of values at all points; without a threshold phi decides."""
        values = self.rows.values
        is_row = np.arange(len(values)) < self.rows.rows
        if threshold is None or not self.decides:
            fits = used & is_row
            if np.unique(g[fits]).size < 2:
                return 0.0, int((held_out & is_row).sum())
            phi = MonotoneFit.through(g[fits], values[fits])
            found = phi(g)
        else:
            found = g - threshold
        # Few rows leave much to chance: points between them are counted as well.
        parts = [part for part in (held_out & is_row, held_out & ~is_row) if part.any()]
        scores = [
            float(np.mean((found[part] > 0) == (values[part] > 0)))
            if self.decides
            else Fidelity.of_values(values[part], found[part]).formula
            for part in parts
        ]
        share = row_share(self.rows.rows)
        shares = (share, 1 - share)[: len(scores)]
        return float(np.average(scores, weights=shares)), int((held_out & is_row).sum())


def accounts(
    rows: FitRows,
    complexity: Complexity,
    operators: OperatorSet,
    *,
    decides: bool,
    budget: float,
    given: Sequence[Term] = (),
    seed: int = 0,
) -> list[Account]:
    """Sums of basis functions by complexity, each more faithful than all before it.

    Args:
        rows: what they are fitted to.
        complexity: of formulas.
        operators: that they may be written with.
        decides: whether decisions are counted, and not values.
        budget: complexity of a sum, but for one of all columns as they are.
        given: formulas that a search found; each is an account by itself.
        seed: of the folds.

    Returns:
        Accounts by ascending complexity and score.
    """
    terms = writable(basis(rows.points[: rows.rows]), operators)
    problem = _Problem(terms, rows, complexity, decides)
    everything = np.ones(len(rows.points), bool)
    normal = problem.normal(everything)
    sums = [chosen for family in problem.families(normal, budget) for chosen in family]
    grown = _with_products(problem, normal, sums, operators)
    problem = _Problem(grown, rows, complexity, decides)
    found = _cross_validated(problem, budget, seed)
    found += _of_given(problem, given, seed)
    return _pareto(found)


def _with_products(
    problem: _Problem, normal: Normal, sums: Sequence[tuple[int, ...]], operators: OperatorSet
) -> list[BasisFunction]:
    """The terms that did well, and products of the chosen ones."""
    best = sorted(sums, key=normal.residual)[: 2 * len(THRIFTS)]
    chosen = [problem.terms[k] for k in dict.fromkeys(k for one in best for k in one)]
    columns = {factor.column for term in chosen for factor in term.factors}
    singles = [
        term
        for term in problem.terms
        if len(term.factors) == 1
        and term.factors[0].transform in SIMPLE_TRANSFORMS
        and term.factors[0].column in columns
    ]
    alone = np.argsort(-(normal.moments**2) / np.diag(normal.gram), kind="stable")
    used = {k for one in sums for k in one} | set(alone[:MAX_KEPT_TERMS].tolist())
    kept = [term for k, term in enumerate(problem.terms) if k in used or problem.is_linear[k]]
    more = [term for term in products(chosen, singles) if len(term.factors) <= MAX_FACTORS]
    known = set(kept)
    more = writable([term for term in more if term not in known], operators)
    return [*kept, *more[:MAX_PRODUCTS]]


def _cross_validated(problem: _Problem, budget: float, seed: int) -> list[Account]:
    """The sums of all families with the scores of their sizes by cross-validation."""
    everything = np.ones(len(problem.rows.points), bool)
    whole = problem.normal(everything)
    # By family: costs and scores of the sums of each fold, and how many rows they were counted on.
    scored: list[list[tuple[np.ndarray, np.ndarray, int]]] = []
    for used in folds(problem.rows, seed):
        normal = whole - problem.normal(~used)
        families = []
        for family in problem.families(normal, budget):
            fits = [problem.fitted(chosen, normal, used) for chosen in family]
            scores = [problem.score(fit, used, ~used) for fit in fits]
            families.append(
                (
                    np.array([problem.cost(fit.chosen) for fit in fits]),
                    np.array([score for score, _ in scores]),
                    scores[0][1] if scores else 0,
                )
            )
        scored.append(families)
    found = []
    for number, family in enumerate(problem.families(whole, budget)):
        for chosen in family:
            fit, cost = problem.fitted(chosen, whole, everything), problem.cost(chosen)
            scores = []
            for families in scored:
                costs, of_sums, rows = families[number]
                within = np.flatnonzero(costs <= cost)
                # The last sum of a path that costs no more has most terms.
                scores.append((of_sums[within[-1]] if len(within) else 0.0, rows))
            values, counts = np.transpose(scores)
            terms = tuple(problem.terms[k] for k in chosen)
            widths, centres = problem.widths[list(chosen)], problem.centres[list(chosen)]
            coefficients = fit.coefficients / widths
            found.append(
                Account(
                    terms,
                    coefficients,
                    fit.threshold + float(coefficients @ centres),
                    cost,
                    float(np.average(values, weights=counts)),
                )
            )
    return found


def _of_given(problem: _Problem, given: Sequence[Term], seed: int) -> list[Account]:
    """Formulas that a search found, with the score of phi(g)."""
    found = []
    for term in given:
        with np.errstate(all="ignore"):
            g = term.values(problem.rows.points)
        if not np.isfinite(g).all() or np.unique(g).size < 2:
            continue
        scores = [
            problem.score_of_values(g, used, ~used, None) for used in folds(problem.rows, seed)
        ]
        values, counts = np.transpose(scores)
        score = float(np.average(values, weights=counts))
        found.append(Account((term,), np.ones(1), np.nan, term.cost(problem.complexity), score))
    return found


def folds(rows: FitRows, seed: int) -> list[np.ndarray]:
    """Points that each fold is fitted to: a row is held out with the steps from it."""
    rng = np.random.default_rng([seed, 11])
    found = []
    for _ in range(DIVISIONS_OF_FEW if rows.rows < FEW_ROWS else 1):
        fold = np.empty(rows.rows, int)
        fold[rng.permutation(rows.rows)] = np.arange(rows.rows) % FOLDS
        found += [fold[rows.owners] != k for k in range(FOLDS)]
    return found


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


def _pareto(found: Sequence[Account]) -> list[Account]:
    """Accounts that gain something over all simpler ones."""
    kept: list[Account] = []
    for account in sorted(found, key=lambda one: (one.cost, -one.score)):
        if not kept or account.score > kept[-1].score + GAIN:
            kept.append(account)
    return kept


def choice(found: Sequence[Account], budget: float) -> int:
    """Number of the simplest account that is within 0.005 of the best one's score.

    Args:
        found: by ascending complexity and score.
        budget: complexity that is exceeded only for a gain of twice that.
    """
    return simplest([one.cost for one in found], [one.score for one in found], budget)


def simplest(
    costs: Sequence[float],
    of_scores: Sequence[float],
    budget: float,
    distance: float = DISTANCE,
) -> int:
    """Number of the simplest of several accounts that is within a distance of the best score.

    Args:
        costs: ascending complexities.
        of_scores: R2 or agreement of each.
        budget: complexity that is exceeded only for a gain of twice that.
        distance: in R2 or agreement.

    Example:

    >>> simplest([3, 9, 80], [0.8, 0.95, 0.953], budget=59)
    1
    """
    scores = np.array(of_scores)
    near = scores >= scores.max() - distance
    short = np.array(costs) <= budget
    if short.any() and not (near & short).any():
        most = scores[short].max()
        if most >= scores.max() - 2 * distance:
            near = scores >= most
    return int(np.flatnonzero(near)[0])
