"""A margin is as wide as its narrowest part."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.results.assessment.margin import Margin, angle_error

BOUNDARY = {"angle": 2.3, "explained": 0.99, "advantage": 0.3, "of_values": False}
WIDE = {"angle": 0.5, "explained": 0.999, "steepness": 1.0, "advantage": 2.0, "halves": 0.01}


def test_a_formula_beyond_all_bars_has_a_wide_margin():
    assert Margin(**WIDE).is_wide
    assert Margin(**WIDE, of_values=False).is_wide


@pytest.mark.parametrize(
    "near",
    [
        {"angle": 3.9},
        {"explained": 0.975},
        {"steepness": 0.3},
        {"advantage": 0.8},
        {"advantage_on_front": 0.9},
        {"halves": 0.45},
    ],
    ids=lambda near: next(iter(near)),
)
def test_a_concept_that_one_bar_is_near_to_has_none(near):
    assert not Margin(**WIDE | near).is_wide


def test_rewritings_of_a_concept_are_fitted_and_need_no_more_than_a_concept():
    assert Margin(**WIDE | {"advantage": 0.9, "advantage_on_front": 1.3}).is_wide


def test_gradients_from_elsewhere_must_match_up_to_rounding():
    assert not Margin(**WIDE, is_read=False).is_wide
    assert Margin(**WIDE | {"angle": 1e-3}, is_read=False).is_wide


def test_the_error_of_an_angle_is_one_minus_its_cosine():
    u, v = np.array([1.0, 0.0]), np.array([np.cos(0.3), np.sin(0.3)])
    assert angle_error(np.degrees(0.3)) == pytest.approx(1 - u @ v)


def test_a_boundary_is_settled_where_only_its_own_rewritings_fit_as_well():
    assert Margin(**BOUNDARY).fixes_boundary
    assert not Margin(**BOUNDARY).is_wide


@pytest.mark.parametrize(
    "open_question",
    [
        {"angle": 2.6},
        {"explained": 0.94},
        {"steepness": 0.9},
        {"advantage": -0.1},
        {"advantage_on_front": 0.9},
        {"halves": 0.3},
        {"of_values": True},
        {"is_read": False},
    ],
    ids=lambda open_question: next(iter(open_question)),
)
def test_a_boundary_that_another_formula_may_follow_is_not_settled(open_question):
    assert not Margin(**BOUNDARY | open_question).fixes_boundary
