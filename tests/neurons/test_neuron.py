"""The scalar of a `Neuron`, and its gradient."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.neurons import tracing
from keras_symgrad.neurons.activations import logit_of
from keras_symgrad.neurons.neuron import Neuron

MODELS = Path(__file__).parents[2] / "examples" / "models"
layers = keras.layers


@pytest.fixture(scope="module")
def ellipse() -> keras.Sequential:
    """A network that was really trained on x1^2 + 2 x2^2 > 1."""
    return keras.models.load_model(MODELS / "A1.keras", compile=False)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, size=(50, 2))


@pytest.fixture(scope="module")
def files(ellipse, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    paths = {"keras": MODELS / "A1.keras", "h5": folder / "A1.h5", "saved_model": folder / "A1"}
    ellipse.save(paths["h5"])
    ellipse.export(paths["saved_model"], verbose=False)
    return paths


def numpy_logit(model: keras.Sequential, x: np.ndarray) -> np.ndarray:
    """The same network in float64 NumPy, up to the number before the sigmoid."""
    *hidden, output = [layer.get_weights() for layer in model.layers]
    for kernel, bias in hidden:
        x = x @ kernel.astype(np.float64) + bias
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return (x @ output[0].astype(np.float64) + output[1])[:, 0]


def small(*ending: keras.Layer, name: str = "net") -> keras.Sequential:
    keras.utils.set_random_seed(1)
    first = layers.Dense(4, activation="elu", name="hidden")
    return keras.Sequential([keras.Input((2,)), first, *ending], name=name)


class Subclassed(keras.Model):
    """The sigmoid is a layer's, after a dropout whose `training` must be off."""

    ending = "sigmoid"

    def __init__(self):
        super().__init__(name="subclassed")
        self.hidden = layers.Dense(4, activation="elu", name="hidden")
        self.dropout = layers.Dropout(0.5)
        self.head = layers.Dense(1, activation=self.ending, name="head")

    def call(self, x, training=None):
        return self.head(self.dropout(self.hidden(x), training=training))


class PlainEnding(Subclassed):
    """The sigmoid is plain code in `call`, so it cannot be taken off."""

    ending = "linear"

    def call(self, x, training=None):
        inner = self.dropout(self.hidden(x), training=training)
        return keras.ops.sigmoid(self.head(inner))[:, 0]


class OwnSigmoid(layers.Layer):
    def call(self, x):
        return 1 / (1 + keras.ops.exp(-x))


def called(model: keras.Model) -> keras.Model:
    keras.utils.set_random_seed(1)
    model(np.zeros((1, 2), np.float32))
    return model


def functional_operation() -> keras.Model:
    keras.utils.set_random_seed(1)
    x = keras.Input((2,))
    return keras.Model(x, keras.ops.sigmoid(layers.Dense(1)(layers.Dense(4)(x))), name="net")


def nested() -> keras.Model:
    keras.utils.set_random_seed(1)
    x = keras.Input((2,))
    inner = small(layers.Dense(1), layers.Activation("sigmoid"), name="inner")
    return keras.Model(x, inner(x), name="outer")


# Every way in which a model can end in a sigmoid that can be taken off.
ENDINGS = {
    "activation of Dense": lambda: small(layers.Dense(1, activation="sigmoid")),
    "layer Activation": lambda: small(layers.Dense(1), layers.Activation("sigmoid")),
    "layer of one's own": lambda: small(layers.Dense(1), OwnSigmoid()),
    "layer Lambda": lambda: small(layers.Dense(1), layers.Lambda(tf.sigmoid)),
    "function of one's own": lambda: small(
        layers.Dense(1, activation=lambda x: 1 / (1 + keras.ops.exp(-x)))
    ),
    "followed by Dropout": lambda: small(
        layers.Dense(1, activation="sigmoid"), layers.Dropout(0.5)
    ),
    "operation": functional_operation,
    "nested": nested,
    "subclassed": lambda: called(Subclassed()),
}


def test_the_logit_of_a_trained_network_is_its_number_before_the_sigmoid(ellipse, points):
    neuron = Neuron.of(ellipse)

    assert neuron.name == "system_A1/logit"
    assert neuron.is_classifier
    assert neuron.inputs == 2
    np.testing.assert_allclose(neuron(points), numpy_logit(ellipse, points), rtol=1e-4, atol=1e-3)


