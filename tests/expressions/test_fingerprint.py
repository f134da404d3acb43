"""Fingerprints: what counts as the same formula."""

import time

import numpy as np
import pytest
import sympy
from random_trees import random_trees

from keras_symgrad.expressions import fingerprint as fingerprint_module
from keras_symgrad.expressions.codegen.derivatives import differentiate
from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.fingerprint import Fingerprint
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy

CUBIC = Operator("cubic", lambda a: a**3 - a)
GROWING = Operator("growing", lambda a: a**3 + a)
ALPHABET = Alphabet(OperatorSet(["full", CUBIC, GROWING]), ["x1", "x2", "x3"])
FINGERPRINT = Fingerprint(ALPHABET.operators)


def fingerprint(*nodes):
    return FINGERPRINT(ALPHABET.tree(nodes))


SAME = {
    "sums have no order": (["add", 0, 1], ["add", 1, 0]),
    "sums have no groups": (["add", 0, "add", 1, 2], ["add", "add", 2, 0, 1]),
    "differences are sums": (["sub", 0, "sub", 1, 2], ["sub", "add", 2, 0, 1]),
    "products have no groups": (["mul", 0, "mul", 1, 2], ["mul", "mul", 2, 1, 0]),
    "quotients are products": (["div", 0, "div", 1, 2], ["mul", 0, "div", 2, 1]),
    "products of sums": (
        ["mul", "add", 0, 1, "sub", 0, 1],
        ["sub", "square", 0, "square", 1],
    ),
    "powers are products": (
        ["add", 1, "cube", "square", 0],
        ["add", 1, "mul", "pow4", 0, "square", 0],
    ),
    "whole exponents": (["pow", 0, -3.0], ["inv", "cube", 0]),
    "roots are exponents": (["add", "sqrt", 0, 1], ["add", "pow", 0, 0.5, 1]),
    "what cancels is gone": (["mul", 0, "div", 1, 1], [0]),
    "max has no order": (["max", 0, 1], ["max", 1, 0]),
    "odd functions": (["add", "sin", "neg", 0, 1], ["sub", 1, "sin", 0]),
    "even functions": (["add", 2, "cos", "sub", 0, 1], ["add", "cos", "sub", 1, 0, 2]),
    "constants fold": (["sin", "mul", 0, "mul", 2.0, 3.1], ["sin", "mul", 6.2, 0]),
    "constants are rounded": (["sin", "mul", 0, 1.2345678], ["sin", "mul", 0, 1.2312345]),
    "operators are what they say": (["cubic", 0], ["mul", 0, "sub", "square", 0, 1.0]),
    "gauss and its parts": (["add", 1, "gauss", 0], ["add", 1, "exp", "neg", "square", 0]),
    "factors drop out": (["mul", 3.0, "add", 0, 1], ["add", 0, 1]),
    "signs drop out": (["sub", 0, 1], ["sub", 1, 0]),
    "added constants drop out": (["add", 3.0, "mul", 0, 1], ["mul", 0, 1]),
    "reciprocals drop out": (["div", 5.0, "mul", 0, 1], ["mul", 0, 1]),
    "fractional linear functions": (["div", 0, "add", 1.0, 0], [0]),
    "monotone functions": (["exp", "mul", 0, 1], ["log", "mul", 0, 1]),
    "layer after layer": (["tanh", "add", 2.0, "mul", 3.0, "exp", "sub", 0, 1], ["sub", 0, 1]),
    "odd powers": (["cube", "add", 0, 1], ["add", 0, 1]),
    "powers with a constant": (["pow", "add", 0, 1, 0.7], ["add", 0, 1]),
    "constants to a power": (["pow", 2.0, "add", 0, 1], ["add", 0, 1]),
    "a root within an operator": (["hypot", 0, 1], ["add", "square", 0, "square", 1]),
    "an exponential within one": (["gauss", "add", 0, 1], ["square", "add", 0, 1]),
    "monotone operators of a user": (["growing", "mul", 0, 1], ["mul", 0, 1]),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_concept_has_the_same_fingerprint(name):
    one, other = SAME[name]
    assert fingerprint(*one) == fingerprint(*other) != 0


DIFFERENT = {
    "sum and difference": (["add", 0, 1], ["sub", 0, 1]),
    "a square is not monotone": (["square", 0], [0]),
    "an even power is not monotone": (["pow", 0, 2.0], [0]),
    "variables": ([0], [1]),
    "arguments have an order": (["atan2", 0, 1], ["atan2", 1, 0]),
    "functions differ": (["add", 1, "sin", 0], ["add", 1, "tanh", 0]),
    "sine is no polynomial": (["add", 1, "sin", 0], ["add", 1, "cube", 0]),
    "abs is not monotone": (["abs", 0], [0]),
    "inner constants count": (["sin", "add", 0, 1.0], ["sin", "add", 0, 2.0]),
    "inner factors count": (["add", 1, "exp", 0], ["add", 1, "exp", "mul", 2.0, 0]),
    "weights of terms count": (["add", 0, 1], ["add", 0, "mul", 2.0, 1]),
    "minus one and minus two": (["add", 0, "mul", -1.0, 1], ["add", 0, "mul", -2.0, 1]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_concept_has_another_fingerprint(name):
    one, other = DIFFERENT[name]
    assert fingerprint(*one) != fingerprint(*other)


@pytest.mark.parametrize(
    "nodes",
    [
        [2.0],
        ["exp", 2.0],
        ["sub", 0, 0],
        ["mul", 0.0, 0],
        ["div", 0, 0],
        ["exp", "mul", 0, "sub", 1, 1],
        ["add", 0, "log", -1.0],
        ["mul", 0, "div", 1.0, 0.0],
    ],
)
def test_what_is_constant_or_undefined_has_fingerprint_zero(nodes):
    assert fingerprint(*nodes) == 0


def test_signed_fingerprints_tell_a_formula_from_its_negative():
    signed = Fingerprint(ALPHABET.operators, signed=True)
    one, other = ALPHABET.tree(["sub", 0, 1]), ALPHABET.tree(["sub", 1, 0])
    assert signed(one) != signed(other)
    assert signed(one) == signed(ALPHABET.tree(["sub", "add", 0, 4.0, 1]))


def test_affine_fingerprints_drop_an_offset_and_a_factor_but_no_other_function():
    affine = Fingerprint(ALPHABET.operators, affine=True)
    product = affine(ALPHABET.tree(["mul", 0, 1]))
    assert product == affine(ALPHABET.tree(["sub", 4.0, "mul", 3.0, "mul", 1, 0]))
    assert product != affine(ALPHABET.tree(["exp", "mul", 0, 1]))
    assert product != affine(ALPHABET.tree(["div", 1.0, "mul", 0, 1]))
    assert affine(ALPHABET.tree([2.0])) == 0


@pytest.mark.slow
def test_equal_fingerprints_mean_parallel_gradients(random_trees):
    operators = OperatorSet("add, sub, mul, div, square, exp, sin, neg")
    trees = random_trees(operators, 3000, seed=8, largest=7)
    mark = Fingerprint(operators)
    groups: dict[int, dict[str, object]] = {}
    for tree in trees:
        # Rounding is left out: constants with three digits stay as they are.
        if all(node.arity or not isinstance(node.value, float) for node in tree):
            groups.setdefault(mark(tree), {})[str(tree)] = tree
    groups.pop(0)
    pairs = [list(group.values())[:2] for group in groups.values() if len(group) > 1]
    assert len(pairs) > 50
    points = np.random.default_rng(1).uniform(0.2, 1.3, (20, 3))
    symbols = [symbol(name) for name in ("x1", "x2", "x3")]
    for one, other in pairs:
        directions = []
        for tree in (one, other):
            expression = to_sympy(tree, operators)
            slopes = numpy_function([differentiate(expression, s) for s in symbols], symbols)
            gradients = slopes(points)
            with np.errstate(all="ignore"):
                size = np.linalg.norm(gradients, axis=1, keepdims=True)
                directions.append(np.where(size < 1e150, gradients / size, np.nan))
        cosine = np.abs((directions[0] * directions[1]).sum(axis=1))
        finite = np.isfinite(cosine)
        np.testing.assert_allclose(cosine[finite], 1, atol=1e-6, err_msg=f"{one} | {other}")


def test_fingerprints_are_the_same_in_every_process():
    # Kept searches hold them, and islands send them to other machines.
    alphabet = Alphabet(OperatorSet("add, exp, max"), ["x1", "x2"])
    found = Fingerprint(alphabet.operators)(alphabet.tree(["add", "max", 0, 1, "exp", 1]))
    assert found == 1915651924830348106


def test_thousands_of_trees_a_second(random_trees):
    operators = OperatorSet("default")
    trees = random_trees(operators, 1000, seed=4)
    mark = Fingerprint(operators)
    start = time.process_time()
    for tree in trees:
        mark(tree)
    assert (time.process_time() - start) / len(trees) < 200e-6  # 20 us on a free machine


def test_every_shipped_operator_has_a_form_in_the_field():
    for operator in ALPHABET.operators:
        arguments = list(range(operator.arity))
        swapped = arguments[::-1]
        same = fingerprint(operator.name, *arguments) == fingerprint(operator.name, *swapped)
        antisymmetric = operator.name in ("sub", "div")
        assert same == (operator.arity == 1 or operator.symmetric or antisymmetric), operator


def test_a_piecewise_operator_of_a_user_has_a_form():
    a = sympy.Symbol("a", real=True)
    kink = Operator("kink", sympy.Piecewise((a, a > 0), (a**3, True)))
    alphabet = Alphabet(OperatorSet([kink, "add"]), ["x1", "x2"])
    mark = Fingerprint(alphabet.operators)
    one = mark(alphabet.tree(["add", 0, "kink", 1]))
    assert one == mark(alphabet.tree(["add", "kink", 1, 0]))
    assert one != mark(alphabet.tree(["add", 0, 1]))


def test_what_is_remembered_changes_no_fingerprint(monkeypatch):
    alphabet = Alphabet(OperatorSet("default"), ["x1", "2.5"])
    trees = [
        *random_trees(alphabet, 50, seed=4),
        alphabet.tree(["mul", 0, "add", 0, 1]),
        alphabet.tree(["mul", 0, "add", 0, 2.5]),  # a constant, above a variable of this name
    ]
    expected = [Fingerprint(alphabet.operators)(tree) for tree in trees]
    assert expected[-2] != expected[-1]
    monkeypatch.setattr(fingerprint_module, "MOST_RECENT", 7)
    fingerprint = Fingerprint(alphabet.operators)
    assert [fingerprint(tree) for tree in trees] == expected
    assert [fingerprint(tree) for tree in reversed(trees)] == expected[::-1]
    assert len(fingerprint._recent) <= 7
