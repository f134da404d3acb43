"""SymPy expressions as TensorFlow code: the corners where the two do not meet."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import tensorflow as tf
from sympy import Max, Min, Piecewise, Rational, exp, log, pi, sqrt

from keras_symgrad.expressions.codegen.tensorflow_code import tensorflow_function

A, B = sympy.symbols("a b", real=True)
POINTS = {"a": np.array([-1.5, 0.25, 0.5, 2.0]), "b": np.array([0.5, 1.25, -3.0, 1.0])}
# Each with a constant in a place where TensorFlow takes its dtype for that of the whole.
MIXED = [
    sqrt(2) * A + log(3) * B,
    A / sqrt(2 * pi),
    Rational(1, 3) * A,
    2**A,
    Rational(5, 2) ** A,
    pi**B * A,
    sympy.atan2(1, A),
    sympy.atan2(A, Rational(1, 3)),
    Max(1, A, B),
    Max(A, pi),
    Min(A, 0) * B,
    Piecewise((1, A > 0), (exp(A), True)),
    Piecewise((Rational(1, 3), A > 0), (sqrt(2), True)),
    Piecewise((1, A > 0), (0, True)) * B,
    Piecewise((1, A > 1), (A, A > -1), (-1, True)),
    Piecewise((A * B, sympy.Lt(0, A, evaluate=False)), (B, True)),
    Piecewise((Piecewise((0, B > 0), (A, True)), A > 0), (Rational(1, 7), True)),
    Piecewise((exp(B), (A > 0) & (B < 1)), (Rational(1, 10), (A < -1) | (B > 2)), (A, True)),
]
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
EXPRESSIONS = pytest.mark.parametrize("expression", MIXED, ids=str)


def truth(expression: sympy.Expr) -> np.ndarray:
    rows = zip(POINTS["a"], POINTS["b"])
    return np.array([float(expression.subs({A: a, B: b}).evalf(20)) for a, b in rows])


@pytest.mark.slow
@DTYPES
@EXPRESSIONS
def test_constants_take_the_dtype_of_the_data_and_keep_its_digits(expression, dtype):
    code = tensorflow_function([A, B], [expression])
    columns = [tf.constant(column, dtype) for column in POINTS.values()]
    compiled = tf.function(lambda *arguments: code(*arguments)[0], jit_compile=True)
    precision = 1e-6 if dtype == "float32" else 1e-14
    for value in (code(*columns)[0], compiled(*columns)):
        assert value.dtype == dtype
        np.testing.assert_allclose(value, truth(expression), rtol=precision)


def test_outside_all_pieces_the_value_is_not_a_number():
    (value,) = tensorflow_function([A], [Piecewise((A, A > 0), (A**2, A < -1))])(
        tf.constant([0.5, -0.5, -2.0])
    )
    np.testing.assert_array_equal(value, [0.5, np.nan, 4.0])


def test_what_does_not_depend_on_the_arguments_is_a_number():
    values = tensorflow_function([A], [pi, sympy.Integer(2), A])(tf.constant([1.0]))
    assert values[0] == np.pi and isinstance(values[0], float)
    assert values[1] == 2 and isinstance(values[1], int)


def test_common_parts_are_computed_once():
    calls = []

    def counted(argument):
        calls.append(argument)
        return tf.exp(argument)

    code = tensorflow_function([A, B], [exp(A * B), exp(A * B) * A, exp(A * B) * B])
    code.__globals__["exp"] = counted
    code(tf.constant(1.0), tf.constant(2.0))
    assert len(calls) == 1


def test_sines_of_float32_are_fast_only_when_asked():
    x = tf.constant(np.linspace(-3, 3, 1000), tf.float32)
    (fast,) = tensorflow_function([A], [sympy.sin(A)])(x)
    (plain,) = tensorflow_function([A], [sympy.sin(A)], fast=False)(x)
    np.testing.assert_array_equal(plain, tf.sin(x))
    np.testing.assert_allclose(fast, plain, atol=3e-7)
    assert np.any(fast.numpy() != plain.numpy())


def test_a_constant_that_is_not_real_gives_nan():
    (value,) = tensorflow_function([A], [A * sympy.acos(2)])(tf.constant([1.0]))
    assert np.isnan(value)
