"""Neurons that cannot be interpreted: the error gives the reason and the alternatives."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.neurons.neuron import Neuron

layers = keras.layers


def ending(*last: keras.Layer, inputs: int = 3) -> keras.Sequential:
    first = layers.Dense(4, activation="tanh", name="hidden")
    return keras.Sequential([keras.Input((inputs,)), first, *last], name="net")


class ArgMax(layers.Layer):
    def call(self, x):
        return keras.ops.argmax(x, axis=-1)


class Rounded(layers.Layer):
    def call(self, x):
        return keras.ops.round(x)


class OtherHue(layers.Layer):
    def call(self, x):
        return tf.image.adjust_hue(x, 0.1)


class AlwaysNoisy(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


class AlwaysDropping(keras.Model):
    """Monte Carlo dropout, active at inference."""

    def __init__(self):
        super().__init__(name="dropping")
        self.hidden = layers.Dense(8, name="hidden")
        self.dropout = layers.Dropout(0.5, name="dropout")
        self.head = layers.Dense(1, name="head")

    def call(self, x):
        return self.head(self.dropout(self.hidden(x), training=True))


class CentredByBatch(layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class TwoArguments(keras.Model):
    def __init__(self):
        super().__init__(name="two_arguments")
        self.dense = layers.Dense(1)

    def call(self, a, b):
        return self.dense(keras.ops.concatenate([a, b], axis=1))


def built(model: keras.Model, *shapes: tuple[int, ...]) -> keras.Model:
    model(*[np.zeros((1, *shape), np.float32) for shape in shapes])
    return model


def recurrent(**options) -> keras.Model:
    x = keras.Input((6,), batch_size=8 if options.get("stateful") else None)
    steps = layers.Reshape((3, 2))(x)
    output = layers.LSTM(2, name="lstm", **options)(steps)
    last = output[0] if options.get("return_state") else output
    return keras.Model(x, layers.Dense(1, name="head")(last), name="net")


def looked_up() -> keras.Model:
    kind = keras.Input((1,), name="kind")
    found = layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="one_hot", name="lookup")
    return keras.Model(kind, layers.Dense(1)(found(kind)), name="net")


def siamese() -> keras.Model:
    encoder = keras.Sequential([layers.Dense(2, name="latent")], name="encoder")
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    return keras.Model([a, b], layers.Subtract()([encoder(a), encoder(b)]), name="twins")


def two_heads() -> keras.Model:
    x = keras.Input((3,))
    heads = {name: layers.Dense(1, name=f"dense_{name}")(x) for name in ("price", "risk")}
    return keras.Model(x, heads, name="heads")


# Cause and alternatives: texts that the error must contain.
OBSTACLES = {
    "argmax": (lambda: ending(ArgMax()), {}, ["dtype int32", "no gradient", "unit=(k, j)"]),
    "rounding": (
        lambda: ending(layers.Dense(1), Rounded(name="rounded")),
        {"layer": "rounded"},
        ["No gradient leads", "lost in 'rounded' (Rounded)", "Read from a layer after it"],
    ),
    "operation without a derivative": (
        lambda: keras.Sequential(
            [keras.Input((2, 2, 3)), OtherHue(), layers.Flatten(), layers.Dense(1)], name="net"
        ),
        {},
        ["operation that TensorFlow cannot differentiate", "AdjustHue", "layer after it"],
    ),
    "lookup of a float": (looked_up, {}, ["No gradient leads", "lost in 'lookup'"]),
    "whole numbers": (
        lambda: keras.Sequential(
            [
                keras.Input((1,), dtype="int32", name="kind"),
                layers.Embedding(3, 1),
                layers.Flatten(),
            ]
        ),
        {},
        ["'kind'", "dtype int32", "Read from a layer after it"],
    ),
    "texts": (
        lambda: keras.Model(
            i := keras.Input((1,), dtype="string", name="word"),
            layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(i),
        ),
        {"unit": 0},
        ["'word'", "dtype string", "Read from a layer after it"],
    ),
    "noise": (
        lambda: ending(AlwaysNoisy(name="noise"), layers.Dense(1)),
        {},
        ["other numbers when it is asked again", "first in 'noise' (AlwaysNoisy)", "same weights"],
    ),
    "dropout in inference": (
        lambda: built(AlwaysDropping(), (3,)),
        {},
        ["asked again", "first in 'dropout' (Dropout)", "`training=True`"],
    ),
    "stateful": (
        lambda: recurrent(stateful=True),
        {},
        ["asked again", "'lstm_cell' (LSTMCell)", "`stateful=True`"],
    ),
    "rows that see each other": (
        lambda: ending(CentredByBatch(), layers.Dense(1)),
        {},
        ["other numbers in other company", "treats each row by itself"],
    ),
    "states of a recurrent layer": (
        lambda: recurrent(return_state=True),
        {"layer": "lstm", "unit": 0},
        ["has 3", "returns its states", "keras.Model(model.inputs, tensor)"],
    ),
    "vector": (lambda: ending(), {}, ["has 4 units", "`unit=0`", "`unit=(1, 0)`"]),
    "picture": (
        lambda: keras.Sequential([keras.Input((3, 3, 1)), layers.Conv2D(2, 2, name="conv")]),
        {},
        ["has 8 units", "position such as `unit=(0, 0, 0)` in its shape (2, 2, 2)"],
    ),
    "open size": (
        lambda: keras.Sequential([keras.Input((None, None, 1)), layers.GlobalMaxPooling2D()]),
        {},
        ["(None, None, None, 1)", "fixed shapes", "keras.Input(shape)"],
    ),
    "several outputs": (two_heads, {}, ["has 2", "`layer=`: price, risk"]),
    "layer used twice": (
        siamese,
        {"layer": "encoder", "unit": 0},
        ["is called 2 times", "model.get_layer('encoder')"],
    ),
    "unbuilt": (
        lambda: keras.Sequential([layers.Dense(1)], name="net"),
        {},
        ["'net' is not built", "Call it once on data"],
    ),
    "several arguments": (
        lambda: built(TwoArguments(), (2,), (1,)),
        {},
        ["several arguments", "keras.Model([a, b], model(a, b))"],
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot_be_interpreted_says_why_and_what_can(obstacle):
    model, ask, texts = OBSTACLES[obstacle]
    with pytest.raises(ValueError) as caught:
        Neuron.of(model(), **ask)
    for text in texts:
        assert text in str(caught.value)


def test_code_in_a_file_is_not_run_and_a_model_in_memory_is_trusted(tmp_path):
    model = ending(layers.Dense(1), layers.Lambda(lambda x: 2 * x))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="holds Python code.*load it yourself"):
        Neuron.of(tmp_path / "lambda.keras")
    assert Neuron.of(model).inputs == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "advice",
    [
        lambda: (siamese().get_layer("encoder"), {"unit": 0}),
        lambda: (siamese().get_layer("encoder").get_layer("latent"), {"unit": 1}),
        lambda: (two_heads(), {"layer": "risk"}),
        lambda: (two_heads(), {"layer": "dense_risk"}),
        lambda: (ending(), {"unit": (1, 0)}),
        lambda: (
            keras.Model((m := recurrent(return_state=True)).inputs, m.get_layer("lstm").output[2]),
            {"unit": 1},
        ),
    ],
)
def test_what_the_errors_advise_works(advice):
    model, ask = advice()
    neuron = Neuron.of(model, **ask)
    x = np.random.default_rng(0).normal(size=(9, neuron.inputs))
    gradients = neuron.values_and_gradients(x)[1]
    step = 1e-2 * np.eye(neuron.inputs)
    slopes = [(np.asarray(neuron(x + h)) - np.asarray(neuron(x - h))) / 2e-2 for h in step]
    np.testing.assert_allclose(gradients, np.stack(slopes, axis=1), rtol=2e-2, atol=2e-3)


def test_dropout_and_noise_that_rest_in_inference_are_no_obstacle():
    resting = ending(layers.GaussianNoise(1.0), layers.Dropout(0.5), layers.Dense(1))
    assert Neuron.of(resting).inputs == 3


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_a_network_for_other_sizes_is_no_obstacle(scale):
    inputs = keras.Input((2,))
    scaled = keras.layers.Rescaling([1 / scale, scale])(inputs)
    hidden = keras.layers.Dense(8, "tanh")(scaled)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    x = np.random.default_rng(0).uniform(0.5, 1, (5, 2)) * [scale, 1 / scale]
    assert np.any(Neuron.of(model).values_and_gradients(x)[1])
