"""Choose the shortest of several equivalent spellings of a concept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from keras_symgrad.expressions.canonical import canonicalize
from keras_symgrad.expressions.complexity import Complexity, is_small_integer
from keras_symgrad.expressions.conversion import from_sympy
from keras_symgrad.expressions.trees import Alphabet

# Longer expressions are not rewritten, because SymPy would take seconds.
MOST_OPERATIONS = 60


def shortest(expression: sympy.Expr, alphabet: Alphabet, complexity: Complexity) -> sympy.Expr:
    """Rewrite an expression as the least complex of several spellings of its concept.

    It is expanded, its powers are collected, common terms and factors are factored out, and parts
    that do not change the concept are dropped.

    Args:
        expression: in the alphabet's variables.
        alphabet: operators to write it with.
        complexity: measure to minimize.

    Returns:
        An expression of the same concept.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("default"), ["x1", "x2"])
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> shortest(x1**2 + 3 * x1 * x2 + 2 * x2**2, alphabet, Complexity())
    (x1 + x2)*(x1 + 2*x2)
    """
    ways = [expression]
    if expression.count_ops() <= MOST_OPERATIONS:
        ways = [way for base in _bases(expression) for way in _ways(base)]
    ways = dict.fromkeys(canonicalize(way, alphabet.operators) for way in dict.fromkeys(ways))
    return min(
        ways, key=lambda way: (weight(way, alphabet, complexity), sympy.default_sort_key(way))
    )


def _bases(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """The expression, and for a sum of logarithms the product whose logarithm it is."""
    yield expression
    if expression.is_Add and expression.has(sympy.log):
        joined = sympy.logcombine(expression, force=True)
        if isinstance(joined, sympy.log):
            yield joined.args[0]


def _ways(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    yield expression
    yield sympy.expand(expression)
    yield sympy.powsimp(expression)
    yield sympy.factor_terms(expression)
    if not expression.has(sympy.Float):
        yield sympy.factor(expression)
        yield sympy.cancel(expression)
    yield from _other_quotients(expression)


def _other_quotients(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Fractional linear functions of a quotient, which carry the same concept.

        n/d  ->  d/n,  n/(d - c n),  (n - c d)/d

    with c such that a term that both have drops out.
    """
    above, below = sympy.fraction(sympy.together(expression))
    if not (above.free_symbols and below.free_symbols):
        return
    yield sympy.expand(below / above)
    above, below = sympy.expand(above), sympy.expand(below)
    terms, others = above.as_coefficients_dict(), below.as_coefficients_dict()
    ratios = {others[term] / terms[term] for term in terms if term in others}
    for ratio in sorted(ratios, key=sympy.default_sort_key):
        yield above / sympy.expand(below - ratio * above)
        yield sympy.expand(above - below / ratio) / below


def weight(expression: sympy.Expr, alphabet: Alphabet, complexity: Complexity) -> float:
    """Complexity of an expression; infinite if the operators cannot write it.

    Args:
        expression: in the alphabet's variables.
        alphabet: operators to write it with.
        complexity: of trees.
    """
    try:
        return complexity(from_sympy(expression, alphabet, complexity))
    except ValueError:
        return np.inf


def with_whole_numbers(expression: sympy.Expr) -> sympy.Expr:
    """The expression with floats that are small whole numbers made exact, so no fit changes them.

    Args:
        expression: a SymPy expression.

    Returns:
        The expression, its floats that are whole numbers of one digit as integers.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> with_whole_numbers(2.0 * x + sympy.sin(2.5 * x))
    2*x + sin(2.5*x)
    """
    whole = [number for number in expression.atoms(sympy.Float) if is_small_integer(float(number))]
    return expression.xreplace({number: sympy.Integer(int(number)) for number in whole})
