"""Compile SymPy expressions to TensorFlow functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy
from sympy.printing.tensorflow import TensorflowPrinter

from keras_symgrad.expressions.codegen.numpy_code import with_float_constants


def tensorflow_function(
    symbols: Sequence[sympy.Symbol], expressions: Iterable[sympy.Expr], *, fast: bool = True
) -> Callable[..., Any]:
    """Compile expressions to a TensorFlow function that evaluates common subexpressions once.

    Args:
        symbols: the function's arguments. Their names become Python code: pass symbols made
            for this purpose, never names from a file or a user.
        expressions: the outputs.
        fast: whether sine, cosine and tangent of float32 are taken from `fast_math`.

    Returns:
        A function of tensors that returns a list. An entry that does not depend on the
        arguments is a Python number, not a tensor.

    Example:

    >>> import tensorflow as tf
    >>> x = sympy.Symbol("x", real=True)
    >>> function = tensorflow_function([x], [sympy.sqrt(2) * x, sympy.pi])
    >>> [float(v) for v in function(tf.constant(2.0))]
    [2.8284270763397217, 3.141592653589793]
    """
    from keras_symgrad.expressions.codegen import fast_math

    namespace = fast_math.EXTREMES | (fast_math.FAST_MATH if fast else {}) | {"like": _like}
    floats = [with_float_constants(expression) for expression in expressions]
    printer = _Printer(namespace, symbols[0])
    return sympy.lambdify(
        symbols, floats, modules=[namespace, "tensorflow"], printer=printer, cse=True
    )


def _like(number: float, argument: Any) -> Any:
    """The number in the dtype of a tensor."""
    import tensorflow as tf

    return tf.constant(number, argument.dtype) if tf.is_tensor(argument) else number


class _Printer(TensorflowPrinter):
    """SymPy's printer for TensorFlow, with dtypes for constants and added functions.

    Inside a `tf.function` TensorFlow takes the dtype from the first operand, which is int32 or
    float32 if that is a number. Such numbers are printed in the dtype of the first argument.
    """

    def __init__(self, namespace: dict[str, Callable[..., Any]], argument: sympy.Symbol):
        # Without these `lambdify` cannot import the functions in the code.
        super().__init__({"fully_qualified_modules": False, "inline": True})
        self._namespace = namespace
        self._argument = argument

    def _print_Function(self, expression: sympy.Function) -> str:
        name = type(expression).__name__
        if name not in self._namespace:
            return super()._print_Function(expression)
        return f"{name}({', '.join(map(self._print, expression.args))})"

    _print_Max = _print_Min = _print_Function

    def _print_typed(self, expression: sympy.Expr) -> str:
        text = self._print(expression)
        return f"like({text}, {self._argument})" if expression.is_number else text

    def _print_call(self, name: str, arguments: Sequence[sympy.Expr]) -> str:
        return f"{self._module_format(name)}({', '.join(map(self._print_typed, arguments))})"

    def _print_Pow(self, power: sympy.Pow) -> str:
        if not power.base.is_number:
            return super()._print_Pow(power)
        return self._print_call("tensorflow.math.pow", power.args)

    def _print_atan2(self, angle: sympy.atan2) -> str:
        return self._print_call("tensorflow.math.atan2", angle.args)

    def _print_Relational(self, relation: sympy.Rel) -> str:
        return self._print_call(self.mapping[type(relation)], relation.args)

    def _print_Piecewise(self, pieces: sympy.Piecewise) -> str:
        (value, condition), *rest = pieces.args
        # SymPy's own is zero where no condition holds, although the expression is undefined there.
        rest = sympy.Piecewise(*rest) if rest else sympy.nan
        where = self._module_format("tensorflow.where")
        branches = f"{self._print_typed(value)}, {self._print_typed(rest)}"
        return f"{where}({self._print(condition)}, {branches})"
