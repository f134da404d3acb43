"""Spectral search: weights that are the best there are, concepts from exact gradients, no fuss."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from keras_symgrad.engine.directions import direction_error, unit
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.search import SpectralSearch

# Number of formulas of a search that are looked at.
LONGEST_LIST = 20

x1, x2, x3, x4, x5, x6 = x = [symbol(f"x{k}") for k in range(1, 7)]


def exact(truth, box, rows: int = 128, columns: int | None = None, seed: int = 0) -> GradientField:
    """The exact directions of a concept on uniform points; more columns than it uses, if asked."""
    columns = columns or len(truth.free_symbols)
    names = [f"x{k + 1}" for k in range(columns)]
    points = np.random.default_rng(seed).uniform(*box, size=(rows, columns))
    return GradientField.from_gradients(points, gradient(truth, names, points), names=names)


def search(field: GradientField, operators="default", **options) -> list[sympy.Expr]:
    alphabet = Alphabet(OperatorSet(operators), field.names)
    trees = SpectralSearch(alphabet, field, **options).run()
    # There are hundreds, and SymPy takes long to build them all.
    return [to_sympy(tree, alphabet.operators) for tree in trees[:LONGEST_LIST]]


def error(expression: sympy.Expr, field: GradientField) -> float:
    return direction_error(gradient(expression, field.names, field.points), field.directions)


def problem(field: GradientField, *texts: str) -> SpectralFit:
    """The problem of weights for named features."""
    alphabet = Alphabet(OperatorSet("full"), field.names)
    maker = FeatureMaker(alphabet)
    dictionary = maker.dictionary(maker.variables(field.points), 4000)
    known = {str(f.tree): f for f in dictionary if not f.is_logarithm}
    rows = np.full(field.rows, 1 / field.rows)
    return SpectralFit([known[text] for text in texts], field.directions, rows)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_weights_are_those_of_a_brute_force_minimum_of_the_loss(noise):
    field = exact(x1**2 + 2.7 * sympy.sin(x2) - 0.4 * x1 * x2, (-1, 1.5))
    blurred = field.directions + noise * np.random.default_rng(1).normal(size=field.points.shape)
    field = GradientField.from_gradients(field.points, blurred)
    task = problem(field, "square(x1)", "sin(x2)", "mul(x1, x2)")
    combination = task.solve((0, 1, 2))

    gradients = np.stack([feature.gradients for feature in task.features])

    def of(weights: np.ndarray) -> float:
        candidate = unit(np.einsum("k,krv->rv", weights, gradients))
        apart, opposite = (((candidate + s * field.directions) ** 2).mean() for s in (-1, 1))
        return min(apart, opposite)

    starts = np.random.default_rng(2).normal(size=(6, 3))
    best = min((minimize(of, start, method="Nelder-Mead") for start in starts), key=lambda r: r.fun)
    # Reweighting stops after a few rounds: within a hundredth of the very best.
    assert combination.loss <= 1.01 * best.fun + 1e-9
    assert combination.loss == pytest.approx(of(combination.weights), abs=1e-12)
    cosine = abs(combination.weights @ best.x)
    cosine /= np.linalg.norm(combination.weights) * np.linalg.norm(best.x)
    assert cosine > 1 - 1e-3


def test_the_loss_is_the_one_that_formulas_are_measured_by():
    field = exact(x1 * x2 + sympy.exp(x3), (0.5, 2))
    task = problem(field, "square(x1)", "exp(x3)")
    combination = task.solve((0, 1))
    alphabet = Alphabet(OperatorSet("full"), field.names)
    expression = to_sympy(combination.trees(alphabet)[0], alphabet.operators)
    assert combination.loss == pytest.approx(
        loss(expression, field.names, field.points, field.directions, frame=field.frame), rel=1e-9
    )


@pytest.mark.slow
def test_weights_of_rows_are_heeded():
    left, right = exact(x1 + x2**2, (-1, 1)), exact(x1 - 3 * x2**2, (-1, 1), seed=1)
    points = np.concatenate([left.points, right.points])
    directions = np.concatenate([left.directions, right.directions])
    for first, other, truth in ((1, 0, x1 + x2**2), (0, 1, x1 - 3 * x2**2)):
        weights = np.repeat([first, other], 128).astype(float)
        field = GradientField.from_gradients(points, directions, weights=weights)
        best = search(field, "polynomial")[0]
        assert error(best, exact(truth, (-1, 1))) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "box", "operators"),
    [
        (x1**2 + 2 * x2**2, (-1, 1), "default"),
        (sympy.exp(x1 - x2) - sympy.pi * x3, (-1, 1), "arithmetic, exp"),
        (x1 * x2 / ((x3 - x4) ** 2 + (x5 - x6) ** 2), (0.1, 2), "arithmetic, square"),
        (x1**2 + sympy.sin(x2 + x3), (-2, 0), "arithmetic, square, sin"),
    ],
    ids=str,
)
def test_published_concepts_are_found_from_exact_gradients(truth, box, operators):
    field = exact(truth, box, rows=64)
    best, *others = search(field, operators)
    assert error(best, exact(truth, box, rows=2000, seed=9)) < 1e-6
    # The others come in the order of their loss on the rows of the search.
    losses = [
        loss(e, field.names, field.points, field.directions, frame=field.frame) for e in others
    ]
    np.testing.assert_allclose(losses, np.sort(losses), rtol=1e-3, atol=1e-8)


@pytest.mark.slow
def test_the_same_field_gives_the_same_trees():
    field = exact(x1 * x2 + sympy.log(x2), (0.5, 2))
    alphabet = Alphabet(OperatorSet("default"), field.names)
    first, second = (list(map(str, SpectralSearch(alphabet, field).run())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("operators", ["mul, sin", "sin", "add", "mul", "sub, square", "div, exp"])
def test_operators_without_sums_or_products_are_no_obstacle(operators):
    field = exact(x1**2 + 2 * x2**2, (-1, 1))
    alphabet = Alphabet(OperatorSet(operators), field.names)
    found = SpectralSearch(alphabet, field).run()
    assert found
    for tree in found:
        assert {node.name for node in tree if node.arity} <= set(alphabet.primitives)


@pytest.mark.slow
def test_users_own_operators_are_found():
    bell = Operator("bell", lambda a: sympy.exp(-(a**2)))
    field = exact(bell(x1) + 2 * bell(x2) + x3, (-1, 1))
    assert error(search(field, ["arithmetic", bell])[0], field) < 1e-9


@pytest.fixture(params=["one variable", "constant column", "copied column", "heavy tail", "wide"])
def awkward(request) -> GradientField:
    """Data that make matrices singular or large."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(128, 3))
    truth = x1**2 + x2 * x3
    if request.param == "one variable":
        return exact(sympy.exp(x1), (-1, 1))
    if request.param == "constant column":
        points[:, 2] = 4.0
    elif request.param == "copied column":
        points[:, 2] = points[:, 1]
    elif request.param == "heavy tail":
        points = rng.standard_cauchy(size=(128, 3))
    else:
        return exact(x1 * x2 + x3, (-1, 1), columns=20)
    names = ["x1", "x2", "x3"]
    return GradientField.from_gradients(points, gradient(truth, names, points), names=names)


