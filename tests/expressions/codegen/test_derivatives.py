"""Derivatives of real expressions, kinks included, against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from sympy import Abs, Heaviside, Max, Min, Piecewise, sign

from keras_symgrad.expressions.codegen.derivatives import differentiate

X, Y = sympy.symbols("x y", real=True)
KINKED = [
    Abs(X),
    Abs(X * Y - 1),
    Abs(sympy.log(Abs(X))) * Y,
    sign(X) * X**2,
    sign(X - Y) * sympy.exp(Y),
    sign(X) * Abs(X) ** sympy.Rational(1, 3),
    Max(X, Y),
    Max(X, 0) * Y,
    Max(X, Y, X * Y),
    Min(X, sympy.sin(Y), 1),
    Max(Min(X, 1), -1) * Y**2,
    Heaviside(X - Y) * X * Y,
    Piecewise((X, X > 0), (sympy.exp(X) - 1, True)),
    Piecewise((X**2 / 2, Abs(X) < 1), (Abs(X) - sympy.Rational(1, 2), True)),
    sympy.sqrt(X**2) * Y,
    sympy.atan2(Y, X),
]


def value(expression: sympy.Expr, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    code = sympy.lambdify((X, Y), expression, "numpy")
    # One point at a time: SymPy's code for Max and Min does not take arrays beside numbers.
    return np.array([float(code(float(p), float(q))) for p, q in zip(x, y)])


@pytest.mark.parametrize("expression", KINKED, ids=str)
def test_derivatives_are_those_of_finite_differences_on_both_sides_of_kinks(expression):
    # No kink lies within the step of these points.
    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 40))
    step = 1e-6
    for symbol, shift in ((X, (step, 0)), (Y, (0, step))):
        up = value(expression, x + shift[0], y + shift[1])
        down = value(expression, x - shift[0], y - shift[1])
        found = value(differentiate(expression, symbol), x, y)
        np.testing.assert_allclose(found, (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("expression", KINKED, ids=str)
def test_second_derivatives_have_no_weight_on_the_kink(expression):
    x, y = np.random.default_rng(1).uniform(-2, 2, (2, 40))
    step = 1e-5
    for first in (X, Y):
        slope = differentiate(expression, first)
        second = differentiate(slope, X)
        assert not second.has(sympy.DiracDelta, sympy.Derivative, sympy.Subs)
        up, down = value(slope, x + step, y), value(slope, x - step, y)
        np.testing.assert_allclose(
            value(second, x, y), (up - down) / (2 * step), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("expression", KINKED, ids=str)
def test_only_functions_of_sympy_come_back(expression):
    derivative = differentiate(expression, X)
    for function in derivative.atoms(sympy.Function):
        assert type(function).__module__.startswith("sympy.")
    assert not derivative.has(Heaviside)


def test_smooth_expressions_are_left_to_sympy():
    expression = sympy.exp(X * Y) / (1 + sympy.cos(X) ** 2)
    assert differentiate(expression, X) == expression.diff(X)
    assert differentiate(expression, sympy.Symbol("z")) == 0


def test_at_the_kink_itself_the_derivative_is_the_mean_of_both_sides():
    assert differentiate(Abs(X), X).subs(X, 0) == 0
    assert differentiate(Max(X, 0), X).subs(X, 0) == sympy.Rational(1, 2)
    assert differentiate(Max(X, Y), X).subs({X: 1, Y: 1}) == sympy.Rational(1, 2)


def test_what_sympy_cannot_differentiate_stays_a_derivative():
    unknown = sympy.Function("f")(X)
    assert differentiate(unknown, X).has(sympy.Derivative)
