"""`ClassScores`: one formula for each class of a classifier, of which the largest decides.

They are approximations of a network of several classes, as `accounts` are of one of two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.files import Record
from keras_symgrad.formulas import Fidelity, Formula
from keras_symgrad.gradients import few_values
from keras_symgrad.results.approximation.approximate import (
    FEWEST_DIGITS,
    HINGES_AND_STEPS,
    MAX_COMPLEXITY,
    MAX_FIT_ROWS,
    MOST_DIGITS,
)
from keras_symgrad.results.approximation.basis import exact
from keras_symgrad.results.approximation.score_selection import (
    Growth,
    ScoreFit,
    ScoreProblem,
    choice,
    expressed,
)
from keras_symgrad.results.approximation.steps import FitRows
from keras_symgrad.results.assessment import DataRows, fidelity_of_classes

# Share of choices that rounding the coefficients may change.
ROUNDED_CHOICES = 1e-3
# Fewest data rows that scores are fitted to.
MIN_ROWS = 10


@dataclass(frozen=True)
class ScoreFormulas:
    """One formula for each class; the class of the largest is chosen.

    Attributes:
        formulas: of the scores, by class. Differences of two are logits of one class against the
            other. `formula.fidelity` is of the decisions whether a row is in the class.
        fidelity: of the choice among all classes.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> formulas = [Formula(e, 1, 0.0, ("x",)) for e in (x, 0.5 + 0 * x, -x)]
    >>> ScoreFormulas(tuple(formulas), Fidelity("agreement", 1.0, 0.5, 9)).choose([[2.0], [0.1]])
    array([0, 1])
    """

    formulas: tuple[Formula, ...]
    fidelity: Fidelity

    @property
    def complexity(self) -> float:
        """Mean complexity of a formula."""
        return float(np.mean([formula.complexity for formula in self.formulas]))

    def values(self, x: Any) -> np.ndarray:
        """The scores at points; minus infinity where a formula is undefined.

        Args:
            x: points of shape `(rows, variables)`.

        Returns:
            `(rows, classes)`.
        """
        x = np.asarray(x, float)
        with np.errstate(all="ignore"):
            scores = np.column_stack(
                [np.broadcast_to(formula(x), len(x)) for formula in self.formulas]
            )
        return np.where(np.isfinite(scores), scores, -np.inf)

    def choose(self, x: Any) -> np.ndarray:
        """Numbers of the classes with the largest scores, `(rows,)`."""
        return np.argmax(self.values(x), axis=1)

    def to_dict(self) -> dict[str, Any]:
        """The formulas and fidelities as plain data."""
        entries = [formula.to_dict() for formula in self.formulas]
        for entry in entries:
            # Gradients are not compared.
            entry["loss"] = None
        return {"formulas": entries, "fidelity": self.fidelity.to_dict()}

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], names: tuple[str, ...]
    ) -> ScoreFormulas:
        """Read formulas from the plain data of `to_dict`; nothing in them is run."""
        record = Record.of(content)
        return cls(
            tuple(Formula.from_dict(one, names) for one in record.records("formulas")),
            Fidelity.from_dict(record.record("fidelity")),
        )


@dataclass(frozen=True)
class ClassScores:
    """Scores of a classifier's classes, from short formulas to long ones.

    Attributes:
        front: by size; the longer ones are the more faithful.
        chosen: number of the simplest that choose nearly as faithfully as any.
        complete: whether longer scores were tried until they gained nothing; else the time limit or
            Ctrl-C ended that.
    """

    front: tuple[ScoreFormulas, ...]
    chosen: int
    complete: bool = True

    @property
    def best(self) -> ScoreFormulas:
        """The scores that were chosen."""
        return self.front[self.chosen]

    def for_fidelity(self, agreement: float) -> ScoreFormulas | None:
        """The shortest scores that choose as the network does on a share of the held-out rows.

        Args:
            agreement: the share, at most 1.

        Returns:
            The scores; `None` where none of the front are so faithful.
        """
        found = (scores for scores in self.front if scores.fidelity.formula >= agreement)
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        """All sizes as plain data."""
        front = [scores.to_dict() for scores in self.front]
        return {"front": front, "chosen": self.chosen, "complete": self.complete}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> ClassScores:
        """Read scores from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: they are something else.
        """
        record = Record.of(content)
        front = tuple(ScoreFormulas.from_dict(one, names) for one in record.records("front"))
        chosen = record.whole("chosen")
        if chosen >= len(front):
            raise record.refused("chosen", "the number of a row of the front")
        return cls(front, chosen, record.flag("complete"))


def approximate_classes(
    network: Callable[[np.ndarray], np.ndarray],
    train: np.ndarray,
    held_out: np.ndarray,
    names: Sequence[str],
    *,
    operators: OperatorSet = OperatorSet("default"),
    complexity: Complexity | None = None,
    max_complexity: float = MAX_COMPLEXITY,
    seed: int = 0,
    on_growth: Callable[[Growth], bool] = lambda growth: False,
) -> ClassScores | None:
    """Find a short score for each class of a network, of which the largest decides as it does.

    Args:
        network: `(points) -> (points, classes)`, its scores.
        train: data that formulas are fitted to, `(rows, variables)`, finite.
        held_out: data that fidelity is counted on.
        names: of the variables.
        operators: that formulas may be written with; hinges and steps besides the default ones.
        complexity: of formulas.
        max_complexity: of a formula, exceeded only for a clear gain.
        seed: of all random choices.
        on_growth: called with each size that was tried; true ends the trials.

    Returns:
        The scores; `None` where there are too few rows.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    >>> network = lambda x: np.column_stack([8 * x[:, 0] ** 2, 0 * x[:, 0], 8 * x[:, 1]])
    >>> found = approximate_classes(network, x[:400], x[400:], ("a", "b"))
    >>> found.best.fidelity.formula > 0.97
    True
    """
    if operators == OperatorSet("default"):
        operators = operators + list(HINGES_AND_STEPS)
    complexity = (complexity or Complexity()).over(operators)
    order = np.random.default_rng([seed, 5]).permutation(len(train))[:MAX_FIT_ROWS]
    points = train[order]
    largest = np.asarray(network(points), float).max(axis=1)
    points, largest = points[np.isfinite(largest)], largest[np.isfinite(largest)]
    if len(points) < MIN_ROWS or not len(held_out) or not points.std(axis=0).any():
        return None
    discrete = np.zeros(points.shape[1], bool)
    discrete[list(few_values(points))] = True
    rows = FitRows.of(
        points, largest, lambda x: np.asarray(network(x), float).max(axis=1), discrete, seed
    )
    problem = ScoreProblem(rows, np.asarray(network(rows.points), float), complexity, operators)
    growths: list[Growth] = []
    complete = True
    for growth in problem.growths(seed):
        growths.append(growth)
        if on_growth(growth):
            complete = False
            break
    if not growths:
        return None
    chosen = choice(growths, max_complexity)
    known, kept = (
        DataRows(x, np.argmax(np.asarray(network(x), float), axis=1)) for x in (train, held_out)
    )
    every = np.ones(len(rows.points), bool)
    sizes = [
        _with_fidelity(_formulas(problem, fit, tuple(names), operators), known, kept, seed)
        for fit in problem.grown(every, chosen + 1)
    ]
    return ClassScores(tuple(sizes), len(sizes) - 1, complete)


def _formulas(
    problem: ScoreProblem, fit: ScoreFit, names: tuple[str, ...], operators: OperatorSet
) -> tuple[Formula, ...]:
    """The scores with coefficients of as few digits as the choices bear."""
    wanted = np.argmax(fit.values(problem.columns), axis=1)
    values = [np.float64(problem.columns[:, list(one)]) for one in fit.chosen]
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        written = expressed(problem, fit, digits)
        scores = np.column_stack(
            [
                (column * problem.widths[list(one)] + problem.centres[list(one)]) @ numbers + level
                for column, one, (_, numbers, level) in zip(values, fit.chosen, written)
            ]
        )
        if np.mean(np.argmax(scores, axis=1) != wanted) <= ROUNDED_CHOICES:
            break
    return tuple(
        Formula(
            sympy.Add(
                *(exact(c) * term.expression(names) for term, c in zip(terms, numbers)),
                exact(level),
            ),
            problem.cost(fit, k),
            np.nan,
            names,
            operators,
        )
        for k, (terms, numbers, level) in enumerate(written)
    )


def _with_fidelity(
    formulas: tuple[Formula, ...], known: DataRows, kept: DataRows, seed: int
) -> ScoreFormulas:
    scores = ScoreFormulas(formulas, Fidelity("agreement", 0.0, 0.0, 0))
    whole, each = fidelity_of_classes(known, kept, scores.choose(kept.points), len(formulas), seed)
    return ScoreFormulas(
        tuple(replace(formula, fidelity=one) for formula, one in zip(formulas, each)), whole
    )
