"""Complexity of trees."""

import pytest
import sympy

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet

CUBIC = Operator("cubic", lambda a: a**3 - a, complexity=4.5)
ALPHABET = Alphabet(OperatorSet(["add, mul, exp", CUBIC]), ["x1", "exp"])


def test_by_default_variables_weigh_one_and_constants_three():
    assert Complexity()(ALPHABET.tree(["add", 2.5, "mul", 0, 1])) == 1 + 3 + 1 + 1 + 1
    assert type(Complexity()(ALPHABET.tree([0]))) is int


def test_operators_weigh_what_they_say_themselves():
    tree = ALPHABET.tree(["cubic", "exp", 0])
    assert Complexity().over(ALPHABET.operators)(tree) == 4.5 + 2 + 1


@pytest.mark.parametrize(
    ("value", "weight"),
    [(0.0, 1), (2.0, 1), (-1.0, 1), (3.0, 2), (-9.0, 2), (10.0, 3), (144.0, 3), (2.1, 3), (0.5, 3)],
)
def test_a_number_weighs_more_the_more_digits_it_has(value, weight):
    assert Complexity()(ALPHABET.tree(["mul", value, 0])) == 1 + weight + 1
    assert Complexity(integer=3)(ALPHABET.tree(["mul", value, 0])) == 1 + 3 + 1


def test_the_weight_of_a_constant_scales_that_of_whole_numbers():
    weights = [Complexity(constant=7).of_node(value) for value in (2.0, 5.0, 10.0, 0.3)]
    assert weights == [1, 4, 7, 7]
    assert Complexity(constant=0.5)(ALPHABET.tree(["mul", 2.0, 0])) == 1 + 0.5 + 1


def test_weights_by_name_come_first():
    tree = ALPHABET.tree(["cubic", "exp", 0])
    complexity = Complexity(constant=1, variable=2, operators={"exp": 5, "cubic": 7})
    assert complexity.over(ALPHABET.operators)(tree) == 7 + 5 + 2
    assert complexity(tree) == 7 + 5 + 2


def test_a_variable_named_like_an_operator_is_a_variable():
    assert Complexity(operators={"exp": 50})(ALPHABET.tree(["add", 0, 1])) == 3


def test_the_function_of_a_user_replaces_the_sum():
    complexity = Complexity(function=lambda expression: len(expression.free_symbols) + 0.5)
    tree = ALPHABET.tree(["add", 0, "cubic", 1])
    assert complexity.over(ALPHABET.operators)(tree) == 2.5
    counts = Complexity(function=sympy.count_ops)
    assert counts(ALPHABET.tree(["add", 0, 1])) == 1


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "three", None])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ValueError, match="must be a finite number of at least 0"):
        Complexity(constant=weight)
    with pytest.raises(ValueError, match="operators"):
        Complexity(operators={"exp": weight})


def test_a_function_that_returns_no_number_is_refused():
    with pytest.raises(ValueError, match=r"function\(expression\)"):
        Complexity(function=lambda _: None)(ALPHABET.tree([0]))


def test_weights_for_operators_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"not in the set: sinh.*add, mul, exp, cubic"):
        Complexity(operators={"sinh": 5}).over(ALPHABET.operators)


def test_an_operator_of_a_user_needs_its_set():
    with pytest.raises(ValueError, match="cubic"):
        Complexity()(ALPHABET.tree(["cubic", 0]))
