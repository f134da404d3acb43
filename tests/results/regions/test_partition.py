"""Partitions find the thresholds that made the labels, and say them shortly."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.results.regions.partition import partition

NAMES = ("a", "b", "c")


def rows(count: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(-2, 2, (count, 2)), rng.integers(0, 3, count)])


MADE = {
    "b > 0.3": (lambda x: x[:, 1] > 0.3, "b <= 0.3", "b > 0.3"),
    "a level": (lambda x: x[:, 2] == 1, "c in {0, 2}", "c = 1"),
    "a sum": (lambda x: x[:, 0] + x[:, 1] > 1, "a + b <= 1", "a + b > 1"),
    "a weighted sum": (lambda x: x[:, 0] - 3 * x[:, 1] > 0, "a - 3*b <= 0", "a - 3*b > 0"),
    "a band": (lambda x: np.abs(x[:, 0]) < 0.5, "a <= -0.5 or a > 0.5", "-0.5 < a <= 0.5"),
    "one label": (lambda x: x[:, 0] > 9, "everywhere", None),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_the_condition_that_made_the_labels_is_found(name, noise):
    made, *texts = MADE[name]
    x = rows()
    labels = made(x).astype(int)
    if texts[1] is not None:
        labels ^= np.random.default_rng(1).uniform(size=len(x)) < noise
    found = partition(x, NAMES, labels)
    inside = {label: condition.holds(x, NAMES) for label, condition in found.items()}
    assert (sum(inside.values()) == 1).all()
    if noise == 0:
        assert [str(condition) for condition in found.values()] == [t for t in texts if t]
    fresh = np.random.default_rng(2).permutation(x) + [1e-3, 1e-3, 0]
    right = found[1].holds(fresh, NAMES) if 1 in found else np.zeros(len(x), bool)
    assert np.mean(right == made(fresh)) > 0.98


def test_columns_of_any_size_have_their_thresholds():
    x = rows() * [1e-9, 1e40, 1] + [0, 0, 2000]
    found = partition(x, NAMES, (x[:, 1] > 3e39).astype(int))
    assert np.mean(found[1].holds(x, NAMES) == (x[:, 1] > 3e39)) > 0.99


def test_labels_of_no_meaning_are_not_divided_by_a_sum_of_columns():
    x = rows()
    found = partition(x, NAMES, np.random.default_rng(3).integers(0, 2, len(x)))
    assert not any(
        " + " in str(condition) or " - " in str(condition) for condition in found.values()
    )
