"""Formulas in z = x - offset say where in x something happens, and mean what they meant."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.formats.offsets import (
    completed_squares,
    folded,
    own_shift,
    with_unit_slopes,
    with_zeros,
)

Z, Y = sympy.symbols("z y", real=True)
POINTS = np.random.default_rng(0).uniform(-2, 2, (50, 2))


def values(expression):
    return numpy_function([expression], [Z, Y])(POINTS)[:, 0]


@pytest.mark.parametrize(
    "expression", [Z**2 - 10 * Z + Y, 0.3 * Z**2 + 0.7 * Z + sympy.sin(Y), 2 * Z**2 - Z - 3 * Y]
)
def test_a_completed_square_differs_by_a_constant_and_has_the_variable_once(expression):
    completed = completed_squares(expression, [Z])
    assert np.ptp(values(completed) - values(expression)) < 1e-12
    assert sum(part == Z for part in sympy.preorder_traversal(completed)) == 1


@pytest.mark.parametrize("expression", [Z**2 + Y, Z * Y, Z**2 - Z * Y, Z**2 - Z + sympy.sin(Z)])
def test_what_is_no_parabola_of_a_variable_is_left_alone(expression):
    assert completed_squares(expression, [Z]) is None


def test_a_factor_that_is_nearly_the_variable_itself_becomes_it():
    ways = list(with_zeros(Y * Z + 1990.0 * Y + Y**2, {Z: sympy.Integer(2000)}))
    assert [sympy.expand(way) for way in ways] == [sympy.expand(Y * (Z + 2000) + Y**2)]


@pytest.mark.parametrize("expression", [Y * Z + 100.0 * Y, Z + 2000.0, Y * Z + 2000.0 * Y**2])
def test_other_terms_are_no_zero_of_the_variable(expression):
    assert list(with_zeros(expression, {Z: sympy.Integer(2000)})) == []


def test_a_slope_goes_before_its_brackets():
    sloped = with_unit_slopes(Y * (0.5 * Z + 3.0) ** 2, [Z])
    assert sloped == 0.25 * Y * (Z + 6.0) ** 2
    np.testing.assert_allclose(values(sloped), values(Y * (0.5 * Z + 3.0) ** 2))


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e7])
def test_a_folded_formula_has_the_same_values(scale):
    units = {"z": (2000.0, scale)}
    expression, fewer = folded((Z - 5) ** 2 + Y * sympy.exp(Z - 5), units)
    assert own_shift(expression, Z) is None
    offset = fewer["z"][0]
    assert offset == pytest.approx(2000 + 5 * scale)
    z = POINTS[:, 0]
    moved = np.stack([(2000 + z * scale - offset) / scale, POINTS[:, 1]], axis=1)
    found = numpy_function([expression], [Z, Y])(moved)[:, 0]
    np.testing.assert_allclose(found, values((Z - 5) ** 2 + Y * sympy.exp(Z - 5)), rtol=1e-6)


@pytest.mark.parametrize("expression", [(Z - 5) * Z, (Z - 5) * (Z - 4), Y * Z])
def test_a_variable_that_is_shifted_in_two_ways_keeps_its_offset(expression):
    assert folded(expression, {"z": (2000.0, 1.0)}) == (expression, {"z": (2000.0, 1.0)})
