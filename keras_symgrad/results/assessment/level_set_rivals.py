"""Enumerate concepts that share a level set with a formula.

Labels only determine on which side of g = c a point lies. This module does algebra only; the fit of
the rivals to a network is measured in `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy

from keras_symgrad.expressions import OperatorSet, canonicalize


def level_set_rivals(
    expression: sympy.Expr,
    threshold: float | sympy.Expr,
    operators: OperatorSet | None = None,
    *,
    keeps_sign: Callable[[sympy.Expr], bool] | None = None,
) -> list[sympy.Expr]:
    """Find formulas with the level set g = c and, in general, other gradients off it.

    With the terms of g - c = t1 + t2 + ... these are the quotients of a term and the rest, and
    the sum divided by a factor of a term:

        t1 / (t2 + t3 + ...),    t1/f + t2/f + ...

    Args:
        expression: a formula g in real symbols.
        threshold: c.
        operators: a set whose monotone operators are recognised as outer functions.
        keeps_sign: returns whether an expression keeps its sign on the domain. If the divisor
            changes its sign, the quotient has a pole, and carries another concept than g on either
            side. By default all expressions keep their sign.

    Returns:
        Canonical expressions, all different.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> level_set_rivals(x / y, 2)
    [1/y - 2/x, x - 2*y]
    >>> level_set_rivals(x - y, 0)
    [x/y]
    >>> level_set_rivals(x - y, 0, keeps_sign=lambda divisor: False)
    []
    """
    known = {canonicalize(expression, operators)}
    found = []
    level = threshold if isinstance(threshold, sympy.Expr) else sympy.Number(threshold)
    for terms in _sums(expression, level):
        for rival, divisor in _rewritten(terms):
            if keeps_sign is not None and not keeps_sign(divisor):
                continue
            rival = canonicalize(rival, operators)
            if rival.free_symbols and rival not in known:
                known.add(rival)
                found.append(rival)
    return found


def length(expression: sympy.Expr) -> int:
    """Length of a formula in words, independent of all options.

    Variables and operations count 1, functions 2 and numbers 3, however simple: a number that must
    be exactly 1 for the boundary to be right is a coincidence that needs a reason. A factor of the
    whole is no part of a concept and does not count.

    Args:
        expression: a SymPy expression.

    Returns:
        A whole number.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> length(x**2 + 2 * y**2), length(y**2 / (x**2 - 1)), length(x / y), length(5 * x - 3 * y)
    (9, 9, 3, 7)
    """
    terms = sympy.Add.make_args(expression)
    factors = [term.as_coeff_Mul()[0] for term in terms]
    if all(abs(factor) != 1 for factor in factors):
        expression = sympy.Add(*(term / factors[0] for term in terms))
    return _words(expression)


def _words(expression: sympy.Expr) -> int:
    if expression.is_Symbol:
        return 1
    if expression.is_number:
        return 3
    if expression.is_Add or expression.is_Mul:
        # A factor of -1 is a sign.
        parts = [part for part in expression.args if expression.is_Add or part != -1]
        return sum(map(_words, parts)) + len(parts) - 1
    if expression.is_Pow and expression.exp.is_Rational:
        # A division is counted where the factors are joined.
        return _words(expression.base) + (expression.exp != -1)
    return sum(map(_words, expression.args)) + 2


def _sums(expression: sympy.Expr, threshold: sympy.Expr) -> Iterator[list[sympy.Expr]]:
    """The terms of g - c, and of e^g - e^c where g is a sum of logarithms and others."""
    yield _terms(expression, threshold)
    if any(part.has(sympy.log) for part in sympy.Add.make_args(expression)):
        product = sympy.powsimp(sympy.exp(expression))
        if product.is_Mul or product.is_Pow:
            yield _terms(product, sympy.exp(threshold))


def _terms(expression: sympy.Expr, threshold: sympy.Expr) -> list[sympy.Expr]:
    terms = list(sympy.Add.make_args(expression))
    return [*terms, -threshold] if threshold != 0 else terms


def _rewritten(terms: list[sympy.Expr]) -> Iterator[tuple[sympy.Expr, sympy.Expr]]:
    """Rivals, each with the divisor of g - c."""
    for factor in _factors(terms):
        yield sympy.Add(*(term / factor for term in terms)), factor
    if len(terms) > 1:
        for k, term in enumerate(terms):
            rest = sympy.Add(*terms[:k], *terms[k + 1 :])
            # One of two spellings of a concept may have no pole.
            if term.free_symbols and rest.free_symbols:
                yield term / rest, rest
                yield rest / term, term


def _factors(terms: list[sympy.Expr]) -> list[sympy.Expr]:
    """The variable factors of the terms, each once; 1/f for a factor in a denominator."""
    factors = [
        factor
        for term in terms
        for factor in sympy.Mul.make_args(term)
        if factor.free_symbols and (factor != term or factor.is_Pow or factor.func == sympy.exp)
    ]
    return list(dict.fromkeys(factors))
