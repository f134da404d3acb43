"""Formulas with one function exchanged for another."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.results.assessment.look_alikes import look_alikes

X, Y, Z = sympy.symbols("x y z", real=True)
OPERATORS = OperatorSet("add, sub, mul, div, square, exp, log, cos")


def forms(expression: sympy.Expr) -> list[sympy.Expr]:
    """Look-alikes with a symbol for each number to be fitted."""
    return [
        form.xreplace({number: sympy.Symbol("c") for number in form.atoms(sympy.Float)})
        for form in look_alikes(expression, OPERATORS)
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (X**2 - 4.5 * X + Y**2, "c*exp(-x) + y**2"),
        (Y**2 - 2 * sympy.log(X), "c*exp(-x) + y**2"),
        (Y**2 + 2 * sympy.cos(X), "c*x**2 + y**2"),
        (Y**2 / sympy.cos(X) - Z, "c*x*y**2 - z"),
        (X * sympy.exp(-(Y**2)), "x*exp(-y)"),
        (sympy.sin(X + Y) + Z, "sin(x + y) + c*exp(z)"),
    ],
)
def test_one_function_is_exchanged_for_another(expression, expected):
    names = {"x": X, "y": Y, "z": Z, "c": sympy.Symbol("c")}
    assert sympy.sympify(expected, names) in forms(expression)


def test_functions_of_two_variables_stay_as_they_are():
    assert all(form.has(sympy.sin(X + Y)) for form in look_alikes(sympy.sin(X + Y) + Z, OPERATORS))
    assert look_alikes(sympy.sin(X + Y), OPERATORS) == []


def test_each_look_alike_is_another_concept_than_the_formula_and_than_the_others():
    expression = Y**2 - 2 * sympy.log(X)
    points = np.random.default_rng(0).uniform(0.5, 2, (50, 2))
    found = [expression, *look_alikes(expression, OPERATORS)]
    slopes = []
    for form in found:
        partials = [sympy.lambdify((X, Y), form.diff(v)) for v in (X, Y)]
        one, other = (np.broadcast_to(p(*points.T), 50) for p in partials)
        slopes.append(one / other)
    # A number is fitted later, so the ratio of two concepts' slopes must not be constant.
    assert len(slopes) > 10
    for k, one in enumerate(slopes):
        assert all(np.ptp(one / other) > 1e-6 for other in slopes[:k])


def test_only_operators_of_the_set_are_used():
    known = look_alikes(X**2 + Y, OperatorSet("add, mul, square"))
    assert known and not any(form.has(sympy.exp, sympy.log, sympy.cos) for form in known)


def test_an_operator_of_your_own_is_a_function_too():
    mine = OperatorSet(["add", "mul", Operator("bump", lambda a: 1 / (1 + a**2))])
    assert any(form.has(1 / (X**2 + 1)) for form in look_alikes(X**2 + Y, mine))
