"""Partial derivatives by `sympy.diff`, in functions that TensorFlow has."""

from __future__ import annotations

import sympy


class _RealSign(sympy.Function):
    """`sign` with the derivative zero: a kink has measure zero."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.Integer(0)


class _RealAbs(sympy.Function):
    """`Abs` of a real expression, also where SymPy cannot prove it real, as in log(x)."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return _RealSign(self.args[0])


def differentiate(expression: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """The partial derivative of a real expression.

    Kinks are differentiated on both sides: |x|' = sign(x), max(x, 0)' = (1 + sign(x))/2. The Dirac
    delta that SymPy adds at the kink itself is left out.

    Args:
        expression: a SymPy expression, real for real symbols.
        symbol: the symbol.

    Returns:
        The derivative. It holds a `sympy.Derivative` where SymPy has none.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> differentiate(sympy.Abs(sympy.log(x)), x)
    sign(log(x))/x
    """
    if symbol not in expression.free_symbols:
        return sympy.Integer(0)  # a formula contains few of a hundred variables
    derivative = expression.replace(sympy.Abs, _RealAbs).replace(sympy.sign, _RealSign).diff(symbol)
    derivative = derivative.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    derivative = derivative.replace(sympy.Heaviside, lambda a, *_: (1 + sympy.sign(a)) / 2)
    return derivative.replace(_RealAbs, sympy.Abs).replace(_RealSign, sympy.sign)
