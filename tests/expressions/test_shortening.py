"""Shortening: the same concept in fewer words."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.shortening import shortest, weight, with_whole_numbers
from keras_symgrad.expressions.trees import Alphabet, symbol

ALPHABET = Alphabet(OperatorSet("default"), ["x1", "x2", "x3"])
x1, x2, x3 = (symbol(name) for name in ALPHABET.names)


@pytest.mark.parametrize(
    "expression",
    [
        x1**2 + 3 * x1 * x2 + 2 * x2**2,
        x1 * x3 + x2 * x3 + x1 * x2 + x3**2,
        sympy.exp(x1) * sympy.exp(x2) * x3,
        2.5 * (x1 * x2 + x1 * x3) - 4,
        sympy.log(x1) + 2 * sympy.log(x2) - x3,
        x3 / (x1 * x2 - x3**2),
        (x1 + x2) / (x1 * x2 * x3 - x1 - x2 + 1),
    ],
)
def test_the_concept_stays_and_is_never_longer(expression):
    points = np.random.default_rng(0).uniform(0.5, 2, size=(50, 3))
    short = shortest(expression, ALPHABET, Complexity())
    same = [gradient(e, ALPHABET.names, points) for e in (expression, short)]
    assert direction_error(*same) < 1e-12
    assert weight(short, ALPHABET, Complexity()) <= weight(expression, ALPHABET, Complexity())


@pytest.mark.parametrize(
    ("quotient", "shorter"),
    [
        (x3 / (x1 * x2 - x3**2), x1 * x2 / x3 - x3),
        ((x1 + x2) / (x1 * x2 * x3 - x1 - x2 + 1), (x1 + x2) / (x1 * x2 * x3 + 1)),
        ((2.5 * x1 + x2) / (2.5 * x1 + x2 + x3), (2.5 * x1 + x2) / x3),
    ],
)
def test_of_all_quotients_of_one_concept_the_shortest_is_taken(quotient, shorter):
    found = shortest(quotient, ALPHABET, Complexity())
    wanted = weight(shorter, ALPHABET, Complexity())
    assert (
        weight(found, ALPHABET, Complexity()) <= wanted < weight(quotient, ALPHABET, Complexity())
    )


def test_a_sum_of_logarithms_becomes_the_product_that_it_is_the_logarithm_of():
    found = shortest(sympy.log(x1 * x2 / x3) - sympy.log(x1 + x2 / x3), ALPHABET, Complexity())
    assert not found.has(sympy.log)
    assert weight(found, ALPHABET, Complexity()) <= 9


def test_what_the_operators_cannot_write_weighs_infinitely():
    assert weight(sympy.tanh(x1), Alphabet(OperatorSet("add"), ["x1"]), Complexity()) == np.inf


def test_only_small_whole_floats_become_integers():
    made = with_whole_numbers(2.0 * x1 + 11.0 * x2 + 2.5 * x3)
    assert made.atoms(sympy.Float) == {sympy.Float(11.0), sympy.Float(2.5)}
