"""Constant refinement finds the constants that made the gradients, and never makes things worse."""

from __future__ import annotations

from importlib import import_module

import keras
import numpy as np
import pytest
from random_trees import random_trees

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.engine import Engine
from keras_symgrad.engine.levenberg_marquardt import refine
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant, to_sympy

refinement = import_module("keras_symgrad.engine.levenberg_marquardt")

ALPHABET = Alphabet(OperatorSet("add, mul, square, exp, sin, pow"), ["x1", "x2", "x3"])
POINTS = np.random.default_rng(0).uniform(0.2, 2.0, (300, 3))


def ellipsoid(*constants: float) -> list:
    """x1^2 + a x2^2 + b x3^2."""
    a, b = constants
    return ALPHABET.tree(["add", "square", 0, "add", "mul", a, "square", 1, "mul", b, "square", 2])


def wave(*constants: float) -> list:
    """exp(a x1) + sin(b x2 + c) + d x3."""
    a, b, c, d = constants
    head = ["add", "exp", "mul", a, 0, "add", "sin", "add", c, "mul", b, 1, "mul", d, 2]
    return ALPHABET.tree(head)


def constants_of(tree) -> list[float]:
    return [node.value for node in tree if isinstance(node, Constant)]


def engine_for(tree, **options) -> Engine:
    """An engine whose gradients are those of the tree."""
    options = {"dtype": "float64", "workers": 1} | options
    gradients = reference.gradient(to_sympy(tree, ALPHABET.operators), ALPHABET.names, POINTS)
    return Engine(ALPHABET.operators, POINTS, unit(gradients), **options)


@pytest.mark.slow
def test_levenberg_marquardt_finds_the_constants_of_an_ellipsoid():
    with engine_for(ellipsoid(2.0, 0.5)) as engine:
        (found,), losses = refine(engine, [ellipsoid(1.0, 1.0)])
    assert constants_of(found) == pytest.approx([2.0, 0.5], rel=1e-6)
    assert losses[0] < 1e-12


def test_levenberg_marquardt_finds_constants_inside_functions():
    with engine_for(wave(0.7, 1.5, 0.4, -1.2)) as engine:
        (found,), losses = refine(engine, [wave(1.0, 1.2, 0.2, -0.7)], rounds=30)
    assert constants_of(found) == pytest.approx(constants_of(wave(0.7, 1.5, 0.4, -1.2)), rel=1e-4)
    assert losses[0] < 1e-9


@pytest.mark.slow
def test_float32_is_enough_for_three_digits():
    with engine_for(ellipsoid(2.0, 0.5), dtype="float32") as engine:
        (found,), _ = refine(engine, [ellipsoid(1.0, 1.0)])
    assert constants_of(found) == pytest.approx([2.0, 0.5], rel=1e-3)


def test_the_opposite_sign_is_found_too_unless_it_counts():
    opposite = ellipsoid(2.0, 0.5)
    turned = ALPHABET.tree(["mul", -1.0, 0])[:2] + list(opposite)
    with engine_for(opposite) as engine:
        _, losses = refine(engine, [turned])
    assert losses[0] < 1e-12
    with engine_for(opposite, signed=True) as engine:
        (right, wrong), losses = refine(engine, [ellipsoid(1.0, 1.0), turned], rounds=8)
    assert constants_of(right) == pytest.approx([2.0, 0.5], rel=1e-6)
    assert losses[0] < 1e-12 < losses[1]


