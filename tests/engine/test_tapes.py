"""Tapes: walked by hand, they give the values and adjoints of the trees they were made from."""

from __future__ import annotations

import jets
import numpy as np
import pytest
import tensorflow as tf
from random_trees import every_operator, random_trees

from keras_symgrad.engine.tapes import Layout, Tapes, assemble
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant

POINT = np.array([0.7, 1.3, 0.4])


def layout_of(alphabet: Alphabet, **sizes) -> Layout:
    arities = tuple(operator.arity for operator in alphabet.operators)
    return Layout(arities, len(alphabet.names), **sizes)


def walked(tapes: Tapes, chunk: int, alphabet: Alphabet, layout: Layout, point: np.ndarray):
    """Values of all roots of a chunk and their gradients, one instruction after the other."""
    operators = list(alphabet.operators)
    arity, first = layout.arity, layout.variables
    values = np.full(first + layout.instructions, np.nan)
    values[:first] = point
    adjoints = np.full(layout.unit_slot + 1, np.nan)
    adjoints[layout.unit_slot] = 1
    used = range(tapes.used[chunk])
    with np.errstate(all="ignore"):
        for place in used:
            code = tapes.operator[chunk, place]
            if code == layout.constant_operator:
                result = tapes.constant[chunk, place]
            else:
                operator = operators[code]
                slots = tapes.argument[chunk, place, : operator.arity]
                result = float(operator.value_code(*map(tf.constant, values[slots]))[0])
            values[first + place] = result
        for place in reversed(used):
            code = tapes.operator[chunk, place]
            if code == layout.constant_operator:
                continue
            operator = operators[code]
            slots = tapes.argument[chunk, place, : operator.arity]
            arguments = map(tf.constant, [*values[slots], values[first + place]])
            received = adjoints[tapes.adjoint[chunk, place]]
            for side, partial in enumerate(operator.partials_code(*arguments)):
                adjoints[place * arity + side] = received * float(partial)
    gradients = np.zeros((layout.trees, layout.variables))
    for tree in range(layout.trees):
        for step in range(tapes.leaf_count[chunk, tree]):
            at = chunk, tree, step
            gradients[tree, tapes.leaf_variable[at]] += adjoints[tapes.leaf[at]]
    return values[tapes.root[chunk]], gradients


def test_instructions_stand_by_height_and_operator():
    alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
    # (x1^2 + 2.5) and (x2^2)^2: a load, two squares, an add, a square.
    trees = [alphabet.tree(["add", "square", 0, 2.5]), alphabet.tree(["square", "square", 1])]
    tapes = assemble(trees, layout_of(alphabet, trees=4, instructions=8))

    assert tapes.used.tolist() == [5] and tapes.loads.tolist() == [1]
    assert tapes.operator[0, :5].tolist() == [2, 1, 1, 0, 1]
    # Slots 0 and 1 are the columns; instruction k fills slot 2 + k.
    assert tapes.argument[0, 1:3, 0].tolist() == [0, 1]
    assert tapes.argument[0, 3].tolist() == [3, 2]
    assert tapes.argument[0, 4, 0] == 4
    assert tapes.root[0, :2].tolist() == [5, 6]
    # The root's adjoint is 1; the others stand in their parent's pair of slots.
    assert tapes.adjoint[0, 3] == tapes.adjoint[0, 4] == 8 * 2
    assert tapes.adjoint[0, 1:3].tolist() == [3 * 2, 4 * 2]
    assert tapes.leaf[0, :2, 0].tolist() == [1 * 2, 2 * 2]
    assert tapes.leaf_count[0].tolist() == [1, 1, 0, 0]


def test_leaves_are_sorted_by_column_and_the_last_of_each_is_marked():
    alphabet = Alphabet(OperatorSet("add, mul"), ["x1", "x2", "x3"])
    tree = alphabet.tree(["add", "mul", 2, 0, "add", 2, "mul", 0, 2])
    tapes = assemble([tree], layout_of(alphabet, trees=4))
    assert tapes.leaf_count[0, 0] == 5
    assert tapes.leaf_variable[0, 0, :5].tolist() == [0, 0, 2, 2, 2]
    assert tapes.leaf_is_last[0, 0, :6].tolist() == [0, 1, 0, 0, 1, 0]


