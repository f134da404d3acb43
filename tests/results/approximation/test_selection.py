"""Selection of terms from inner products, against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from keras_symgrad.results.approximation.selection import Normal, Sweep, path


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(200, 12)) @ (np.eye(12) + 0.3 * rng.normal(size=(12, 12)))
    target = columns[:, [1, 4, 9]] @ [2.0, -1.0, 0.5] + 0.1 * rng.normal(size=200)
    return columns, target


def normal_of(columns: np.ndarray, target: np.ndarray) -> Normal:
    return Normal(columns.T @ columns, columns.T @ target, float(target @ target))


def residual(columns: np.ndarray, target: np.ndarray, chosen) -> float:
    return float(np.linalg.lstsq(columns[:, list(chosen)], target, rcond=None)[1][0])


def test_gains_are_the_drops_of_the_sum_of_squares(problem):
    columns, target = problem
    sweep = Sweep(normal_of(columns, target), [1, 7])
    assert sweep.residual == pytest.approx(residual(columns, target, [1, 7]))
    gains = sweep.gains()
    for term in (0, 4, 11):
        drop = sweep.residual - residual(columns, target, [1, 7, term])
        assert gains[term] == pytest.approx(drop, rel=1e-6)
    assert gains[1] == gains[7] == 0


def test_a_path_finds_the_best_set_of_three(problem):
    columns, target = problem
    sets = path(normal_of(columns, target), np.ones(12), budget=3.0)
    best = min(combinations(range(12), 3), key=lambda c: residual(columns, target, c))
    assert set(sets[-1]) == set(best) == {1, 4, 9}
    assert [len(chosen) for chosen in sets] == [1, 2, 3]


def test_a_cheap_term_is_taken_before_a_dear_one_that_explains_little_more():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=400)
    cheap, dear = truth + 0.5 * rng.normal(size=400), truth + 0.4 * rng.normal(size=400)
    normal = normal_of(np.column_stack([cheap, dear]), truth)
    costs = np.array([2.0, 20.0])
    assert path(normal, costs, 20.0, thrift=1.0)[0] == (0,)
    assert path(normal, costs, 20.0, thrift=0.0)[0] == (1,)


def test_a_term_that_is_a_sum_of_chosen_ones_is_never_added(problem):
    columns, target = problem
    columns = np.column_stack([columns, columns[:, 1] + columns[:, 4]])
    sets = path(normal_of(columns, target), np.ones(13), budget=13.0)
    assert all(not {1, 4, 12} <= set(chosen) for chosen in sets)


def test_parts_of_the_equations_add_up(problem):
    columns, target = problem
    whole, part = normal_of(columns, target), normal_of(columns[:50], target[:50])
    rest = normal_of(columns[50:], target[50:])
    np.testing.assert_allclose((whole - part).coefficients([1, 4]), rest.coefficients([1, 4]))