def test_the_gradient_equals_finite_differences_of_the_same_network_in_numpy(ellipse, points):
    _, gradients = Neuron.of(ellipse).values_and_gradients(points)

    step = 1e-5 * np.eye(2)
    expected = [
        (numpy_logit(ellipse, points + h) - numpy_logit(ellipse, points - h)) / 2e-5 for h in step
    ]
    np.testing.assert_allclose(gradients, np.stack(expected, axis=1), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_final_sigmoid_is_taken_off_exactly(ending, points):
    model = ENDINGS[ending]()
    # So far into saturation that the probability is 0 or 1 and has no logit.
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Dense) and layer.units == 1:
            layer.kernel.assign(layer.kernel * 1000)
    neuron = Neuron.of(model)
    values, gradients = neuron.values_and_gradients(points)

    assert neuron.is_classifier
    assert neuron.name.endswith("/logit")
    np.testing.assert_allclose(
        tf.sigmoid(values), np.ravel(model(points, training=False)), atol=1e-4
    )
    assert np.abs(values).max() > 100
    assert np.all(np.abs(gradients).max(axis=1) > 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "h5", "saved_model"])
def test_every_kind_of_file_holds_the_same_neuron(kind, files, ellipse):
    points = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    neuron = Neuron.of(files[kind]).settle(points)
    values, gradients = neuron.values_and_gradients(points)
    expected_values, expected = Neuron.of(ellipse).values_and_gradients(points)
    unsaturated = np.abs(expected_values) < 10

    assert neuron.is_classifier
    assert unsaturated.sum() > 50
    np.testing.assert_allclose(values[unsaturated], expected_values[unsaturated], rtol=1e-2)
    np.testing.assert_allclose(gradients[unsaturated], expected[unsaturated], rtol=1e-2, atol=1e-3)
    assert np.all(np.isfinite(gradients))