@pytest.mark.slow
def test_trees_with_none_one_two_and_four_constants_are_refined_together():
    trees = [
        ALPHABET.tree(["add", 0, "sin", 1]),
        ALPHABET.tree(["add", "square", 0, "mul", 1.0, "square", 1]),
        ellipsoid(1.0, 1.0),
        wave(1.0, 1.0, 1.0, 1.0),
    ]
    with engine_for(ellipsoid(2.0, 0.5)) as engine:
        found, losses = refine(engine, trees)
        alone = [refine(engine, [tree]) for tree in trees]
        before = engine.losses(trees)
    assert constants_of(found[2]) == pytest.approx([2.0, 0.5], rel=1e-6)
    assert [node.name for node in found[0]] == [node.name for node in trees[0]]
    for tree, loss, (others, other_losses) in zip(found, losses, alone):
        assert constants_of(tree) == pytest.approx(constants_of(others[0]), rel=1e-6)
        assert loss == pytest.approx(other_losses[0], rel=1e-9, abs=1e-15)
    assert np.all(losses[1:] < before[1:])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_loss_gets_higher_and_each_is_that_of_the_tree_returned(dtype):
    trees = random_trees(ALPHABET, 300, seed=1)
    written = [str(tree) for tree in trees]
    with engine_for(wave(0.7, 1.5, 0.4, -1.2), dtype=dtype) as engine:
        before = engine.losses(trees)
        found, losses = refine(engine, trees)
        after = engine.losses(found)
    precision = 1e-4 if dtype == "float32" else 1e-9
    finite = np.isfinite(before)
    assert finite.sum() > 150
    assert np.all(losses[finite] <= before[finite] * (1 + precision))
    np.testing.assert_allclose(losses[finite], after[finite], rtol=precision)
    # Few random trees have a constant that turns the gradient and room below it.
    assert np.sum(losses[finite] < 0.99 * before[finite]) > 15
    assert [str(tree) for tree in trees] == written


@pytest.mark.slow
def test_constants_beyond_the_lanes_are_moved_when_their_turn_comes():
    truth = ellipsoid(2.0, 0.5)
    with engine_for(truth, lanes=1) as engine:
        (first,), _ = refine(engine, [ellipsoid(1.0, 1.0)], skip=0)
        (second,), _ = refine(engine, [ellipsoid(1.0, 1.0)], skip=1)
        tree = ellipsoid(1.0, 1.0)
        for skip in range(12):
            (tree,), losses = refine(engine, [tree], skip=skip)
    assert constants_of(first)[0] != 1.0 and constants_of(first)[1] == 1.0
    assert constants_of(second)[0] == 1.0 and constants_of(second)[1] != 1.0
    assert constants_of(tree) == pytest.approx([2.0, 0.5], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.Adam(0.1), keras.optimizers.SGD(1.0, momentum=0.8)]
)
def test_any_keras_optimizer_lowers_the_loss(optimizer):
    trees = [ellipsoid(1.0, 1.0), ALPHABET.tree(["add", 0, "sin", 1])]
    with engine_for(ellipsoid(2.0, 0.5)) as engine:
        before = engine.losses(trees)
        found, losses = refine(engine, trees, rounds=8, optimizer=optimizer)
        after = engine.losses(found)
    assert losses[0] < 1e-2 * before[0]
    assert losses[1] == pytest.approx(before[1], rel=1e-9)
    np.testing.assert_allclose(after, losses, rtol=1e-4)
    # The one that was passed is not used up: the next call starts afresh.
    assert int(optimizer.iterations) == 0


@pytest.mark.slow
def test_an_optimizer_gets_the_gradient_of_the_loss_on_a_surface_too(monkeypatch):
    # On a plane in three dimensions a loss is a mean over two axes and not over three.
    monkeypatch.setattr(refinement, "STEPS_PER_ROUND", 2)
    rng = np.random.default_rng(3)
    frame = np.linalg.qr(rng.normal(size=(3, 3)))[0][:2]
    directions = unit((POINTS * [1, 2, 0.5]) @ frame.T)
    options = {"frame": frame, "dtype": "float64", "workers": 1}
    with Engine(ALPHABET.operators, POINTS, directions, **options) as engine:
        low, high = engine.losses([ellipsoid(2.499, 0.7), ellipsoid(2.501, 0.7)])
        (after,), _ = refine(
            engine, [ellipsoid(2.5, 0.7)], rounds=1, optimizer=keras.optimizers.SGD(0.01)
        )
    # The step is from the first point to the second, the better one.
    slope = (high - low) / 0.002
    assert 2.5 - constants_of(after)[0] == pytest.approx(0.01 * slope, rel=1e-2)


def test_an_exponent_of_a_negative_base_does_no_harm():
    tree = ALPHABET.tree(["add", 1, "pow", "add", -1.3, 0, 2.0])
    with engine_for(ellipsoid(2.0, 0.5)) as engine:
        before = engine.losses([tree])
        (found,), losses = refine(engine, [tree])
    assert np.isfinite(before[0])
    assert losses[0] == pytest.approx(before[0], rel=1e-9)
    assert constants_of(found) == [-1.3, 2.0]


def test_nothing_in_nothing_out():
    with engine_for(ellipsoid(2.0, 0.5)) as engine:
        trees, losses = refine(engine, [])
    assert trees == [] and losses.shape == (0,)
