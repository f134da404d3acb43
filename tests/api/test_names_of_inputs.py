"""Other names for the columns of a table that a model of several inputs takes by name."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_symgrad.api import interpret, interpret_classes, interpret_jointly
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search import Search

RNG = np.random.default_rng(0)
# The columns stand in another order than the model's inputs.
TABLE = {"b": RNG.uniform(-1, 1, 600), "a": RNG.uniform(-1, 1, 600)}
NAMES = ["beta", "alpha"]
QUICK = {
    "time_limit": 3,
    "verbose": False,
    "operators": "polynomial",
    "search": Search(methods="dictionary"),
}


@pytest.fixture(scope="module")
def inputs():
    return {name: keras.Input((1,), name=name) for name in ("a", "b")}


@pytest.fixture(scope="module")
def model(inputs):
    return keras.Model(inputs, inputs["a"] ** 2 + 5 * inputs["b"])


def test_gradients_are_by_the_columns_that_were_named(model):
    field = GradientField.from_neuron(Neuron.of(model), TABLE, names=NAMES)
    by_name = dict(zip(field.names, field.directions.T))
    points = dict(zip(field.names, field.points.T))
    slope = by_name["alpha"] / by_name["beta"]
    widths = {"alpha": TABLE["a"].std(), "beta": TABLE["b"].std()}
    assert np.corrcoef(slope, 2 * points["alpha"] / 5)[0, 1] > 0.99
    assert points["alpha"].std() == pytest.approx(widths["alpha"], rel=0.1)


def test_a_formula_has_the_columns_that_were_named(model):
    found = interpret(model, TABLE, names=NAMES, **QUICK)
    formula = found.best({"alpha": TABLE["a"], "beta": TABLE["b"]})
    assert abs(np.corrcoef(formula, TABLE["a"] ** 2 + 5 * TABLE["b"])[0, 1]) > 0.999


def test_formulas_of_classes_have_the_columns_that_were_named(inputs):
    gain = inputs["a"] ** 2 + 5 * inputs["b"]
    scores = keras.ops.concatenate([gain, 0 * gain], axis=1)
    found = interpret_classes(keras.Model(inputs, scores), TABLE, names=NAMES, **QUICK)
    # What decides, and how: the network says class 0 where its score is positive.
    says = found.predict({"alpha": TABLE["a"], "beta": TABLE["b"]})
    assert np.mean((says == 0) == (TABLE["a"] ** 2 + 5 * TABLE["b"] > 0)) > 0.98


def test_too_many_names_are_refused_by_all_in_the_same_words(model):
    for function in (interpret, interpret_jointly, interpret_classes):
        with pytest.raises(ValueError, match="Expected one name for each of 2 columns"):
            of_classes = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
            function(of_classes if function is interpret_classes else model, TABLE, names=["u"] * 3)
