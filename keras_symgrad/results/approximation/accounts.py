"""Sums of basis functions that reproduce a network, chosen by cross-validation.

Sums of all sizes are selected for value and slope together, long ones are shortened, and their
coefficients refined for what is counted: R2 of phi(g) or agreement of decisions. How faithful a
size is, rows tell that its terms were not selected on; the rows that fidelity is reported on have
no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.results.approximation.basis import (
    BasisFunction,
    Term,
    basis,
    most_used,
    products,
    writable,
)
from keras_symgrad.results.approximation.selection import Normal
from keras_symgrad.results.approximation.steps import FitRows
from keras_symgrad.results.approximation.sums import FEW_ROWS, SumProblem

FOLDS = 5
# Few rows are divided into folds several times: one division leaves much to chance.
DIVISIONS_OF_FEW = 3
# Columns that are bent and multiplied: those that values depend on most. Time grows like the fourth
# power of their number.
MAX_BENT_COLUMNS = 40
# Terms that are kept for products with others, by what each gains alone.
MAX_KEPT_TERMS = 150
# Sums whose terms are multiplied with others.
MAX_MULTIPLIED_SUMS = 4
# Products of chosen terms that are tried.
MAX_PRODUCTS = 800
# Factors of a product.
MAX_FACTORS = 3
# Transforms that chosen terms are multiplied with.
SIMPLE_TRANSFORMS = ("itself", "square", "above", "below", "inverse")
# A simpler sum is better unless a longer one gains more than this, in R2 or agreement.
GAIN = 1e-3
# What a formula has to gain more where a sum of columns as they are says nearly the same: it bends
# beyond the few rows that it was fitted to.
LINEAR_GAIN = 3e-3
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
        score: R2 or agreement of its size by cross-validation, or its own on the rows that it was
            fitted to if that is less.
    """

    terms: tuple[Term, ...]
    coefficients: np.ndarray
    threshold: float
    cost: float
    score: float

    @property
    def is_linear(self) -> bool:
        """True for a sum of columns as they are."""
        return all(one.is_linear for one in self.terms)

    @property
    def merit(self) -> float:
        """The score, less what others have to gain over a sum of columns as they are."""
        return self.score if self.is_linear else self.score - LINEAR_GAIN


