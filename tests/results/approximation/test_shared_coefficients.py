"""Shorter sums of which some terms share a coefficient, against least squares and brute force."""

from __future__ import annotations

import numpy as np

from keras_symgrad.results.approximation.shared_coefficients import shortened


def problem(seed: int, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns, and their sum."""
    rng = np.random.default_rng(seed)
    size = len(coefficients)
    columns = rng.normal(size=(200, size)) @ rng.normal(size=(size, size))
    return columns, columns @ coefficients


def lost(columns: np.ndarray, target: np.ndarray, shares: np.ndarray) -> float:
    """What least squares leaves."""
    mixed = columns @ shares
    left = target - mixed @ np.linalg.lstsq(mixed, target, rcond=None)[0]
    return float(left @ left)


def test_terms_of_equal_coefficients_are_gathered_without_loss():
    coefficients = np.array([2.0, -2.0, 0.5, 0.5, 2.0, -0.5])
    columns, target = problem(0, coefficients)
    sums = shortened(columns.T @ columns, coefficients, np.full(6, 2.0), 4.0)
    of_two = [one for one in sums if one.shape[1] == 2 and np.count_nonzero(one) == 6]
    assert lost(columns, target, of_two[0]) < 1e-9 * target @ target
    groups = {tuple(np.flatnonzero(column)) for column in of_two[0].T}
    assert groups == {(0, 1, 4), (2, 3, 5)}


def changes(shares: np.ndarray, costs: np.ndarray, of_number: float):
    """All changes that a sum may take next, with what they save."""
    numbers = shares.shape[1]
    for k in range(numbers):
        if numbers > 1:
            yield np.delete(shares, k, 1), np.abs(shares[:, k]) @ costs + of_number
        for other in range(k + 1, numbers):
            for sign in (-1, 1):
                both = shares.copy()
                both[:, k] += sign * shares[:, other]
                yield np.delete(both, other, 1), of_number
        members = np.flatnonzero(shares[:, k])
        for one in members[: len(members) if len(members) > 1 else 0]:
            without = shares.copy()
            without[one, k] = 0
            yield without, costs[one]


def test_each_change_loses_least_for_what_it_saves():
    coefficients = np.random.default_rng(1).normal(size=7)
    columns, target = problem(1, coefficients)
    costs = np.array([2.0, 2, 4, 6, 2, 4, 2])
    shares = np.eye(7)
    for after in shortened(columns.T @ columns, coefficients, costs, 4.0):
        now = lost(columns, target, shares)
        best = min(
            (lost(columns, target, one) - now) / saved for one, saved in changes(shares, costs, 4.0)
        )
        dropped = np.abs(shares).sum(axis=1) - np.abs(after).sum(axis=1)
        saved = dropped @ costs + 4.0 * (shares.shape[1] - after.shape[1])
        np.testing.assert_allclose((lost(columns, target, after) - now) / saved, best, rtol=1e-5)
        shares = after
    assert np.count_nonzero(shares) == 1
