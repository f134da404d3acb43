"""One table of columns for models of several inputs, of images, and of inputs that have names."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from finite_differences import slopes

import keras_symgrad as ks
from keras_symgrad.neurons.inputs import Inputs
from keras_symgrad.neurons.neuron import Neuron

layers = keras.layers


def two_inputs(structure: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    pos, age = keras.Input((2,), name="pos"), keras.Input((1,), name="age")
    joined = layers.Concatenate(name="joined")([layers.Dense(3, activation="tanh")(pos), age])
    output = layers.Dense(1)(layers.Dense(4, activation="elu", name="hidden")(joined))
    inputs = {"dict": {"pos": pos, "age": age}, "list": [pos, age], "nested": {"a": [pos, age]}}
    return keras.Model(inputs[structure], output, name="net")


class TakesDict(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.dense = layers.Dense(1, activation="tanh", name="dense")

    def call(self, x):
        return self.dense(keras.ops.concatenate([x["pos"], x["age"] ** 2], axis=1))


class TakesTwoArguments(TakesDict):
    def call(self, pos, age):
        return self.dense(keras.ops.concatenate([pos, age], axis=1))


@pytest.mark.parametrize(
    ("structure", "pack"),
    [
        ("dict", lambda x: {"pos": x[:, :2], "age": x[:, 2:]}),
        ("list", lambda x: [x[:, :2], x[:, 2:]]),
        ("nested", lambda x: {"a": [x[:, :2], x[:, 2:]]}),
    ],
)
def test_columns_are_those_of_the_inputs_in_the_order_of_the_model(structure, pack):
    model = two_inputs(structure)
    neuron = Neuron.of(model)
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    values, gradients = neuron.values_and_gradients(x)

    assert neuron.names == ("pos_1", "pos_2", "age")
    np.testing.assert_allclose(values, np.ravel(model(pack(x))), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradients, slopes(neuron, x), rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_the_order_of_named_inputs_survives_a_file(ending, tmp_path):
    model = two_inputs("dict")
    model.save(tmp_path / f"net.{ending}")
    neuron, again = Neuron.of(model), Neuron.of(tmp_path / f"net.{ending}")
    x = np.random.default_rng(0).normal(size=(5, 3))
    # The names say which column is which, whatever order the file has.
    order = [neuron.names.index(name) for name in again.names]
    np.testing.assert_allclose(again(x[:, order]), neuron(x), rtol=1e-5)


def test_a_subclassed_model_may_take_a_dict():
    keras.utils.set_random_seed(0)
    model = TakesDict()
    model({"pos": np.zeros((1, 2)), "age": np.zeros((1, 1))})
    neuron = Neuron.of(model)
    x = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(
        neuron(x), np.ravel(model({"pos": x[:, :2], "age": x[:, 2:]})), rtol=1e-5
    )
    np.testing.assert_allclose(
        neuron.values_and_gradients(x)[1], slopes(neuron, x), rtol=2e-2, atol=1e-3
    )


def test_a_call_of_several_arguments_is_told_how_to_be_one_of_several_inputs():
    model = TakesTwoArguments()
    model(np.zeros((1, 2)), np.zeros((1, 1)))
    a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    around = keras.Model([a, b], model(a, b))
    assert Neuron.of(around).names == ("a_1", "a_2", "b")


def test_an_image_is_flattened_row_by_row():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4, 5, 1)),
            layers.Conv2D(2, 3, activation="tanh", name="conv"),
            layers.GlobalAveragePooling2D(name="pooled"),
            layers.Dense(1),
        ]
    )
    neuron = Neuron.of(model)
    pictures = np.random.default_rng(0).normal(size=(6, 4, 5, 1)).astype(np.float32)
    x = pictures.reshape(6, -1)
    values, gradients = neuron.values_and_gradients(x)

    assert neuron.inputs == 20
    np.testing.assert_allclose(values, np.ravel(model(pictures)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradients, slopes(neuron, x), rtol=2e-2, atol=1e-3)


def test_an_input_of_several_axes_beside_others_has_a_name_for_each_number():
    image, speed = keras.Input((2, 2, 1), name="image"), keras.Input((), name="speed")
    flat = layers.Concatenate()([layers.Flatten()(image), layers.Reshape((1,))(speed)])
    model = keras.Model([image, speed], layers.Dense(1)(flat))
    neuron = Neuron.of(model)
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)

    assert neuron.names == ("image_0_0", "image_0_1", "image_1_0", "image_1_1", "speed")
    expected = model([x[:, :4].reshape(3, 2, 2, 1), x[:, 4]])
    np.testing.assert_allclose(neuron(x), np.ravel(expected), rtol=1e-5, atol=1e-6)


def test_the_gradient_is_by_the_original_units_of_a_preprocessed_input():
    raw = np.random.default_rng(0).normal([1000, 0.1], [300, 0.02], size=(500, 2))
    scaled = layers.Normalization()
    scaled.adapt(raw)
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            scaled,
            layers.Rescaling(0.5, offset=1.0),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    _, gradients = Neuron.of(model).values_and_gradients(raw[:20])
    # In float64 NumPy, by the chain rule through each layer.
    dense, head = model.layers[2], model.layers[4]
    gamma, _, _, variance = (w.astype(np.float64) for w in model.layers[3].get_weights())
    slope = gamma / np.sqrt(variance + model.layers[3].epsilon)
    before = ((raw[:20] - raw.mean(0)) / raw.std(0) * 0.5 + 1) @ dense.get_weights()[0]
    hidden = (1 - np.tanh(before) ** 2) * (slope * head.get_weights()[0][:, 0])
    expected = hidden @ dense.get_weights()[0].T * 0.5 / raw.std(0)
    np.testing.assert_allclose(gradients, expected, rtol=1e-2)


def test_what_follows_a_lookup_is_read_from_the_layer_after_it():
    keras.utils.set_random_seed(0)
    kind, size = keras.Input((1,), dtype="int32", name="kind"), keras.Input((1,), name="size")
    known = layers.Flatten(name="known")(layers.Embedding(5, 2)(kind))
    joined = layers.Concatenate()([known, size])
    model = keras.Model([kind, size], layers.Dense(1)(layers.Dense(4, "tanh")(joined)), name="m")
    with pytest.raises(ValueError, match="Input 'kind' of 'm' is of dtype int32.*layer after it"):
        Neuron.of(model)
    # What the message says to do.
    after = keras.Model([model.get_layer("known").output, size], model.output)
    encoded = keras.Model(kind, model.get_layer("known").output)
    kinds, sizes = np.array([[0], [3], [4]]), np.array([[1.0], [2.0], [-1.0]])
    x = np.concatenate([encoded(kinds), sizes], axis=1)
    neuron = Neuron.of(after)
    np.testing.assert_allclose(neuron(x), np.ravel(model([kinds, sizes])), rtol=1e-5)
    assert neuron.names[-1] == "size"
    assert np.all(neuron.values_and_gradients(x)[1] != 0)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (tf.TensorSpec((None, 3), tf.string, name="word"), "'word' of 'm' is of dtype string"),
        ([tf.TensorSpec((None, 3)), tf.TensorSpec((None, None))], "is open.*fixed shapes"),
        (tf.TensorSpec((None, None, None, 3), name="image"), r"'image' \(None, None, None, 3\)"),
        (keras.Input((3,), sparse=True, name="s"), "sparse or ragged"),
    ],
)
def test_inputs_that_are_no_columns_are_refused(structure, message):
    with pytest.raises(ValueError, match=message):
        Inputs.made_of(structure, "m")


def test_a_number_of_columns_is_checked_or_taken():
    assert Inputs.made_of(None, "m", 4).columns == 4
    assert Inputs.made_of((None, 4), "m").columns == 4
    with pytest.raises(ValueError, match="has 4 input columns. Received: inputs=3"):
        Inputs.made_of((None, 4), "m", 3)
    with pytest.raises(ValueError, match="has 3 input columns: a_1, a_2, b. Received: inputs=2"):
        Inputs.made_of({"a": (None, 2), "b": (None, 1)}, "m", 2)


def test_a_table_with_further_columns_serves_a_model_that_names_its_own():
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs["a"] * inputs["b"]))
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=300) for name in ("b", "label", "a")}
    quick = {"search": ks.Search(effort="quick"), "verbose": False, "time_limit": 5}
    assert ks.interpret(model, table, **quick).names == ("a", "b")
