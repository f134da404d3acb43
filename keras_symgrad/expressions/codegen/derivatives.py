"""Partial derivatives by `sympy.diff`, in functions that TensorFlow has."""

from __future__ import annotations

import sympy


class _RealSign(sympy.Function):
    """`sign` whose derivative is zero: what lives on the kink alone has no weight."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.Integer(0)


class _RealAbs(sympy.Function):
    """`Abs` of something that is real, also where SymPy cannot prove it, as in log(x)."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return _RealSign(self.args[0])


def differentiate(expression: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """The partial derivative of a real expression.

    Kinks are differentiated on both sides: |x|' = sign(x), max(x, 0)' = (1 + sign(x))/2, and
    what SymPy adds at the kink itself, a Dirac delta, is left out.

    Args:
        expression: a SymPy expression, real for real symbols.
        symbol: the symbol.

    Returns:
        The derivative. It holds a `sympy.Derivative` where SymPy knows none.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> differentiate(sympy.Abs(sympy.log(x)), x)
    sign(log(x))/x
    """
    if symbol not in expression.free_symbols:
        return sympy.Integer(0)  # of a hundred variables few are in a formula
    derivative = expression.replace(sympy.Abs, _RealAbs).replace(sympy.sign, _RealSign).diff(symbol)
    derivative = derivative.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    derivative = derivative.replace(sympy.Heaviside, lambda a, *_: (1 + sympy.sign(a)) / 2)
    return derivative.replace(_RealAbs, sympy.Abs).replace(_RealSign, sympy.sign)
