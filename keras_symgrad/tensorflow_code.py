"""From SymPy expressions to TensorFlow code, around the corners where the two do not meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sympy
from sympy.printing.tensorflow import TensorflowPrinter


def tensorflow_code(
    symbols: Sequence[sympy.Symbol], expressions: Iterable[sympy.Expr], *, fast: bool = True
) -> Callable:
    """TensorFlow function that evaluates several expressions, with common parts only once.

    Args:
        symbols: the function's arguments. Their names become Python code: pass symbols made
            for this purpose, never names from a file or a user.
        expressions: what it returns.
        fast: whether sine, cosine and tangent of float32 are taken from `fast_math`.

    Returns:
        A function of tensors that returns a list. An entry that does not depend on the
        arguments is a Python number, not a tensor.

    Example:

    >>> import tensorflow as tf
    >>> x = sympy.Symbol("x", real=True)
    >>> [float(v) for v in tensorflow_code([x], [sympy.sqrt(2) * x, sympy.pi])(tf.constant(2.0))]
    [2.8284270763397217, 3.141592653589793]
    """
    from keras_symgrad import fast_math

    namespace = fast_math.EXTREMES | (fast_math.FAST_MATH if fast else {})
    floats = [with_float_constants(expression) for expression in expressions]
    printer = _Printer(namespace)
    return sympy.lambdify(
        symbols, floats, modules=[namespace, "tensorflow"], printer=printer, cse=True
    )


class _Printer(TensorflowPrinter):
    """SymPy's printer for TensorFlow, which has no place of its own for other functions."""

    def __init__(self, namespace: dict[str, Callable]):
        # Without these `lambdify` cannot import what the code names.
        super().__init__({"fully_qualified_modules": False, "inline": True})
        self._namespace = namespace

    def _print_Function(self, expression: sympy.Function) -> str:
        name = type(expression).__name__
        if name not in self._namespace:
            return super()._print_Function(expression)
        return f"{name}({', '.join(map(self._print, expression.args))})"

    _print_Max = _print_Min = _print_Function


def with_float_constants(expression: sympy.Expr) -> sympy.Expr:
    """The expression with constants such as sqrt(2), pi or log(3) as floats.

    SymPy would print them as TensorFlow calls on integers, which TensorFlow refuses. Whole
    numbers and fractions stay; what is not a real number becomes NaN.
    """

    def as_float(constant: sympy.Expr) -> sympy.Expr:
        value = complex(constant.evalf(17))
        return sympy.Float(value.real, 17) if value.imag == 0 else sympy.nan

    return expression.replace(
        lambda part: part.is_number and not part.is_Rational and not part.is_Float, as_float
    )
