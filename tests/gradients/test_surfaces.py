"""`interpret` on data that lie on a surface, on gradients that jump, and in other quantities."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad import Sampling, Search, Stopping
from keras_symgrad.api.interpret import interpret
from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.files.tables import read_points
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.reading import read
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.neurons.quantities import Quantities

SEARCH = Search(methods=("dictionary",), stopping=Stopping(2))
QUICK = {"operators": "polynomial", "search": SEARCH, "verbose": False}


@pytest.fixture(scope="module")
def of_fixed_trace():
    x = np.random.default_rng(0).uniform(-1, 1, size=(2000, 4))
    x[:, 3] = 0.5 - x[:, 0]
    return x


def with_noise_across(x):
    """The determinant, and something that no data of one trace show."""
    determinant = x[:, 0] * x[:, 3] - x[:, 1] * x[:, 2]
    return tf.tanh(determinant) + 3 * (x[:, 0] + x[:, 3] - 0.5) * tf.cos(2 * x[:, 0])


@pytest.mark.slow
def test_across_a_surface_the_network_is_not_asked(of_fixed_trace):
    neuron = Neuron("matrix", with_noise_across, inputs=4, dtype="float64")
    x = of_fixed_trace
    along, across = (
        interpret(neuron, x, sampling=Sampling(tangent=t, metric=m), **QUICK)
        for t, m in (("auto", "covariance"), (None, "columns"))
    )
    determinant = np.stack([x[:, 3], -x[:, 2], -x[:, 1], x[:, 0]], axis=1)
    # Projected on what the data show, by hand.
    project = np.eye(4) - np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
    found = gradient(along.best.expression, along.names, x)
    assert direction_error(found @ project, determinant @ project) < 1e-9
    assert along.cosine_error < 1e-9 < 1e-2 < across.cosine_error
    assert "never left: x1 + x4 = 0.5" in str(along)
    assert "never left" not in str(across)


def test_points_are_drawn_on_the_surface_of_the_data(of_fixed_trace):
    def decide(x):
        return 20 * (x[:, 0] * x[:, 3] - x[:, 1] * x[:, 2])

    neuron = Neuron("matrix", decide, inputs=4, is_classifier=True)
    field = GradientField.from_neuron(neuron, of_fixed_trace[:300], rows=500)
    assert field.origin["drawn"] > 100
    assert field.origin["moved"] == 0
    np.testing.assert_allclose(field.points[:, 0] + field.points[:, 3], 0.5, atol=1e-6)


@pytest.mark.slow
def test_a_curved_surface_is_read_off_neighbours():
    x = np.random.default_rng(0).normal(size=(3000, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)

    def function(x):
        return tf.tanh(x[:, 0] * x[:, 1] + x[:, 2]) * tf.norm(x, axis=1) ** 4

    neuron = Neuron("sphere", function, inputs=3, dtype="float64")
    result = interpret(neuron, x, sampling=Sampling(tangent="local"), **QUICK)
    assert str(result.best.expression) == "x1*x2 + x3"
    assert result.cosine_error < 1e-4
    assert "the data have 2 directions in 3 variables" in str(result)
    with pytest.raises(ValueError, match="`tangent` is"):
        interpret(neuron, x, sampling=Sampling(tangent="global"), **QUICK)


@pytest.mark.slow
def test_more_quantities_than_inputs_are_compared_along_the_inputs():
    x = np.random.default_rng(0).uniform(0.5, 2, (2000, 2))
    many = Quantities(
        lambda x: tf.stack([x[:, 0] * x[:, 1], x[:, 0] ** 2, x[:, 1], tf.exp(x[:, 0])], axis=1),
        names=["product", "square", "second", "growth"],
        dtype="float64",
    )
    neuron = Neuron("net", lambda x: tf.exp(x[:, 0] * x[:, 1] + x[:, 1]), inputs=2, dtype="float64")
    result = interpret(neuron, x, sampling=Sampling(in_terms_of=many), **QUICK)
    values, jacobians = many.values_and_jacobians(x)
    by_quantities = gradient(result.best.expression, result.names, values)
    pulled_back = np.einsum("rqi,rq->ri", jacobians, by_quantities)
    assert direction_error(pulled_back, np.stack([x[:, 1], x[:, 0] + 1], axis=1)) < 1e-9
    assert "explained" not in str(result)


@pytest.mark.slow
def test_what_the_quantities_do_not_tell_is_said():
    x = np.random.default_rng(0).uniform(0.5, 2, (1000, 2))
    one = Quantities(lambda x: x[:, :1] ** 2, names=["square"], dtype="float64")
    neuron = Neuron("sum", lambda x: x[:, 0] + x[:, 1], inputs=2, dtype="float64")
    result = interpret(neuron, x, sampling=Sampling(in_terms_of=one), **QUICK)
    assert result.gradients.explained == pytest.approx(0.5)
    assert "explained: 50.0%" in str(result)


def test_a_layer_is_named_where_there_is_a_model(models):
    neuron = Neuron("own", lambda x: x[:, 0], inputs=2)
    with pytest.raises(ValueError, match="this `Neuron` was made of a function"):
        interpret(neuron, models / "A1.csv", sampling=Sampling(in_terms_of="hidden_1"))
    field = GradientField.from_gradients(np.ones((5, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="make the field with them. Received: .*in_terms_of"):
        interpret(field, sampling=Sampling(in_terms_of="hidden_1"))


@pytest.mark.slow
def test_gradients_that_jump_are_averaged_unless_the_user_says_no(models):
    system, neuron = SYSTEMS["B"], Neuron.of(models / "B-relu.keras")
    points = read_points(models / "B.csv")
    _, smooth = read([neuron], points, smoothing="auto", rows=1000)
    with pytest.warns(UserWarning, match="jumps from piece to piece"):
        _, raw = read([neuron], points, smoothing=None, rows=1000)
    np.testing.assert_array_equal(raw.points, smooth.points)
    truth = system.gradients(raw.points)
    assert direction_error(smooth.directions, truth) < 0.6 * direction_error(raw.directions, truth)


@pytest.mark.slow
def test_smooth_gradients_are_read_as_they_are(models):
    neuron = Neuron.of(models / "B.keras")
    points = read_points(models / "B.csv")
    fields = [read([neuron], points, smoothing=way, rows=300)[1] for way in ("auto", None)]
    np.testing.assert_array_equal(fields[0].directions, fields[1].directions)


@pytest.mark.parametrize("smoothing", ["always", 0, -1.0])
def test_what_is_no_width_is_refused_before_anything_is_read(models, smoothing):
    with pytest.raises(ValueError, match=f"Received: smoothing={smoothing!r}"):
        interpret(models / "B.keras", models / "B.csv", sampling=Sampling(smoothing=smoothing))


@pytest.mark.slow
def test_the_value_of_a_regressor_is_a_formula(models):
    result = interpret(
        models / "air_pressure.keras", models / "air_pressure.csv", time_limit=10, verbose=False
    )
    assert result.value.r2 > 0.9999
    x, _ = read_points(models / "air_pressure.csv")
    height, mass, temperature = x.T
    expected = np.exp(-9.81 / 8.314 * height * mass / temperature)
    np.testing.assert_allclose(result.value.value(x), expected, atol=0.01)
    assert "temperature" not in result.ignored
    assert result.to_dict()["value"]["r2"] == result.value.r2
