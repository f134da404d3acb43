"""Columns of few values: replace a function of one by the polynomial through its values.

On a column of k values every function of it is a polynomial of degree k - 1, on a column of zeros
and ones a straight line: exp(-0.02*red**2 + sin(red)) and 1 + 1.27*red are one function there. The
data do not determine a formula between the values, so the polynomial represents all of them.
Functions of several variables, such as x1*red or sin(x1 + red), are not changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from deap import gp

from keras_symgrad.engine import evaluate
from keras_symgrad.expressions import Alphabet, Constant, Operator, Variable, symbol, to_sympy

Nodes = Sequence[gp.Primitive | gp.Terminal]

# With more values than these a column determines a function's shape, and formulas may transform it.
MAX_VALUES = 4
# A coefficient of an interpolating polynomial below this share of the largest is rounding.
RELATIVE_ROUNDING_OF_COEFFICIENTS = 1e-12
# Column of a subtree: none, or several, or one with many values.
_NUMBER = -1
_FREE = -2


class FewValuedColumns:
    """Rule against nonlinear transforms of columns of few values.

    Args:
        alphabet: operators and variables of the formulas.
        values: ascending distinct values by the column's number, see `levels.few_values`; columns
            of more than 4 values are left out.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("default"), ["x", "red"])
    >>> columns = FewValuedColumns(alphabet, {1: (0.0, 1.0)})
    >>> bent = alphabet.tree(["mul", 0, "sin", 1])
    >>> columns.satisfies(bent), columns.satisfies(alphabet.tree(["sin", "add", 0, 1]))
    (False, True)
    >>> x, red = sympy.symbols("x red", real=True)
    >>> columns.straightened(x * (1 + red) ** 2)
    x*(3.0*red + 1.0)
    """

    def __init__(self, alphabet: Alphabet, values: Mapping[int, tuple[float, ...]]):
        self.alphabet = alphabet
        self.values = {k: v for k, v in values.items() if 2 <= len(v) <= MAX_VALUES}
        self._symbols = {symbol(alphabet.names[k]): v for k, v in self.values.items()}

    def __bool__(self) -> bool:
        return bool(self.values)

    def satisfies(self, tree: Nodes) -> bool:
        """Return whether each part of a tree with only one such column is a low polynomial.

        Args:
            tree: nodes in prefix order.
        """
        # For the subtrees after a node: their only column, and the degree.
        stack: list[tuple[int, float]] = []
        for node in reversed(tree):
            if isinstance(node, Variable):
                stack.append((node.index if node.index in self.values else _FREE, 1))
            elif isinstance(node, Constant):
                stack.append((_NUMBER, 0))
            else:
                parts = [stack.pop() for _ in range(node.arity)]
                columns = {column for column, _ in parts} - {_NUMBER}
                if len(columns) != 1 or _FREE in columns:
                    stack.append((_FREE if columns else _NUMBER, 0))
                    continue
                (column,) = columns
                operator = self.alphabet.operators[node.name]
                degree = _degree(operator, tuple(d for _, d in parts))
                if degree >= len(self.values[column]):
                    return False
                stack.append((column, degree))
        return True

    def rewritten(self, tree: Nodes) -> gp.PrimitiveTree | None:
        """Replace each part of a tree that transforms such a column alone by the polynomial.

        Args:
            tree: nodes in prefix order.

        Returns:
            A tree that satisfies the rule; `None` if a part is undefined at some values, or the
            alphabet cannot write the polynomial.
        """
        tree = gp.PrimitiveTree(tree)
        if self.satisfies(tree):
            return tree
        nodes, at = [], 0
        while at < len(tree):
            span = tree.searchSubtree(at)
            part = tree[span]
            columns = {node.index for node in part if isinstance(node, Variable)}
            if (
                len(columns) == 1
                and not columns.isdisjoint(self.values)
                and not self.satisfies(part)
            ):
                written = self._polynomial(part, *columns)
                if written is None:
                    return None
                nodes += written
                at = span.stop
            else:
                nodes.append(tree[at])
                at += 1
        return gp.PrimitiveTree(nodes)

    def straightened(self, expression: sympy.Expr) -> sympy.Expr | None:
        """Replace parts of an expression that transform such a column alone by the polynomial.

        Args:
            expression: in the alphabet's variables.

        Returns:
            The expression, with the same values on all rows; `None` if a part of it is undefined at
            some values of its column.
        """
        for variable, values in self._symbols.items():
            if variable in expression.free_symbols:
                try:
                    expression = _straightened(expression, variable, values)
                except ValueError:
                    return None
        return expression

    def _polynomial(self, part: Nodes, column: int) -> list[Any] | None:
        """The polynomial of a part of a tree, as nodes."""
        variable, primitives = self.alphabet.variables[column], self.alphabet.primitives
        expression = to_sympy(part, self.alphabet.operators)
        try:
            weights = _coefficients(expression, symbol(variable.name), self.values[column])
        except ValueError:
            return None
        terms = []
        for power, weight in enumerate(weights):
            if weight:
                term = [Constant(weight)] if power == 0 or weight != 1 else []
                # Writes a*x**n as mul(a, mul(x, x)...).
                factors = [term] * bool(term) + [[variable]] * power
                terms.append(_joined(factors, primitives.get("mul")))
        known = [term for term in terms if term is not None]
        if not terms or len(known) < len(terms):
            return None
        return _joined(known, primitives.get("add"))


def _joined(parts: Sequence[list[Any]], operator: gp.Primitive | None) -> list[Any] | None:
    """Nodes joined by one binary operator; `None` without it."""
    first, *others = parts
    for other in others:
        if operator is None:
            return None
        first = [operator, *first, *other]
    return first


def _straightened(
    expression: sympy.Expr, variable: sympy.Symbol, values: tuple[float, ...]
) -> sympy.Expr:
    if variable not in expression.free_symbols:
        return expression
    if expression.free_symbols == {variable}:
        is_low = expression.is_polynomial(variable)
        if is_low and sympy.degree(expression, variable) < len(values):
            return expression
        weights = _coefficients(expression, variable, values)
        return sympy.Add(*(sympy.Float(w) * variable**n for n, w in enumerate(weights) if w))
    if expression.is_Add or expression.is_Mul:
        alone = [part for part in expression.args if part.free_symbols == {variable}]
        others = [part for part in expression.args if part.free_symbols != {variable}]
        parts = [_straightened(part, variable, values) for part in others]
        if alone:
            parts.append(_straightened(expression.func(*alone), variable, values))
        return expression.func(*parts)
    return expression.func(*(_straightened(part, variable, values) for part in expression.args))


def _coefficients(
    expression: sympy.Expr, variable: sympy.Symbol, values: tuple[float, ...]
) -> list[float]:
    """Coefficients of the polynomial through an expression's values, the constant first.

    Raises:
        ValueError: the expression is not a real number at one of the values.
    """
    # In floats: powers of integers would have more digits than memory.
    (found,) = evaluate([expression], [variable.name], np.array(values)[:, None])
    if not np.isfinite(found).all():
        raise ValueError(f"{expression} is not a real number at {variable} = {values}")
    matrix = np.vander(np.array(values), increasing=True)
    weights = np.linalg.solve(matrix, found)
    size = np.abs(weights) * np.abs(matrix).max(axis=0)
    return [
        float(w) if s > RELATIVE_ROUNDING_OF_COEFFICIENTS * size.max() else 0.0
        for w, s in zip(weights, size)
    ]


@lru_cache(maxsize=4096)
def _degree(operator: Operator, degrees: tuple[float, ...]) -> float:
    """Degree of an operator on polynomials of one variable; infinite if it is not a polynomial."""
    open_ = [a for a, degree in zip(operator.arguments, degrees) if degree]
    if not operator.expression.is_polynomial(*open_) or math.inf in degrees:
        return math.inf
    poly = sympy.Poly(operator.expression, *open_)
    own = [degree for degree in degrees if degree]
    return max((sum(n * d for n, d in zip(m, own)) for m in poly.monoms()), default=0)
