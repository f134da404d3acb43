"""Select the terms of one score for each class, by the log-loss of their softmax.

A network's probabilities are the target, so points where it hesitates count most. All scores are
made of one dictionary, whose values are computed once; each step adds the term that promises most
to every score, and then the coefficients of all scores are fitted together:

    p_k = exp(s_k) / sum_j exp(s_j),   s_k = b_k + sum_i c_ki T_i
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.results.approximation.accounts import (
    DISTANCE,
    FOLDS,
    folds,
    simplest,
)
from keras_symgrad.results.approximation.basis import (
    BasisFunction,
    basis,
    most_used,
    standardized,
    writable,
)
from keras_symgrad.results.approximation.steps import FitRows
from keras_symgrad.results.approximation.sums import FEW_ROWS, LEAST_ROW_SHARE

# Columns whose products are tried: those that the scores depend on most.
MAX_PAIRED_COLUMNS = 64
# Terms of a score.
MAX_TERMS = 16
# Steps without a better agreement after which no longer scores are tried.
PATIENCE = 4
# Divisions of many rows into rows that are fitted and rows that are counted.
DIVISIONS_OF_MANY = 2
# A score gets no term that promises less than this share of what the best term of any promises.
LEAST_SHARE = 0.1
# Weight of the squares of coefficients, for terms of unit variance.
SHRINKAGE = 1e-3
# Least variance of a decision: beyond it a network is certain.
LEAST_VARIANCE = 1e-4
# A term of which the chosen ones leave less than this part is a sum of them.
INDEPENDENT = 1e-3
# Median difference of the two largest scores, between which probabilities are worth fitting.
MARGINS = 0.5, 20.0
MAX_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class ScoreFit:
    """Scores that were fitted to some of the points.

    Attributes:
        chosen: numbers of the terms of each class's score.
        coefficients: of standardized terms, by class.
        offsets: by class, `(classes,)`.
    """

    chosen: tuple[tuple[int, ...], ...]
    coefficients: tuple[np.ndarray, ...]
    offsets: np.ndarray

    def values(self, columns: np.ndarray) -> np.ndarray:
        """The scores, `(points, classes)`.

        Args:
            columns: standardized terms at points, `(points, terms)`.
        """
        sums = [columns[:, list(chosen)] @ c for chosen, c in zip(self.chosen, self.coefficients)]
        return np.column_stack(sums) + self.offsets


@dataclass(frozen=True, eq=False)
class Growth:
    """Scores of one size in all divisions of the rows.

    Attributes:
        terms: mean number of terms of a score.
        cost: mean complexity of a score, or nearly so.
        agreement: share of choices that are the network's, on rows that were not fitted.
        rows: number of data rows that it was counted on.
    """

    terms: float
    cost: float
    agreement: float
    rows: int


class ScoreProblem:
    """A dictionary of terms at points where a network's scores are known.

    Args:
        rows: the points.
        scores: of the network there, `(rows + steps, classes)`.
        complexity: of formulas.
        operators: that they may be written with.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    >>> network = lambda x: 9 * np.column_stack([x[:, 0] * x[:, 1], 0.2 + 0 * x[:, 0]])
    >>> rows = FitRows.of(x, network(x).max(axis=1), None, np.zeros(2, bool))
    >>> operators = OperatorSet("default")
    >>> problem = ScoreProblem(rows, network(x), Complexity().over(operators), operators)
    >>> *_, fit = problem.grown(np.ones(300, bool), 1)
    >>> [problem.terms[k].expression(["a", "b"]) for one in fit.chosen for k in one[:1]]
    [a*b, a*b]
    """

    def __init__(
        self, rows: FitRows, scores: np.ndarray, complexity: Complexity, operators: OperatorSet
    ):
        self.rows, self.scores = rows, scores
        data = rows.points[: rows.rows]
        # A number that is added to all scores changes nothing.
        away = scores[: rows.rows] - scores[: rows.rows].mean(axis=1, keepdims=True)
        terms = writable(basis(data, most_used(data, away, MAX_PAIRED_COLUMNS)), operators)
        self.terms, columns, self.centres, self.widths = standardized(terms, rows.points, rows.rows)
        # Single precision is enough for choosing terms, and half the memory.
        self.columns = columns.astype(np.float32)
        joined = complexity.of_node("add") + complexity.of_node("mul") + complexity.constant
        self.costs = np.array([term.cost(complexity) for term in self.terms]) + joined
        self.offset_cost = complexity.of_node("add") + complexity.constant
        gaps = np.diff(np.sort(scores[: rows.rows], axis=1)[:, -2:], axis=1)
        margin = float(np.median(gaps)) or MARGINS[0]
        self.unit = margin / float(np.clip(margin, *MARGINS))
        self.probabilities = _softmax(scores / self.unit)

    def cost(self, fit: ScoreFit, k: int) -> float:
        """Complexity of the score of a class, or nearly so."""
        return float(self.costs[list(fit.chosen[k])].sum() + self.offset_cost)

    def growths(self, seed: int) -> Iterator[Growth]:
        """Scores of more and more terms, counted on rows that they were not fitted to.

        Args:
            seed: of the divisions.

        Yields:
            One size after the other, until longer ones gain nothing.
        """
        many = self.rows.rows >= FEW_ROWS
        divisions = folds(self.rows, seed)[: DIVISIONS_OF_MANY if many else FOLDS]
        is_row = np.arange(len(self.rows.points)) < self.rows.rows
        counted = int(sum((is_row & ~used).sum() for used in divisions))
        best, since = -np.inf, 0
        for fits in zip(*(self.grown(used, MAX_TERMS) for used in divisions)):
            agreement = np.mean([self._agreement(fit, ~used) for fit, used in zip(fits, divisions)])
            classes = range(len(fits[0].offsets))
            yield Growth(
                float(np.mean([len(fit.chosen[k]) for fit in fits for k in classes])),
                float(np.mean([self.cost(fit, k) for fit in fits for k in classes])),
                float(agreement),
                counted,
            )
            best, since = (agreement, 0) if agreement > best else (best, since + 1)
            if since >= PATIENCE:
                return

    def _agreement(self, fit: ScoreFit, counted: np.ndarray) -> float:
        is_row = np.arange(len(counted)) < self.rows.rows
        same = np.argmax(fit.values(self.columns), axis=1) == np.argmax(self.scores, axis=1)
        # Few rows leave much to chance: points between them are counted as well.
        parts = [part for part in (counted & is_row, counted & ~is_row) if part.any()]
        return float(np.mean([same[part].mean() for part in parts]))

    def grown(self, used: np.ndarray, steps: int) -> Iterator[ScoreFit]:
        """Scores that are grown term by term, each of one term more where it gains.

        Args:
            used: points that they are fitted to, `(rows + steps,)` booleans.
            steps: at most.

        Yields:
            The scores after each step.
        """
        columns, target = self.columns[used], self.probabilities[used]
        is_row = np.arange(len(used)) < self.rows.rows
        parts = [part[used] for part in (is_row, ~is_row) if (part & used).any()]
        shares = (LEAST_ROW_SHARE, 1 - LEAST_ROW_SHARE) if len(parts) == 2 else (1.0,)
        weights = sum(share * part / part.sum() for share, part in zip(shares, parts))
        squares = columns**2
        classes = target.shape[1]
        start = np.log(np.maximum(weights @ target, LEAST_VARIANCE))
        fit = ScoreFit(((),) * classes, (np.zeros(0),) * classes, start - start.mean())
        for _ in range(steps):
            gains = self._gains(fit, columns, squares, target, weights)
            promised, best = gains.max(axis=1), gains.argmax(axis=1)
            grows = promised > LEAST_SHARE * promised.max()
            if not grows.any():
                return
            chosen = tuple(
                (*old, int(term)) if more else old
                for old, term, more in zip(fit.chosen, best, grows)
            )
            coefficients = tuple(
                np.append(old, 0.0) if more else old for old, more in zip(fit.coefficients, grows)
            )
            fit = _fitted(ScoreFit(chosen, coefficients, fit.offsets), columns, target, weights)
            yield fit

    def _gains(
        self,
        fit: ScoreFit,
        columns: np.ndarray,
        squares: np.ndarray,
        target: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """Gain of one Newton step with one more term, by score and term, per unit of complexity."""
        found = _softmax(fit.values(columns))
        slopes = (weights[:, None] * (target - found)).astype(np.float32)
        curvature = weights[:, None] * np.maximum(found * (1 - found), LEAST_VARIANCE)
        moments, lengths = columns.T @ slopes, squares.T @ curvature.astype(np.float32)
        gains = np.zeros(moments.T.shape)
        for k, chosen in enumerate(fit.chosen):
            own = np.column_stack([np.ones(len(columns)), columns[:, list(chosen)]])
            weighted = curvature[:, k, None] * own
            common = columns.T @ weighted.astype(np.float32)
            gram = own.T @ weighted + 1e-9 * np.eye(own.shape[1])
            left = lengths[:, k] - np.einsum("ij,ji->i", common, np.linalg.solve(gram, common.T))
            free = moments[:, k] - common @ np.linalg.solve(gram, own.T @ slopes[:, k])
            is_new = left > INDEPENDENT * lengths[:, k]
            is_new[list(chosen)] = False
            gains[k] = np.where(is_new, free**2 / (np.where(is_new, left, 1.0) + SHRINKAGE), 0.0)
        return gains / self.costs


def choice(found: Sequence[Growth], budget: float) -> int:
    """Number of the shortest scores within a standard error of the highest agreement.

    Args:
        found: by size.
        budget: complexity of a score that is exceeded only for a clear gain; see
            `accounts.simplest`.
    """
    best = max(found, key=lambda one: one.agreement)
    error = np.sqrt(best.agreement * (1 - best.agreement) / best.rows)
    costs, scores = ([getattr(one, name) for one in found] for name in ("cost", "agreement"))
    return simplest(costs, scores, budget, max(DISTANCE, float(error)))


def expressed(
    problem: ScoreProblem, fit: ScoreFit, digits: int
) -> list[tuple[list[BasisFunction], list[float], float]]:
    """Terms, coefficients and offset of each score, in the units of the network's scores.

    Args:
        problem: that the scores are of.
        fit: the scores.
        digits: significant ones of the coefficients.
    """
    found = []
    for chosen, scaled, offset in zip(fit.chosen, fit.coefficients, fit.offsets):
        numbers = list(chosen)
        exact = problem.unit * scaled / problem.widths[numbers]
        written = [float(f"{c:.{digits}g}") for c in exact]
        # Rounding moves the mean of columns far from zero.
        level = problem.unit * offset - float(np.dot(written, problem.centres[numbers]))
        places = digits - 1 - int(np.floor(np.log10(problem.unit)))
        found.append(([problem.terms[k] for k in numbers], written, round(level, places)))
    return found


def _fitted(
    fit: ScoreFit, columns: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> ScoreFit:
    """Scores of the same terms with the coefficients of least log-loss."""
    from scipy.optimize import minimize

    own = [columns[:, list(chosen)].astype(float) for chosen in fit.chosen]
    classes = len(own)
    ends = np.cumsum([one.shape[1] for one in own])[:-1]

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        parts = np.split(beta[classes:], ends)
        scores = np.column_stack([one @ c for one, c in zip(own, parts)]) + beta[:classes]
        top = scores.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
        off = weights[:, None] * (np.exp(scores - log_sum) - target)
        slopes = [off.sum(axis=0), *(one.T @ off[:, k] for k, one in enumerate(own))]
        squares = np.concatenate([np.full(classes, 1e-9), np.full(len(beta) - classes, SHRINKAGE)])
        value = float(weights @ (target * (log_sum - scores)).sum(axis=1))
        return value + beta @ (squares * beta) / 2, np.concatenate(slopes) + squares * beta

    start = np.concatenate([fit.offsets, *fit.coefficients])
    options = {"maxiter": MAX_ITERATIONS}
    beta = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    parts = np.split(beta[classes:], ends)
    return ScoreFit(fit.chosen, tuple(parts), beta[:classes] - beta[:classes].mean())


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
