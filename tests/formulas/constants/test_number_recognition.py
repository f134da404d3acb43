"""Simple numbers are seen where an arbitrary number would hardly have one, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.formulas.constants.number_recognition import CHANCE, simple_numbers


@pytest.mark.parametrize(
    ("value", "half", "simplest"),
    [
        (3.1416, 0.003, sympy.pi),
        (3.2, 1.0, None),
        (2.37, 0.02, None),
        (2.375, 0.01, None),
        (2.37, 0.0005, None),
        (0.77, 0.03, None),
        (2.02, 0.1, 2),
        (-0.97, 0.08, -1),
        (2.1, 0.9, None),
        (20.1, 0.3, 20),
        (23.1, 0.3, None),
        (0.333, 0.002, sympy.Rational(1, 3)),
        (0.3183, 0.001, 1 / sympy.pi),
        (-1.4141, 0.001, -sympy.sqrt(2)),
        (2.718, 0.001, sympy.E),
        (0.003, 0.02, 0),
    ],
)
def test_a_simple_number_needs_a_narrow_interval(value, half, simplest):
    assert next(iter(simple_numbers(value - half, value + half)), None) == simplest


@pytest.mark.parametrize("half_width", [0.3, 0.1, 0.03, 0.01, 0.003, 0.001])
def test_arbitrary_numbers_seldom_have_a_simple_one_whatever_the_width(half_width):
    rng = np.random.default_rng(0)
    values = 10 ** rng.uniform(-1, 2, 1000) * rng.choice([-1, 1], 1000)
    ends = np.sort(np.stack([values * (1 - half_width), values * (1 + half_width)]), axis=0)
    assert np.mean([bool(simple_numbers(*pair)) for pair in ends.T]) <= 1.2 * CHANCE


def test_all_numbers_lie_inside_and_simpler_ones_come_first():
    found = simple_numbers(1.9, 4.1, chance=1.0)
    assert all(1.9 <= float(number) <= 4.1 for number in found)
    assert found[:3] == [2, 3, 4]
    assert len(set(found)) == len(found) > 10


@pytest.mark.parametrize("ends", [(-np.inf, 3.0), (2.0, np.inf), (np.nan, 2.0), (3.0, 2.0)])
def test_without_two_ends_there_are_none(ends):
    assert simple_numbers(*ends) == []
