"""Units of every kind of layer, before and after their activation, and their gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from finite_differences import slopes

from keras_symgrad.neurons.neuron import Neuron

layers = keras.layers


@pytest.fixture(scope="module")
def many() -> keras.Model:
    """One model with a layer of each kind; its statistics are not those of a new one."""
    keras.utils.set_random_seed(4)
    scalars, steps = keras.Input((3,), name="scalars"), keras.Input((4, 2), name="steps")
    image = keras.Input((4, 4, 1), name="image")
    scaled = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0], name="scaled")
    dense = layers.Dense(4, activation="elu", name="first")(scaled(scalars))
    normed = layers.BatchNormalization(name="normed")(dense)
    conv_1 = layers.Conv1D(3, 3, activation="tanh", name="conv_1")(steps)
    conv_2 = layers.Conv2D(2, 3, activation="sigmoid", name="conv_2")(image)
    apart = layers.SeparableConv2D(3, 1, activation="swish", name="apart")(conv_2)
    pooled = layers.MaxPooling2D(2, name="pooled")(apart)
    attended = layers.MultiHeadAttention(1, 2, name="attended")(conv_1, conv_1)
    memory = layers.GRU(2, name="memory")(layers.LayerNormalization(name="layer_norm")(attended))
    parts = [normed, layers.Flatten()(pooled), memory, layers.GlobalAveragePooling2D()(conv_2)]
    joined = layers.Concatenate(name="joined")(parts)
    wide = layers.Dense(3, activation="softplus", name="wide")(layers.Dropout(0.5)(joined))
    added = layers.Add(name="added")([wide, layers.Dense(3)(scalars)])
    model = keras.Model([scalars, steps, image], layers.Dense(1, name="head")(added), name="many")
    for weight in model.get_layer("normed").weights:
        weight.assign(np.random.default_rng(0).uniform(0.5, 2, weight.shape))
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "unit", "place", "activation"),
    [
        ("scaled", 1, 1, None),
        ("first", 0, 0, tf.nn.elu),
        ("normed", 3, 3, None),
        ("conv_1", (1, 2), 5, tf.tanh),
        ("conv_2", (1, 0, 1), 5, tf.sigmoid),
        ("apart", (0, 1, 2), 5, tf.nn.swish),
        ("pooled", (0, 0, 1), 1, None),
        ("attended", (1, 1), 4, None),
        ("memory", 1, 1, None),
        ("joined", 5, 5, None),
        ("wide", 0, 0, tf.math.softplus),
        ("added", 2, 2, None),
    ],
)
def test_a_unit_of_any_layer_has_its_value_and_gradient(layer, unit, place, activation, many):
    x = np.random.default_rng(1).normal(size=(4, 3 + 8 + 16)).astype(np.float32)
    inputs = [x[:, :3], x[:, 3:11].reshape(4, 4, 2), x[:, 11:].reshape(4, 4, 4, 1)]
    inner = keras.Model(many.inputs, many.get_layer(layer).output)
    expected = inner(inputs).numpy().reshape(4, -1)[:, place]

    after = Neuron.of(many, layer, unit, activation=True)
    before = Neuron.of(many, layer, unit)
    np.testing.assert_allclose(after(x), expected, rtol=1e-4, atol=1e-5)
    wrapped = before(x) if activation is None else activation(before(x))
    np.testing.assert_allclose(wrapped, expected, rtol=1e-4, atol=1e-5)
    if activation is not None:
        assert not np.allclose(before(x), expected)
    gradients = before.values_and_gradients(x)[1]
    np.testing.assert_allclose(gradients, slopes(before, x), rtol=3e-2, atol=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "name"),
    [(5, "conv_2[1,0,1]"), ((1, 0, 1), "conv_2[1,0,1]"), ((5, 3), "conv_2[1,0,1-0,1,1]")],
)
def test_a_unit_of_a_convolution_is_named_by_its_position(unit, name, many):
    assert Neuron.of(many, "conv_2", unit).name == f"many/{name}"


@pytest.mark.slow
def test_the_difference_of_two_positions_is_their_difference(many):
    x = np.random.default_rng(1).normal(size=(4, 27))
    first, second = (Neuron.of(many, "conv_1", place)(x) for place in ((0, 2), (1, 1)))
    pair = Neuron.of(many, "conv_1", ((0, 2), (1, 1)))
    np.testing.assert_allclose(pair(x), first - second, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("unit", [(2, 0), (0, 3), 6, (0, 1, 2), ((0, 0), (9, 9)), "0", (0.5, 1)])
def test_a_position_that_is_not_there_is_refused(unit, many):
    with pytest.raises(ValueError, match=r"Layer 'conv_1' has 6 units.*\(0, 0\) to \(1, 2\)"):
        Neuron.of(many, "conv_1", unit)


@pytest.mark.slow
def test_classes_of_one_pixel_are_rivals_and_those_of_two_are_not():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Conv2D(3, 1, activation="softmax", name="classes")]
    )
    x = np.random.default_rng(0).normal(size=(5, 4))
    p = model(x.reshape(5, 2, 2, 1)).numpy()
    rest = Neuron.of(model, unit=(1, 0, 2), kind="probability")
    own, others = p[:, 1, 0, 2], 1 - p[:, 1, 0, 2]
    np.testing.assert_allclose(rest(x), np.log(own / others), rtol=1e-3, atol=1e-5)
    assert Neuron.of(model, unit=((1, 0, 2), (1, 0, 1))).is_classifier
    assert not Neuron.of(model, unit=((1, 0, 2), (0, 0, 2))).is_classifier


@pytest.mark.parametrize("layer", ["risk", "risk_layer"])
def test_one_of_several_outputs_is_read_as_an_output_by_its_key_or_layer(layer):
    keras.utils.set_random_seed(0)
    x = keras.Input((2,))
    risk = layers.Dense(1, activation="sigmoid", name="risk_layer")(x)
    model = keras.Model(x, {"price": layers.Dense(1, name="price_layer")(x), "risk": risk})
    neuron = Neuron.of(model, layer)
    points = np.random.default_rng(0).normal(size=(5, 2))

    assert neuron.is_classifier
    np.testing.assert_allclose(tf.sigmoid(neuron(points)), model(points)["risk"][:, 0], rtol=1e-5)
    value = Neuron.of(model, layer, kind="value")
    np.testing.assert_allclose(value(points), model(points)["risk"][:, 0], rtol=1e-5)


def test_an_output_that_plain_code_makes_is_found_by_its_key():
    class Plain(keras.Model):
        def __init__(self):
            super().__init__(name="plain")
            self.dense = layers.Dense(2)

        def call(self, x):
            y = self.dense(x)
            return {"sum": y[:, 0] + y[:, 1], "product": y[:, 0] * y[:, 1]}

    model = Plain()
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = model(points)["product"]
    np.testing.assert_allclose(Neuron.of(model, "product")(points), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="Choose one with `layer=`: sum, product"):
        Neuron.of(model)


@pytest.mark.slow
def test_a_model_that_looks_up_entries_of_a_table_is_tried_on_numbers_that_it_has():
    keras.utils.set_random_seed(0)
    x = keras.Input((2,))
    entry = layers.Flatten()(layers.Embedding(3, 2)(x[:, :1]))
    model = keras.Model(x, layers.Dense(1)(layers.Concatenate()([entry, x[:, 1:] ** 2])))
    with pytest.warns(UserWarning, match="depends on column 0 .from 0. by steps: a lookup"):
        neuron = Neuron.of(model)
    assert neuron.values_and_gradients(np.array([[2.0, 0.5]]))[1][0, 0] == 0
