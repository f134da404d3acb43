"""Conditions say in words, relations and Booleans the same of every point."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.results.regions import Comparison, Condition
from keras_symgrad.results.regions.partition import partition

NAMES = ("a", "flow rate", "kind")
A, FLOW, KIND = map(symbol, NAMES)
POINTS = np.column_stack([np.random.default_rng(0).uniform(-2, 2, (400, 2)), np.arange(400) % 3])
CONDITIONS = {
    "a > 0.5": (Comparison(A, low=0.5),),
    "a - 'flow rate' <= 1": (Comparison(A - FLOW, high=1.0),),
    "-1 < 'flow rate' <= 0.25 and kind = 1": (
        Comparison(FLOW, -1.0, 0.25),
        Comparison(KIND, 0.5, 1.5, (1.0,)),
    ),
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_the_text_names_thresholds_and_levels(text):
    assert str(Condition((CONDITIONS[text],))) == text


@pytest.mark.parametrize("alternatives", [[k] for k in range(3)] + [[0, 2], [0, 1, 2], []])
def test_the_relation_decides_as_the_condition_does(alternatives):
    every = list(CONDITIONS.values())
    condition = Condition(tuple(every[k] for k in alternatives))
    relation = condition.to_sympy()
    by_sympy = [
        bool(relation.subs(dict(zip((A, FLOW, KIND), map(float, point))))) for point in POINTS
    ]
    assert condition.holds(POINTS, NAMES).tolist() == by_sympy


def test_levels_that_stand_alone_are_one_list():
    low, high = Comparison(KIND, high=0.5, levels=(0.0,)), Comparison(KIND, 1.5, levels=(2.0,))
    assert str(Condition(((high,), (low,)))) == "kind in {0, 2}"


def test_a_part_of_an_alternative_that_the_other_one_says_is_not_repeated():
    low, high = Comparison(A, high=0.3), Comparison(A, low=0.3)
    other = Comparison(KIND, low=1.0)
    assert str(Condition(((low,), (high, other)))) == "a <= 0.3 or kind > 1"
    assert str(Condition(((low, other), (high,)))) == "kind > 1 or a > 0.3"
    assert str(Condition(((low, other), (Comparison(A, low=0.4),)))) == (
        "(a <= 0.3 and kind > 1) or a > 0.4"
    )


def test_everywhere_and_nowhere_are_conditions_too():
    assert Condition.everywhere().holds(POINTS, NAMES).all()
    assert not Condition(()).holds(POINTS, NAMES).any()
    assert (Condition.everywhere().to_sympy(), Condition(()).to_sympy()) == (
        sympy.true,
        sympy.false,
    )


@pytest.mark.parametrize("text", CONDITIONS)
def test_plain_data_give_the_same_condition(text):
    condition = Condition((CONDITIONS[text], (Comparison(A, -1.0),)))
    data = json.loads(json.dumps(condition.to_dict(NAMES)))
    assert Condition.from_dict(data, NAMES) == condition


def test_conditions_on_a_one_hot_block_name_the_category_and_its_levels():
    rng = np.random.default_rng(0)
    season, a = rng.integers(0, 4, 2000), rng.uniform(-1, 1, 2000)
    names = ("a", "season_winter", "season_spring", "season_summer", "season_autumn")
    x = np.column_stack([a, np.eye(4)[season]])

    def texts(labels):
        found = partition(x, names, np.asarray(labels, int))
        for condition in found.values():
            assert Condition.from_dict(condition.to_dict(names), names) == condition
        return [str(condition) for condition in found.values()]

    assert texts(season == 0) == ["season is not winter", "season is winter"]
    assert texts(season >= 2) == [
        "season in {winter, spring}",
        "season in {summer, autumn}",
    ]
    inside, yes = partition(x, names, ((season == 1) & (a > 0)).astype(int))[1], x[:, 2] == 1
    assert str(inside).startswith("season is spring and a > ")
    np.testing.assert_array_equal(inside.holds(x, names), yes & (a > 0))
    # Columns without a name in common stay as they are.
    bare = partition(x, ("a", "b", "c", "d", "e"), (season == 0).astype(int))
    assert str(bare[1]) == "b = 1"
