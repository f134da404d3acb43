"""From the search's trees to formulas for people: shorter, refitted, measured on other rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.formulas.pareto_front import ParetoFront
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.search.core.archive import Archive, Individual

NAMES = ("x1", "x2")
x1, x2 = map(symbol, NAMES)


def exact(truth, noise: float = 0.0) -> GradientField:
    points = np.random.default_rng(0).uniform(0.2, 2, size=(400, 2))
    blur = noise * np.random.default_rng(1).normal(size=points.shape)
    gradients = gradient(truth, NAMES, points)
    gradients = gradients / np.linalg.norm(gradients, axis=1, keepdims=True) + blur
    return GradientField.from_gradients(points, gradients, names=NAMES)


def finisher(
    truth, operators="default", noise: float = 0.0, signed: bool = False
) -> FormulaRefiner:
    operators = OperatorSet(operators)
    train, held_out = exact(truth, noise).split()
    complexity = Complexity().over(operators)
    return FormulaRefiner(Alphabet(operators, NAMES), complexity, train, held_out, signed=signed)


def archive(finisher: FormulaRefiner, *trees: list) -> Archive:
    """An archive of trees in prefix notation, with the losses that a search would have seen."""
    found, train = Archive(), finisher.train
    for nodes in trees:
        tree = finisher.alphabet.tree(nodes)
        expression = to_sympy(tree, finisher.alphabet.operators)
        seen = loss(
            expression,
            NAMES,
            train.points,
            train.directions,
            frame=train.frame,
            signed=finisher.signed,
        )
        found.add(Individual(tree, finisher.complexity(tree), 0, seen))
    return found


ELLIPSE = ["add", "square", 0, "mul", 1.9, "square", 1]


def test_constants_are_refitted_and_losses_are_those_of_the_held_out_rows():
    room = finisher(x1**2 + 2.3 * x2**2, noise=0.02)
    front = room.front(archive(room, [1], ["add", 0, 1], ELLIPSE))

    assert [row.complexity for row in front] == sorted({row.complexity for row in front})
    constant = front[-1].expression.coeff(x2**2)
    assert float(constant) == pytest.approx(2.3, rel=0.02)
    held_out = room.held_out
    for row in front:
        measured = loss(
            row.expression, NAMES, held_out.points, held_out.directions, frame=held_out.frame
        )
        assert row.loss == pytest.approx(measured, rel=1e-12)
        assert (row.names, row.operators) == (NAMES, room.alphabet.operators)


def test_what_wraps_a_concept_is_taken_off():
    room = finisher(x1**2 + 2 * x2**2)
    wrapped = ["exp", "mul", 3.0, "add", 4.0, *ELLIPSE]
    (row,) = room.front(archive(room, wrapped))
    assert float(row.expression.coeff(x2**2)) == pytest.approx(2, rel=1e-9)
    assert row.expression.coeff(x1**2) == 1
    whole = [2.0 if node == 1.9 else node for node in ELLIPSE]
    assert row.complexity == Complexity()(room.alphabet.tree(whole))


def test_simple_constants_replace_floats_and_cost_next_to_nothing():
    room = finisher(x1**2 + 2 * x2**2, noise=0.05)
    front = room.front(archive(room, ELLIPSE))
    simple = room.with_simple_constants(front.best)

    assert simple.expression == x1**2 + 2 * x2**2
    train = room.train
    before, after = (
        loss(f.expression, NAMES, train.points, train.directions, frame=train.frame)
        for f in (front.best, simple)
    )
    assert after <= 1.03 * before


@pytest.mark.parametrize(
    "nodes", [ELLIPSE, ["add", "mul", 8.0, "square", 0, "mul", 19.0, "square", 1]]
)
def test_what_the_rows_do_not_say_is_not_made_a_ratio_of_whole_numbers(nodes):
    room = finisher(x1**2 + 2.37 * x2**2, noise=0.02)
    best = room.with_simple_constants(room.front(archive(room, nodes)).best)
    assert best.expression.coeff(x1**2) == 1
    assert float(best.expression.coeff(x2**2)) == pytest.approx(2.37, abs=0.01)
    assert best.expression.coeff(x2**2).is_Float


@pytest.mark.slow
@pytest.mark.parametrize("true", [2, 2.37, sympy.Rational(1, 2)])
def test_simple_numbers_of_a_finished_formula_lie_inside_their_intervals(true):
    room = finisher(x1**2 + sympy.sin(true * x2) + 3 * x1 * x2, noise=0.003)
    nodes = ["add", "add", "square", 0, "sin", "mul", float(true), 1, "mul", 3.0, "mul", 0, 1]
    best = room.with_simple_constants(room.front(archive(room, nodes)).best)
    found = room.constants(best.expression)
    assert len(found) == 2
    for constant in found:
        assert constant.holds(constant.value)
        assert constant.shown is None or constant.holds(float(constant.shown))
    assert (true in {constant.shown for constant in found}) == (true != 2.37)


def test_of_equal_formulas_the_shorter_one_is_shown():
    room = finisher(x1 * x2)
    long = ["sub", "mul", 0, "add", 0, 1, "square", 0]
    (row,) = room.front(archive(room, long))
    assert row.expression == x1 * x2
    assert row.complexity == 3


@pytest.mark.parametrize("sign", [1, -1])
def test_signed_formulas_grow_where_the_neuron_grows(sign):
    room = finisher(sign * (x1**2 + 2 * x2**2), "polynomial, neg", signed=True)
    rising = ["add", "square", 0, "mul", 2.0, "square", 1]
    trees = [rising] if sign > 0 else [["neg", *rising], ["sub", 3.0, *rising]]
    front = room.front(archive(room, *trees))
    for row in (front.best, room.with_simple_constants(front.best)):
        along = np.sum(gradient(row.expression, NAMES, room.train.points) * room.train.directions)
        assert along > 0
        assert row.loss < 1e-12
        assert sympy.expand(row.expression - sign * (x1**2 + 2.0 * x2**2)).subs(
            {x1: 0.7, x2: 0.4}
        ) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("operators", "nodes"),
    [
        ("mul, sin", ["mul", 0, "sin", "mul", 1.4, 1]),
        ("sin", ["sin", 0]),
        ("add", ["add", 0, "add", 0, 1]),
        ("mul", ["mul", 2.0, "mul", 0, 1]),
        ("div, exp", ["div", "exp", 0, 1]),
        ("max, hypot", ["max", 0, "hypot", 0, 1]),
    ],
)
def test_any_operators_can_be_finished(operators, nodes):
    room = finisher(x1 * sympy.sin(1.5 * x2), operators)
    front = room.front(archive(room, nodes))
    best = room.with_simple_constants(front.best)
    for row in (front.best, best):
        assert np.isfinite(row.loss)
        assert np.isfinite(row.complexity)
        assert row.complexity <= room.complexity(room.alphabet.tree(nodes))


def test_a_formula_that_has_no_value_on_a_held_out_row_is_left_out():
    room = finisher(x1 + x2)
    undefined = Individual(room.alphabet.tree(["add", "log", "sub", 0, 1.0, 1]), 6, 0, 1e-9)
    good = archive(room, [0])
    good.add(undefined)
    assert [row.expression for row in room.front(good)] == [x1]

    bad = Archive()
    bad.add(Individual(room.alphabet.tree(["add", "sqrt", "sub", 0, 9.0, 1]), 6, 0, 1e-9))
    with pytest.raises(ValueError, match="no formula that is finite on all rows"):
        room.front(bad)


def test_trees_that_are_constant_or_not_real_are_left_out():
    room = finisher(x1 + x2, "default, neg")
    mixed = archive(room, ["add", 0, 1])
    mixed.add(Individual(room.alphabet.tree(["sub", 0, 0]), 3, 0, 0.5))
    mixed.add(Individual(room.alphabet.tree(["log", "neg", 2.0]), 6, 0, 1e-9))
    (row,) = room.front(mixed)
    assert (
        direction_error(gradient(row.expression, NAMES, room.train.points), room.train.directions)
        < 1e-12
    )


def test_the_noise_floor_is_what_held_out_rows_or_several_networks_cannot_tell():
    made = finisher(x1**2 + 2 * x2**2, noise=0.02)
    truth, longer, wrong = (
        made.fitted(e) for e in (x1**2 + 2.1 * x2**2, x1**2 + 2.1 * x2**2 + 1e-4 * x1, x1 * x2)
    )
    floor = made.noise_floor(ParetoFront([truth, longer, wrong]))
    assert truth.loss <= floor < 1.1 * truth.loss
    known = dataclasses.replace(made.held_out, noise=0.5)
    several = FormulaRefiner(made.alphabet, made.complexity, made.train, known)
    assert several.noise_floor(ParetoFront([truth, wrong])) == 0.5
    assert ParetoFront([truth, wrong], 0.5).best in (truth, wrong)