def accounts(
    rows: FitRows,
    complexity: Complexity,
    operators: OperatorSet,
    *,
    decides: bool,
    budget: float,
    given: Sequence[Term] = (),
    seed: int = 0,
) -> tuple[list[Account], int]:
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
        Accounts by ascending complexity, and the number of the chosen one: the simplest that is
        within 0.005 of the most faithful one and as faithful as a linear or logistic model of all
        columns, a small tree and, for decisions, any sum of columns, where one within the budget
        is. No account where no term fits.
    """
    data = rows.points[: rows.rows]
    bent = most_used(data, rows.values[: rows.rows, None], MAX_BENT_COLUMNS)
    terms = writable(basis(data, bent), operators)
    problem = SumProblem(terms, rows, complexity, decides)
    everything = np.ones(len(rows.points), bool)
    normal = problem.normal(everything)
    sums = [one.chosen for family in problem.grown(normal, budget) for one in family]
    grown = _with_products(problem, normal, sums, operators)
    problem = SumProblem(grown, rows, complexity, decides)
    found = _cross_validated(problem, budget, seed)
    # Agreement counts few errors, so sums of columns are further witnesses of a logistic model.
    linear = [one.score for one in found if decides and one.is_linear]
    least = max([_of_simple_models(problem, seed), *linear]) - GAIN
    found = _pareto(found + _of_given(problem, given, seed))
    if not found:
        return [], 0
    costs, merits = [one.cost for one in found], [one.merit for one in found]
    return found, simplest(costs, merits, budget, least=least)


def _with_products(
    problem: SumProblem, normal: Normal, sums: Sequence[tuple[int, ...]], operators: OperatorSet
) -> list[BasisFunction]:
    """The terms that did well, and products of the chosen ones."""
    best = sorted(sums, key=normal.residual)[:MAX_MULTIPLIED_SUMS]
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


def _cross_validated(problem: SumProblem, budget: float, seed: int) -> list[Account]:
    """The sums of all families with the scores of their sizes by cross-validation."""
    everything = np.ones(len(problem.rows.points), bool)
    whole = problem.normal(everything)
    # By family: costs and scores of the sums of each fold, and how many rows they were counted on.
    scored: list[list[tuple[np.ndarray, np.ndarray, int]]] = []
    for used in folds(problem.rows, seed):
        normal = whole - problem.normal(~used)
        families = []
        for family in problem.families(normal, used, budget):
            fits = [problem.fitted(one, normal, used) for one in family]
            scores = [problem.score(fit, used, ~used) for fit in fits]
            families.append(
                (
                    np.array([problem.cost(fit.sum) for fit in fits]),
                    np.array([score for score, _ in scores]),
                    scores[0][1] if scores else 0,
                )
            )
        scored.append(families)
    found = []
    for number, family in enumerate(problem.families(whole, everything, budget)):
        for one in family:
            fit, cost = problem.fitted(one, whole, everything), problem.cost(one)
            scores = []
            for families in scored:
                costs, of_sums, rows = families[number]
                within = np.flatnonzero(costs <= cost)
                # The last sum of a family that costs no more has most terms.
                scores.append((of_sums[within[-1]] if len(within) else 0.0, rows))
            values, counts = np.transpose(scores)
            own, _ = problem.score(fit, everything, everything)
            chosen = list(one.chosen)
            coefficients = fit.coefficients / problem.widths[chosen]
            found.append(
                Account(
                    tuple(problem.terms[k] for k in chosen),
                    coefficients,
                    fit.threshold + float(coefficients @ problem.centres[chosen]),
                    cost,
                    min(float(np.average(values, weights=counts)), own),
                )
            )
    return found


def _of_simple_models(problem: SumProblem, seed: int) -> float:
    """The better score of a linear or logistic model of all columns and of a small tree."""
    divisions = folds(problem.rows, seed)
    scored = [problem.scores_of_simple_models(used, seed) for used in divisions]
    rows = [int((~used[: problem.rows.rows]).sum()) for used in divisions]
    return float(np.average(scored, axis=0, weights=rows).max())


def _of_given(problem: SumProblem, given: Sequence[Term], seed: int) -> list[Account]:
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


def _pareto(found: Sequence[Account]) -> list[Account]:
    """Accounts that gain something over all simpler ones."""
    kept: list[Account] = []
    for account in sorted(found, key=lambda one: (one.cost, -one.merit)):
        if not kept or account.merit > kept[-1].merit + GAIN:
            kept.append(account)
    return kept


def simplest(
    costs: Sequence[float],
    of_scores: Sequence[float],
    budget: float,
    distance: float = DISTANCE,
    least: float = -np.inf,
) -> int:
    """Number of the simplest of several accounts that is within a distance of the best score.

    Args:
        costs: ascending complexities.
        of_scores: R2 or agreement of each.
        budget: complexity that is exceeded only for a gain of twice the distance.
        distance: in R2 or agreement.
        least: score that the account has as well, if one within the budget has it.

    Example:

    >>> simplest([3, 9, 80], [0.8, 0.95, 0.953], budget=59)
    1
    >>> simplest([3, 9, 40, 80], [0.8, 0.95, 0.952, 0.953], budget=59, least=0.951)
    2
    """
    scores = np.array(of_scores)
    near = scores >= scores.max() - distance
    short = np.array(costs) <= budget
    if short.any():
        most = scores[short].max()
        if most >= scores.max() - 2 * distance:
            near = scores >= min(max(scores.max() - distance, least), most)
    return int(np.flatnonzero(near)[0])
