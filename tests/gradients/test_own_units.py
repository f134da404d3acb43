"""Rescaled columns: the choice of units, and that a formula is the same in them.

That the answer does not depend on units is a fact of the mathematics; here it is one of the tool.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.engine.reference import gradient
from keras_symgrad.gradients.own_units import FARTHEST_OF_NETWORK, OwnUnits, checked_units, roundest

QUICK = {
    "operators": "add, mul, square",
    "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
    "verbose": False,
}
U = np.random.default_rng(0).uniform(-1, 1, (200, 2))


def error(concept, u, truth, scale, offset):
    """1 - |cos| to the truth's gradients by u, on points x = scale u + offset."""
    found = gradient(concept.best.expression, concept.names, u * scale + offset) * scale
    found /= np.abs(found).max(axis=1, keepdims=True)
    size = np.linalg.norm(found, axis=1) * np.linalg.norm(truth, axis=1)
    return float(np.mean(1 - np.abs((found * truth).sum(axis=1)) / size))


def test_ordinary_columns_stay_as_they_are():
    x = U * [1e3, 1e-3] + [4e3, 0.9]
    assert OwnUnits.of(x, ["a", "b"]) is None
    assert OwnUnits.of(np.ones((20, 2)) * 1e30, ["a", "b"]) is None
    assert OwnUnits.of((U > 0).astype(float), ["a", "b"]) is None


@pytest.mark.parametrize("power", [-30, -12, -6, 6, 12, 30])
def test_a_wide_or_narrow_column_gets_a_power_of_ten(power):
    own = OwnUnits.of(U * [10.0**power, 1.0], ["a", "b"])
    assert own.units == {"a": (0.0, float(f"1e{power}"))}
    assert 0.1 < np.abs(own.points(U * [10.0**power, 1.0])).max() < 10


def test_columns_in_one_unit_share_a_scale():
    own = OwnUnits.of(U * [1e-9, 2e-11], ["a", "b"])
    assert own.units["a"] == own.units["b"]


@pytest.mark.parametrize(
    ("centre", "width", "unit"),
    [
        (1e6, 1.0, (1e6, 1.0)),
        (2005.0, 15.0, (2000.0, 1.0)),
        (101325.0, 500.0, (100000.0, 1.0)),
        (1.7e9, 1e7, (1.7e9, 1e7)),
        (-1e6, 1.0, (-1e6, 1.0)),
    ],
)
def test_a_column_far_from_zero_gets_a_round_offset(centre, width, unit):
    x = U[:, :1] * width + centre
    assert OwnUnits.of(x, ["a"], farthest=FARTHEST_OF_NETWORK).units == {"a": unit}
    assert OwnUnits.of(x, ["a"], kept=["a"], farthest=FARTHEST_OF_NETWORK) is None


def test_the_roundest_number_has_the_fewest_digits():
    assert roundest(101225.0, 101425.0) == 101300.0
    assert roundest(-2.4e-7, -1.9e-7) == -2e-7


def test_gradients_by_own_variables_have_the_same_directions():
    x = U * [1e-25, 1e20] + [0.0, 1e26]
    own = OwnUnits.of(x, ["x1", "x2"])
    x1, x2 = sympy.symbols("x1 x2", real=True)
    in_own = sympy.sin(2.5 * x1) + x1 * x2**2
    field = ks.GradientField.from_gradients(x, U[:, ::-1] / [1e-25, 1e20])
    theirs = field.directions_of(gradient(own.in_users(in_own), own.names, x))
    again = own.field(field)
    np.testing.assert_allclose(
        again.directions_of(gradient(in_own, own.names, again.points)), theirs, atol=1e-8
    )
    np.testing.assert_array_equal(again.directions, field.directions)


def test_points_are_those_that_a_network_saw():
    x = U + 1e6
    field = ks.GradientField.from_gradients(x, U)
    seen = OwnUnits.of(x, ["x1", "x2"]).field(field, "float32").points
    np.testing.assert_array_equal(seen, x.astype("float32").astype(float) - 1e6)


@pytest.mark.parametrize("unit", [(1.0,), (0.0, 0.0), (np.nan, 1.0), "ab", (0.0, -1.0)])
def test_units_that_are_none_are_refused_with_the_variable(unit):
    with pytest.raises(ValueError, match="x1"):
        checked_units({"x1": unit}, ["x1"])
    with pytest.raises(ValueError, match="variables are x1"):
        checked_units({"x3": (0.0, 1.0)}, ["x1"])


@cache
def plain():
    return ks.interpret(ks.GradientField.from_gradients(U, U * [2, 4]), **QUICK)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "widths_off"),
    [
        ((1e-30, 1e30), (0.0, 0.0)),
        ((1.0, 1.0), (1e9, -1e5)),
        ((1e-30, 1e30), (1e6, 1e4)),
    ],
)
def test_the_answer_is_that_of_units_of_their_own(scale, widths_off):
    scale = np.array(scale)
    offset = scale * widths_off
    truth = U * [2, 4]
    field = ks.GradientField.from_gradients(U * scale + offset, truth / scale)
    concept = ks.interpret(field, **QUICK)
    # A column that is a billion widths off has seven digits left of the sixteen of a double.
    assert error(concept, U, truth, scale, offset) < 1e-8
    assert str(concept.matches) == str(plain().matches)
    assert concept.best.complexity <= plain().best.complexity + 3


@pytest.mark.slow
def test_a_network_far_off_zero_is_read_like_one_around_it():
    def ring(x):
        return 4 * ((x[:, 0] - 1e5) ** 2 + 2 * (x[:, 1] * 1e20) ** 2 - 0.5)

    x = U * [1.0, 1e-20] + [1e5, 0.0]
    neuron = ks.Neuron("ring", ring, inputs=2, is_classifier=True, dtype="float64")
    concept = ks.interpret(neuron, x, sampling=ks.Sampling(rows=300), **QUICK)
    assert concept.best.to_pretty() == "(x1 - 100000)**2 + 2*(x2/1e-20)**2"
    assert concept.rule.threshold == pytest.approx(0.5, abs=0.01)
    assert concept.rule.agreement > 0.99
    assert concept.phi.r2 > 0.999
    np.testing.assert_allclose(concept.box, [x.min(axis=0), x.max(axis=0)], rtol=0.1, atol=1e-20)
