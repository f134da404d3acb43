"""Columns of few values and one-hot blocks are recognised by their data alone."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.gradients.levels import block_name, few_values, one_hot_blocks

R = np.random.default_rng(0)
ROWS = 400


def one_hot(levels: int) -> np.ndarray:
    return np.eye(levels)[R.integers(0, levels, ROWS)]


def test_two_blocks_are_told_apart_wherever_their_columns_stand():
    color, origin = one_hot(3), one_hot(4)
    x = np.column_stack([color[:, 0], origin, R.normal(size=ROWS), color[:, 1:]])
    assert sorted(one_hot_blocks(x)) == [(0, 6, 7), (1, 2, 3, 4)]


def test_a_block_without_one_of_its_levels_is_separate_columns():
    assert one_hot_blocks(one_hot(4)[:, :3]) == []


def test_one_row_with_two_levels_makes_it_no_block():
    x = one_hot(3)
    x[17] = [1, 1, 0]
    assert one_hot_blocks(x) == []


def test_flags_that_may_stand_together_are_no_block():
    x = R.integers(0, 2, (ROWS, 6)).astype(float)
    assert one_hot_blocks(x) == []


def test_a_few_rows_say_nothing_of_the_values_of_a_column():
    assert few_values(np.arange(6.0).reshape(3, 2)) == {}
    assert one_hot_blocks(np.eye(3)) == []


def test_values_are_few_on_all_rows_and_not_on_the_first_ones_alone():
    x = np.zeros((20_000, 1))
    x[1::2] = 1.0
    assert few_values(x) == {0: (0.0, 1.0)}
    x[-1000:, 0] = R.normal(size=1000)
    assert few_values(x) == {}


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["color_red", "color_blue"], "color"),
        (["fuel type=gas", "fuel type=diesel"], "fuel type"),
        (["x1", "x2", "x3"], "x1/x2/x3"),
        (["_a", "_b"], "_a/_b"),
        (list("abcdef"), "a/b/c/d/..."),
    ],
)
def test_a_block_has_the_name_of_its_category_or_those_of_its_levels(names, name):
    assert block_name(names) == name
