"""The decision rule: which side says yes, and how often the network agrees."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.text import from_text
from keras_symgrad.formula import Formula
from keras_symgrad.rule import Rule

x1, x2 = sympy.symbols("x1 x2", real=True)
NAMES = ("x1", "x2")


def formula(expression) -> Formula:
    return Formula(expression, 5, 1e-4, NAMES)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))


def test_agreement_is_the_share_of_equal_decisions_counted_one_by_one(x):
    yes = x[:, 0] + 0.1 * x[:, 1] > 0.2
    rule = Rule.of(formula(x1), 0.25, True, x, yes)

    alike = sum((row[0] > 0.25) == bool(decision) for row, decision in zip(x, yes))
    assert rule.agreement == alike / 1000
    assert 0.9 < rule.agreement < 1
    assert rule.points == 1000
    assert rule.direction == ">"


def test_a_falling_phi_turns_the_rule_around(x):
    yes = x[:, 0] ** 2 + x[:, 1] ** 2 < 0.5
    rule = Rule.of(formula(x1**2 + x2**2), 0.5, False, x, yes)

    assert rule.direction == "<"
    assert rule.agreement == 1
    np.testing.assert_array_equal(rule.decides(x), yes)
    assert Rule.of(formula(x1**2 + x2**2), 0.5, True, x, yes).agreement == 0


@pytest.mark.parametrize("rising", [True, False])
def test_it_says_no_where_the_formula_has_no_value(x, rising):
    undefined = x[:, 0] < 0
    rule = Rule.of(formula(sympy.log(x1)), 0.0, rising, x, np.zeros(1000, bool))

    assert not rule.decides(x)[undefined].any()
    expected = (x[:, 0] > 1) if rising else (x[:, 0] < 1)
    np.testing.assert_array_equal(rule.decides(x), expected & ~undefined)


def test_text_latex_and_plain_data_say_the_same(x):
    concept = formula(x1**2 + 2.0004 * x2**2)
    rule = Rule.of(concept, 1.0, True, x, np.ones(1000, bool))

    assert rule.text == "x1**2 + 2*x2**2 > 1.00"
    assert rule.latex == "x_{1}^{2} + 2 x_{2}^{2} > 1.00"
    assert rule._repr_latex_() == f"${rule.latex}$"
    assert str(rule).startswith(rule.text)
    assert str(rule).endswith("% of 1,000 points)")
    plain = json.loads(json.dumps(rule.to_dict()))
    assert plain == {
        "text": rule.text,
        "threshold": 1.0,
        "direction": ">",
        "agreement": rule.agreement,
        "points": 1000,
        "digits": 3,
    }


@pytest.mark.parametrize(
    ("threshold", "shown"),
    [(3.1415, "3.14"), (0.0, "0.00"), (-2.5e-7, r"-2.50 \cdot 10^{-7}"), (1.5e9, r"1.50 \cdot")],
)
def test_a_threshold_of_any_size_is_good_latex(x, threshold, shown):
    latex = Rule.of(formula(x1), threshold, True, x, np.ones(1000, bool)).latex
    assert shown in latex
    assert "e" not in latex


def test_numbers_are_written_with_as_many_digits_as_the_agreement_needs():
    x = 1000 + np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    yes = x[:, 0] + 1.23456 * x[:, 1] > 2234.61
    rule = Rule.of(formula(x1 + 1.23456 * x2), 2234.61, True, x, yes)
    assert rule.agreement == 1

    left, threshold = rule.text.split(" > ")
    values = from_text(left, NAMES)
    read = sympy.lambdify((x1, x2), values)(*x.T) > float(threshold)
    assert np.mean(read == yes) >= 0.999
    assert 5 <= rule.digits <= 7
    # Where three digits are enough, it is three.
    assert Rule.of(formula(x1 + 1.23456 * x2), 0.0, True, x, np.ones(2000, bool)).digits == 3
