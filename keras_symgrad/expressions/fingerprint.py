"""Fingerprints: one integer for all trees that evidently carry the same concept.

A tree is evaluated in the field of integers modulo the prime 2**61 - 1 at four random points.
There, sums, products and quotients are exact and every rule of algebra holds, so trees that are
equal by algebra have equal values, and others differ with all but certainty (the Schwartz-Zippel
lemma). Functions that a field does not have, such as exp, scramble the value of their argument.
The cross ratio of the four values is then the same for f, a f + b, c/f and every other fractional
linear function of f, so changes that keep the concept cancel.

Plain Python on purpose: a tree of 15 nodes takes 20 to 30 us, its SymPy expression 2,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import sympy
from deap import gp

from keras_symgrad.expressions.canonical import canonicalize
from keras_symgrad.expressions.finite_field import PRIME, Values, field_code, residue
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Constant, Variable

# Trees whose fingerprints are remembered: 10 MB.
MOST_RECENT = 50_000


class Fingerprint:
    """Map from trees over an operator set to integers, equal inside the equivalence class.

    Trees have equal fingerprints when one becomes the other by the rules of algebra (order and
    grouping of sums and products, powers, quotients, parity of sin, cos and the like), by
    combining constants, by rounding constants to three digits, or by changes that keep the concept:
    an added constant, a constant factor of either sign, a reciprocal, and strictly monotone
    functions around the whole. The converse does not hold: trees that are equal for a deeper reason
    may differ.

    The domain is ignored: log(f) and f have one fingerprint, although log(f) is undefined where f
    is negative. A *finite* loss is therefore shared by all trees of one fingerprint, a failed
    evaluation is not.

    Args:
        operators: the set that the trees are made of.
        signed: whether f and -f shall differ. Then only added constants are ignored.
        affine: whether f and exp(f) shall differ, as their values do. Then only added constants and
            constant factors are ignored.

    Example:

    >>> from keras_symgrad.expressions.trees import Alphabet
    >>> alphabet = Alphabet(OperatorSet("add, mul, div, exp"), ["x1", "x2"])
    >>> fingerprint = Fingerprint(alphabet.operators)
    >>> one = alphabet.tree(["exp", "div", 0, 1])
    >>> other = alphabet.tree(["add", 3.0, "mul", -2.0, "div", 1, 0])
    >>> fingerprint(one) == fingerprint(other)
    True
    >>> fingerprint(one) == fingerprint(alphabet.tree(["mul", 0, 1]))
    False
    """

    def __init__(self, operators: OperatorSet, *, signed: bool = False, affine: bool = False):
        self.operators = operators
        self.signed = signed
        self.affine = affine
        self._forms = {operator.name: _Form.of(operator) for operator in operators}
        self._variables = _VariableValues()
        self._recent: dict[tuple[int | str, ...], int] = {}

    def __call__(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> int:
        """Fingerprint of a tree.

        Args:
            tree: nodes in prefix order.

        Returns:
            A number that is the same in every process; 0 for a constant tree.
        """
        # From a third to two thirds of the trees that a search breeds were bred shortly before.
        key = tuple([node.code if type(node) is Variable else node.name for node in tree])
        found = self._recent.get(key)
        if found is None:
            if len(self._recent) >= MOST_RECENT:
                self._recent.clear()
            found = self._recent[key] = self._of(tree)
        return found

    def _of(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> int:
        try:
            values, children = self._evaluate(tree)
        except _NotANumberError:
            return 0
        whole = values[0]
        if not isinstance(whole, tuple):
            return 0
        if self.signed:
            return _differences(whole)
        if self.affine:
            return _ratio_of_differences(whole)
        return _cross_ratio(self._core(tree, whole, values, children))

    def _evaluate(
        self, tree: Sequence[gp.Primitive | gp.Terminal]
    ) -> tuple[list[float | Values], list[tuple[int, ...]]]:
        """Value of every node, and the positions of its arguments."""
        forms, variables = self._forms, self._variables
        size = len(tree)
        # A constant is a float until it is combined with a variable: constants fold.
        values: list[float | Values] = [0.0] * size
        children: list[tuple[int, ...]] = [()] * size
        stack: list[int] = []
        for position in range(size - 1, -1, -1):
            node = tree[position]
            kind = type(node)
            if kind is Variable:
                values[position] = variables[node.index]
            elif kind is Constant:
                values[position] = node.value
            else:
                form = forms[node.name]
                if node.arity == 1:
                    below = (stack.pop(),)
                    a = values[below[0]]
                    values[position] = form.fold(a) if type(a) is float else form.code(a)
                else:
                    below = tuple([stack.pop() for _ in range(node.arity)])
                    values[position] = form.apply([values[child] for child in below])
                children[position] = below
            stack.append(position)
        return values, children

    def _core(
        self,
        tree: Sequence[gp.Primitive | gp.Terminal],
        whole: Values,
        values: list[float | Values],
        children: list[tuple[int, ...]],
    ) -> Values:
        """Value of the part that remains when all layers that keep the concept are removed."""
        position, left = 0, whole
        while children[position] and not _is_constant(left):
            form = self._forms[tree[position].name]
            arguments = [values[child] for child in children[position]]
            varying = [(k, a) for k, a in enumerate(arguments) if isinstance(a, tuple)]
            if len(varying) > 1 or not form.keeps_concept(varying[0][0], arguments):
                return form.core(arguments) if form.core else left
            k, left = varying[0]
            position = children[position][k]
        return left


@dataclass(frozen=True)
class _Form:
    """One operator over the field.

    `code` maps values to values, `fold` floats to a float; `outer[k]` is true if the operator keeps
    the concept of its k-th argument while the others are constant. `core` is the operator without
    monotone functions around it: a**2 + b**2 for hypot.
    """

    code: Callable[..., Values]
    fold: Callable[..., float]
    outer: tuple[bool, ...]
    is_power: bool
    core: Callable[[list[float | Values]], Values] | None

    @classmethod
    def of(cls, operator: Operator) -> _Form:
        arguments, expression = operator.arguments, operator.expression
        outer = tuple(
            operator.monotone or _is_fractional_linear(expression, symbol) for symbol in arguments
        )
        is_power = operator.arity == 2 and expression == sympy.Pow(*arguments)
        code, core = field_code(arguments, expression), None
        peeled = canonicalize(expression)
        if peeled not in (expression, *arguments):
            inner = field_code(arguments, peeled)

            def core_of(values: list[float | Values]) -> Values:
                return inner(*[v if isinstance(v, tuple) else _number(v) for v in values])

            core = core_of
        return cls(code, _float_code(operator), outer, is_power, core)

    def apply(self, arguments: list[float | Values]) -> float | Values:
        if float not in map(type, arguments):
            return self.code(*arguments)
        if tuple not in map(type, arguments):
            return self.fold(*arguments)
        return self.code(*[a if isinstance(a, tuple) else _number(a) for a in arguments])

    def keeps_concept(self, k: int, values: list[float | Values]) -> bool:
        if not self.is_power:
            return self.outer[k]
        # a**c is monotone unless c is even, c**b unless c is 1 or negative.
        constant = values[1 - k]
        if isinstance(constant, tuple):
            return False
        return constant % 2 != 0 if k == 0 else 0 < constant != 1


def _is_fractional_linear(expression: sympy.Expr, symbol: sympy.Symbol) -> bool:
    """Return whether the expression is (p s + q)/(r s + t) in one symbol s."""
    halves = sympy.fraction(sympy.together(expression))
    return all(half.is_polynomial(symbol) and sympy.degree(half, symbol) <= 1 for half in halves)


def _float_code(operator: Operator) -> Callable[..., float]:
    code = sympy.lambdify(operator.arguments, operator.expression, modules="math")

    def fold(*arguments: float) -> float:
        try:
            return float(code(*arguments))
        except (ArithmeticError, TypeError, ValueError, NameError):
            return float("nan")

    return fold


class _NotANumberError(Exception):
    """A constant part of the tree has no value, so the tree has none."""


def _number(value: float) -> Values:
    """A float, rounded to three digits, as an element of the field."""
    if not -math.inf < value < math.inf:
        raise _NotANumberError
    element = residue(float(f"{value:.3g}"))
    return element, element, element, element


def _is_constant(values: Values) -> bool:
    f0, f1, f2, f3 = values
    return f0 == f1 == f2 == f3


def _cross_ratio(values: Values) -> int:
    if _is_constant(values):
        return 0
    f0, f1, f2, f3 = values
    below = (f0 - f3) * (f1 - f2) % PRIME
    # A pole is a value of its own; no other residue equals the prime.
    return (f0 - f2) * (f1 - f3) * pow(below, -1, PRIME) % PRIME if below else PRIME


def _differences(values: Values) -> int:
    if _is_constant(values):
        return 0
    f0, f1, f2, _ = values
    return hash(((f0 - f1) % PRIME, (f0 - f2) % PRIME))


def _ratio_of_differences(values: Values) -> int:
    if _is_constant(values):
        return 0
    f0, f1, f2, _ = values
    below = (f0 - f2) % PRIME
    return (f0 - f1) * pow(below, -1, PRIME) % PRIME if below else PRIME


class _VariableValues(dict[int, Values]):
    """Four random residues for every column, the same in every process."""

    def __missing__(self, index: int) -> Values:
        random = Random(1_000_003 * (index + 1))
        values = tuple(random.randrange(1, PRIME) for _ in range(4))
        self[index] = values
        return values