def test_the_logit_of_a_probability_has_a_finite_gradient_at_saturation():
    p = tf.constant([0.0, 1e-30, 0.25, 1.0 - 6e-8, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(p)
        logit = logit_of(p)
    gradient = tape.gradient(logit, p).numpy()

    assert np.all(np.isfinite(logit)) and np.all(np.isfinite(gradient))
    assert gradient[0] == 0 and gradient[-1] == 0
    np.testing.assert_allclose(gradient[2], 1 / (0.25 * 0.75), rtol=1e-6)


def test_a_probability_made_by_plain_code_is_recognised_by_data(points):
    model = called(PlainEnding())
    neuron = Neuron.of(model)

    assert neuron.is_classifier is None
    settled = neuron.settle(points)
    assert settled.is_classifier
    assert settled.name == "subclassed/logit"
    expected = model.head(model.hidden(points))[:, 0]
    np.testing.assert_allclose(settled(points), expected, rtol=1e-4, atol=1e-5)


def test_a_saved_regression_is_settled_as_a_plain_value(tmp_path, points):
    model = small(layers.Dense(1))
    model.export(tmp_path / "regression", verbose=False)
    neuron = Neuron.of(tmp_path / "regression").settle(points)

    assert neuron.is_classifier is False
    np.testing.assert_allclose(neuron(points), model(points)[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu"])
def test_an_output_without_a_sigmoid_is_taken_as_it_is(activation, points):
    model = small(layers.Dense(1, activation=activation))
    neuron = Neuron.of(model)

    assert neuron.is_classifier is False
    np.testing.assert_allclose(neuron(points), model(points)[:, 0], rtol=1e-6)


@pytest.mark.slow
def test_the_loss_says_that_an_output_is_a_logit(tmp_path, points):
    model = small(layers.Dense(1))
    assert Neuron.of(model).is_classifier is False
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    assert Neuron.of(model).is_classifier
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        neuron = Neuron.of(tmp_path / name)
        assert neuron.is_classifier
        np.testing.assert_allclose(neuron(points), model(points)[:, 0], rtol=1e-6)


def test_kind_overrules_what_the_model_says(points):
    linear, squashed = small(layers.Dense(1)), small(layers.Dense(1, activation="sigmoid"))

    assert Neuron.of(linear, kind="logit").is_classifier
    value = Neuron.of(squashed, kind="value")
    assert value.is_classifier is False
    np.testing.assert_allclose(value(points), squashed(points)[:, 0], rtol=1e-6)
    for kind in ("logit", "probability"):
        np.testing.assert_array_equal(
            Neuron.of(squashed, kind=kind)(points), Neuron.of(squashed)(points)
        )


def test_a_hidden_unit_is_read_before_or_after_its_activation(ellipse, points):
    before = Neuron.of(ellipse, layer="hidden_2", unit=5)
    after = Neuron.of(ellipse, layer="hidden_2", unit=5, activation=True)
    kernel, bias = ellipse.get_layer("hidden_2").get_weights()
    expected = ellipse.get_layer("hidden_1")(points.astype(np.float32)).numpy() @ kernel + bias

    assert before.name == "system_A1/hidden_2[5]"
    assert after.name == "system_A1/elu(hidden_2[5])"
    assert before.is_classifier is False
    np.testing.assert_allclose(before(points), expected[:, 5], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after(points), tf.nn.elu(expected[:, 5]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "activation"), [(layers.ReLU, tf.nn.relu), (layers.ELU, tf.nn.elu)]
)
def test_a_layer_that_is_only_an_activation_is_read_before_it_too(layer, activation, points):
    model = small(layers.BatchNormalization(name="raw"), layer(name="last"), layers.Dense(1))
    raw = Neuron.of(model, "raw", unit=0)(points)

    np.testing.assert_allclose(Neuron.of(model, "last", unit=0)(points), raw)
    after = Neuron.of(model, "last", unit=0, activation=True)(points)
    np.testing.assert_allclose(after, activation(raw), rtol=1e-5)


def test_a_recurrent_layer_has_only_its_output(points):
    model = keras.Sequential(
        [keras.Input((2,)), layers.Reshape((2, 1)), layers.LSTM(3, name="lstm"), layers.Dense(1)]
    )
    inner = keras.Model(model.inputs, model.get_layer("lstm").output)
    neuron = Neuron.of(model, "lstm", unit=1)

    np.testing.assert_allclose(neuron(points), inner([points])[:, 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [Subclassed, PlainEnding])
def test_inner_layers_of_subclassed_models_are_reached(make, points):
    model = called(make())
    neuron = Neuron.of(model, "hidden", unit=2)
    kernel, bias = model.hidden.get_weights()
    values, gradients = neuron.values_and_gradients(points)

    np.testing.assert_allclose(values, (points @ kernel + bias)[:, 2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradients, np.tile(kernel[:, 2], (50, 1)), rtol=1e-5)


def test_a_layer_of_an_inner_model_is_found_by_its_name_or_path(points):
    model = nested()

    by_name, by_path = (Neuron.of(model, name, unit=1) for name in ("hidden", "inner/hidden"))
    assert by_name.name == by_path.name == "outer/inner/hidden[1]"
    np.testing.assert_array_equal(by_name(points), by_path(points))


def test_a_name_that_two_inner_models_share_needs_its_path():
    x = keras.Input((2,))
    encoder = keras.Sequential([layers.Dense(2, name="dense")], name="encoder")
    decoder = keras.Sequential([layers.Dense(2, name="dense")], name="decoder")
    model = keras.Model(x, decoder(encoder(x)))

    with pytest.raises(ValueError, match="several layers.*encoder/dense, decoder/dense"):
        Neuron.of(model, "dense", unit=0)
    assert Neuron.of(model, "decoder/dense", unit=0).inputs == 2


def test_units_of_a_softmax_are_read_before_it(points):
    model = small(layers.Dense(3, activation="softmax"))
    p = model(points).numpy()
    plain, pair, rest = (
        Neuron.of(model, unit=1),
        Neuron.of(model, unit=(1, 0)),
        Neuron.of(model, unit=1, kind="probability"),
    )

    assert (plain.is_classifier, pair.is_classifier, rest.is_classifier) == (False, True, True)
    others = Neuron.of(model, unit=0)(points)
    np.testing.assert_allclose(pair(points), plain(points) - others, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pair(points), np.log(p[:, 1] / p[:, 0]), rtol=1e-3, atol=1e-5)
    expected = np.log(p[:, 1] / (1 - p[:, 1]))
    np.testing.assert_allclose(rest(points), expected, rtol=1e-3, atol=1e-5)


def test_one_of_several_sigmoids_is_a_logit(points):
    model = small(layers.Dense(3, activation="sigmoid"))
    neuron = Neuron.of(model, unit=2)

    assert neuron.is_classifier
    np.testing.assert_allclose(tf.sigmoid(neuron(points)), model(points)[:, 2], rtol=1e-5)


def test_the_model_is_left_as_it_was_even_if_a_layer_raises(points):
    class Moody(layers.Layer):
        angry = False

        def call(self, x):
            if self.angry:
                raise RuntimeError("not today")
            return x

    model = small(layers.BatchNormalization(), Moody(), layers.Dense(1, activation="sigmoid"))
    before = [dict(layer.__dict__) for layer in (model, *model.layers)]
    weights = model.get_weights()
    neuron = Neuron.of(model)
    neuron.values_and_gradients(points)
    model.layers[2].angry = True
    with pytest.raises(RuntimeError, match="not today"):
        neuron(points)
    model.layers[2].angry = False

    for layer, attributes in zip((model, *model.layers), before, strict=True):
        assert layer.__dict__.get("call") is attributes.get("call")
        assert layer.__dict__.get("activation") is attributes.get("activation")
    for weight, same in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_conditions_on_tensors_in_plain_code_are_followed(points):
    def doubled_where_there_are_rows(x):
        if tf.shape(x)[0] > 0:
            x = 2 * x
        return x[:, 0] ** 2

    neuron = Neuron("plain", doubled_where_there_are_rows, inputs=2)
    values, gradients = neuron.values_and_gradients(points[:3])
    np.testing.assert_allclose(values, 4 * points[:3, 0] ** 2, rtol=1e-5)
    np.testing.assert_allclose(gradients[:, 0], 8 * points[:3, 0], rtol=1e-5)
    np.testing.assert_allclose(neuron.values(points[:3]), values, rtol=1e-6)


def test_training_the_model_further_changes_the_neuron():
    model = small(layers.Dense(1, activation="sigmoid"))
    x = np.ones((3, 2))
    neuron = Neuron.of(model)
    before, _ = neuron.values_and_gradients(x)
    model.layers[-1].bias.assign([5.0])
    after, _ = neuron.values_and_gradients(x)

    np.testing.assert_allclose(after, before + 5, rtol=1e-5)


def test_any_number_of_rows_is_differentiated_in_batches(ellipse):
    x = np.random.default_rng(1).uniform(-1, 1, size=(1001, 2))
    whole = Neuron.of(ellipse).values_and_gradients(x)
    parts = Neuron.of(ellipse).values_and_gradients(x, batch_size=64)

    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
    assert Neuron.of(ellipse).values_and_gradients(x[:0])[1].shape == (0, 2)


def test_an_input_that_the_model_ignores_has_gradient_zero():
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dense(1)(x[:, :2]))
    constant = Neuron("constant", lambda x: tf.ones(tf.shape(x)[0]), inputs=3)

    gradients = Neuron.of(model).values_and_gradients(np.ones((4, 3)))[1]
    assert np.all(gradients[:, 2] == 0) and np.all(gradients[:, 0] != 0)
    assert np.all(constant.values_and_gradients(np.ones((4, 3)))[1] == 0)


@pytest.mark.parametrize(
    ("policy", "dtype"), [("float64", "float64"), ("mixed_float16", "float32")]
)
def test_other_precisions_are_read_in_the_precision_of_the_weights(policy, dtype, points):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(4, activation="elu", dtype=policy),
            layers.Dense(1, activation="sigmoid", dtype=policy),
        ]
    )
    model.dtype_policy = policy
    values, gradients = Neuron.of(model).values_and_gradients(points)

    assert values.dtype == gradients.dtype == dtype
    assert np.all(np.isfinite(gradients)) and np.all(gradients.any(axis=1))


def test_a_dictionary_of_one_input_and_one_output_is_a_table_too(points):
    x = keras.Input((2,), name="points")
    model = keras.Model({"points": x}, {"answer": layers.Dense(1, activation="sigmoid")(x)})

    neuron = Neuron.of(model)
    assert neuron.is_classifier
    expected = model({"points": points.astype(np.float32)})["answer"][:, 0]
    np.testing.assert_allclose(tf.sigmoid(neuron(points)), expected, rtol=1e-5)


def test_paths_of_layers_are_listed_in_order_and_without_the_inputs():
    assert list(tracing.operations_of(nested()))[:2] == ["inner", "inner/hidden"]


# Errors: each names what is wrong and what to do, before any long work.


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ({"layer": "nowhere"}, "does not exist in 'net'. Choose one of: hidden, wide"),
        ({"layer": "wide"}, "has 3 units. Pass one of `unit=0`, `unit=1`, `unit=2`"),
        ({"layer": "wide", "unit": 3}, "from 0 to 2.*Received: unit=3"),
        ({"layer": "wide", "unit": -1}, "from 0 to 2.*Received: unit=-1"),
        ({"layer": "wide", "unit": True}, "Received: unit=True"),
        ({"unit": 1}, "has 1 unit;.*Received: unit=1"),
        ({"kind": "classifier"}, "`kind` is one of.*'classifier'"),
        ({"layer": "wide", "unit": 0, "kind": "logit"}, "nothing to say"),
        ({"inputs": 5}, "has 2 input columns. Received: inputs=5"),
    ],
)
def test_a_wrong_question_about_a_model_is_answered_with_what_to_ask(ask, message):
    model = small(layers.Dense(3, name="wide"), layers.Dense(1))
    with pytest.raises(ValueError, match=message):
        Neuron.of(model, **ask)


def test_an_unbuilt_model_is_refused():
    for model in (keras.Sequential([layers.Dense(1)]), Subclassed()):
        with pytest.raises(ValueError, match="not built yet.*Call it once on data"):
            Neuron.of(model)


def test_models_that_are_no_function_of_one_table_are_refused():
    x = keras.Input((2,))
    two_outputs = keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(x)])
    sequence = small(layers.Reshape((2, 2)))
    shared = layers.Dense(2, name="shared")
    twice = keras.Model(x, layers.Dense(1)(shared(shared(x))))

    for model, ask, message in [
        (two_outputs, {}, "Expected one output tensor.*has 2"),
        (sequence, {}, r"a position such as `unit=.0, 0.` in its shape .2, 2."),
        (twice, {"layer": "shared", "unit": 0}, "is called 2 times"),
    ]:
        with pytest.raises(ValueError, match=message):
            Neuron.of(model, **ask)


