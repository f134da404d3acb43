"""Multiply out shifted columns in a sum: x y - 5 x - 2 y for (x - 2) (y - 5).

Shifted products are nearly uncorrelated with the columns themselves, so they are what sums are
selected from; multiplied out and gathered, the same sum is often shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from keras_symgrad.results.approximation.basis import BasisFunction, Factor

# A coefficient below this share of what was added to it has cancelled.
CANCELLED = 1e-9


def expanded(
    terms: Sequence[BasisFunction], coefficients: Sequence[float]
) -> tuple[dict[BasisFunction, float], float]:
    """The same sum without shifts, gathered by basis function.

    Args:
        terms: of the sum.
        coefficients: of the terms.

    Returns:
        Coefficients by basis function, and the constant.

    Example:

    >>> x, y = Factor(0, "shifted", (2.0,)), Factor(1, "shifted", (5.0,))
    >>> sums, constant = expanded([BasisFunction((x, y)), BasisFunction((Factor(0),))], [1, 5])
    >>> [(term.expression(["x", "y"]), number) for term, number in sums.items()], constant
    ([(x*y, 1.0), (y, -2.0)], 10.0)
    """
    found: dict[BasisFunction | None, float] = {}
    added: dict[BasisFunction | None, float] = {}
    for term, coefficient in zip(terms, coefficients):
        for parts in product(*map(_expanded_factor, term.factors)):
            number = float(coefficient)
            for weight, _ in parts:
                number *= weight
            factors = tuple(factor for _, factor in parts if factor is not None)
            key = BasisFunction(factors) if factors else None
            found[key] = found.get(key, 0.0) + number
            added[key] = added.get(key, 0.0) + abs(number)
    constant = found.pop(None, 0.0)
    sums = {
        term: number
        for term, number in found.items()
        if term is not None and abs(number) > CANCELLED * added[term]
    }
    return sums, constant


def _expanded_factor(factor: Factor) -> list[tuple[float, Factor | None]]:
    """Weights and factors whose sum a factor is; no factor is 1."""
    column = factor.column
    if factor.transform == "shifted":
        (centre,) = factor.parameters
        return [(1.0, Factor(column)), (-centre, None)]
    if factor.transform == "shifted square":
        (centre,) = factor.parameters
        return [
            (1.0, Factor(column, "square")),
            (-2 * centre, Factor(column)),
            (centre**2, None),
        ]
    return [(1.0, factor)]
