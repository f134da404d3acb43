"""Dimensional analysis of trees.

A dimension is a vector of rational exponents, and the rule of an operator follows from its SymPy
expression: the terms of a sum have one dimension, those of a product add up, a rational power
multiplies, and functions such as the exponential map numbers to numbers. Each rule is computed once
for each combination of dimensions and then looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import Any

import sympy
from deap import gp
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from keras_symgrad.expressions import CONSTANT_CODE, FIRST_VARIABLE_CODE, Alphabet, Operator
from keras_symgrad.files import listed_names
from keras_symgrad.priors.dimensions import LARGEST_DENOMINATOR, Dimensions, dimensionality

# Size of the rule cache; powers need one rule for each exponent.
MOST_REMEMBERED = 100_000

# Exponents of the base dimensions; `None` is the dimension of 0, which equals any dimension.
Vector = tuple[Fraction, ...] | None
# Dimensions are numbered, so that comparing two means comparing numbers.
INCONSISTENT = -1
ANY = 0
NUMBER = 1


class DimensionalAnalysis:
    """The dimensions of trees over an alphabet.

    Args:
        dimensions: units of the variables.
        alphabet: operators and variables of the trees.

    Raises:
        ValueError: a unit is given for a name that is not a variable.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, div, square"), ["height", "time"])
    >>> analysis = DimensionalAnalysis(Dimensions({"height": "m", "time": "s"}), alphabet)
    >>> fall = alphabet.tree(["div", 0, "square", 1])
    >>> analysis.satisfies(fall), analysis.text(analysis.of(fall))
    (True, '[length]/[time]**2')
    >>> analysis.violation(alphabet.tree(["add", 0, 1]))
    "'add' of [length] and [time] has no dimension"
    """

    def __init__(self, dimensions: Dimensions, alphabet: Alphabet):
        unknown = [name for name in dimensions.variables if name not in alphabet.names]
        if unknown:
            raise ValueError(
                f"`dimensions` gives units to what is no variable: {listed_names(unknown)}. "
                f"The variables are {listed_names(alphabet.names)}."
            )
        self.alphabet, self.dimensions = alphabet, dimensions
        found = {
            name: dimensionality(unit, f"variable '{name}'")
            for name, unit in dimensions.variables.items()
        }
        result = dimensions.result
        wanted = None if result is None else dimensionality(result, "the result")
        self.bases = sorted({base for one in (*found.values(), wanted or {}) for base in one})
        self._vectors: dict[int, Vector] = {}
        self._numbers: dict[Vector, int] = {}
        # Trees are bred in one thread and evaluated in another: a counter returns no number twice.
        self._next = count()
        for vector in (None, self._vector({})):
            self._number(vector)
        self._variables = [self._number(self._vector(found.get(n, {}))) for n in alphabet.names]
        self._result = None if wanted is None else self._number(self._vector(wanted))
        self._any_constants = dimensions.constants == "any"
        # Operators such as a**b, whose rule depends on the value of an argument.
        self._by_value = {o.name for o in alphabet.operators if _has_open_exponent(o)}
        self._rules: dict[Hashable, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Python 3.14 pickles no counter.
        return {name: value for name, value in self.__dict__.items() if name != "_next"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._next = count(max(self._vectors) + 1)

    def satisfies(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> bool:
        """Return whether a tree has a dimension, and the requested one.

        Args:
            tree: nodes in prefix order.
        """
        found = self.of(tree)
        return found != INCONSISTENT and (self._result is None or found in (ANY, self._result))

    def of(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> int:
        """The dimension of a tree as a number: equal for equal dimensions.

        Args:
            tree: nodes in prefix order.

        Returns:
            `INCONSISTENT`, `ANY` (for zero, and constants of any dimension), `NUMBER` (for values
            without a unit) or another number.
        """
        variables, rules, by_value = self._variables, self._rules, self._by_value
        # Dimensions of subtrees; for a constant its value, a float.
        stack: list[int | float] = []
        for node in reversed(tree):
            code = node.code
            if code == CONSTANT_CODE:
                stack.append(node.value)
            elif code <= FIRST_VARIABLE_CODE:
                stack.append(variables[FIRST_VARIABLE_CODE - code])
            else:
                arguments = [stack.pop() for _ in range(node.arity)]
                if node.name in by_value:
                    # The number 2.0 is not the dimension 2.
                    key = (code, *((a,) if type(a) is float else a for a in arguments))
                else:
                    arguments = [self._kind(a) if type(a) is float else a for a in arguments]
                    key = (code, *arguments)
                found = rules.get(key)
                if found is None:
                    found = self._learn(key, node.name, arguments)
                if found == INCONSISTENT:
                    return INCONSISTENT
                stack.append(found)
        found = stack.pop()
        return found if isinstance(found, int) else self._kind(found)

    def violation(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> str | None:
        """Describe the error in the dimensions of a tree; `None` without one.

        Args:
            tree: nodes in prefix order.
        """
        if self.satisfies(tree):
            return None
        whole = gp.PrimitiveTree(tree)
        # From the leaves up: the first subtree without a dimension has arguments that have one.
        for at in range(len(whole) - 1, -1, -1):
            if self.of(whole[whole.searchSubtree(at)]) == INCONSISTENT:
                arguments, start = [], at + 1
                for _ in range(whole[at].arity):
                    span = whole.searchSubtree(start)
                    arguments.append(self.text(self.of(whole[span])))
                    start = span.stop
                return f"'{whole[at].name}' of {' and '.join(arguments)} has no dimension"
        wanted = NUMBER if self._result is None else self._result
        return f"it has the dimension {self.text(self.of(whole))}, not {self.text(wanted)}"

    def text(self, number: int) -> str:
        """A dimension in words.

        Args:
            number: as `of` returns it.
        """
        vector = self._vectors[number]
        if vector is None:
            return "any dimension"
        over = [_power(base, n) for base, n in zip(self.bases, vector) if n > 0]
        under = [_power(base, -n) for base, n in zip(self.bases, vector) if n < 0]
        if not over and not under:
            return "a number"
        divisor = under[0] if len(under) == 1 else f"({'*'.join(under)})"
        return "*".join(over or ["1"]) + (f"/{divisor}" if under else "")

    def _vector(self, exponents: Mapping[str, Fraction]) -> Vector:
        return tuple(exponents.get(base, Fraction(0)) for base in self.bases)

    def _number(self, vector: Vector) -> int:
        if vector not in self._numbers:
            new = next(self._next)
            self._vectors[new] = vector
            self._numbers.setdefault(vector, new)
        return self._numbers[vector]

    def _kind(self, value: float) -> int:
        """The dimension of a constant."""
        if value == 0 or (self._any_constants and abs(value) != 1):
            return ANY
        return NUMBER

    def _learn(self, key: Hashable, name: str, arguments: Sequence[int | float]) -> int:
        """Derive the rule of an operator for arguments of these dimensions."""
        operator = self.alphabet.operators[name]
        kinds = [a if isinstance(a, int) else self._kind(a) for a in arguments]
        known = {
            symbol: sympy.Float(a)
            for symbol, a in zip(operator.arguments, arguments)
            if type(a) is float
        }
        rule = _Rule(
            {symbol: self._vectors[k] for symbol, k in zip(operator.arguments, kinds)},
            known,
            self._vectors[NUMBER],
        )
        try:
            found = self._number(rule(operator.expression))
        except _Inconsistent:
            found = INCONSISTENT
        if len(self._rules) >= MOST_REMEMBERED:
            self._rules.clear()
        self._rules[key] = found
        return found


class _Inconsistent(Exception):
    """A part of the expression has no dimension."""


class _Rule:
    """The dimension of a SymPy expression whose symbols have given dimensions.

    Args:
        dimensions: by symbol.
        known: values of symbols that are constants.
        number: the dimension of a number.
    """

    def __init__(
        self,
        dimensions: Mapping[sympy.Symbol, Vector],
        known: Mapping[sympy.Symbol, sympy.Float],
        number: Vector,
    ):
        self.dimensions, self.known, self.number = dimensions, known, number

    def __call__(self, expression: sympy.Basic) -> Vector:
        if isinstance(expression, sympy.Symbol):
            return self.dimensions[expression]
        if not expression.free_symbols:
            return None if expression == 0 else self.number
        for kinds, rule in _RULES:
            if isinstance(expression, kinds):
                return rule(self, expression)
        # All other functions map numbers to numbers.
        for argument in expression.args:
            self.equal(self(argument), self.number)
        return self.number

    def equal(self, one: Vector, other: Vector) -> Vector:
        """The common dimension of two."""
        if one is None or other is None or one == other:
            return other if one is None else one
        raise _Inconsistent

    def sum(self, expression: sympy.Expr) -> Vector:
        total = None
        for argument in expression.args:
            total = self.equal(total, self(argument))
        return total

    def product(self, expression: sympy.Mul) -> Vector:
        factors = [self(argument) for argument in expression.args]
        known = [factor for factor in factors if factor is not None]
        if len(known) < len(factors):
            return None
        return tuple(sum(n, Fraction()) for n in zip(*known)) if known[0] else self.number

    def power(self, expression: sympy.Pow) -> Vector:
        base, exponent = self(expression.base), expression.exp.xreplace(dict(self.known))
        self.equal(self(expression.exp), self.number)
        if base is None or base == self.number:
            return base
        if exponent.free_symbols:
            raise _Inconsistent
        share = Fraction(float(exponent)).limit_denominator(LARGEST_DENOMINATOR)
        if abs(float(share) - float(exponent)) > 1e-6:
            raise _Inconsistent
        return tuple(share * n for n in base)

    def same(self, expression: sympy.Expr) -> Vector:
        return self(expression.args[0])

    def sign(self, expression: sympy.Expr) -> Vector:
        self(expression.args[0])
        return self.number

    def angle(self, expression: sympy.Expr) -> Vector:
        self.sum(expression)
        return self.number

    def branches(self, expression: sympy.Piecewise) -> Vector:
        total = None
        for value, condition in expression.args:
            self.condition(condition)
            total = self.equal(total, self(value))
        return total

    def condition(self, condition: sympy.Basic) -> None:
        """Raise unless the two sides of every comparison have one dimension."""
        if isinstance(condition, BooleanAtom):
            return
        if isinstance(condition, BooleanFunction):
            for argument in condition.args:
                self.condition(argument)
        else:
            self.sum(condition)


# The first matching row decides.
_RULES: tuple[tuple[type | tuple[type, ...], Callable[..., Any]], ...] = (
    ((sympy.Add, sympy.Max, sympy.Min), _Rule.sum),
    (sympy.Mul, _Rule.product),
    (sympy.Pow, _Rule.power),
    (sympy.Abs, _Rule.same),
    (sympy.sign, _Rule.sign),
    (sympy.atan2, _Rule.angle),
    (sympy.Piecewise, _Rule.branches),
)


def _has_open_exponent(operator: Operator) -> bool:
    return any(power.exp.free_symbols for power in operator.expression.atoms(sympy.Pow))


def _power(base: str, exponent: Fraction) -> str:
    if exponent == 1:
        return base
    return f"{base}**{exponent}" if exponent.denominator == 1 else f"{base}**({exponent})"
