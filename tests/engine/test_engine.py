"""Losses, gradients and normal equations of an engine, for any tree."""

from __future__ import annotations

import jets
import numpy as np
import pytest
from random_trees import random_trees

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.engine import Engine
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant, to_sympy

pytestmark = pytest.mark.slow


def loss_of(gradients, directions, weights=None, signed=False):
    """The loss by its definition, from gradients of shape `(rows, variables)`."""
    candidate = unit(gradients)
    losses = [
        np.average(((directions - sign * candidate) ** 2).mean(axis=1), weights=weights)
        for sign in ((1,) if signed else (1, -1))
    ]
    return min(losses)


def test_a_tree_that_is_not_finite_on_one_row_has_infinite_loss(alphabet, engine):
    undefined = [
        ["log", 0],  # not real on half of the rows
        ["div", 1, 0],  # infinite on one row
        ["div", 1.0, "div", 1.0, 0],  # infinite inside on one row, but zero in the end
        ["add", 1, "mul", 0.0, "log", 0],
        ["exp", "exp", "exp", "square", "square", 0],
        ["max", 1, "div", 0, 0],
    ]
    trees = [alphabet.tree(nodes) for nodes in undefined]
    assert engine.losses(trees).tolist() == [np.inf] * len(trees)
    equations = engine.normal_equations(engine.constant_tapes(trees), len(trees))
    assert equations.losses.tolist() == [np.inf] * len(trees)


def test_no_loss_is_ever_nan(alphabet, engine, trees):
    losses = engine.losses(trees)
    finite = np.isfinite(losses)
    assert np.all((losses[finite] >= 0) & (losses[finite] <= 2.0))
    assert np.all(losses[~finite] == np.inf)
    assert 50 < finite.sum() < 350
    equations = engine.normal_equations(engine.constant_tapes(trees), len(trees))
    np.testing.assert_allclose(equations.losses, losses, rtol=1e-4)


def test_a_tree_without_gradient_has_infinite_loss(alphabet, engine):
    flat = [[1.5], ["exp", 0.5], ["sub", 0, 0], ["mul", 0.0, 0], ["max", 3.0, "sin", 0]]
    trees = [alphabet.tree(nodes) for nodes in flat]
    assert engine.losses(trees).tolist() == [np.inf] * len(trees)


def test_rows_without_gradient_count_as_those_of_a_zero_vector(
    alphabet, exact_engine, positive_points, directions
):
    # max(x1, 1) has no gradient where x1 < 1.
    gradients = np.where(positive_points[:, :1] > 1, [1.0, 0.0], [0.0, 0.0])
    (loss,) = exact_engine.losses([alphabet.tree(["max", 0, 1.0])])
    assert loss == pytest.approx(loss_of(gradients, directions), rel=1e-12)


def test_rows_without_direction_count_the_same_way(alphabet, positive_points, directions):
    directions = directions * (np.arange(300) % 3 > 0)[:, None]
    gradients = np.stack([positive_points[:, 1], positive_points[:, 0]], axis=1)
    with Engine(
        alphabet.operators, positive_points, directions, dtype="float64", workers=1
    ) as engine:
        (loss,) = engine.losses([alphabet.tree(["mul", 0, 1])])
    assert loss == pytest.approx(loss_of(gradients, directions), rel=1e-12)


def test_a_perfect_match_has_loss_zero_and_its_negative_has_too_unless_signed(
    alphabet, positive_points
):
    up = alphabet.tree(["add", "square", 0, "square", 1])
    down = alphabet.tree(["sub", 3.0, "add", "square", 0, "square", 1])
    field = (alphabet.operators, positive_points, unit(positive_points))
    with Engine(*field, workers=1) as free, Engine(*field, signed=True, workers=1) as signed:
        np.testing.assert_allclose(free.losses([up, down]), [0, 0], atol=1e-7)
        # |u - (-u)|^2 = 4, over two columns.
        np.testing.assert_allclose(signed.losses([up, down]), [0, 2], atol=1e-6)


