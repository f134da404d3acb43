"""Trees and their SymPy expressions."""

import pickle

import pytest
import sympy
from deap import gp

from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant, Variable, symbol, to_sympy

x1, x2 = symbol("x1"), symbol("x2")


@pytest.fixture
def alphabet():
    return Alphabet(OperatorSet("add, mul, sin, gauss"), ["x1", "x2"])


def test_a_tree_is_its_nodes_in_prefix_order(alphabet):
    tree = alphabet.tree(["add", "mul", 2.5, 0, "sin", 1])
    assert str(tree) == "add(mul(2.5, x1), sin(x2))"
    assert [node.arity for node in tree] == [2, 2, 0, 0, 1, 0]
    assert isinstance(tree[2], Constant)
    assert isinstance(tree[3], Variable)


def test_a_tree_becomes_the_expression_that_it_reads_as(alphabet):
    tree = alphabet.tree(["add", "mul", 2.5, 0, "gauss", 1])
    assert to_sympy(tree, alphabet.operators) == 2.5 * x1 + sympy.exp(-(x2**2))


def test_an_argument_named_like_a_variable_is_not_mixed_up():
    alphabet = Alphabet(OperatorSet("sub, div"), ["b", "a"])
    tree = alphabet.tree(["sub", 0, "div", 1, 0])
    a, b = symbol("a"), symbol("b")
    assert to_sympy(tree, alphabet.operators) == b - a / b


def test_variables_are_real_whatever_they_are_called():
    alphabet = Alphabet(OperatorSet("abs"), ["petal length (cm)"])
    expression = to_sympy(alphabet.tree(["abs", 0]), alphabet.operators)
    assert expression == sympy.Abs(symbol("petal length (cm)"))
    assert symbol("lambda").is_real


def test_trees_pickle_and_know_their_subtrees(alphabet):
    tree = alphabet.tree(["add", "mul", 2.5, 0, "sin", 1])
    copy = pickle.loads(pickle.dumps(tree))
    assert isinstance(copy, gp.PrimitiveTree)
    assert str(copy) == str(tree)
    assert [getattr(node, "code", None) for node in copy] == [
        getattr(node, "code", None) for node in tree
    ]
    assert to_sympy(tree[tree.searchSubtree(1)], alphabet.operators) == 2.5 * x1
