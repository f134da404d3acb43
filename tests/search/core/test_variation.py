"""Every mutation gives a tree, within the limits, and a seed decides which."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from random_trees import every_operator, random_trees

from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant, Variable, to_sympy
from keras_symgrad.search.core.variation import MUTATIONS, Variation

ALPHABET = Alphabet(every_operator(), ["x1", "x2", "x3"])
TREES = random_trees(ALPHABET, 200, seed=1, nodes=(1, 20))
MAX_NODES = 20


def assert_valid(tree, alphabet: Alphabet = ALPHABET, max_nodes: int = MAX_NODES) -> None:
    """One expression in prefix order, made of the alphabet's nodes, not too large."""
    assert len(tree) <= max_nodes
    open_ = 1
    for position, node in enumerate(tree):
        assert open_ > 0, f"the tree ends before node {position}"
        open_ += node.arity - 1
        if isinstance(node, Constant):
            assert np.isfinite(node.value)
        elif isinstance(node, Variable):
            assert node is alphabet.variables[node.index]
        else:
            assert node is alphabet.primitives[node.name]
    assert open_ == 0, "arguments are missing"


def names(tree) -> Counter:
    return Counter(str(node.value) if isinstance(node, Constant) else node.name for node in tree)


@pytest.mark.parametrize("kind", MUTATIONS)
def test_a_mutation_gives_a_tree_and_leaves_the_old_one(kind):
    variation = Variation(ALPHABET, seed=2, max_nodes=MAX_NODES)
    written = [str(tree) for tree in TREES]
    mutated = [getattr(variation, kind)(tree) for tree in TREES for _ in range(5)]
    made = [tree for tree in mutated if tree is not None]
    for tree in made:
        assert_valid(tree)
    # A mutation that needs an operator, a pair or a constant finds none in some trees.
    assert len(made) > 0.3 * len(mutated)
    assert [str(tree) for tree in TREES] == written


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("insert", lambda new, old: len(new) > len(old) and not names(old) - names(new)),
        ("delete", lambda new, old: len(new) < len(old) and not names(new) - names(old)),
        ("hoist", lambda new, old: len(new) < len(old) and not names(new) - names(old)),
        ("swap", lambda new, old: names(new) == names(old)),
        ("point", lambda new, old: sum(a is not b for a, b in zip(new, old, strict=True)) == 1),
        ("constant", lambda new, old: sum(a is not b for a, b in zip(new, old, strict=True)) == 1),
    ],
)
def test_a_mutation_does_what_its_name_says(kind, holds):
    variation = Variation(ALPHABET, seed=3)
    for old in TREES:
        new = getattr(variation, kind)(old)
        assert new is None or holds(new, old), f"{old} became {new}"


def test_a_scaled_constant_keeps_its_size_and_mostly_its_sign():
    variation = Variation(ALPHABET, seed=4)
    tree = ALPHABET.tree(["mul", 2.0, 0])
    values = np.array([variation.constant(tree)[1].value for _ in range(2000)])
    assert np.median(np.abs(values)) == pytest.approx(2.0, rel=0.1)
    assert np.mean(values < 0) == pytest.approx(0.2, abs=0.04)


def test_crossover_takes_one_subtree_from_the_other_parent():
    variation = Variation(ALPHABET, seed=5, max_nodes=MAX_NODES)
    mixed = 0
    for first, second in zip(TREES[::2], TREES[1::2]):
        child = variation.cross(first, second)
        if child is not None:
            assert_valid(child)
            assert not names(child) - (names(first) + names(second))
            mixed += bool(names(child) - names(first))
    assert mixed > 50


def test_trees_never_outgrow_the_limit():
    variation = Variation(ALPHABET, seed=6, max_nodes=12)
    tree = variation.random_tree(8)
    sizes = set()
    for _ in range(3000):
        tree = variation.mutate(tree) or tree
        assert_valid(tree, max_nodes=12)
        sizes.add(len(tree))
    assert sizes == set(range(1, 13))


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    def lineage(seed: int) -> list[str]:
        variation = Variation(ALPHABET, seed)
        trees = [variation.random_tree(10)]
        for _ in range(300):
            other = variation.random_tree(5)
            trees.append(variation.mutate(trees[-1]) or variation.cross(trees[-1], other) or other)
        return [str(tree) for tree in trees]

    assert lineage(1) == lineage(1)
    assert lineage(1) != lineage(2)


def test_nobody_elses_random_numbers_are_touched():
    before = random.getstate()
    variation = Variation(ALPHABET, seed=1)
    for tree in TREES:
        variation.mutate(tree)
        variation.random_tree(9)
    assert random.getstate() == before


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 10, 31])
def test_a_random_tree_has_the_size_that_was_asked_for(nodes):
    variation = Variation(ALPHABET, seed=7)
    for _ in range(100):
        tree = variation.random_tree(nodes)
        assert_valid(tree, max_nodes=nodes)
        assert len(tree) == nodes


def test_where_no_tree_has_that_size_a_random_tree_is_a_little_larger():
    # With two arguments for every operator the number of nodes is odd, in every subtree.
    alphabet = Alphabet(OperatorSet("arithmetic"), ["x1", "x2"])
    variation = Variation(alphabet, seed=8)
    for nodes in (2, 4, 5, 10):
        for _ in range(50):
            tree = variation.random_tree(nodes)
            assert_valid(tree, alphabet, nodes * 3 // 2)
            assert len(tree) >= nodes


def test_random_trees_use_all_leaves_and_all_operators():
    variation = Variation(ALPHABET, seed=9)
    nodes = [node for _ in range(3000) for node in variation.random_tree(9)]
    leaves = [node for node in nodes if node.arity == 0]
    constants = [node.value for node in leaves if isinstance(node, Constant)]
    columns = Counter(node.index for node in leaves if isinstance(node, Variable))

    assert len(constants) / len(leaves) == pytest.approx(0.2, abs=0.02)
    assert np.std(constants) == pytest.approx(2.0, abs=0.1)
    for column in range(3):
        assert columns[column] / len(leaves) == pytest.approx(0.8 / 3, abs=0.02)
    assert {node.name for node in nodes if node.arity} == set(ALPHABET.operators.names)


def test_an_operator_of_three_arguments_takes_part():
    blend = Operator("blend", lambda a, b, c: a * b + (1 - a) * c)
    alphabet = Alphabet(OperatorSet([blend]), ["x1", "x2"])
    variation = Variation(alphabet, seed=10, max_nodes=16)
    tree = variation.random_tree(7)
    for _ in range(500):
        tree = variation.mutate(tree) or tree
        assert_valid(tree, alphabet, 16)
    assert to_sympy(alphabet.tree(["blend", 0, 1, 1]), alphabet.operators).free_symbols
