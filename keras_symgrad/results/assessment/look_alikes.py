"""Enumerate formulas that differ from another by one function of one variable.

On the rows that were read, and more so on the thin slab of a classifier, 6*exp(-x) may follow
x**2 - 4.5*x within a degree. A search keeps one formula for each complexity, so it does not show
that the other fits nearly as well. This module does algebra only; the fit of the look-alikes to a
network is measured in `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sympy

from keras_symgrad.expressions import OperatorSet, canonicalize

# Start of the fit of coefficients: whole numbers would count as exact.
FREE = sympy.Float(1.37)


def look_alikes(expression: sympy.Expr, operators: OperatorSet) -> list[sympy.Expr]:
    """Find formulas with one function of one variable exchanged for another.

    The terms of a sum that depend on one variable alone, and such factors of a term, are exchanged
    for c f(x), where f(x) is x, 1/x, or an operator of one argument on x or on -x.

    Args:
        expression: a formula in real symbols.
        operators: a set whose operators of one argument are the functions.

    Returns:
        Canonical expressions, all different, whose floats are to be fitted.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> look_alikes(x**2 * y, OperatorSet("mul, square"))
    [x*y, x/y, x**2/y, x**2*y**2]
    """
    found: dict[sympy.Expr, None] = {}
    for own, rest, factor in _places(expression):
        for function in _functions(own, operators):
            other = canonicalize(rest + factor * function, operators)
            found.setdefault(other)
    found.pop(canonicalize(expression, operators), None)
    return list(found)


def _places(expression: sympy.Expr) -> Iterator[tuple[sympy.Expr, sympy.Expr, sympy.Expr]]:
    """Functions of one variable that can be exchanged: each with the rest, and its factor there."""
    terms = sympy.Add.make_args(expression)
    for variable in _sorted(expression.free_symbols):
        others = [term for term in terms if term.free_symbols != {variable}]
        if 0 < len(others) < len(terms):
            rest = sympy.Add(*map(_with_free_factor, others))
            yield sympy.Add(*(term for term in terms if term not in others)), rest, FREE
    for term in terms:
        rest = sympy.Add(*(_with_free_factor(other) for other in terms if other != term))
        for variable in _sorted(term.free_symbols):
            factors = sympy.Mul.make_args(term)
            others = [factor for factor in factors if variable not in factor.free_symbols]
            own = sympy.Mul(*(factor for factor in factors if factor not in others))
            factor = sympy.Mul(*others)
            if own.free_symbols == {variable} and factor.free_symbols:
                yield own, rest, FREE * factor.as_coeff_Mul()[1]


def _sorted(variables: Iterable[sympy.Basic]) -> list[sympy.Basic]:
    return sorted(variables, key=str)


def _with_free_factor(term: sympy.Expr) -> sympy.Expr:
    factor, rest = term.as_coeff_Mul()
    return sympy.Float(factor) * rest


def _functions(own: sympy.Expr, operators: OperatorSet) -> Iterator[sympy.Expr]:
    """Other functions of the same variable, without multiples of each other."""
    (variable,) = own.free_symbols
    unary = [operator for operator in operators if operator.arity == 1]
    known = {_slope(own, variable)}
    for function in (
        variable,
        1 / variable,
        *(operator(sign * variable) for operator in unary for sign in (1, -1)),
    ):
        slope = _slope(function, variable)
        if slope not in known:
            known.add(slope)
            yield function


def _slope(function: sympy.Expr, variable: sympy.Basic) -> sympy.Expr:
    return function.diff(variable).as_coeff_Mul()[1]
