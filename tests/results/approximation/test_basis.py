"""Basis functions: what they compute is what they write, and few values are not bent."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, symbol, weight
from keras_symgrad.results.approximation.basis import basis, products, standardized, writable

NAMES = ("a", "b", "level", "flag")
OPERATORS = OperatorSet("default") + ["relu", "tanh"]


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack(
        [
            rng.uniform(2, 5, 300),
            rng.normal(0, 2, 300),
            rng.integers(0, 3, 300),
            rng.random(300) < 0.3,
        ]
    ).astype(float)


def test_what_a_basis_function_computes_is_what_it_writes(x):
    terms = basis(x)
    for term in [*terms, *products(terms[:8], terms[:12])[:40]]:
        function = sympy.lambdify([symbol(name) for name in NAMES], term.expression(NAMES))
        expected = np.broadcast_to(function(*x.T), len(x))
        np.testing.assert_allclose(term.values(x), expected, rtol=1e-9, atol=1e-12)


def test_its_cost_is_about_the_complexity_of_its_expression(x):
    alphabet, complexity = Alphabet(OPERATORS, NAMES), Complexity().over(OPERATORS)
    for term in basis(x):
        written = weight(term.expression(NAMES), alphabet, complexity)
        # A constant that happens to be a small whole number is lighter.
        assert written <= term.cost(complexity) <= written + 4


def test_a_column_of_two_values_enters_as_it_is_and_one_of_three_by_its_square_besides(x):
    transforms = {2: set(), 3: set()}
    for term in basis(x):
        for factor in term.factors:
            if factor.column in transforms:
                transforms[factor.column].add(factor.transform)
    # Less a number, as in products around the middle, a column is as straight as before.
    transforms[2].discard("shifted")
    assert transforms == {2: {"itself", "square"}, 3: {"itself"}}


def test_columns_that_reach_zero_are_in_no_logarithm_and_below_no_line(x):
    for term in basis(x):
        for factor in term.factors:
            if factor.transform in ("logarithm", "root", "inverse"):
                assert factor.column == 0


@pytest.mark.parametrize(
    ("draw", "stays_positive"),
    [
        (lambda rng: rng.uniform(20, 60, 300), True),
        (lambda rng: rng.lognormal(0, 1, 300), True),
        (lambda rng: rng.integers(18, 90, 300), True),
        (lambda rng: np.abs(rng.normal(2, 1, 300)) + 1e-3, False),  # as if of a normal law
        (lambda rng: 1 + rng.poisson(8, 300) * rng.integers(0, 9, 300), False),  # counts
        (lambda rng: rng.uniform(0, 1, 300), False),
    ],
)
def test_a_logarithm_needs_values_that_stay_positive(draw, stays_positive):
    for seed in range(5):
        column = draw(np.random.default_rng(seed)).astype(float)
        found = {factor.transform for term in basis(column[:, None]) for factor in term.factors}
        assert found.isdisjoint({"logarithm", "root", "inverse"}) is not stays_positive


def test_a_product_that_one_row_makes_is_left_out_and_a_column_is_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    x[0] = 30
    terms = basis(x)
    kept, columns, _, _ = standardized(terms, x, len(x))
    assert set(terms[:2]) <= set(kept)
    product = next(term for term in terms if len(term.factors) == 2)
    assert product not in kept
    np.testing.assert_allclose(columns.std(axis=0), 1)


def test_operators_that_were_not_allowed_write_nothing(x):
    polynomial = OperatorSet("polynomial")
    kept = writable(basis(x), polynomial)
    alphabet, complexity = Alphabet(polynomial, NAMES), Complexity().over(polynomial)
    assert all(np.isfinite(weight(t.expression(NAMES), alphabet, complexity)) for t in kept)
    assert 0 < len(kept) < len(basis(x))
