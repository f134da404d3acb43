"""Known concepts: formulas with exact values and gradients.

This module uses SymPy and NumPy and no networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions.codegen import numpy_function


class KnownConcept:
    """A concept g as a SymPy expression in named variables: the base of all test systems.

    Attributes:
        expression: g, in real symbols.
        names: the variables' names, in the order of the columns.
    """

    expression: sympy.Expr
    names: tuple[str, ...]

    @property
    def variables(self) -> tuple[sympy.Symbol, ...]:
        """The variables as SymPy symbols, in the order of the columns."""
        return real_symbols(self.names)

    def values(self, x: np.ndarray) -> np.ndarray:
        """The concept g at each point.

        Args:
            x: points of shape `(rows, variables)`.

        Returns:
            float64 values of shape `(rows,)`.
        """
        return self._evaluators[0](x)

    def gradients(self, x: np.ndarray) -> np.ndarray:
        """The gradient of g at each point, from `sympy.diff`.

        Args:
            x: points of shape `(rows, variables)`.

        Returns:
            float64 gradients of shape `(rows, variables)`.
        """
        return np.stack([partial(x) for partial in self._evaluators[1:]], axis=1)

    @cached_property
    def _evaluators(self) -> list[Any]:
        return rowwise(
            [self.expression, *(self.expression.diff(v) for v in self.variables)], self.names
        )


def real_symbols(names: Sequence[str]) -> tuple[sympy.Symbol, ...]:
    """SymPy symbols declared real, as derivatives of `Abs` and `sign` need them.

    Args:
        names: the names of the variables; any text is allowed.

    Returns:
        One symbol for each name, in the same order.

    Example:

    >>> real_symbols(["x1", "petal length (cm)"])
    (x1, petal length (cm))
    """
    return tuple(sympy.Symbol(name, real=True) for name in names)


def rowwise(expressions: Sequence[sympy.Expr], names: Sequence[str]) -> list[Any]:
    """SymPy expressions as NumPy functions of points, one float64 value a row.

    Symbols are matched by name, so it makes no difference whether an expression's symbols were
    declared real.

    Args:
        expressions: SymPy expressions in the named variables.
        names: the names, in the order of the columns.

    Returns:
        One function `(rows, variables) -> (rows,)` for each expression.

    Raises:
        ValueError: an expression holds a symbol that is not among `names`.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2")
    >>> value, constant = rowwise([x1 * x2, sympy.Integer(3)], ["x1", "x2"])
    >>> value(np.array([[2.0, 5.0]])), constant(np.array([[2.0, 5.0]]))
    (array([10.]), array([3.]))
    """
    symbols = real_symbols(names)

    def evaluator(expression: sympy.Expr) -> Callable[[np.ndarray], np.ndarray]:
        code = numpy_function([with_real_symbols(expression, names)], symbols)
        return lambda x: code(x)[:, 0]

    return [evaluator(expression) for expression in expressions]


def with_real_symbols(expression: sympy.Expr, names: Sequence[str]) -> sympy.Expr:
    """The same expression in symbols declared real, matched by name.

    Args:
        expression: a SymPy expression in the named variables.
        names: the names of the variables.

    Returns:
        The expression in `real_symbols(names)`.

    Raises:
        ValueError: the expression holds a symbol that is not among `names`.
    """
    real = {symbol.name: symbol for symbol in real_symbols(names)}
    unknown = sorted({s.name for s in expression.free_symbols} - set(real))
    if unknown:
        raise ValueError(
            f"Expected an expression in the variables {list(names)}. "
            f"Received also the symbols {unknown} in: {expression}"
        )
    return expression.xreplace({s: real[s.name] for s in expression.free_symbols})
