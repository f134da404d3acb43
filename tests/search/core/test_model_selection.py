"""Model selection: the chosen row is the one after the steep drop, not the lowest."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from keras_symgrad.search.core.model_selection import SMALLEST_LOSS, choose_model, scores

# Wetzel, arXiv 2401.04978: one front for x1**2 + sin(x2 + x3), which is the third row.
PUBLISHED = [5.0e-2, 2.6e-2, 3.7e-4, 2.5e-4, 1.9e-4]


def test_the_true_form_is_chosen_whatever_the_rows_of_the_published_front_cost():
    # The truth costs 8 to 12 in the usual measures; a longer form has two nodes more at least.
    steps = itertools.product((1, 3, 5), (2, 4, 6), (2, 4, 6), (2, 4), (2, 4))
    for first, *rest in steps:
        assert choose_model(np.cumsum([first, *rest]), PUBLISHED) == 2


def test_it_is_the_corner_of_the_lower_hull_where_the_slope_falls_below_the_price():
    rng = np.random.default_rng(0)
    for _ in range(200):
        complexities = np.cumsum(rng.integers(1, 6, size=8))
        losses = np.exp(-np.cumsum(rng.exponential(1.0, size=8)))
        chosen = choose_model(complexities, losses)
        slope = np.diff(np.log(losses)) / np.diff(complexities)
        # Every way up to it is steeper on the whole, and no way beyond it is.
        logs = np.log(losses)
        for other in range(8):
            if other != chosen:
                per_unit = (logs[other] - logs[chosen]) / (
                    complexities[other] - complexities[chosen]
                )
                assert per_unit < -0.4 if other < chosen else per_unit > -0.4
        if (slope < -0.4).all():
            assert chosen == 7
        if (slope > -0.4).all():
            assert chosen == 0


def test_losses_that_are_rounding_errors_are_equal():
    assert choose_model([5, 7, 9], [1e-3, 1e-12, 1e-20]) == 1
    assert choose_model([5, 7], [0.0, 0.0]) == 0
    assert scores([0], [0.0]) == pytest.approx(np.log(SMALLEST_LOSS))


def test_one_row_is_the_answer_and_no_row_is_an_error():
    assert choose_model([3], [0.5]) == 0
    with pytest.raises(ValueError, match="no row"):
        choose_model([], [])


def test_a_row_without_a_finite_loss_is_never_chosen():
    assert choose_model([1, 9], [np.inf, 1e-3]) == 1


def test_losses_below_the_noise_are_equal_and_the_simplest_of_them_is_chosen():
    # Without the noise every step is steep enough.
    losses, complexities = [1e-1, 1e-3, 1e-5, 1e-7], [3, 5, 7, 9]
    assert choose_model(complexities, losses) == 3
    # At 5e-6 the last step is worth ln 2, less than its two units cost.
    for floor, chosen in ((1e-8, 3), (5e-6, 2), (2e-5, 2), (2e-3, 1), (0.5, 0)):
        assert choose_model(complexities, losses, floor) == chosen


def test_a_poor_fit_is_left_for_a_longer_formula_that_explains_ten_times_as_much():
    complexities, losses = [7, 11, 18, 22], [1.0e-2, 9.5e-3, 1.2e-3, 1.0e-3]
    assert choose_model(complexities, losses) == 0
    assert choose_model(complexities, losses, poor=3e-3) == 2


def test_noise_that_no_formula_explains_is_no_reason_for_a_longer_one():
    complexities, losses = [3, 8, 15, 20, 28], [2e-1, 3.0e-2, 2.7e-2, 2.5e-2, 2.3e-2]
    assert choose_model(complexities, losses, poor=3e-3) == 1
