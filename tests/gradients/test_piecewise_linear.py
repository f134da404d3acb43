"""Networks whose gradients jump are told from those that turn, and rows by how much they jump."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.engine.directions import unit
from keras_symgrad.files.tables import read_points
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.piecewise_linear import (
    gradient_spread,
    is_piecewise_constant,
    weights_of,
)
from keras_symgrad.neurons.neuron import Neuron

pytestmark = pytest.mark.slow

SYSTEM = SYSTEMS["B"]


@pytest.fixture(scope="module")
def points(models):
    return read_points(models / "B.csv")[0]


@pytest.fixture(scope="module")
def relu(models):
    return Neuron.of(models / "B-relu.keras")


@pytest.fixture(scope="module")
def field(relu, points):
    return GradientField.from_neuron(relu, points, rows=500)


def test_rows_whose_raw_gradients_scatter_weigh_less_and_are_worse(relu, points, field):
    scatter = gradient_spread(relu, field.points, points, width=0.05)
    assert scatter.shape == (field.rows,)
    assert np.all((scatter >= 0) & (scatter <= 1))
    weights = weights_of(scatter)
    assert weights.mean() == pytest.approx(1)
    assert np.all(np.diff(weights[np.argsort(scatter)]) <= 1e-12)
    errors = np.sum((unit(SYSTEM.gradients(field.points)) + field.directions) ** 2, axis=1)
    if errors.mean() > 2:
        errors = 4 - errors
    assert np.average(errors, weights=weights) < 0.95 * errors.mean()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "hard_sigmoid", "relu6"])
def test_a_network_that_is_linear_in_pieces_is_told(activation):
    model = network(activation)
    assert is_piecewise_constant(Neuron.of(model), data())


@pytest.mark.parametrize("activation", ["elu", "tanh", "softplus", "linear"])
def test_a_network_that_is_smooth_or_linear_is_not_told(activation):
    model = network(activation)
    assert not is_piecewise_constant(Neuron.of(model), data())


def test_maxima_and_a_bent_output_do_not_hide_the_pieces():
    inputs = keras.Input((3,))
    pieces = keras.layers.Dense(6)(inputs)
    largest = keras.layers.GlobalMaxPooling1D()(keras.layers.Reshape((6, 1))(pieces))
    model = keras.Model(inputs, keras.layers.Activation("tanh")(largest))
    assert is_piecewise_constant(Neuron.of(model), data())


def test_shipped_networks_are_told_apart(relu, models, points):
    assert is_piecewise_constant(relu, points)
    assert not is_piecewise_constant(Neuron.of(models / "B.keras"), points)


def network(activation: str) -> keras.Model:
    keras.utils.set_random_seed(1)
    # Weights so large that a hard sigmoid meets its kinks.
    wide = keras.initializers.RandomNormal(stddev=2.0)
    hidden = [keras.layers.Dense(16, activation, kernel_initializer=wide) for _ in range(2)]
    return keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(1)])


def data() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(500, 3))
