"""The decision rule: which side says yes, and how often the network agrees."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.formulas.constants.uncertainty import Constant
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.rule import Rule

x1, x2 = sympy.symbols("x1 x2", real=True)
NAMES = ("x1", "x2")


def formula(expression) -> Formula:
    return Formula(expression, 5, 1e-4, NAMES)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))


def test_agreement_is_the_share_of_equal_decisions_counted_one_by_one(x):
    yes = x[:, 0] + 0.1 * x[:, 1] > 0.2
    rule = Rule.of(formula(x1), Constant(0.25), True, x, yes)

    alike = sum((row[0] > 0.25) == bool(decision) for row, decision in zip(x, yes))
    assert rule.agreement == alike / 1000
    assert 0.9 < rule.agreement < 1
    assert rule.points == 1000
    assert rule.direction == ">"


def test_a_falling_phi_turns_the_rule_around(x):
    yes = x[:, 0] ** 2 + x[:, 1] ** 2 < 0.5
    rule = Rule.of(formula(x1**2 + x2**2), Constant(0.5), False, x, yes)

    assert rule.direction == "<"
    assert rule.agreement == 1
    np.testing.assert_array_equal(rule.decides(x), yes)
    assert Rule.of(formula(x1**2 + x2**2), Constant(0.5), True, x, yes).agreement == 0


@pytest.mark.parametrize("rising", [True, False])
def test_it_says_no_where_the_formula_has_no_value(x, rising):
    undefined = x[:, 0] < 0
    rule = Rule.of(formula(sympy.log(x1)), Constant(0.0), rising, x, np.zeros(1000, bool))

    assert not rule.decides(x)[undefined].any()
    expected = (x[:, 0] > 1) if rising else (x[:, 0] < 1)
    np.testing.assert_array_equal(rule.decides(x), expected & ~undefined)


def test_text_latex_and_plain_data_say_the_same(x):
    concept = formula(x1**2 + 2.0004 * x2**2)
    rule = Rule.of(concept, Constant(1.0), True, x, np.ones(1000, bool))

    assert rule.text == "x1**2 + 2*x2**2 > 1.00"
    assert rule.latex == "x_{1}^{2} + 2 x_{2}^{2} > 1.00"
    assert rule._repr_latex_() == f"${rule.latex}$"
    assert str(rule).startswith(rule.text)
    assert str(rule).endswith("% of 1,000 points)")
    plain = json.loads(json.dumps(rule.to_dict()))
    assert plain == {
        "text": rule.text,
        "threshold": 1.0,
        "level": {"value": 1.0, "low": -np.inf, "high": np.inf, "shown": None},
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
    latex = Rule.of(formula(x1), Constant(threshold), True, x, np.ones(1000, bool)).latex
    assert shown in latex
    assert "e" not in latex


def test_numbers_are_written_with_as_many_digits_as_the_agreement_needs():
    x = 1000 + np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    yes = x[:, 0] + 1.23456 * x[:, 1] > 2234.61
    rule = Rule.of(formula(x1 + 1.23456 * x2), Constant(2234.61), True, x, yes)
    assert rule.agreement == 1

    left, threshold = rule.text.split(" > ")
    values = from_text(left, NAMES)
    read = sympy.lambdify((x1, x2), values)(*x.T) > float(threshold)
    assert np.mean(read == yes) >= 0.999
    assert 5 <= rule.digits <= 7
    # Where three digits are enough, it is three.
    assert (
        Rule.of(formula(x1 + 1.23456 * x2), Constant(0.0), True, x, np.ones(2000, bool)).digits == 3
    )


def read(text: str, x: np.ndarray) -> np.ndarray:
    """The decisions of whoever reads the text of a rule."""
    left, relation, right = re.fullmatch("(.*) ([<>]) (.*)", text).groups()
    sides = [sympy.lambdify((x1, x2), from_text(side, NAMES))(*x.T) for side in (left, right)]
    return sides[0] > sides[1] if relation == ">" else sides[0] < sides[1]


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize("threshold", [0.0, -0.00164])
def test_where_zero_lies_inside_the_interval_both_sides_have_terms(x, rising, threshold):
    concept = formula(1.004 * x1**2 - x2 - 0.25 * x1)
    yes = (concept(x) > 0) == rising
    rule = Rule.of(concept, Constant(threshold, -0.003, 0.002), rising, x, yes)

    larger, smaller = "x1**2", "0.25*x1 + x2"
    assert rule.text == (f"{larger} > {smaller}" if rising else f"{smaller} > {larger}")
    assert rule.threshold == 0
    assert rule.latex.count(">") == 1 and "<" not in rule.latex
    assert rule.to_mathml().count("&gt;") == 1
    np.testing.assert_array_equal(read(rule.text, x), rule.decides(x))


def test_one_side_that_would_be_empty_is_zero(x):
    rule = Rule.of(formula(x1 + x2), Constant(0.001, -0.01, 0.01), True, x, x.sum(axis=1) > 0)
    assert rule.text == "x1 + x2 > 0"
    product = Rule.of(formula(x1 * x2), Constant(0.001, -0.01, 0.01), False, x, x.prod(axis=1) < 0)
    assert product.text == "x1*x2 < 0"
    assert product.latex == "x_{1} x_{2} < 0"


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (Constant(1.002, 0.98, 1.03), "1"),
        (Constant(0.4993, 0.495, 0.505), "1/2"),
        (Constant(3.1402, 3.138, 3.143), "pi"),
        (Constant(1.17, 1.14, 1.2), "1.17"),
        (Constant(1.002), "1.00"),
    ],
)
def test_a_simple_threshold_is_shown_where_the_interval_speaks_for_it(level, text):
    x = np.random.default_rng(0).uniform(-2, 2, size=(1000, 2))
    concept = formula(x1**2 + x2**2)
    rule = Rule.of(concept, level, True, x, concept(x) > level.value)
    assert rule.text == f"x1**2 + x2**2 > {text}"
    assert rule.threshold == pytest.approx(float(sympy.sympify(text)))
    np.testing.assert_array_equal(read(rule.text, x), rule.decides(x))
    plain = json.loads(json.dumps(rule.to_dict()))
    assert (plain["threshold"], plain["level"]["value"]) == (rule.threshold, level.value)


def test_a_simple_threshold_that_decides_worse_is_not_shown(x):
    yes = x[:, 0] > 0.05
    rule = Rule.of(formula(x1), Constant(0.05, -0.3, 0.4), True, x, yes)
    assert rule.text == "x1 > 0.0500"
    assert rule.agreement == 1


def test_the_agreement_is_that_of_the_rule_as_it_is_read():
    x = np.random.default_rng(1).uniform(-1, 1, size=(5000, 2))
    concept = formula(x1 + 0.33349 * x2**2)
    rule = Rule.of(concept, Constant(0.51249, 0.51, 0.515), True, x, concept(x) > 0.51249)
    assert rule.text == "x1 + 0.333*x2**2 > 0.512"
    assert rule.agreement == np.mean(read(rule.text, x) == (concept(x) > 0.51249))
    np.testing.assert_array_equal(read(rule.text, x), rule.decides(x))
