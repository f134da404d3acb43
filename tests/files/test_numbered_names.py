"""Names that count are written as ranges, and no name is lost or told twice."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.files.numbered_names import listed_ranges, name_ranges

SERIES = [f"x_{step}_{channel}" for step in range(50) for channel in range(3)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("names", [SERIES, ["age", "x1", "x2", "x3", "b2"], ["a", "b"]])
def test_each_name_is_in_one_group(names, seed):
    some = list(np.random.default_rng(seed).permutation(names)[: 2 * len(names) // 3])
    groups = name_ranges(some)
    assert sorted(name for group in groups for name in group) == sorted(some)


def test_steps_of_one_channel_are_a_range():
    names = [f"x_{step}_0" for step in range(39, 50)] + [f"x_{step}_1" for step in (3, 5, 4)]
    assert listed_ranges(names, 9) == "x_39_0 to x_49_0, x_3_1 to x_5_1"


def test_two_neighbours_are_two_names():
    assert listed_ranges(["x1", "x2", "x4"], 9) == "x1, x2, x4"


def test_those_that_are_left_out_are_counted():
    assert listed_ranges([f"g{k}" for k in range(0, 200, 2)], 3) == "g0, g2, g4; 97 more"
    assert listed_ranges([], 3) == ""
