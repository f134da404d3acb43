"""Formulas in the user's units: printed, computed, layered and kept without a loss of digits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy
import tensorflow as tf

from keras_symgrad.expressions.formats.mathml import to_mathml
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.formats.text import to_latex, to_pretty
from keras_symgrad.formulas.formula import Formula, ScaledFormula
from keras_symgrad.formulas.scale_factors import in_users_units
from keras_symgrad.formulas.symbolic_layer import SymbolicLayer
from keras_symgrad.gradients.own_units import OwnUnits

NAMES = ("x1", "x2")
X1, X2 = sympy.symbols("x1 x2", real=True)
UNITS = OwnUnits(NAMES, {"x1": (101325.0, 1.0), "x2": (0.0, 1e-25)})
Z = np.random.default_rng(0).uniform(0.5, 2, (60, 2))
FORMS = [
    X1**2 + 2.5 * X2**2,
    X1 * X2,
    sympy.sin(2.5 * X1) / X2,
    X2 - X1,
    sympy.exp(-(X1**2) / 2) * sympy.sqrt(X2),
    (X1 + 3 * X2) / (X1 - 3.5 * X2),
    X1 ** (-2) * sympy.log(X2),
    sympy.Max(X1, X2) - X1 * X2,
]


def formula(expression, units=UNITS):
    return ScaledFormula.of(Formula(expression, 9, 0.1, NAMES), units)


@pytest.mark.parametrize("expression", FORMS, ids=str)
def test_a_printed_formula_is_read_back_with_the_same_values(expression):
    own = formula(expression)
    x = Z * own.units.scales + own.units.offsets
    again = Formula(from_text(own.to_pretty(17), NAMES), 9, 0.1, NAMES)
    expected = Formula(expression, 9, 0.1, NAMES)(UNITS.points(x))
    np.testing.assert_allclose(own(x), expected, rtol=1e-9)
    np.testing.assert_allclose(again(x), expected, rtol=1e-7)


def test_brackets_stand_where_they_must_and_offsets_have_all_digits():
    assert to_pretty(X1**2 - X2, units=UNITS.units) == "(x1 - 101325)**2 - x2/1e-25"
    assert to_pretty(X2 - 2 * X1, 2, units=UNITS.units) == "-2*(x1 - 101325) + x2/1e-25"
    assert formula((X1 - 12.34) ** 2).to_pretty(2) == "(x1 - 101337)**2"
    assert to_latex(X1 * X2**2, units=UNITS.units) == (
        r"\left(x_{1} - 101325\right) \left(\frac{x_{2}}{10^{-25}}\right)^{2}"
    )
    written = to_mathml(X1**2 + X2, units=UNITS.units)
    assert "101325" in written and "mfrac" in written and "−25" in written


@pytest.mark.parametrize("expression", FORMS, ids=str)
def test_a_layer_has_the_values_and_gradients_of_its_formula_in_float32(expression):
    own = formula(expression)
    layer = own.to_layer()
    # Eighths are exact in float32 at 101325.
    z = np.stack([np.round(Z[:, 0] * 8) / 8, Z[:, 1]], axis=1)
    x = (z * UNITS.scales + UNITS.offsets).astype(np.float32)
    values = own(x.astype(float))
    defined = np.isfinite(values)
    assert defined.any()
    found = np.asarray(layer(x))[defined, 0]
    np.testing.assert_allclose(found, values[defined], rtol=1e-4, atol=1e-6)
    with tf.GradientTape() as tape:
        points = tf.constant(x[defined])
        tape.watch(points)
        total = tf.reduce_sum(layer(points))
    slopes = np.asarray(layer.symbolic_gradient(x[defined])) * UNITS.scales
    by_tape = tape.gradient(total, points) * UNITS.scales
    np.testing.assert_allclose(slopes, by_tape, rtol=1e-3, atol=1e-5)


def test_a_layer_keeps_its_units_in_its_config():
    layer = formula(X1**2 + 2.5 * X2**2).to_layer()
    again = SymbolicLayer.from_config(json.loads(json.dumps(layer.get_config())))
    x = (Z * UNITS.scales + UNITS.offsets).astype(np.float32)
    np.testing.assert_array_equal(again(x), layer(x))
    assert "units" not in SymbolicLayer("x1 + 1.5", ["x1"]).get_config()


def test_scales_that_are_a_factor_around_it_are_left_out():
    units = OwnUnits(NAMES, {"x1": (0.0, 1e-6), "x2": (0.0, 1e-6)})
    x = Z * 1e-6
    for expression, factor in ((X1 * X2**2, 1e-18), (X1 + 2.5 * X2, 1e-6), (X1 / X2, 1.0)):
        shown, times = in_users_units(Formula(expression, 5, 0.0, NAMES), units, x)
        assert shown.expression == expression and times == factor
        np.testing.assert_allclose(shown(x), times * formula(expression, units)(x), rtol=1e-12)
    for expression in (X1 + X2**2, sympy.sin(X1) + X2, sympy.log(X1) + X2):
        shown, times = in_users_units(Formula(expression, 5, 0.0, NAMES), units, x)
        assert times == 1.0
        np.testing.assert_allclose(shown(x), formula(expression, units)(x), rtol=1e-12)


def test_scales_stay_where_float32_cannot_do_without():
    units = OwnUnits(NAMES, {"x1": (0.0, 1e30), "x2": (0.0, 1e30)})
    shown, _ = in_users_units(Formula(X1 * X2, 3, 0.0, NAMES), units, Z * 1e30)
    layer = shown.to_layer()
    x = (Z * 1e30).astype(np.float32)
    np.testing.assert_allclose(np.asarray(layer(x))[:, 0], Z.prod(axis=1), rtol=1e-5)


def test_json_holds_the_units_and_refuses_others():
    own = formula(X1**2 + 2.5 * X2**2)
    text = own.to_json()
    again = Formula.from_json(text)
    assert again.to_pretty() == own.to_pretty()
    np.testing.assert_array_equal(again(Z), own(Z))
    content = json.loads(text)
    for units in ({"x9": [0, 1]}, {"x1": [0, 0]}, {"x1": "os.system"}, 3):
        with pytest.raises(ValueError, match="nits"):
            Formula.from_json(json.dumps(content | {"units": units}))


def test_rewriting_and_freeing_keep_the_units():
    with_free_coefficients = formula(X1**2 - 2 * X2).with_free_coefficients()
    assert with_free_coefficients.to_pretty() == "(x1 - 101325)**2 - 2*x2/1e-25"
    assert len(with_free_coefficients.to_layer().get_config()["units"]) == 2
