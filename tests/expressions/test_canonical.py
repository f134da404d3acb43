"""The canonical form keeps the direction of the gradient and nothing else."""

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.canonical import canonicalize
from keras_symgrad.expressions.codegen.derivatives import differentiate
from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import symbol

SYMBOLS = x1, x2, x3 = tuple(map(symbol, ("x1", "x2", "x3")))
exp, log, sin, tanh = sympy.exp, sympy.log, sympy.sin, sympy.tanh


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (exp(3.1 * x1**2 + 6.2 * x2**2) - 4, x1**2 + 2.0 * x2**2),
        (5 / (x1 * x2) ** 3, x1 * x2),
        (x2 / x1, x1 / x2),
        (x1 * x2 / (1 + x1 * x2), x1 * x2),
        ((2 * x1 + x2) / (5 - 4 * x1 - 2 * x2), 2 * x1 + x2),
        (1 / (1 + 1 / (x1 + x2)), x1 + x2),
        (sympy.cbrt(abs(x1 + x2)) * sympy.sign(x1 + x2), x1 + x2),
        (2 ** (x1 * x2 + 3), x1 * x2),
        (log(1 + exp(x1 - x2)), x1 - x2),
        ((1 + tanh((x1 + x2) / 2)) / 2, x1 + x2),
        (exp(-x1) * exp(-2 * x2), x1 + 2 * x2),
        (sympy.sqrt(x1) * sympy.sqrt(x2) * 3, x1 * x2),
        (3.0 * (x1 + x2) ** 2.5, x1 + x2),
        ((x1**2 + x2**2) ** 4, x1**2 + x2**2),
        (sympy.sqrt(x1**2 + x2**2), x1**2 + x2**2),
        (-0.5 * x1 + x2, x1 - 2.0 * x2),
        (x1 / 2 + x2 / 3, 3 * x1 + 2 * x2),
        (1e-6 * x1 + x2 + 1.5 * x3, 1e-6 * x1 + x2 + 1.5 * x3),
        (x1 * exp(-(x2**2 + x3**2) / 2), x1 * exp(-(x2**2) / 2 - x3**2 / 2)),
        (sympy.Integer(7) + sympy.pi, sympy.Integer(7) + sympy.pi),
    ],
)
def test_what_keeps_the_concept_is_taken_away(expression, expected):
    assert sympy.simplify(canonicalize(expression) - expected) == 0


@pytest.mark.parametrize(
    "expression",
    [x1**2, tanh(x1) ** 2, sin(x1 + x2), sympy.Abs(x1), x1**2 * x2**2, sympy.Max(x1, x2)],
)
def test_what_is_not_monotone_stays(expression):
    assert canonicalize(expression) == expression


def test_an_even_power_stays_a_square():
    assert canonicalize((x1 - x2) ** 4) == (x1 - x2) ** 2
    assert canonicalize(3 / tanh(x1) ** 4) == tanh(x1) ** 2


def test_a_root_does_not_lose_the_sign_of_another_factor():
    expression = x3 * sympy.sqrt(x1)
    assert canonicalize(expression) == expression


def test_monotone_operators_of_a_user_are_taken_away():
    growing = Operator("growing", lambda a: a**3 + a)
    expression = 2 * growing(x1 * sin(x2)) + 1
    assert canonicalize(expression, OperatorSet(["add", growing])) == x1 * sin(x2)
    assert canonicalize(sympy.exp(growing(growing(x1))), OperatorSet(growing)) == x1
    assert canonicalize(expression) != x1 * sin(x2)


@pytest.mark.slow
def test_the_canonical_form_of_a_canonical_form_is_itself(real_formulas):
    for _, expression in real_formulas(OperatorSet("default"), 100, seed=6):
        once = canonicalize(expression)
        assert canonicalize(once) == once


@pytest.mark.slow
def test_gradients_stay_parallel(real_formulas, operators):
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0.2, 1.8, (30, 3)), rng.uniform(-2, 2, (30, 3))])
    compared = changed = 0
    for _, expression in real_formulas(operators, 60, seed=7):
        form = canonicalize(expression, operators)
        if not expression.free_symbols:
            continue
        assert form.free_symbols, expression
        both = [differentiate(e, s) for e in (expression, form) for s in SYMBOLS]
        values = numpy_function([expression, *both], SYMBOLS)(points)
        before, after = values[:, 1:4], values[:, 4:]
        size = np.linalg.norm(np.clip(before, -1e100, 1e100), axis=1)
        # Where the formula has no value, or is flat up to rounding, there is no direction.
        scale = np.maximum(np.abs(values[:, 0]), 1e-9)
        rows = np.isfinite(values[:, :4]).all(axis=1) & (size > 1e-6 * scale) & (size < 1e100)
        if rows.any():
            before = before[rows] / size[rows, None]
            after = after[rows] / np.linalg.norm(after[rows], axis=1, keepdims=True)
            cosine = (before * after).sum(axis=1)
            text = f"{expression} -> {form}"
            np.testing.assert_allclose(np.abs(cosine), 1, atol=1e-9, err_msg=text)
            assert len(set(np.sign(cosine))) == 1, text
            compared += 1
            changed += form != expression
    assert compared > 30
    assert changed > 12
