"""Coefficients of terms and factors: exact where possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd, lcm

import sympy


def divided_by(term: sympy.Expr, number: sympy.Expr) -> sympy.Expr:
    """A term of a sum divided by a number; coefficients that become whole are exact."""
    coefficient, rest = term.as_coeff_Mul()
    return exact(coefficient / number) * rest


def exact(number: sympy.Expr) -> sympy.Expr:
    """A float that is a whole number as an integer."""
    if number.is_Float and float(number).is_integer():
        return sympy.Integer(int(number))
    return number


def content(sizes: Sequence[sympy.Expr]) -> Iterator[sympy.Expr]:
    """The number of which all are whole multiples, if there is one."""
    if all(size.is_Rational for size in sizes):
        denominator = lcm(*(size.q for size in sizes))
        yield sympy.Rational(gcd(*(size.p * denominator // size.q for size in sizes)), denominator)
    else:
        smallest = min(sizes)
        ratios = [float(size / smallest) for size in sizes]
        if max(ratios) > 1 and all(ratio.is_integer() for ratio in ratios):
            yield smallest


def common_coefficient(expression: sympy.Add) -> sympy.Expr:
    """The common factor of a sum's terms, or the number that divides all coefficients."""
    sizes = [abs(term.as_coeff_Mul()[0]) for term in expression.args]
    return sizes[0] if len(set(sizes)) == 1 else next(content(sizes), sympy.Integer(1))


def scaled(number: sympy.Expr, expression: sympy.Expr) -> sympy.Expr:
    """A number times an expression; a sum is not expanded."""
    if number == 1:
        return expression
    return sympy.Mul(number, expression, evaluate=not expression.is_Add)


def reciprocal_number(number: sympy.Expr) -> sympy.Expr | None:
    """1/number, if a float of it has the reciprocal that the number is."""
    if number.is_Rational:
        return 1 / number
    inverse = round(1 / float(number)) if number.is_Float else 0
    return sympy.Integer(inverse) if inverse and 1 / inverse == float(number) else None


def exact_root(number: sympy.Expr, power: sympy.Rational) -> sympy.Expr | None:
    """r with r**power = number, if it is simple: a whole number or a fraction."""
    if number == 1 or not number.is_positive:
        return None
    found = number ** (1 / power)
    if found.is_Rational:
        return found
    value = float(found)
    # The root of a root may be simple where the root itself is not.
    simpler = nearest_simple(value) or (power.q > 1 and nearest_simple(value**power.q) and found)
    return simpler or None


def nearest_simple(value: float) -> sympy.Rational | None:
    """The whole number, or its reciprocal, that a float equals up to its last digits."""
    for number in (value, 1 / value) if value else ():
        if (whole := round(number)) and abs(number - whole) < 1e-14 * abs(number):
            return sympy.Rational(whole) if number == value else sympy.Rational(1, whole)
    return None
