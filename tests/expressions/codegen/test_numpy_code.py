"""Expressions as functions of numbers."""

import gc
import weakref

import numpy as np
import pytest
import sympy
from sympy import log, pi, sqrt

from keras_symgrad.expressions.codegen.numpy_code import (
    MAX_KEPT_FUNCTIONS,
    anonymous,
    numpy_function,
    with_float_constants,
)
from keras_symgrad.expressions.trees import symbol

X = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    "name", ["exp", "lambda", "s0", "x y", "__import__('os').abort()", "numpy"]
)
def test_no_name_becomes_code(name):
    x, other = symbol(name), symbol("s1")
    values = numpy_function([sympy.exp(x) + other], [x, other])(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(values, [[np.e + 2]])


def test_symbols_are_renamed_all_at_once():
    s0, s1 = symbol("s0"), symbol("s1")
    new, (expression,) = anonymous([s0 / s1], [s1, s0])
    assert expression == new[1] / new[0]


def test_constants_have_a_value_for_every_row_and_what_is_undefined_is_nan():
    x = symbol("x")
    function = numpy_function([sympy.pi, sympy.log(x), 1 / x, sympy.sqrt(-1) * x], [x])
    values = function(np.array([[-1.0], [0.0], [2.0]]))
    assert values.shape == (3, 4)
    np.testing.assert_allclose(values[:, 0], np.pi)
    np.testing.assert_allclose(values[2, 1], np.log(2))
    assert np.isnan(values[0, 1])
    assert np.isinf(values[1, 2])
    assert np.isnan(values[0, 3])


def test_a_condition_on_numbers_alone_is_one_for_all_rows():
    x = sympy.Symbol("x", real=True)
    condition = sympy.Lt(sympy.Float(0.25), sympy.sin(1, evaluate=False), evaluate=False)
    pieces = sympy.Piecewise((x**2, condition), (x, True), evaluate=False)
    found = numpy_function([pieces, pieces + 1], [x])(np.array([[2.0], [3.0]]))
    np.testing.assert_array_equal(found, [[4, 5], [9, 10]])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (pi, sympy.Float(np.pi, 17)),
        (sqrt(2) * X, sympy.Float("1.4142135623730950488", 17) * X),
        (X**2 / 3, X**2 / 3),
        (log(-1), sympy.nan),
        (sqrt(-2), sympy.nan),
        (sympy.zoo, sympy.nan),
        (sympy.oo, sympy.oo),
    ],
    ids=str,
)
def test_constants_become_floats_and_what_is_not_real_nan(expression, expected):
    found = with_float_constants(expression)
    assert found == expected or abs(found - expected).subs(X, 1) < 1e-16


def test_functions_of_earlier_searches_are_not_kept():
    functions = [weakref.ref(numpy_function([X + k], [X])) for k in range(MAX_KEPT_FUNCTIONS + 60)]
    gc.collect()
    assert sum(function() is not None for function in functions) == MAX_KEPT_FUNCTIONS
    assert numpy_function([X + 1], [X])(np.array([[2.0]])) == 3
