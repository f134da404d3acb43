"""The search fitted to labels or values: its losses, its slopes, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.levenberg_marquardt import refine
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.search.core.stopping import Stopping
from keras_symgrad.search.genetic.regression import TargetEngine, search_for

ALPHABET = Alphabet(OperatorSet("arithmetic, square, exp"), ["x1", "x2"])
POINTS = np.random.default_rng(0).uniform(0.2, 2, (400, 2))
PRODUCT = POINTS[:, 0] * POINTS[:, 1]
TREES = [
    ALPHABET.tree(nodes)
    for nodes in ([0], ["mul", 0, 1], ["add", "square", 0, 1], ["div", 0, "exp", 1])
]
VALUES = [
    POINTS[:, 0],
    PRODUCT,
    POINTS[:, 0] ** 2 + POINTS[:, 1],
    POINTS[:, 0] / np.exp(POINTS[:, 1]),
]


@pytest.fixture(scope="module")
def labels():
    with TargetEngine(ALPHABET.operators, POINTS, PRODUCT > 1) as engine:
        yield engine


@pytest.fixture(scope="module")
def values():
    with TargetEngine(ALPHABET.operators, POINTS, 3 - 2 * PRODUCT) as engine:
        yield engine


def smallest_hinge(values: np.ndarray, yes: np.ndarray) -> float:
    """The least mean of max(0, 1 - y (a v + b)) over a and b, by linear programming."""
    y, rows = np.where(yes, 1.0, -1.0), len(yes)
    solution = linprog(
        np.r_[0, 0, np.full(rows, 1 / rows)],
        A_ub=np.c_[-y * values, -y, -np.eye(rows)],
        b_ub=-np.ones(rows),
        bounds=[(None, None)] * 2 + [(0, None)] * rows,
    )
    return solution.fun


@pytest.mark.slow
def test_the_loss_on_labels_is_nearly_the_smallest_hinge_loss(labels):
    losses = labels.losses(TREES)
    smallest = np.array([smallest_hinge(v, PRODUCT > 1) for v in VALUES])
    wrong = smallest > 1e-6
    assert wrong.tolist() == [True, False, True, True]
    assert np.all(losses >= smallest - 1e-5)
    assert np.all(losses[wrong] < 1.05 * smallest[wrong])
    # A formula that separates exactly has no loss at all, in the limit of steep slopes.
    assert losses[1] < 0.01


@pytest.mark.slow
def test_the_loss_on_values_is_what_correlation_does_not_explain(values):
    expected = [1 - np.corrcoef(v, PRODUCT)[0, 1] ** 2 for v in VALUES]
    np.testing.assert_allclose(values.losses(TREES), expected, atol=2e-6)


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_an_offset_and_a_factor_cost_nothing(kind, request):
    engine = request.getfixturevalue(kind)
    moved = [ALPHABET.tree(["add", 7.0, "mul", -0.3]) + tree for tree in TREES]
    moved = [type(TREES[0])(tree) for tree in moved]
    np.testing.assert_allclose(engine.losses(moved), engine.losses(TREES), rtol=1e-3, atol=1e-5)


def test_values_tell_a_formula_from_its_exponential(values):
    product, exponential = values.losses([TREES[1], ALPHABET.tree(["exp", "mul", 0, 1])])
    assert product < 1e-6
    assert exponential > 0.1


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_a_tree_that_is_not_finite_somewhere_has_infinite_loss(kind, request):
    engine = request.getfixturevalue(kind)
    pole = ALPHABET.tree(["div", 1.0, "sub", 0, 0])
    assert engine.losses([pole, TREES[1]])[0] == np.inf
    assert len(engine.losses([])) == 0


@pytest.mark.slow
def test_slopes_in_the_constants_equal_finite_differences(values):
    def tree(first: float, second: float):
        return ALPHABET.tree(["exp", "add", "mul", first, 0, "mul", second, "square", 1])

    at, step = np.array([0.3, -0.2]), 0.02
    equations = values.normal_equations(values.constant_tapes([tree(*at.tolist())]), 1)
    around = [tree(*(at + sign * h).tolist()) for h in step * np.eye(2) for sign in (1, -1)]
    losses = values.losses(around).reshape(2, 2)
    slopes = (losses[:, 0] - losses[:, 1]) / (2 * step)
    np.testing.assert_allclose(-2 * equations.projected[0, :2], slopes, rtol=2e-2)
    assert np.all(np.linalg.eigvalsh(equations.curvature[0, :2, :2]) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labels", "values"])
def test_constants_are_refined(kind, request):
    engine = request.getfixturevalue(kind)
    start = ALPHABET.tree(["mul", 0, "add", 0.4, 1])
    (better,), (loss,) = refine(engine, [start], rounds=12)
    assert loss < 0.5 * engine.losses([start])[0]
    assert abs(better[3].value) < 0.1


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_the_search_finds_a_product(kind, request):
    search = search_for(request.getfixturevalue(kind), ALPHABET, seed=1)
    archive = search.run(Stopping(time_limit=None, patience=None, generations=10))
    shortest = [row for row in archive.front() if row.complexity <= 3][-1]
    found = reference.gradient(to_sympy(shortest.tree, ALPHABET.operators), ["x1", "x2"], POINTS)
    assert direction_error(found, POINTS[:, ::-1]) < 1e-9
