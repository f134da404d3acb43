"""Formulas and their front: text that reads back, a layer of equal values, rows in order."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.pareto_front import ParetoFront
from keras_symgrad.search.core.model_selection import POOR_FIT, choose_model

NAMES = ("x1", "petal length (cm)", "lambda")
x1, petal, greek = map(symbol, NAMES)
EXPRESSIONS = [
    x1**2 + 2.0 * petal**2,
    sympy.exp(x1 - petal) - sympy.pi * greek,
    0.1 * sympy.log(greek) / (x1 + sympy.Rational(1, 3)),
    sympy.Abs(x1) * sympy.sqrt(petal) ** 3 + sympy.sin(1.2345678901234567 * greek),
    sympy.Max(x1, petal) - sympy.tanh(greek),
]


def formula(expression, complexity=5, loss=1e-3) -> Formula:
    return Formula(expression, complexity, loss, NAMES)


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(0.1, 2, size=(50, 3))


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_text_reads_back_as_the_same_expression(expression):
    assert from_text(formula(expression).to_text(), NAMES) == expression
    assert str(formula(expression)) == formula(expression).to_text()


def test_a_variable_called_pi_is_never_taken_for_the_number():
    names = ("pi", "E")
    pi, e = map(symbol, names)
    for expression in (sympy.pi * e**2, sympy.pi * e + pi, sympy.exp(pi) + e):
        text = Formula(expression, 5, 1e-3, names).to_text()
        assert from_text(text, names) == expression


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_values_are_those_of_sympy_and_of_the_layer(expression, x):
    values = formula(expression)(x)
    for row, value in zip(x[:5], values):
        exact = expression.subs(dict(zip((x1, petal, greek), row))).evalf()
        assert value == pytest.approx(float(exact), rel=1e-12)
    layer = formula(expression).to_layer(dtype="float64")
    np.testing.assert_allclose(np.asarray(layer(x))[:, 0], values, rtol=1e-9)


def test_a_layer_is_trainable_only_if_it_is_asked_to_be():
    expression = x1 + 2.5 * petal
    assert formula(expression).to_layer(name="rule").name == "rule"
    for trainable in (True, False):
        layer = formula(expression).to_layer(trainable=trainable)
        layer.build((None, 3))
        assert len(layer.trainable_weights) == trainable


def test_a_formula_knows_its_own_operators_in_a_layer(x):
    expression = sympy.exp(-(x1**2)) + petal
    own = Formula(expression, 4, 0.1, NAMES, OperatorSet("add, gauss"))
    layer = own.to_layer(dtype="float64")
    np.testing.assert_allclose(np.asarray(layer(x))[:, 0], own(x), rtol=1e-12)


def test_what_is_undefined_is_not_a_number_and_no_warning():
    values = formula(sympy.log(x1))(np.array([[-1.0, 0, 0], [1.0, 0, 0]]))
    np.testing.assert_array_equal(values, [np.nan, 0.0])


def test_people_read_rounded_constants_and_files_hold_all_digits():
    exact = formula(x1**2 + 1.9996 * petal)
    assert exact.to_pretty() == "2*'petal length (cm)' + x1**2"
    assert exact.to_pretty(5) == "1.9996*'petal length (cm)' + x1**2"
    assert "1.9996" in exact.to_dict()["expression"]
    assert r"\text{petal length (cm)}" in exact.to_latex()
    assert exact._repr_latex_() == f"${exact.to_latex()}$"


def test_a_front_is_ordered_and_holds_nothing_that_a_simpler_row_beats():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = [
            formula(x1 + k, int(c), float(loss))
            for k, (c, loss) in enumerate(zip(rng.integers(1, 20, 30), rng.exponential(size=30)))
        ]
        front = ParetoFront(rows)
        complexities = [row.complexity for row in front]
        losses = [row.loss for row in front]

        assert complexities == sorted(set(complexities))
        assert losses == sorted(losses, reverse=True)
        for row in rows:
            assert any(
                kept.complexity <= row.complexity and kept.loss <= row.loss / 0.99 for kept in front
            )
        # Three variables: 1 - |cos| is 1.5 times the loss.
        assert front.best is front[choose_model(complexities, losses, poor=POOR_FIT / 1.5)]


def test_a_front_does_not_depend_on_the_order_of_its_rows():
    rows = [formula(x1 + k, c, loss) for k, (c, loss) in enumerate([(3, 0.5), (7, 0.1), (5, 0.2)])]
    assert list(ParetoFront(rows)) == list(ParetoFront(rows[::-1]))


def test_a_perfect_row_ends_the_front():
    front = ParetoFront([formula(x1, 3, 0.0), formula(x1 + petal, 5, 0.0)])
    assert [row.complexity for row in front] == [3]


def test_a_front_marks_its_best_row_and_can_be_indexed():
    front = ParetoFront(
        [formula(x1, 1, 0.3), formula(x1 + petal, 3, 1e-6), formula(greek, 9, 9e-7)]
    )
    assert len(front) == 3
    assert front[-1].complexity == 9
    (marked,) = [line for line in str(front).splitlines() if line.endswith("<-- best")]
    assert front.best.to_pretty() in marked
    assert "petal length" in marked


def test_a_front_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least one formula"):
        ParetoFront([])
