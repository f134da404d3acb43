"""Enumerate the spellings of an expression over an operator set.

One expression has many: x**2 is square(x), x*x or pow(x, 2), and 2*x + 2*y is 2*(x + y). The
lightest depends on the weights of the operators; only spellings that cannot be lightest are left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy

from keras_symgrad.expressions.patterns import match, without_signs
from keras_symgrad.expressions.spelling.chains import Spelling
from keras_symgrad.expressions.spelling.coefficients import content, divided_by, scaled
from keras_symgrad.expressions.spelling.products import MOST_REPEATED, Products, reciprocal

# Terms of longer sums are not ordered.
LARGEST_ORDERED = 6
_HALF = sympy.Rational(1, 2)


class Spellings(Products):
    """The ways to write expressions over an operator set.

    Args:
        operators: the set.
        weight: of an operator; of two operators of the same form the lighter one is used.

    Attributes:
        bound: symbols that stand for an operator's value, by the spelling of that value.

    Example:

    >>> from keras_symgrad.expressions.operators import OperatorSet
    >>> x = sympy.Symbol("x", real=True)
    >>> list(Spellings(OperatorSet("mul, square"), lambda operator: 1).of(x**2))
    [('square', x), ('mul', x, x)]
    """

    def of(self, expression: sympy.Expr) -> Iterator[Spelling]:
        """Spellings that have the expression's value wherever it is defined.

        Args:
            expression: not a variable; numbers must be fractions.

        Yields:
            Each in terms of other expressions; the recursion over all of them terminates.
        """
        if expression in self.bound:
            yield self.bound[expression]
            return
        if expression.is_Rational:
            yield from self._call("div", sympy.Integer(expression.p), sympy.Integer(expression.q))
            if expression.p == 1:
                yield from self._reciprocals(sympy.Integer(expression.q))
            return
        if type(expression) in _SPELLED_BY:
            yield from _SPELLED_BY[type(expression)](self, expression)
        for operator in self._patterns:
            arguments = match(operator, expression)
            if arguments is not None:
                yield (operator.name, *arguments)
        yield from ((way,) for way in self._unwrapped(expression))

    def last_resort(self, expression: sympy.Expr) -> Iterator[Spelling]:
        """Spellings of expressions without another one, defined on a smaller or larger domain.

        Args:
            expression: neither a number nor a variable.
        """
        if expression.is_Pow and expression.exp.is_Integer:
            yield from self._by_logarithm(expression.base, expression.exp)
        if isinstance(expression, sympy.log):
            yield from self._call("log_abs", without_signs(expression.args[0]))

    def _sum(self, expression: sympy.Add) -> Iterator[Spelling]:
        terms = _ordered(expression)
        yield from self._sum_of(terms)
        sizes = [abs(term.as_coeff_Mul()[0]) for term in terms]
        shared = [size for size in dict.fromkeys(sizes) if size != 1 and sizes.count(size) > 1]
        grouped = terms
        for size in shared:
            group = [t for t, s in zip(terms, sizes) if s == size]
            inner = sympy.Add(*(divided_by(t, size) for t in group))
            grouped = [*(t for t in grouped if t not in group), scaled(size, inner)]
        if len(grouped) > 1 and shared:
            yield from self._sum_of(grouped)
        # A number that divides a quotient divides the sum too, and quotients of quotients by floats
        # would never end, as each rounds.
        sizes = [] if expression in self._quotients else [*shared, *content(sizes)]
        for size in dict.fromkeys(sizes):
            if size != 1:
                inner = sympy.Add(*(divided_by(term, size) for term in terms))
                self._quotients.add(inner)
                yield from self._product(scaled(size, inner))
        if min(self._weight("add"), self._weight("sub")) < self._weight("mul"):
            # 2*a - 3 as a - (3 - a)
            repeated = [single for term in terms for single in _repeated_terms(term)]
            if len(repeated) > len(terms):
                yield from self._sum_of(repeated)
        for term in terms:
            number, function = term.as_coeff_Mul()
            # The logistic function is a sum, and is not recognised inside a longer one.
            for value in self._unwrapped(function):
                others = (other for other in terms if other is not term)
                yield (sympy.Add(*others, sympy.expand(number * value)),)

    def _sum_of(self, terms: Sequence[sympy.Expr]) -> Iterator[Spelling]:
        negative = [term.as_coeff_Mul()[0].is_negative for term in terms]
        ups = [term for term, minus in zip(terms, negative) if not minus]
        downs = [-term for term, minus in zip(terms, negative) if minus]
        yield from self._joined("add", "sub", ups, downs, lambda e: -e, sympy.Add)

    def _exponential(self, expression: sympy.exp) -> Iterator[Spelling]:
        (argument,) = expression.args
        yield from self._call("exp", argument)
        number, _ = argument.as_content_primitive() if argument.is_Add else argument.as_coeff_Mul()
        for power in self._powers:
            simpler = number / power
            if number.is_Rational and (abs(simpler.p), simpler.q) < (abs(number.p), number.q):
                yield (self._powers[power], sympy.exp(argument / power))
        if number.is_negative and not argument.is_Add:
            yield from self._reciprocals(sympy.exp(-argument))
        if argument.is_Add:
            ups: list[sympy.Expr] = []
            downs: list[sympy.Expr] = []
            for term in _ordered(argument):
                minus = term.as_coeff_Mul()[0].is_negative
                (downs if minus else ups).append(sympy.exp(-term if minus else term))
            yield from self._joined("mul", "div", ups, downs, reciprocal, sympy.Mul)

    def _logarithm(self, expression: sympy.log) -> Iterator[Spelling]:
        (argument,) = expression.args
        yield from self._call("log", argument)
        if without_signs(argument) != argument or argument.is_nonnegative:
            yield from self._call("log_abs", without_signs(argument))

    def _absolute(self, expression: sympy.Abs) -> Iterator[Spelling]:
        (argument,) = expression.args
        if _HALF in self._powers:
            yield (self._powers[_HALF], argument**2)
        yield from self._call("max", argument, -argument)

    def _sign(self, expression: sympy.sign) -> Iterator[Spelling]:
        (argument,) = expression.args
        size = sympy.Abs(argument)
        yield from self._call("div", argument, size)
        yield from self._call("mul", argument, 1 / size)

    def _tangent(self, expression: sympy.tan) -> Iterator[Spelling]:
        sine, cosine = (function(*expression.args) for function in (sympy.sin, sympy.cos))
        yield from self._call("div", sine, cosine)
        yield from self._call("mul", sine, 1 / cosine)

    def _extreme(self, expression: sympy.Max | sympy.Min) -> Iterator[Spelling]:
        kind, other = ("max", "min") if isinstance(expression, sympy.Max) else ("min", "max")
        parts = sorted(expression.args, key=sympy.default_sort_key)
        yield from self._chain(kind, parts)
        for inner in self._chain(other, [-part for part in parts]):
            opposite = sympy.Dummy(real=True)
            self.bound[opposite] = inner
            yield from self._negated(opposite)

    def _unwrapped(self, expression: sympy.Expr) -> Iterator[sympy.Expr]:
        """F(u) by operators that are p F(q a + r) + s: tanh by the logistic function."""
        for operator, p, q, r, s in self._wrapped.get(expression.func, ()):
            value = sympy.Dummy(real=True)
            self.bound[value] = (operator.name, (expression.args[0] - r) / q)
            yield (value - s) / p


_SPELLED_BY: dict[type, Callable[..., Any]] = {
    sympy.Add: Spellings._sum,
    sympy.Mul: Spellings._product,
    sympy.Pow: Spellings._power,
    sympy.exp: Spellings._exponential,
    sympy.log: Spellings._logarithm,
    sympy.Max: Spellings._extreme,
    sympy.Min: Spellings._extreme,
    sympy.Abs: Spellings._absolute,
    sympy.sign: Spellings._sign,
    sympy.tan: Spellings._tangent,
}


def _ordered(expression: sympy.Add) -> list[sympy.Expr]:
    """Terms in the order of printing; long sums, whose ordering is slow, stay unordered."""
    is_long = len(expression.args) > LARGEST_ORDERED
    return list(expression.args) if is_long else expression.as_ordered_terms()


def _repeated_terms(term: sympy.Expr) -> list[sympy.Expr]:
    """A term with a low whole coefficient, repeated that many times."""
    number, rest = term.as_coeff_Mul()
    few = number.is_Integer and 1 < abs(number) <= MOST_REPEATED
    return [sympy.sign(number) * rest] * int(abs(number)) if few else [term]
