"""Features: their values and gradients are the tree's, and no two say the same."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import evaluate, gradient
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.search.spectral.features import Feature, FeatureMaker

NAMES = ("x1", "x2", "x3")
GAUSS = Operator("bell", lambda a: sympy.exp(-(a**2)))
POINTS = np.random.default_rng(0).uniform(0.3, 2, size=(80, 3))


@pytest.fixture(scope="module")
def maker() -> FeatureMaker:
    return FeatureMaker(Alphabet(OperatorSet(["default", "hypot", GAUSS]), NAMES))


@pytest.fixture(scope="module")
def dictionary(maker) -> list[Feature]:
    return maker.dictionary(maker.variables(POINTS), 400)


def test_values_and_gradients_are_those_of_the_tree(maker, dictionary):
    assert len(dictionary) > 100
    for feature in dictionary[:: max(1, len(dictionary) // 40)]:
        expression = to_sympy(feature.tree, maker.alphabet.operators)
        if feature.is_logarithm:
            expression = sympy.log(sympy.Abs(expression))
        np.testing.assert_allclose(
            feature.values, evaluate([expression], NAMES, POINTS)[0], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            feature.gradients, gradient(expression, NAMES, POINTS), rtol=1e-8, atol=1e-10
        )


def test_no_two_features_carry_the_same_concept(dictionary):
    assert len({feature.concept for feature in dictionary}) == len(dictionary)
    for one, other in combinations(dictionary[:40], 2):
        # Parallel on every row is allowed, as of exp(x1) and x1, but not by one factor for all.
        product = abs(np.sum(one.gradients * other.gradients))
        lengths = np.linalg.norm(one.gradients) * np.linalg.norm(other.gradients)
        assert product < (1 - 1e-10) * lengths


def test_a_factor_is_no_new_concept_and_a_power_is(maker):
    x1, x2, _ = maker.variables(POINTS)
    operators = maker.alphabet.operators
    twice = maker.apply(operators["add"], [x1, x1])
    assert twice.concept == x1.concept
    assert direction_error(twice.gradients, x1.gradients) == 0
    assert maker.apply(operators["square"], [x1]).concept != x1.concept
    forth, back = (maker.apply(operators["sub"], pair) for pair in ([x1, x2], [x2, x1]))
    assert forth.concept == back.concept


def test_short_features_come_first_and_there_are_no_more_than_wanted(maker):
    few = maker.dictionary(maker.variables(POINTS), 25)
    assert len(few) == 25
    sizes = [len(feature.nodes) + feature.is_logarithm for feature in few]
    assert sizes[:3] == [1, 1, 1]
    assert sizes == sorted(sizes)


def test_a_tree_with_constants_is_a_feature_like_all_others(maker):
    tree = maker.alphabet.tree(["sin", "mul", 2.5, "hypot", 0, 1])
    feature = maker.of_tree(tree, maker.variables(POINTS))
    expression = to_sympy(tree, maker.alphabet.operators)
    np.testing.assert_allclose(feature.values, evaluate([expression], NAMES, POINTS)[0], rtol=1e-12)
    np.testing.assert_allclose(
        feature.gradients, gradient(expression, NAMES, POINTS), rtol=1e-9, atol=1e-12
    )


def test_monomials_are_all_terms_of_a_polynomial(maker):
    atoms = maker.variables(POINTS)[:2]
    assert len(maker.monomials(atoms, 3)) == 2 + 3 + 4
    words = {str(f.tree) for f in maker.monomials(atoms, 2)}
    assert words == {"x1", "x2", "square(x1)", "square(x2)", "mul(x1, x2)"}


def test_users_own_operators_are_words_like_all_others(dictionary):
    assert any("bell(x2)" == str(feature.tree) for feature in dictionary)


def test_what_is_not_finite_or_does_not_change_is_left_out(maker):
    points = np.array([[-1.0, 2.0, 3.0], [0.5, -2.0, 1.0]])
    texts = [str(f.tree) for f in maker.dictionary(maker.variables(points), 500)]
    assert "log(x1)" not in texts
    assert "sqrt(x3)" in texts
    for feature in maker.dictionary(maker.variables(points), 500):
        assert np.isfinite(feature.values).all()
        assert np.isfinite(feature.gradients).all()
        assert np.abs(feature.gradients).max() > 0


@pytest.mark.parametrize("names", ["mul, sin", "sin", "add", "pow, hypot", "neg, inv"])
def test_any_operators_make_a_dictionary(names):
    maker = FeatureMaker(Alphabet(OperatorSet(names), NAMES))
    found = maker.dictionary(maker.variables(POINTS), 200)
    assert [str(feature.tree) for feature in found[:3]] == ["x1", "x2", "x3"]
    assert all(feature.is_usable for feature in found)


def test_one_variable_and_one_row_are_enough():
    maker = FeatureMaker(Alphabet(OperatorSet("default"), ["x"]))
    found = maker.dictionary(maker.variables(np.array([[0.7]])), 50)
    assert str(found[0].tree) == "x"
