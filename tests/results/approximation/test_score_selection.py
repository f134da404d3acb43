"""Scores of classes: their joint fit against scikit-learn, and the choice of terms and sizes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.results.approximation.class_scores import approximate_classes
from keras_symgrad.results.approximation.score_selection import (
    SHRINKAGE,
    Growth,
    ScoreFit,
    ScoreProblem,
    _fitted,
    choice,
)
from keras_symgrad.results.approximation.steps import FitRows

OPERATORS = OperatorSet("default")
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (600, 3))


def network(x: np.ndarray) -> np.ndarray:
    return 6 * np.column_stack([x[:, 0] * x[:, 1], x[:, 2] ** 2 - 0.2, 0.1 + 0 * x[:, 0]])


def problem(scores: np.ndarray) -> ScoreProblem:
    rows = FitRows.of(X, scores.max(axis=1), None, np.zeros(3, bool))
    return ScoreProblem(rows, scores, Complexity().over(OPERATORS), OPERATORS)


def test_the_joint_fit_is_that_of_multinomial_logistic_regression():
    labels = np.argmax(network(X) + RNG.gumbel(size=(600, 3)), axis=1)
    weights = np.full(600, 1 / 600)
    start = ScoreFit(((0, 1, 2),) * 3, (np.zeros(3),) * 3, np.zeros(3))
    found = _fitted(start, X, np.eye(3)[labels], weights).values(X)
    truth = LogisticRegression(C=1 / (SHRINKAGE * 600), tol=1e-8).fit(X, labels)
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, truth.predict_proba(X), atol=2e-3)


def test_a_function_that_is_added_to_all_scores_changes_nothing():
    every = np.ones(600, bool)
    common = 5 * np.sin(7 * X[:, :1])
    for one, other in zip(
        problem(network(X)).grown(every, 3), problem(network(X) + common).grown(every, 3)
    ):
        assert one.chosen == other.chosen
        np.testing.assert_allclose(one.offsets, other.offsets, atol=1e-3)


def test_scores_are_in_the_units_of_the_networks_however_small_these_are():
    for unit in (1e-4, 1.0, 1e4):
        found = approximate_classes(
            lambda x, unit=unit: unit * network(x), X[:450], X[450:], ("a", "b", "c")
        )
        assert found is not None
        scores, truth = found.best.values(X), unit * network(X)
        margins, own = scores[:, 0] - scores[:, 2], truth[:, 0] - truth[:, 2]
        assert np.corrcoef(margins, own)[0, 1] > 0.95
        assert 0.2 < np.std(margins) / np.std(own) < 5
        assert found.best.fidelity.formula > 0.9


@pytest.mark.parametrize(("rows", "number"), [(100_000, 2), (100, 1)])
def test_the_shortest_scores_within_a_standard_error_are_chosen(rows, number):
    sizes = [(1, 10, 0.80), (2, 20, 0.93), (3, 30, 0.95)]
    assert choice([Growth(*size, rows) for size in sizes], 59.0) == number


def test_of_many_columns_those_are_multiplied_that_scores_depend_on():
    x = RNG.uniform(-1, 1, (400, 80))
    scores = np.column_stack([9 * x[:, 70] * x[:, 71] + 3 * x[:, 70] + 3 * x[:, 71], 0 * x[:, 0]])
    rows = FitRows.of(x, scores.max(axis=1), None, np.zeros(80, bool))
    made = ScoreProblem(rows, scores, Complexity().over(OPERATORS), OPERATORS)
    columns = [tuple(f.column for f in term.factors) for term in made.terms]
    assert (70, 71) in columns
    assert sum(len(one) == 2 for one in columns) <= 3 * 64 * 63 / 2
    assert {one[0] for one in columns if len(one) == 1} == set(range(80))


def test_too_few_rows_have_no_scores():
    assert approximate_classes(network, X[:5], X[5:20], ("a", "b", "c")) is None
