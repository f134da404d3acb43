"""Averaging over a neighbourhood: what it is, what it leaves alone, and what it gains."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.engine.directions import unit
from keras_symgrad.files.tables import read_points
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.smoothing import WIDTHS, averaged, choose_width, smoothed
from keras_symgrad.neurons.neuron import Neuron

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


def truth_loss(field: GradientField, gradients: np.ndarray) -> float:
    """Mean squared difference between directions and those of the concept that made the labels."""
    truth, found = unit(SYSTEM.gradients(field.points)), field.directions_of(gradients)
    return min(np.mean((found - sign * truth) ** 2) for sign in (1, -1))


@pytest.mark.slow
def test_the_gradient_is_that_of_the_mean_over_the_neighbourhood(relu, points):
    here = points[:20]
    # Any square root of the covariance gives shifts of the same distribution.
    root = np.linalg.cholesky(np.cov(points, rowvar=False))
    shifts = 0.2 * np.random.default_rng(0).normal(size=(600, 1, 3)) @ root.T

    def mean(x: np.ndarray) -> np.ndarray:
        values = relu.values_and_gradients((x + shifts).reshape(-1, 3))[0]
        return values.reshape(len(shifts), -1).mean(axis=0, dtype=float)

    step = 0.05
    differences = [(mean(here + e) - mean(here - e)) / (2 * step) for e in step * np.eye(3)]
    truth = unit(np.stack(differences, axis=1))

    raw, smooth = (
        np.mean((unit(neuron.values_and_gradients(here)[1]) - truth) ** 2)
        for neuron in (relu, smoothed(relu, points, width=0.2))
    )
    assert smooth < 0.3 * raw


def test_the_values_stay_those_of_the_network(relu, points):
    smooth = smoothed(relu, points, width=0.2, samples=4)
    np.testing.assert_allclose(smooth(points[:50]), relu(points[:50]), rtol=1e-5)


def test_it_is_a_neuron_like_the_one_that_it_averages(relu, points):
    smooth = smoothed(relu, points, width=0.2, samples=4)
    assert (smooth.inputs, smooth.is_classifier, smooth.dtype) == (3, True, "float32")
    assert smooth.name == "system_B/logit, width 0.2"
    with tf.GradientTape() as tape:
        x = tf.constant(points[:5], "float32")
        tape.watch(x)
        value = smooth(x)
    np.testing.assert_allclose(
        tape.gradient(value, x), smooth.values_and_gradients(points[:5])[1], rtol=1e-4
    )


def test_the_average_of_a_linear_field_is_exact():
    square = Neuron("square", lambda x: x[:, 0] ** 2 + x[:, 0] * x[:, 1], 2, False, "float64")
    x = np.random.default_rng(0).normal(size=(300, 2)) * [1, 5]
    gradients = smoothed(square, x, width=0.5).values_and_gradients(x)[1]
    np.testing.assert_allclose(gradients, square.values_and_gradients(x)[1], atol=1e-9)


def test_data_on_a_line_and_columns_of_categories_are_left_where_they_are():
    rng = np.random.default_rng(0)
    along = rng.normal(size=(400, 1))
    x = np.hstack([along, -2 * along, rng.integers(0, 2, size=(400, 1))])
    seen = []

    def function(x: tf.Tensor) -> tf.Tensor:
        seen.append(x.numpy())
        return x[:, 0]

    smoothed(Neuron("spy", function, 3, False, "float64"), x, width=0.3, samples=8)(x)
    moved = np.concatenate(seen)
    np.testing.assert_allclose(moved[:, 1], -2 * moved[:, 0], atol=1e-9)
    assert set(moved[:, 2]) == {0.0, 1.0}
    assert np.abs(moved[: len(x), 0] - x[:, 0]).max() > 0.05


@pytest.mark.slow
def test_a_few_far_rows_do_not_widen_the_neighbourhood():
    x = np.random.default_rng(0).normal(size=(1000, 2))
    far = np.concatenate([x, [[1e4, 1e4]]])
    kinked = Neuron("kinked", lambda x: tf.abs(x[:, 0]) + x[:, 1], inputs=2)
    here = np.linspace(-1, 1, 41)[:, None] * [1, 0]
    with_far, without = (
        smoothed(kinked, data, width=0.2).values_and_gradients(here)[0] for data in (far, x)
    )
    np.testing.assert_allclose(with_far, without, atol=1e-2)


@pytest.mark.slow
def test_averaging_brings_the_gradients_of_a_relu_network_nearer_to_the_truth(relu, points, field):
    raw = truth_loss(field, relu.values_and_gradients(field.points)[1])
    smooth = averaged(field, relu, points)
    assert truth_loss(field, smooth.directions) < 0.6 * raw
    np.testing.assert_array_equal(smooth.values, field.values)
    np.testing.assert_array_equal(smooth.points, field.points)
    assert choose_width(relu, points) in WIDTHS


@pytest.mark.parametrize("samples", [0, 1, 7])
def test_an_odd_number_of_directions_is_refused(relu, points, samples):
    with pytest.raises(ValueError, match="an even number"):
        smoothed(relu, points, width=0.1, samples=samples)


@pytest.mark.parametrize("width", [0, -0.1])
def test_a_width_that_is_not_positive_is_refused(relu, points, width):
    with pytest.raises(ValueError, match="`width` is a positive number"):
        smoothed(relu, points, width=width)
