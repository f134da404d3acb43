"""A verdict in units of the variables' own says the same in the user's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.formulas.constants.uncertainty import Constant
from keras_symgrad.gradients.own_units import OwnUnits
from keras_symgrad.results.users_units import at_zero, constants_in_users

QUICK = {
    "operators": "add, mul, square",
    "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
    "verbose": False,
}
X1, X2 = sympy.symbols("x1 x2", real=True)
UNITS = OwnUnits(("x1", "x2"), {"x1": (2000.0, 1.0), "x2": (1.7e9, 1e7)})


def test_x_itself_is_written_where_it_was_meant():
    expression, units = at_zero((X1 + 2000) * (X2 - 3), UNITS)
    assert expression == X1 * (X2 - 3)
    assert units.units == {"x2": (1.7e9, 1e7)}
    expression, units = at_zero((X2 + 170) ** 2 + X1, UNITS)
    assert expression == X2**2 + X1
    assert units.units == {"x1": (2000.0, 1.0), "x2": (0.0, 1e7)}


def test_constants_are_those_that_are_printed():
    found = constants_in_users(
        [
            Constant(-4.9, -5.2, -4.6, sympy.Integer(-5)),
            Constant(0.25, 0.2, 0.4),
            Constant(3.1, 3.0, 3.2),
        ],
        (X1 - 5) ** 2 + 3.1 * (X2 + 0.25) ** 2,
        UNITS,
    )
    assert found[0] == Constant(2004.9, 2004.6, 2005.2, sympy.Integer(2005))
    assert found[1].value == pytest.approx(1.6975e9)
    assert (found[1].low, found[1].high) == pytest.approx((1.696e9, 1.698e9))
    assert found[2] == Constant(3.1, 3.0, 3.2)


def test_the_number_of_a_variable_that_was_meant_itself_is_no_constant():
    constants = [Constant(2001.0, 1990.0, 2010.0, sympy.Integer(2000))]
    assert constants_in_users(constants, (X1 + 2000) * X2, UNITS) == ()


@pytest.mark.slow
def test_a_regressor_is_kept_with_its_units(tmp_path):
    def energy(x):
        return tf.exp(-((x[:, 0] * 1e12) ** 2) - (x[:, 1] - 1e5) * (x[:, 2] * 1e-12))

    u = np.random.default_rng(0).uniform(0.5, 1.5, (400, 3))
    x = u * [1e-12, 1, 1e12] + [0, 1e5, 0]
    neuron = ks.Neuron("energy", energy, inputs=3, dtype="float64")
    concept = ks.interpret(neuron, x, **QUICK)
    truth = -(u[:, 0] ** 2) - u[:, 1] * u[:, 2]
    assert abs(np.corrcoef(concept.best(x), truth)[0, 1]) > 1 - 1e-9
    assert concept.best.to_pretty() == "(x1/1e-12)**2 + (x2 - 100000)*(x3/1e+12)"
    np.testing.assert_allclose(concept.value.value(x), np.exp(truth), rtol=1e-3)
    assert np.median(np.abs(concept.phi(concept.best(x)) - np.exp(truth))) < 1e-3
    again = ks.load_interpretation(concept.save(tmp_path / "energy.json"))
    assert str(again) == str(concept)
    np.testing.assert_allclose(again.best(x), concept.best(x))


def test_guesses_are_in_the_users_units():
    u = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    scale = np.array([1e-20, 1.0])
    field = ks.GradientField.from_gradients(u * scale + [0, 1e6], u * [2, 4] / scale)
    guess = "1e40*x1**2 + 2*(x2 - 1000000)**2"
    stopping = ks.Stopping(None, generations=1, target_loss=1e-12)
    search = replace(QUICK["search"], stopping=stopping)
    found = ks.interpret(field, priors=ks.Priors(guesses=guess), **QUICK | {"search": search})
    assert found.evaluations <= 10  # the guess alone is enough
    assert found.cosine_error < 1e-10
