"""phi in closed form: found for what wraps concepts, measured on other rows, composed with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.files.tables import read_points
from keras_symgrad.formulas.closed_forms import G, fit_closed_forms
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.phi_formula import PhiFormula
from keras_symgrad.neurons.neuron import Neuron

X1, X2 = sympy.symbols("x1 x2", real=True)
SUM = Formula(X1 + X2, 3, 1e-6, ("x1", "x2"))


def points(low: float, high: float, rows: int = 800) -> np.ndarray:
    """Points whose sum fills an interval."""
    rng = np.random.default_rng(0)
    total, share = rng.uniform(low, high, rows), rng.uniform(-1, 1, rows)
    return np.stack([share, total - share], axis=1)


def phi_of(function, low: float, high: float, noise: float = 1e-3, **options) -> PhiFormula:
    x = points(low, high)
    values = function(x.sum(axis=1))
    values = values + noise * values.std() * np.random.default_rng(1).normal(size=len(x))
    return PhiFormula.of(SUM, x[:600], values[:600], x[600:], values[600:], **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, low, high",
    [
        ("3*g - 2", -1, 3),
        ("exp(-g/2)", -1, 3),
        ("2*log(g) + 1", 0.1, 5),
        ("-1/g", 0.3, 4),
        ("(g - 1)**3", -1, 3),
        ("(1 + tanh((3*g - 3)/2))/2", -1, 3),
        ("1/sqrt(1 - g)", -3, 0.9),
        ("asin(g)", -1, 1),
        ("g**(17/10)", 0.01, 3),
    ],
)
def test_what_wraps_a_concept_is_found_with_its_constants(text, low, high):
    truth = from_text(text, ["g"])
    phi = phi_of(sympy.lambdify(truth.free_symbols.pop(), truth, "numpy"), low, high)
    assert sympy.simplify(phi.expression - from_text(text, ["g"])) == 0, phi
    assert phi.r2 == pytest.approx(1 - 1e-6, abs=1e-6)
    assert phi.rows == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, low, high",
    [("tanh(g + 2)", 0, 2), ("exp(-g/50)", 2, 6.6), ("log(exp(3 - g/3) + 1)", 1.3, 5.4)],
)
def test_a_wrapper_is_found_where_its_points_show_little_of_it(text, low, high):
    # Their constants lie along a valley that is nearly flat.
    truth = from_text(text, ["g"])
    phi = phi_of(sympy.lambdify(truth.free_symbols.pop(), truth, "numpy"), low, high, noise=0.0)
    assert sympy.simplify(sympy.nsimplify(phi.expression) - from_text(text, ["g"])) == 0, phi


@pytest.mark.slow
def test_what_no_form_of_the_dictionary_is_gets_searched_for():
    phi = phi_of(lambda g: g + 0.3 * np.exp(g), -1, 3)
    assert sympy.simplify(phi.expression - G - sympy.Rational(3, 10) * sympy.exp(G)) == 0, phi


@pytest.mark.slow
def test_only_monotone_forms_are_found():
    g = np.linspace(-1, 3, 200)
    grid = np.linspace(-1, 3, 1001)
    for curve in fit_closed_forms(g, g**3 - 0.4 * g, floor=1.0):
        steps = np.diff(sympy.lambdify(G, curve.expression, "numpy")(grid))
        assert np.all(steps > 0) or np.all(steps < 0), curve.expression


@pytest.mark.slow
def test_a_number_is_not_made_simple_where_the_data_contradict():
    phi = phi_of(lambda g: np.exp(-0.4871 * g), -1, 3, noise=1e-4)
    (rate,) = phi.expression.args[0].atoms(sympy.Number)
    assert float(rate) == pytest.approx(-0.4871, abs=2e-4)


@pytest.mark.slow
def test_r2_is_that_of_the_whole_formula_on_the_other_rows():
    x = points(-1, 3)
    values = np.exp(-x.sum(axis=1) / 2)
    other = values[600:] + np.random.default_rng(2).normal(0, 0.5 * values.std(), 200)
    phi = PhiFormula.of(SUM, x[:600], values[:600], x[600:], other)
    expected = 1 - np.mean((np.exp(-x[600:].sum(axis=1) / 2) - other) ** 2) / other.var()
    assert phi.r2 == pytest.approx(expected, abs=1e-6)
    assert phi.r2 < 0.95


@pytest.mark.slow
def test_the_neurons_value_is_written_shortly_in_its_variables():
    x = np.random.default_rng(0).uniform(0.1, 2, size=(500, 2))
    concept = Formula(X2**2 - 2 * sympy.log(X1), 9, 1e-6, ("x1", "x2"))
    values = 3 * x[:, 0] * np.exp(-(x[:, 1] ** 2) / 2)
    phi = PhiFormula.of(concept, x[:400], values[:400], x[400:], values[400:])
    assert sympy.simplify(phi.expression - 3 * sympy.exp(-G / 2)) == 0
    assert phi.value.expression == 3 * X1 * sympy.exp(-(X2**2) / 2)
    np.testing.assert_allclose(phi.value(x), phi(concept(x)), rtol=1e-12)
    layer = phi.value.to_layer()
    np.testing.assert_allclose(np.asarray(layer(x))[:, 0], values, rtol=1e-5)


@pytest.mark.slow
def test_a_variable_may_be_called_g_and_operators_may_be_the_users_own():
    g, t = sympy.symbols("g t", real=True)
    bump = Operator("bump", lambda a: sympy.exp(-(a**2)) + a, complexity=2)
    operators = OperatorSet(["arithmetic", bump])
    concept = Formula(g + 2 * sympy.exp(-(t**2)) + 2 * t, 9, 1e-6, ("g", "t"), operators)
    x = np.random.default_rng(0).uniform(0.1, 2, size=(500, 2))
    values = np.log(concept(x))
    phi = PhiFormula.of(concept, x[:400], values[:400], x[400:], values[400:])
    assert phi.expression == sympy.log(G)
    assert phi.value.expression.free_symbols == {g, t}
    np.testing.assert_allclose(phi.value(x), values, rtol=1e-9)


@pytest.mark.slow
def test_it_is_text_latex_and_plain_data():
    phi = phi_of(lambda g: np.exp(-0.4871 * g), -1, 3, noise=0.0)
    assert str(phi) == "exp(-0.487*g)"
    assert phi.to_latex() == "e^{- 0.487 g}"
    assert phi._repr_latex_() == "$e^{- 0.487 g}$"
    kept = json.loads(json.dumps(phi.to_dict()))
    assert sympy.simplify(from_text(kept["expression"], ["g"]) - phi.expression) == 0
    assert set(kept) == {"expression", "complexity", "r2", "rows", "value", "value_complexity"}


@pytest.mark.slow
def test_rows_without_a_value_are_left_out():
    x = points(-1, 3)
    with np.errstate(invalid="ignore"):
        values = 2 * np.log(x.sum(axis=1))
    phi = PhiFormula.of(SUM, x[:600], values[:600], x[600:], values[600:])
    assert sympy.simplify(phi.expression - 2 * sympy.log(G)) == 0
    assert phi.rows == np.sum(x[600:].sum(axis=1) > 0)


@pytest.mark.parametrize(
    "x, values",
    [
        (points(0, 1, 9), np.arange(9.0)),
        (np.ones((50, 2)), np.arange(50.0)),
        (points(0, 1, 50), np.ones(50)),
        (points(0, 1, 50), np.full(50, np.nan)),
    ],
    ids=["few rows", "constant formula", "constant neuron", "no value"],
)
def test_what_has_no_curve_is_refused(x, values):
    with pytest.raises(ValueError, match="at least ten rows"):
        PhiFormula.of(SUM, x, values, x, values)


@pytest.mark.slow
def test_a_trained_regressor_is_given_back_as_a_formula(models):
    x, names = read_points(models / "air_pressure.csv")
    mass, height, temperature = sympy.symbols(" ".join(names), real=True)
    concept = Formula(mass * height / temperature, 5, 1e-5, names)
    values = np.asarray(Neuron.of(models / "air_pressure.keras")(x), dtype=float)
    phi = PhiFormula.of(concept, x[:2000], values[:2000], x[2000:], values[2000:])
    # The network learned exp(-g M h/(R T)), and g/R is 1.180.
    rate = -phi.expression.args[0].coeff(G) if phi.expression.func is sympy.exp else None
    assert float(rate) == pytest.approx(9.81 / 8.314, rel=2e-3), phi
    assert phi.r2 > 0.9999
