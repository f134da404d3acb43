"""Combinations: a sum of logarithms is a product, and says the same."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.linear_combination import LinearCombination

x1, x2, x3 = (symbol(f"x{k}") for k in range(1, 4))
POINTS = np.random.default_rng(0).uniform(0.3, 2, size=(60, 3))


def combined(operators: str, logarithms, plain, weights) -> tuple[list, np.ndarray]:
    """The expressions that a combination is written as, and its own gradients."""
    alphabet = Alphabet(OperatorSet(operators), ["x1", "x2", "x3"])
    maker = FeatureMaker(alphabet)
    variables = maker.variables(POINTS)
    features = [maker.of_tree(alphabet.tree(t), variables).logarithm() for t in logarithms]
    features += [maker.of_tree(alphabet.tree(t), variables) for t in plain]
    combination = LinearCombination(tuple(features), np.array(weights, float), 0.0)
    own = sum(w * f.gradients for w, f in zip(weights, features))
    return [to_sympy(tree, alphabet.operators) for tree in combination.trees(alphabet)], own


@pytest.mark.parametrize(
    ("logarithms", "plain", "weights", "product"),
    [
        ([[0], [1]], [], [1, 1], x1 * x2),
        ([[0], [1]], [], [2.02, -1], x1**2 / x2),
        ([[0], [1], [2]], [], [-1, -1, -2], x1 * x2 * x3**2),
        ([[0], [1]], [], [1, 1.5], x1**2 * x2**3),
        ([["add", 0, 1], [2]], [], [1, -3], (x1 + x2) / x3**3),
    ],
)
def test_a_sum_of_logarithms_is_written_as_a_product(logarithms, plain, weights, product):
    _, written = combined("default", logarithms, plain, weights)[0]
    # A product and its reciprocal are one concept.
    assert (written / product).simplify().is_number or (written * product).simplify().is_number


def test_a_square_that_would_hide_a_sign_is_written_without_it_as_well():
    found, _ = combined("default", [["sub", 0, 1], [2]], [], [1, -0.5])
    assert (x1 - x2) ** 2 / x3 in found
    assert (x1 - x2) / sympy.sqrt(x3) in found


def test_all_ways_to_write_it_have_the_gradients_of_the_sum():
    found, own = combined("default", [[0]], [["square", 1]], [1, -0.5])
    assert len(found) == 2
    for expression in found:
        assert direction_error(gradient(expression, ["x1", "x2", "x3"], POINTS), own) < 1e-15


def test_exponents_that_are_no_whole_numbers_stay_logarithms():
    found, _ = combined("default", [[0], [1]], [], [1, 0.71])
    assert len(found) == 1
    assert found[0].has(symbol("x2"))


@pytest.mark.parametrize(("operators", "ways"), [("mul", 1), ("add, mul", 1), ("log, add", 1)])
def test_only_operators_of_the_alphabet_are_used(operators, ways):
    assert len(combined(operators, [[0], [1]], [], [1, 1])[0]) == ways


def test_without_an_operator_for_it_nothing_is_written():
    assert combined("sin", [[0], [1]], [], [1, 1])[0] == []
    assert combined("add", [], [[0], [1]], [1, 2.5])[0] == []
