"""Compile SymPy expressions to NumPy functions, for variables of any name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
import sympy
from sympy.printing.numpy import SciPyPrinter

MAX_KEPT_FUNCTIONS = 256


def anonymous(
    expressions: Iterable[sympy.Expr], symbols: Sequence[sympy.Symbol]
) -> tuple[list[sympy.Symbol], list[sympy.Expr]]:
    """The expressions in symbols `s0`, `s1`, ... in place of the given ones.

    Generated code holds the names of its symbols. A name that comes from a user or a file, such
    as `lambda`, `exp` or worse, must never be part of code.

    Args:
        expressions: SymPy expressions.
        symbols: their symbols in order; constants that the caller wants to vary may be among them.

    Returns:
        The new symbols and the new expressions.

    Example:

    >>> sine = sympy.Symbol("sin")
    >>> anonymous([sympy.sin(sine)], [sine])
    ([s0], [sin(s0)])
    """
    plain = [sympy.Symbol(f"s{index}", real=True) for index in range(len(symbols))]
    renamed = dict(zip(symbols, plain))
    return plain, [expression.xreplace(renamed) for expression in expressions]


def with_float_constants(expression: sympy.Expr) -> sympy.Expr:
    """The expression with constants such as sqrt(2), pi or log(3) as floats.

    TensorFlow refuses them as calls on integers, and NumPy turns a value that is not real into a
    complex number or a warning. Whole numbers and fractions stay; a value that is not a real number
    becomes NaN.
    """

    def as_float(constant: sympy.Expr) -> sympy.Expr:
        value = complex(constant.evalf(17))
        return sympy.Float(value.real, 17) if value.imag == 0 else sympy.nan

    return expression.replace(
        lambda part: part.is_number and not part.is_Rational and not part.is_Float, as_float
    )


def numpy_function(
    expressions: Sequence[sympy.Expr],
    symbols: Sequence[sympy.Symbol],
    *,
    dtype: type = np.float64,
) -> Callable[[np.ndarray], np.ndarray]:
    """NumPy code for several expressions at once.

    Args:
        expressions: SymPy expressions.
        symbols: the symbol of every column.
        dtype: of the computation.

    Returns:
        A function from points of shape `(rows, columns)` to values of shape
        `(rows, expressions)`, in float64 and without warnings: undefined values are NaN.

    Example:

    >>> x = sympy.Symbol("petal length (cm)")
    >>> numpy_function([x**2, sympy.log(x)], [x])(np.array([[1.0], [-3.0]]))
    array([[ 1.,  0.],
           [ 9., nan]])
    """
    return _function(tuple(expressions), tuple(symbols), dtype)


# The formulas of a front are looked at some ten times each, on other rows: making code of one
# takes SymPy 5 to 20 ms, running it on 2,000 rows a tenth of one. A short search looks at some 35
# functions, which take a megabyte with the expressions in them.
@lru_cache(maxsize=MAX_KEPT_FUNCTIONS)
def _function(
    expressions: tuple[sympy.Expr, ...], symbols: tuple[sympy.Symbol, ...], dtype: type
) -> Callable[[np.ndarray], np.ndarray]:
    occurring = set().union(*(expression.free_symbols for expression in expressions))
    # SymPy is slow on code of a hundred arguments, and a formula has few.
    used = [k for k, name in enumerate(symbols) if name in occurring]
    plain, renamed = anonymous(expressions, [symbols[k] for k in used])
    code = sympy.lambdify(
        plain, renamed, modules=["scipy", "numpy"], printer=_Printer(_SETTINGS), cse=True
    )

    def function(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            points = np.asarray(points, dtype=dtype)
            values = code(*points.T[used])
        return np.stack([_real(np.broadcast_to(v, len(points))) for v in values], axis=-1)

    return function


# Nodes for which `lambdify` needs a printer method.
_SETTINGS = {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True}


class _Printer(SciPyPrinter):
    """SymPy's printer for NumPy, except for conditions that do not depend on the rows."""

    def _print_Piecewise(self, pieces: sympy.Piecewise) -> str:
        (value, condition), *rest = pieces.args
        rest = sympy.Piecewise(*rest) if rest else sympy.nan
        where = self._module_format("numpy.where")
        return f"{where}({', '.join(map(self._print, (condition, value, rest)))})"


def _real(values: np.ndarray) -> np.ndarray:
    if np.iscomplexobj(values):
        return np.where(np.abs(values.imag) < 1e-12, values.real, np.nan)
    return np.asarray(values, dtype=np.float64)
