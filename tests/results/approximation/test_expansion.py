"""Sums with shifted columns multiplied out have the same values."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.results.approximation.basis import BasisFunction, Factor
from keras_symgrad.results.approximation.expansion import expanded

x, y = Factor(0), Factor(1)
near_x, near_y = Factor(0, "shifted", (2.5,)), Factor(1, "shifted", (5.0,))
around_x = Factor(0, "shifted square", (2.5,))
hinge = Factor(1, "above", (0.5,))

SUMS = {
    "a product and its shifted twin": [(x, y), (near_x, near_y)],
    "a shifted square and its column": [(around_x,), (x,)],
    "a shifted square times a shift": [(around_x, near_y), (y,)],
    "hinges stay as they are": [(near_x, hinge), (hinge,)],
    "nothing is shifted": [(x,), (y,), (x, hinge)],
}


@pytest.mark.parametrize("factors", SUMS.values(), ids=SUMS)
def test_a_sum_multiplied_out_has_the_same_values_and_no_shift(factors):
    terms = [BasisFunction(one) for one in factors]
    coefficients = np.linspace(-1.5, 2.0, len(terms))
    points = np.random.default_rng(0).normal(size=(50, 2))
    before = np.column_stack([term.values(points) for term in terms]) @ coefficients

    sums, constant = expanded(terms, coefficients)

    after = sum(number * term.values(points) for term, number in sums.items()) + constant
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)
    assert not any("shifted" in f.transform for term in sums for f in term.factors)


def test_what_cancels_is_left_out():
    product, shifted = BasisFunction((x, y)), BasisFunction((near_x, near_y))
    sums, _ = expanded([product, shifted], [1.1, -1.1])
    assert set(sums) == {BasisFunction((x,)), BasisFunction((y,))}