def test_what_is_no_keras_model_is_refused():
    with pytest.raises(TypeError, match="Expected a Keras 3 model or the path of one"):
        Neuron.of(lambda x: x)


def test_a_layer_inside_a_compiled_call_is_out_of_reach_but_the_output_is_not(points):
    class Compiled(Subclassed):
        @tf.function
        def call(self, x):
            return self.head(self.dropout(self.hidden(x)))

    model = called(Compiled())
    with pytest.raises(ValueError, match="remove the decorator"):
        Neuron.of(model, "hidden", unit=0)
    neuron = Neuron.of(model).settle(points)
    assert neuron.is_classifier
    expected = model.head(model.hidden(points))[:, 0]
    np.testing.assert_allclose(tf.sigmoid(neuron(points)), expected, rtol=1e-5)


def test_another_backend_is_refused_at_once(monkeypatch, ellipse):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        Neuron.of(ellipse)


def test_points_of_another_width_are_refused(ellipse):
    with pytest.raises(ValueError, match=r"shape \(rows, 2\). Received: shape \(4, 3\)"):
        Neuron.of(ellipse).values_and_gradients(np.ones((4, 3)))


def test_inner_layers_of_a_saved_model_are_out_of_reach(files):
    with pytest.raises(ValueError, match="it holds a function, not layers"):
        Neuron.of(files["saved_model"], layer="hidden_1", unit=0)


def test_a_softmax_is_recognised_without_a_warning(points):
    model = small(layers.Dense(3), layers.Softmax())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Neuron.of(model, unit=(1, 0)).values_and_gradients(points)
    # Keras warns of a softmax over one number.
    assert not [one for one in caught if "softmax" in str(one.message)]


def test_values_alone_are_those_that_come_with_gradients(ellipse, points):
    neuron = Neuron.of(ellipse)
    values, _ = neuron.values_and_gradients(points)
    np.testing.assert_allclose(neuron.values(points, batch_size=7), values, rtol=1e-6)
    np.testing.assert_allclose(values, numpy_logit(ellipse, points), rtol=1e-4)
    with pytest.raises(ValueError, match=r"expects points of shape \(rows, 2\)"):
        neuron.values(points[:, :1])