def test_a_monotone_function_around_a_tree_changes_no_loss(alphabet, exact_engine, constant_trees):
    around = alphabet.tree(["exp", "mul", 0.01, 0])[:3]
    squeezed = [[*around, *tree] for tree in constant_trees]
    losses = exact_engine.losses(constant_trees)
    np.testing.assert_allclose(exact_engine.losses(squeezed), losses, rtol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_a_row_of_weight_three_is_three_rows(alphabet, positive_points, directions, signed):
    trees = random_trees(alphabet, 100, seed=4)
    # As many rows on both sides, so that they share one program.
    times = np.arange(300) % 3
    index = np.repeat(np.arange(300), times)
    options = {"signed": signed, "dtype": "float64", "workers": 1}
    weighted = Engine(alphabet.operators, positive_points, directions, 7.5 * times, **options)
    repeated = Engine(alphabet.operators, positive_points[index], directions[index], **options)
    losses, others = weighted.losses(trees), repeated.losses(trees)
    # A row of weight zero has to be finite all the same.
    both = np.isfinite(losses)
    assert both.sum() > 50
    np.testing.assert_allclose(others[both], losses[both], rtol=1e-10)


def test_scales_multiply_the_gradients_before_they_are_normalized(
    alphabet, positive_points, directions, exact_engine, constant_trees
):
    scales = np.array([0.5, 20.0])
    gradients = exact_engine.gradients(constant_trees) * scales
    field = (alphabet.operators, positive_points, directions)
    with Engine(*field, frame=np.diag(scales), dtype="float64", workers=1) as engine:
        losses = engine.losses(constant_trees)
        tapes = engine.constant_tapes(constant_trees)
        equations = engine.normal_equations(tapes, len(constant_trees))
        jacobians = engine.jacobians(constant_trees)
    np.testing.assert_allclose(losses, [loss_of(g, directions) for g in gradients], rtol=1e-9)
    np.testing.assert_allclose(equations.losses, losses, rtol=1e-9)
    curvature = np.einsum("trvc,trvd->tcd", jacobians, jacobians) / 300
    np.testing.assert_allclose(equations.curvature, curvature, rtol=1e-7, atol=1e-9)
    for tree, loss in zip(constant_trees[:10], losses):
        expression = to_sympy(tree, alphabet.operators)
        field = (alphabet.names, positive_points, directions)
        assert loss == pytest.approx(
            reference.loss(expression, *field, frame=np.diag(scales)), rel=1e-9
        )


def test_a_column_of_scale_zero_plays_no_part(alphabet, positive_points, directions):
    field = (alphabet.operators, positive_points, directions * [1, 0])
    with Engine(*field, frame=np.diag([1.0, 0.0]), workers=1) as engine:
        first, second = engine.losses([alphabet.tree(["mul", 0, 1]), alphabet.tree(["exp", 1])])
    assert np.isfinite(first) and second == np.inf


@pytest.fixture(scope="module")
def tall():
    """2,500 rows: three tiles, the last one filled up, for which other programs are compiled."""
    alphabet = Alphabet(OperatorSet("add, mul, sin"), ["x1", "x2"])
    rng = np.random.default_rng(5)
    points, directions = rng.uniform(0.3, 2.0, (2500, 2)), unit(rng.normal(size=(2500, 2)))
    weights = rng.uniform(size=2500)
    with Engine(
        alphabet.operators, points, directions, weights, dtype="float64", workers=1
    ) as engine:
        yield engine, alphabet, points, directions, weights


def test_rows_beyond_one_tile_count_like_all_others(tall):
    engine, alphabet, points, directions, weights = tall
    trees = random_trees(alphabet, 150, seed=3)
    kept = [tree for tree in trees if jets.is_defined(tree, alphabet.operators, points)][:60]
    assert len(kept) == 60
    roots = [jets.jets(tree, alphabet.operators, points)[-1] for tree in kept]

    expected = [loss_of(jet.by_variable, directions, weights) for jet in roots]
    np.testing.assert_allclose(engine.losses(kept), expected, rtol=1e-9)
    equations = engine.normal_equations(engine.constant_tapes(kept), len(kept))
    np.testing.assert_allclose(equations.losses, expected, rtol=1e-9)
    values, gradients = engine.values(kept[:5]), engine.gradients(kept[:5])
    assert values.shape == (5, 2500) and gradients.shape == (5, 2500, 2)
    for jet, value, gradient in zip(roots, values, gradients):
        assert jets.value_error(value, jet.value) < 1e-9
        assert jets.gradient_error(gradient, jet.by_variable) < 1e-9


def test_a_population_larger_than_one_call_is_evaluated_whole(alphabet, engine):
    trees = random_trees(alphabet, 3000, seed=6)
    order = np.random.default_rng(0).permutation(3000)
    losses = engine.losses(trees)
    np.testing.assert_allclose(engine.losses([trees[k] for k in order]), losses[order], rtol=1e-5)
    np.testing.assert_allclose(engine.losses(trees[2990:]), losses[2990:], rtol=1e-5)


def test_an_empty_population_has_no_losses(engine):
    assert engine.losses([]).shape == (0,)


def test_repeated_calls_and_any_number_of_workers_give_the_same_bits(
    alphabet, points, directions, engine
):
    trees = random_trees(alphabet, 2500, seed=7)
    losses = engine.losses(trees)
    tapes = engine.constant_tapes(trees[:500])
    equations = engine.normal_equations(tapes, 500)
    np.testing.assert_array_equal(engine.losses(trees), losses)
    with Engine(alphabet.operators, points, directions, workers=2) as two:
        for _ in range(2):
            np.testing.assert_array_equal(two.losses(trees), losses)
            again = two.normal_equations(tapes, 500)
            np.testing.assert_array_equal(again.losses, equations.losses)
            np.testing.assert_array_equal(again.projected, equations.projected)
            np.testing.assert_array_equal(again.curvature, equations.curvature)


def with_constants(tree, values):
    values = iter(values)
    return [Constant(next(values)) if isinstance(node, Constant) else node for node in tree]


def constants_of(tree):
    return [node.value for node in tree if isinstance(node, Constant)]


@pytest.fixture(scope="module")
def constant_trees(alphabet, positive_points):
    """Well-conditioned trees with one to four constants."""
    return [
        tree
        for tree in random_trees(alphabet, 400, seed=8)
        if 1 <= len(constants_of(tree)) <= 4
        and jets.is_defined(tree, alphabet.operators, positive_points)
        and jets.growth(tree, alphabet.operators, positive_points).gradient < 1e4
    ]


def test_normal_equations_are_the_sums_of_the_jacobian(exact_engine, constant_trees, directions):
    count = len(constant_trees)
    assert count > 80
    equations = exact_engine.normal_equations(exact_engine.constant_tapes(constant_trees), count)
    jacobians = exact_engine.jacobians(constant_trees)
    units = np.stack([unit(g) for g in exact_engine.gradients(constant_trees)])
    signs = np.sign(np.einsum("rv,trv->t", directions, units))

    projected = np.einsum("t,rv,trvc->tc", signs, directions, jacobians) / 300
    curvature = np.einsum("trvc,trvd->tcd", jacobians, jacobians) / 300
    np.testing.assert_allclose(equations.projected, projected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(equations.curvature, curvature, rtol=1e-8, atol=1e-10)


def test_projected_residuals_are_the_slope_of_the_loss(exact_engine, constant_trees):
    count, step = len(constant_trees), 1e-5
    equations = exact_engine.normal_equations(exact_engine.constant_tapes(constant_trees), count)
    slopes = np.zeros((count, 4))
    for lane in range(4):
        moved = [t for t in constant_trees if len(constants_of(t)) > lane]
        rows = [k for k, t in enumerate(constant_trees) if len(constants_of(t)) > lane]
        shifts = step * np.eye(4)[lane]
        sides = [
            exact_engine.losses(
                [
                    with_constants(t, c + s * shifts[: len(c)])
                    for t in moved
                    for c in [constants_of(t)]
                ]
            )
            for s in (1, -1)
        ]
        slopes[rows, lane] = (sides[0] - sides[1]) / (2 * step)
    # L = mean over columns of |u - U|^2, hence dL/dc = -2 J^T r / columns.
    np.testing.assert_allclose(-equations.projected, slopes, rtol=1e-4, atol=1e-8)


def test_more_constants_than_lanes_take_turns(alphabet, exact_engine):
    many = alphabet.tree(
        ["add", "mul", 1.1, 0, "add", "mul", 1.2, "square", 1, "add", "mul", 1.3, "sin", 0]
        + ["add", "exp", "mul", 1.4, 1, "add", "mul", 1.5, 0, "mul", 1.6, 1]
    )
    few = alphabet.tree(["mul", 2.5, 0])

    def lanes(skip):
        tapes = exact_engine.constant_tapes([few, many], skip)
        return tapes.lane[tuple(tapes.constant_at.T)].tolist()

    assert lanes(0) == [1, 1, 2, 3, 4, 0, 0]
    assert lanes(4) == [1, 3, 4, 0, 0, 1, 2]
    assert lanes(8) == [1, 0, 0, 1, 2, 3, 4]


def test_the_reference_says_the_same_of_what_is_not_finite(
    alphabet, engine, points, directions, trees
):
    losses = engine.losses(trees[:60])
    for tree, loss in zip(trees[:60], losses):
        expression = to_sympy(tree, alphabet.operators)
        expected = reference.loss(expression, alphabet.names, points, directions)
        # SymPy cancels before it evaluates: exp(log(x)) is x for it, also where log(x) is not.
        if np.isfinite(loss) and jets.growth(tree, alphabet.operators, points).gradient < 100:
            assert loss == pytest.approx(expected, rel=1e-4)
        if expected == np.inf:
            assert loss == np.inf
