"""Arguments of `interpret`: what Keras users expect works, the rest is refused before any work."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.api import interpret, interpret_jointly
from keras_symgrad.gradients import GradientField, Sampling
from keras_symgrad.neurons import Neuron, Quantities
from keras_symgrad.replacement import replace
from keras_symgrad.search import Search
from keras_symgrad.search.core import Stopping

QUICK = {
    "search": Search(methods="dictionary", stopping=Stopping(None, generations=1)),
    "verbose": False,
}
X = np.random.default_rng(0).uniform(0.5, 2, (200, 2))


@pytest.fixture(scope="module")
def model():
    entry = keras.Input((2,), name="entry")
    product = keras.layers.Multiply(name="product")([entry[:, :1], entry[:, 1:]])
    last = keras.layers.Dense(1, name="last", kernel_initializer="ones")(product)
    return keras.Model(entry, last, name="net")


def number_of(model, name: str) -> int:
    return [layer.name for layer in model.layers].index(name)


def test_a_layer_is_chosen_by_name_by_number_and_as_itself(model):
    number = number_of(model, "product")
    values = X[:, 0] * X[:, 1]
    for layer in (
        "product",
        number,
        np.int64(number),
        number - len(model.layers),
        model.layers[number],
    ):
        neuron = Neuron.of(model, layer)
        assert neuron.name == "net/product"
        np.testing.assert_allclose(neuron.values(X), values, rtol=1e-6)
    assert Quantities.of(model, number).names == Quantities.of(model, "product").names


def test_a_result_remembers_the_name_of_a_layer_that_was_chosen_as_itself(model):
    found = interpret(model, X, layer=model.get_layer("product"), operators="polynomial", **QUICK)
    assert found.neuron == "net/product" and str(found.best) == "x1*x2"
    assert found.settings["layer"] == "product" and 'layer="product"' in found.call
    both = interpret_jointly(
        model, X, layer=number_of(model, "last"), operators="polynomial", **QUICK
    )
    assert both.settings["layer"] == "last"
    new = replace(model, model.get_layer("product"), found)
    np.testing.assert_allclose(new(X), model(X), rtol=0.05)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (0, "Layer 0 of 'net' is its input, which computes nothing. Choose one of"),
        (99, r"'net' has \d layers, numbered from 0: entry, .*Received: layer=99"),
        (-99, "numbered from 0"),
        (True, "its number in `model.layers`, or the layer itself. Received: layer=True"),
        (1.5, "Received: layer=1.5"),
        ("products", "Layer 'products' does not exist in 'net'"),
    ],
)
def test_a_layer_that_is_not_there_is_refused(layer, message, model):
    with pytest.raises(ValueError, match=message):
        interpret(model, X, layer=layer, **QUICK)


def test_a_layer_of_another_model_is_refused_even_if_it_has_the_same_name(model):
    stranger = keras.layers.Dense(1, name="last")
    with pytest.raises(ValueError, match="The layer 'last' is not a layer of 'net'"):
        Neuron.of(model, stranger)
    with pytest.raises(ValueError, match="is not a layer of 'net'"):
        Neuron.of(keras.models.clone_model(model), model.get_layer("last"))


@pytest.mark.parametrize("complexity", [5, 2.0, "low", [1], lambda tree: 1])
def test_a_complexity_that_is_none_is_refused_with_what_limits_formulas(complexity):
    with pytest.raises(ValueError, match=r"ks.Search\(max_complexity=20\)`. Received: complexity="):
        Search(complexity=complexity)


def test_a_complexity_beside_the_options_counts_as_the_searches():
    x = np.random.default_rng(0).uniform(0.5, 2, (300, 2))
    field = GradientField.from_gradients(x, x * [2, 4])
    search = Search(methods="dictionary", effort="quick")
    given = {"operators": "add, mul, square", "verbose": False}
    weights = {"square": 20}
    one = interpret(field, complexity=weights, search=search, **given)
    other = interpret(
        field, search=Search(methods="dictionary", effort="quick", complexity=weights), **given
    )
    assert one.best == other.best and one.settings == other.settings
    assert one.best.complexity > interpret(field, search=search, **given).best.complexity


def test_a_complexity_that_is_given_twice_is_refused(model):
    with pytest.raises(ValueError, match="`complexity` is given twice.*Received: complexity="):
        interpret(model, X, complexity={"mul": 2}, search=Search(complexity={"mul": 3}))


def test_a_function_as_a_model_is_told_to_be_a_neuron():
    def ring(x):
        return x[:, 0] ** 2 + x[:, 1] ** 2

    with pytest.raises(TypeError, match=r"read as `ks.Neuron\('ring', function, inputs=2\)`"):
        interpret(ring, X, **QUICK)
    with pytest.raises(TypeError, match="and not its class"):
        interpret(keras.Model, X, **QUICK)


def test_data_that_do_not_vary_are_refused_before_any_search(model):
    same = np.ones((50, 2))
    with pytest.raises(ValueError, match="do not vary: all rows are one point.*50 equal rows"):
        interpret(model, same, **QUICK)
    with pytest.raises(ValueError, match="do not vary"):
        interpret(GradientField.from_gradients(same, X[:50]), **QUICK)
    # A sampler of the user's own draws others.
    sampling = Sampling(sampler=lambda n, rng: rng.uniform(0.5, 2, (n, 2)))
    neuron = Neuron("p", lambda x: x[:, 0] * x[:, 1] - 1, inputs=2, is_classifier=True)
    found = interpret(neuron, same, sampling=sampling, operators="polynomial", **QUICK)
    assert found.rows["drawn"] > 100


@pytest.mark.parametrize("operators", [np.sin, [np.sin, "add"], ["add", tf.sin], ["add", abs]])
def test_a_function_of_numpy_as_an_operator_is_told_what_to_write(operators, model):
    with pytest.raises(ValueError, match="Write its name, '(sin|abs)', if it is among them, or"):
        interpret(model, X, operators=operators, **QUICK)
