"""Rewrite formulas so that all their coefficients are free parameters."""

from __future__ import annotations

import sympy


def with_free_coefficients(expression: sympy.Expr) -> sympy.Expr:
    """The same formula with a float for every coefficient, so that a layer can train them.

    Whole numbers and fractions are exact, and a `SymbolicLayer` does not train them. Here the
    coefficient of each term of a sum becomes a float, even if it is 1, and so does that of a
    product. Exponents stay exact.

    Args:
        expression: a SymPy expression.

    Returns:
        An expression of the same values.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> with_free_coefficients(x**2 - 2 * sympy.cos(x - y))
    1.0*x**2 - 2.0*cos(1.0*x - 1.0*y)
    >>> with_free_coefficients(x * y / 2 + 1)
    0.5*x*y + 1.0
    """
    if isinstance(expression, sympy.Add):
        return sympy.Add(*map(_term, expression.args))
    if isinstance(expression, sympy.Mul):
        coefficient, rest = expression.as_coeff_Mul()
        # In a bare product -1 is a sign: its size would be a factor of the whole formula.
        return expression.func(
            *map(with_free_coefficients, sympy.Mul.make_args(rest)),
            coefficient if abs(coefficient) == 1 else sympy.Float(coefficient, 17),
        )
    if isinstance(expression, sympy.Pow):
        return with_free_coefficients(expression.base) ** expression.exp
    is_function = isinstance(expression, (sympy.Function, sympy.Max, sympy.Min))
    if is_function and not isinstance(expression, sympy.Piecewise):
        return expression.func(*map(with_free_coefficients, expression.args))
    return expression


def _term(term: sympy.Expr) -> sympy.Expr:
    coefficient, rest = term.as_coeff_Mul()
    return sympy.Float(coefficient, 17) * with_free_coefficients(rest)
