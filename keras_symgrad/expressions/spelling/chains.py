"""Spell sums and products of many parts by binary operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import sympy

from keras_symgrad.expressions.operators import SYMBOLS, Operator, OperatorSet
from keras_symgrad.expressions.patterns import affine_form

# Prefix notation: names of operators, and expressions in the place of their arguments.
Spelling = tuple[str | sympy.Expr, ...]

# Products with more denominators than this are not written with some of them as factors.
MOST_FLIPPED = 3
_A, _B = SYMBOLS[:2]
# Arithmetic operators for sums, products and powers, by form and not by name.
_ARITHMETIC = {
    _A + _B: "add",
    _A - _B: "sub",
    _A * _B: "mul",
    _A / _B: "div",
    _A**_B: "pow",
    -_A: "neg",
    sympy.exp(_A): "exp",
    sympy.log(_A): "log",
    sympy.log(abs(_A)): "log_abs",
    sympy.Max(_A, _B): "max",
    sympy.Min(_A, _B): "min",
}


class Chains:
    """Arithmetic operators of an operator set, by form and not by name.

    Args:
        operators: the set.
        weight: of an operator; of two operators of the same form the lighter one is used.

    Attributes:
        bound: symbols that stand for an operator's value, by the spelling of that value.
    """

    def __init__(self, operators: OperatorSet, weight: Callable[[Operator], float]):
        self.bound: dict[sympy.Symbol, Spelling] = {}
        # Sums that another sum became when all its terms were divided by a number.
        self._quotients: set[sympy.Expr] = set()
        self._weights = {operator.name: weight(operator) for operator in operators}
        self._arithmetic: dict[str, str] = {}
        self._powers: dict[sympy.Rational, str] = {}
        self._patterns: list[Operator] = []
        for operator in sorted(operators, key=lambda operator: self._weights[operator.name]):
            base, power = operator.expression.as_base_exp()
            if operator.expression in _ARITHMETIC:
                self._arithmetic.setdefault(_ARITHMETIC[operator.expression], operator.name)
            elif base == _A and power.is_Rational and power != 1:
                self._powers.setdefault(power, operator.name)
            else:
                self._patterns.append(operator)
        self._plain = {
            operator.expression.func: operator.name
            for operator in self._patterns[::-1]
            if operator.expression.args == (_A,)
        }
        self._roots = {
            exponent: operator.name
            for operator in self._patterns[::-1]
            if (exponent := _power_of_positive(operator)) is not None
        }
        self._wrapped: dict[type, list[tuple[Any, ...]]] = {}
        for operator in self._patterns:
            form = affine_form(operator)
            if form is not None and form[1:] != (1, 1, 0, 0):
                self._wrapped.setdefault(form[0], []).append((operator, *form[1:]))

    def _call(self, kind: str, *arguments: sympy.Expr | Spelling) -> list[Spelling]:
        """An arithmetic operator applied to arguments; nothing if it is not in the set."""
        name = self._arithmetic.get(kind)
        if name is None:
            return []
        parts = (a if isinstance(a, tuple) else (a,) for a in arguments)
        return [(name, *(node for part in parts for node in part))]

    def _weight(self, kind: str) -> float:
        return self._weights.get(self._arithmetic.get(kind, ""), float("inf"))

    def _chain(self, kind: str, parts: Sequence[sympy.Expr | Spelling]) -> list[Spelling]:
        """All parts joined by one binary operator."""
        first, *rest = parts
        total: Spelling = first if isinstance(first, tuple) else (first,)
        for part in rest:
            joined = self._call(kind, total, part)
            if not joined:
                return []
            (total,) = joined
        return [total]

    def _joined(
        self,
        join: str,
        part: str,
        ups: Sequence[sympy.Expr],
        downs: Sequence[sympy.Expr],
        inverse: Callable[[sympy.Expr], sympy.Expr],
        whole: Callable[..., sympy.Expr],
    ) -> Iterator[Spelling]:
        """Sums of terms to add and terms to subtract, or products of factors and divisors.

        Args:
            join: "add" or "mul".
            part: "sub" or "div", its inverse.
            ups: terms added, or factors.
            downs: terms subtracted, or divisors.
            inverse: negative, or reciprocal.
            whole: sum, or product.
        """
        joining, parting = (self._weight(kind) for kind in (join, part))
        if not ups:
            for k, down in enumerate(downs):
                if len(downs) <= MOST_FLIPPED or _is_numeric(down):
                    rest = [*downs[:k], *downs[k + 1 :]]
                    yield from self._joined(join, part, [inverse(down)], rest, inverse, whole)
            if len(downs) > 1:
                invert = self._negated if whole is sympy.Add else self._reciprocals
                yield from invert(whole(*downs))
            return
        if not downs:
            yield from self._chain(join, ups)
            if len(ups) > 1 and parting < joining:
                # With the inverse operator alone: a + b = a - (0 - b).
                for k in range(len(ups) - 1, -1, -1):
                    rest = [*ups[:k], *ups[k + 1 :]]
                    yield from self._parted(part, rest, [inverse(ups[k])])
            return
        for over in self._chain(join, ups):
            for under in self._chain(join, downs):
                yield from self._call(part, over, under)
        if parting < joining:
            yield from self._parted(part, ups, downs)
        if joining < parting or whole is sympy.Mul:
            yield from self._chain(join, [*ups, *map(inverse, downs)])
        if joining < parting and len(downs) > 1:
            yield from self._chain(join, [*ups, inverse(whole(*downs))])

    def _parted(
        self, part: str, ups: Sequence[sympy.Expr], downs: Sequence[sympy.Expr]
    ) -> list[Spelling]:
        """With "sub" alone, or "div": (a + b - c) - d = a - (c - b) - d."""
        inner = self._chain(part, [downs[0], *ups[1:]])
        return self._chain(part, [ups[0], inner[0], *downs[1:]]) if inner else []

    def _negated(self, positive: sympy.Expr) -> list[Spelling]:
        """-a, depending on the form of a."""
        return [
            *self._call("neg", positive),
            *self._call("mul", sympy.Integer(-1), positive),
            *self._call("sub", sympy.Integer(0), positive),
            *self._call("div", positive, sympy.Integer(-1)),
        ]

    def _reciprocals(self, whole: sympy.Expr) -> Iterator[Spelling]:
        """1/a, depending on the form of a."""
        if (inverse := self._powers.get(sympy.Integer(-1))) is not None:
            yield (inverse, whole)
        yield from self._call("div", sympy.Integer(1), whole)
        yield from self._call("pow", whole, sympy.Integer(-1))


@lru_cache(maxsize=1024)
def _power_of_positive(operator: Operator) -> sympy.Expr | None:
    """The k of an operator that is a**k for positive arguments.

    SymPy drops the sign of the cube root of what is not negative.
    """
    if operator.arity != 1:
        return None
    positive = sympy.Dummy(positive=True)
    power = operator(positive)
    return power.exp if power.is_Pow and power.base == positive else None


def _is_numeric(expression: sympy.Expr) -> bool:
    """Return whether the negative, or the reciprocal, needs no additional operator."""
    return expression.as_coeff_Mul()[0] != 1 or isinstance(expression, sympy.exp)
