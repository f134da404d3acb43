"""Recognize simple numbers in an interval beyond coincidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy

# A simple number replaces a constant only if at most this share of arbitrary numbers would have one
# as simple inside an interval as wide.
CHANCE = 0.1
# Arbitrary numbers are as frequent in each decade, from a tenth of the value to ten times it.
DECADES = 2


def _integers(*numbers: int) -> tuple[sympy.Expr, ...]:
    return tuple(map(sympy.Integer, numbers))


def _ratios(text: str) -> tuple[sympy.Expr, ...]:
    return tuple(map(sympy.Rational, text.split()))


# Each rank includes the ranks before it.
RANKS: tuple[tuple[sympy.Expr, ...], ...] = (
    _integers(1, 2),
    (*_integers(3, 4, 5, 10), sympy.Rational(1, 2)),
    (*_integers(6, 8, 20, 100, 1000), *_ratios("3/2 1/3 1/4 1/10 1/100"), sympy.pi),
    (
        *_integers(7, 9, 12, 50, 200, 500),
        *_ratios("5/2 2/3 3/4 4/3 1/5 1/1000"),
        *(sympy.E, sympy.sqrt(2), sympy.sqrt(3), 2 * sympy.pi, sympy.pi / 2, 1 / sympy.pi),
    ),
    (
        *_integers(*range(11, 100)),
        *(sympy.Rational(p, q) for q in (2, 3, 4) for p in range(1, 5 * q)),
        *(sympy.Rational(p, q) for q in (5, 6, 8) for p in range(1, q)),
        *(4 * sympy.pi, sympy.pi / 3, sympy.pi / 4, sympy.sqrt(sympy.pi), sympy.sqrt(5)),
    ),
)


def simple_numbers(
    low: float, high: float, chance: float = CHANCE, *, tenths: bool = False
) -> list[sympy.Expr]:
    """List simple numbers inside an interval, simplest first, each with its evidence.

    A wide interval holds a simple number whatever it is the interval of. With N_r numbers of rank r
    or simpler within a decade of the middle m, and arbitrary numbers as frequent in each decade,

        chance_r = N_r (high - low) / (m ln 100)

    of them have a number of rank r or simpler in an interval as wide. Numbers whose chance is too
    large are left out. Zero is simpler than all: an interval that contains it says that the factor
    or term is not needed.
    Args:
        low: lower end of the interval.
        high: upper end.
        chance: largest accepted chance; 1 accepts all simple numbers inside.
        tenths: whether 7/10 is as simple as 7/8, as exponents have it.

    Returns:
        SymPy numbers: whole numbers, halves and other small fractions, pi, e and a few roots. The
        list is empty for an interval without ends.

    Example: pi is recognised within 0.003 but not within 1; no simple number is near 2.37.

    >>> simple_numbers(3.139, 3.144), simple_numbers(2.2, 4.2)
    ([pi], [])
    >>> simple_numbers(1.9, 2.1), simple_numbers(2.35, 2.39)
    ([2], [])
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        return []
    found: list[sympy.Expr] = [sympy.Integer(0)] if low <= 0 <= high else []
    middle = abs(low + high) / 2
    if middle == 0:
        return found
    sign = 1 if low + high > 0 else -1
    width = (high - low) / (middle * DECADES * math.log(10))
    reach = 10 ** (DECADES / 2)
    near = 0
    for rank in _SIZES_WITH_TENTHS if tenths else _SIZES:
        near += sum(middle / reach <= size <= middle * reach for size in rank.values())
        if chance < 1 and near * width > chance:
            break
        inside = [number for number, size in rank.items() if low <= sign * size <= high]
        found += [sign * number for number in sorted(inside, key=lambda n: abs(rank[n] - middle))]
    return found


def _sizes(ranks: Sequence[tuple[sympy.Expr, ...]]) -> list[dict[sympy.Expr, float]]:
    """The numbers of each rank that are not in a simpler rank."""
    sizes: list[dict[sympy.Expr, float]] = []
    known: set[sympy.Expr] = set()
    for rank in ranks:
        sizes.append({number: float(number) for number in rank if number not in known})
        known.update(rank)
    return sizes


_SIZES = _sizes(RANKS)
_TENTHS = tuple(sympy.Rational(p, 10) for p in range(1, 50))
_SIZES_WITH_TENTHS = _sizes((*RANKS[:-1], RANKS[-1] + _TENTHS))