@pytest.mark.slow
def test_awkward_data_give_a_good_formula_without_warnings(awkward):
    found = search(awkward, "arithmetic, square")
    losses = [
        loss(e, awkward.names, awkward.points, awkward.directions, frame=awkward.frame)
        for e in found
    ]
    assert np.isfinite(losses).all()
    assert losses[0] < 1e-6


@pytest.mark.slow
def test_two_rows_or_one_are_no_obstacle():
    for rows in (1, 2):
        assert search(exact(x1 * x2, (0.5, 2), rows=rows), "arithmetic")


@pytest.mark.slow
def test_a_variable_that_turns_nothing_is_left_out():
    for expression in search(exact(x1 * x2, (0.5, 2), columns=4), "arithmetic"):
        assert expression.free_symbols <= {x1, x2}


def test_a_linear_form_in_more_variables_than_groups_are_looked_for_among_is_fitted_at_once():
    points = np.random.default_rng(0).uniform(-1, 1, (128, 15))
    weights = np.array([3.0] * 13 + [1.0, 0.0])
    field = GradientField.from_gradients(points, np.tile(weights, (128, 1)))
    spectral = SpectralSearch(Alphabet(OperatorSet("add, mul"), field.names), field)
    forms = list(spectral._linear_forms(spectral.variables))
    assert forms[0].loss < 1e-12
    found = {str(f.tree): w for f, w in zip(forms[0].features, forms[0].weights)}
    expected = {f"x{k + 1}": w for k, w in enumerate(weights) if w}
    assert found == pytest.approx(expected)
    assert min(len(form.features) for form in forms) == 2
