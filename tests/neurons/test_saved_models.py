"""SavedModels: all that their signatures reach, and a clear word about what they do not."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad import Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.search.core.stopping import Stopping

layers = keras.layers
v1 = tf.compat.v1
QUICK = {
    "operators": "polynomial",
    "search": Search(methods="dictionary", stopping=Stopping(None, generations=1)),
    "verbose": False,
}


def slopes(function, x: np.ndarray, step: float = 1e-2) -> np.ndarray:
    """Central differences of a function of rows, `(rows, inputs)`."""
    shifts = step * np.eye(x.shape[1])
    return np.stack(
        [(np.asarray(function(x + h)) - np.asarray(function(x - h))) / (2 * step) for h in shifts],
        axis=1,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("saved_models")


@pytest.fixture(scope="module")
def two_by_two(folder) -> tuple[keras.Model, Path]:
    """Two named inputs, two named outputs, exported by Keras."""
    keras.utils.set_random_seed(0)
    age, pos = keras.Input((1,), name="age"), keras.Input((2,), name="pos")
    hidden = layers.Dense(4, activation="tanh")(layers.Concatenate()([age, pos]))
    outputs = {
        "price": layers.Dense(1, name="price")(hidden),
        "risk": layers.Dense(3, activation="softmax", name="risk")(hidden),
    }
    model = keras.Model({"age": age, "pos": pos}, outputs, name="net")
    model.export(folder / "two_by_two", verbose=False)
    return model, folder / "two_by_two"


@pytest.fixture(scope="module")
def module(folder) -> Path:
    """A `tf.Module` with two signatures, saved by `tf.saved_model.save`."""

    class Two(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable([2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="x")])
        def energy(self, x):
            return {"energy": tf.reduce_sum(self.scale * x**2, axis=1)}

        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float64, name="y")])
        def product(self, y):
            return {"product": y[:, 0] * y[:, 1], "rounded": tf.round(y[:, 0])}

    two = Two()
    signatures = {"energy": two.energy, "product": two.product}
    tf.saved_model.save(two, str(folder / "module"), signatures=signatures)
    tf.saved_model.save(two, str(folder / "functions"))
    return folder / "module"


@pytest.fixture(scope="module")
def tensorflow_1(folder) -> Path:
    """A graph with placeholders and a session, as TensorFlow 1 saved it."""
    with tf.Graph().as_default(), v1.Session() as session:
        a = v1.placeholder(tf.float32, (None, 2), name="a")
        b = v1.placeholder(tf.float32, (None,), name="b")
        weight = v1.get_variable("weight", initializer=[[1.5], [-0.5]], use_resource=False)
        logit = tf.squeeze(a @ weight, axis=1) * b
        signature = v1.saved_model.signature_def_utils.predict_signature_def(
            {"features": a, "time": b},
            {"probability": tf.sigmoid(logit), "class": tf.cast(logit > 0, tf.int64)},
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder / "tensorflow_1"))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}
        )
        builder.save()
    return folder / "tensorflow_1"


@pytest.mark.parametrize(
    ("output", "unit", "column"), [("price", None, 0), ("risk", 1, 1), ("risk", (2, 0), None)]
)
def test_an_output_of_several_is_read_by_name_from_inputs_by_name(output, unit, column, two_by_two):
    model, path = two_by_two
    neuron = Neuron.of(path, output, unit)
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    columns = {"age": x[:, neuron.names.index("age")][:, None]}
    columns["pos"] = x[:, [neuron.names.index(f"pos_{k}") for k in (1, 2)]]
    expected = model(columns)[output].numpy()
    expected = expected[:, 2] - expected[:, 0] if column is None else expected[:, column]

    assert sorted(neuron.names) == ["age", "pos_1", "pos_2"]
    np.testing.assert_allclose(neuron(x), expected, rtol=1e-4, atol=1e-5)
    values, gradients = neuron.values_and_gradients(x)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients, slopes(neuron, x), rtol=2e-2, atol=1e-3)


def test_a_signature_is_chosen_by_name(module):
    x = np.random.default_rng(0).normal(size=(9, 2))
    energy = Neuron.of(module, signature="energy")
    product = Neuron.of(module, "product", signature="product")

    np.testing.assert_allclose(energy(x), 2 * x[:, 0] ** 2 + 3 * x[:, 1] ** 2, rtol=1e-5)
    np.testing.assert_allclose(energy.values_and_gradients(x)[1], x * [4, 6], rtol=1e-5)
    assert product.dtype == "float64"
    np.testing.assert_allclose(product.values_and_gradients(x)[1], x[:, ::-1], rtol=1e-12)
    assert (energy.name, product.name) == ("module/energy/output", "module/product/product")


def test_a_graph_of_tensorflow_1_is_read_and_its_probability_is_a_logit(tensorflow_1):
    neuron = Neuron.of(tensorflow_1, "probability")
    x = np.random.default_rng(0).normal(size=(20, 3))
    by_name = {name: x[:, k] for k, name in enumerate(neuron.names)}
    inner = 1.5 * by_name["features_1"] - 0.5 * by_name["features_2"]
    settled = neuron.settle(x)

    assert settled.is_classifier
    np.testing.assert_allclose(settled(x), inner * by_name["time"], rtol=1e-3, atol=1e-5)
    gradients = settled.values_and_gradients(x)[1][:, neuron.names.index("time")]
    np.testing.assert_allclose(gradients, inner, rtol=1e-3, atol=1e-4)


def test_what_signatures_do_not_reach_is_said(two_by_two, module, tensorflow_1, folder, models):
    _, path = two_by_two
    for arguments, message in [
        ((path,), "'two_by_two' has several outputs. Choose one with `layer=`: price, risk"),
        ((path, "hidden"), "Inner layers of a SavedModel are out of reach.*outputs are: price, "),
        (
            (module,),
            "signatures energy, product. Choose one.*`ks.Neuron.of.path, signature='energy'.`",
        ),
        ((folder / "functions",), "has none: .*Its functions are energy, product; give one to"),
        ((tensorflow_1, "class"), "dtype int64: whole numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            Neuron.of(*arguments)
    with pytest.raises(ValueError, match="No gradient leads from .*rounded"):
        Neuron.of(module, "rounded", signature="product")
    with pytest.raises(ValueError, match="energy, product.*Received: signature='predict'"):
        Neuron.of(module, signature="predict")
    with pytest.raises(ValueError, match="Only a SavedModel directory has signatures"):
        Neuron.of(models / "A1.keras", signature="serve")
    with pytest.raises(ValueError, match="Only a SavedModel .*signature='serve', in_memory"):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="in_memory")
        interpret(Neuron.of(model, signature="serve"), np.ones((9, 2)))


@pytest.mark.slow
def test_a_signature_is_read_by_name_alone_jointly_and_by_classes(module):
    x = np.random.default_rng(0).uniform(1, 2, (300, 2))
    concept = interpret(Neuron.of(module, signature="energy"), x, **QUICK)
    assert str(concept.best.expression) == "x1**2 + 3*x2**2/2"
    assert concept.settings["signature"] == "energy"
    pair = interpret_jointly(module, x, "product", signature="product", **QUICK)
    assert [str(formula.expression) for formula in pair.best] == ["x1*x2"]
    with pytest.raises(ValueError, match="one score for each of two or more classes"):
        interpret_classes(module, x, layer="product", signature="product")


def test_a_signature_of_neurons_that_are_chosen_already_is_refused():
    neuron = Neuron("x1", lambda x: x[:, 0], inputs=2)
    with pytest.raises(ValueError, match="choose neurons of a model.*signature='serve'"):
        interpret_jointly([neuron], np.ones((9, 2)), signature="serve")
    with pytest.raises(TypeError, match="Neuron"):
        Neuron.of(neuron, signature="serve")


def test_a_function_without_a_signature_is_read_as_the_error_says(module, folder):
    loaded = tf.saved_model.load(str(folder / "functions"))
    neuron = Neuron("energy", lambda x: loaded.energy(x)["energy"], inputs=2)
    x = np.ones((3, 2))
    np.testing.assert_allclose(neuron.values_and_gradients(x)[1], [[4, 6]] * 3)


def save_function(path: Path, function, spec: tf.TensorSpec) -> None:
    holder = tf.Module()
    holder.f = tf.function(function, input_signature=[spec], autograph=False)
    tf.saved_model.save(holder, str(path), signatures={"serving_default": holder.f})


@pytest.mark.parametrize(
    ("function", "spec", "message"),
    [
        (
            lambda x: {"y": tf.quantization.quantize(x[:, 0], 0.0, 1.0, tf.quint8).output},
            tf.TensorSpec((None, 2), name="x"),
            "dtype quint8",
        ),
        (
            lambda x: {"y": tf.strings.to_number(x)[:, 0]},
            tf.TensorSpec((None, 2), tf.string, name="word"),
            "Input 'word' of 'saved' is of dtype string",
        ),
        (
            lambda x: {"y": tf.cast(x, tf.float32)[:, 0]},
            tf.TensorSpec((None, 2), tf.int64, name="count"),
            "Input 'count' of 'saved' is of dtype int64",
        ),
        (
            lambda x: {"y": tf.raw_ops.Bucketize(input=x, boundaries=[0.0])[:, 0]},
            tf.TensorSpec((None, 2), name="x"),
            "dtype int32: whole numbers",
        ),
        (
            lambda x: {"y": tf.ensure_shape(x, (3, 2))[:, 0]},
            tf.TensorSpec((None, 2), name="x"),
            "could not be run on rows of 2 columns",
        ),
    ],
    ids=["quantized", "texts", "whole numbers", "bins", "fails"],
)
def test_functions_that_have_no_gradient_are_refused_with_the_reason(
    function, spec, message, tmp_path
):
    save_function(tmp_path / "saved", function, spec)
    with pytest.raises(ValueError, match=message):
        Neuron.of(tmp_path / "saved")


def test_an_open_number_of_columns_is_taken_from_the_data(tmp_path):
    save_function(
        tmp_path / "sum",
        lambda x: {"y": tf.reduce_sum(x**2, axis=1)},
        tf.TensorSpec((None, None), name="x"),
    )
    neuron = Neuron.of(tmp_path / "sum", inputs=4)
    x = np.random.default_rng(0).normal(size=(3, 4))
    assert neuron.inputs == 4
    np.testing.assert_allclose(neuron.values_and_gradients(x)[1], 2 * x, rtol=1e-5)
