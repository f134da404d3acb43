"""Whole numbers in the place of constants that are near them."""

from __future__ import annotations

import pytest

from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.search.islands.collector import rounded_variants

ALPHABET = Alphabet(OperatorSet("add, mul"), ["x1"])


@pytest.mark.parametrize(
    ("value", "whole"),
    [(1.96, [2.0]), (-3.1, [-3.0]), (2.5, []), (2.0, []), (0.04, []), (11.9, []), (1e30, [])],
)
def test_constants_near_a_small_whole_number_are_tried_as_one(value, whole):
    tree = ALPHABET.tree(["mul", value, 0])
    assert [variant[1].value for variant in rounded_variants(tree)] == whole
    assert tree[1].value == value


def test_several_are_tried_together_and_each_alone():
    tree = ALPHABET.tree(["add", "mul", 1.98, 0, 4.03])
    found = [(variant[2].value, variant[4].value) for variant in rounded_variants(tree)]
    assert found == [(2.0, 4.0), (2.0, 4.03), (1.98, 4.0)]