@pytest.mark.slow
def test_a_walk_of_the_tapes_gives_values_and_gradients():
    alphabet = Alphabet(every_operator(), ["x1", "x2", "x3"])
    trees = random_trees(alphabet, 150, seed=1, nodes=(1, 25))
    layout = layout_of(alphabet, trees=32, instructions=400)
    tapes = assemble(trees, layout, "float64")
    assert len(tapes.operator) > 4
    checked = 0
    for chunk, numbers in enumerate(tapes.tree):
        values, gradients = walked(tapes, chunk, alphabet, layout, POINT)
        for number, value, gradient in zip(numbers, values, gradients):
            tree = trees[number]
            # Elsewhere any two ways to evaluate the tree may differ: it is not finite or chaotic.
            if number >= 0 and jets.is_defined(tree, alphabet.operators, POINT[None]):
                jet = jets.jets(tree, alphabet.operators, POINT[None])[-1]
                assert value == pytest.approx(jet.value[0], rel=1e-6)
                assert gradient == pytest.approx(jet.by_variable[0], rel=1e-6, abs=1e-9)
                checked += 1
    assert checked > 50


def test_every_tree_is_somewhere_once():
    alphabet = Alphabet(OperatorSet("default"), ["x1", "x2"])
    trees = random_trees(alphabet, 500, seed=2)
    tapes = assemble(trees, layout_of(alphabet))
    assert sorted(tapes.tree[tapes.tree >= 0]) == list(range(500))
    assert len(tapes.tree) == 32  # 16 trees a chunk


def test_large_trees_stand_alone_in_their_chunk():
    alphabet = Alphabet(OperatorSet("sin, exp"), ["x1"])
    trees = [alphabet.tree(["sin", "exp"] * 10 + [0]) for _ in range(4)]
    short = assemble(trees, layout_of(alphabet, trees=4, instructions=80))
    assert len(short.operator) == 1 and short.used.tolist() == [80]
    trees = [alphabet.tree([name] * 30 + [0]) for name in ("sin", "exp")]
    tapes = assemble(trees, layout_of(alphabet, trees=4, instructions=32))
    assert len(tapes.operator) == 2 and tapes.used.tolist() == [30, 30]


def test_constants_keep_the_order_of_trees_and_nodes():
    alphabet = Alphabet(OperatorSet("default"), ["x1", "x2"])
    trees = random_trees(alphabet, 300, seed=3)
    tapes = assemble(trees, layout_of(alphabet), "float64")
    expected = [node.value for tree in trees for node in tree if isinstance(node, Constant)]
    owners = [k for k, tree in enumerate(trees) for node in tree if isinstance(node, Constant)]
    assert tapes.constants().tolist() == expected
    assert tapes.constant_tree.tolist() == owners

    tapes.set_constants(np.arange(len(expected)))
    assert tapes.constants().tolist() == list(range(len(expected)))


def test_a_tree_can_be_one_leaf():
    alphabet = Alphabet(OperatorSet("add"), ["x1", "x2"])
    layout = layout_of(alphabet, trees=4, instructions=8)
    tapes = assemble([alphabet.tree([1]), alphabet.tree([2.5])], layout)
    values, gradients = walked(tapes, 0, alphabet, layout, POINT[:2])
    at = {tree: place for place, tree in enumerate(tapes.tree[0]) if tree >= 0}
    assert [values[at[0]], values[at[1]]] == [1.3, 2.5]
    assert gradients[at[0]].tolist() == [0, 1] and gradients[at[1]].tolist() == [0, 0]


def test_a_tree_that_does_not_fit_is_refused():
    alphabet = Alphabet(OperatorSet("add, sin"), ["x1"])
    small = alphabet.tree(["sin", 0])
    with pytest.raises(ValueError, match="A tree of 41 nodes does not fit.*32 instructions"):
        assemble([small, alphabet.tree(["sin"] * 40 + [0])], layout_of(alphabet, instructions=32))
    with pytest.raises(ValueError, match="65 variable leaves.*at most 64"):
        assemble([small, alphabet.tree(["add"] * 64 + [0] * 65)], layout_of(alphabet))
