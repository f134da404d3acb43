from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.neurons import Neuron
from keras_symgrad.results.neighbourhood.boundary_point import BoundaryPoint, nearest_boundary
from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid

X = np.random.default_rng(0).normal(size=(4000, 2)) * [1.0, 3.0]


def deciding(function) -> Neuron:
    return Neuron("net", function, inputs=2, is_classifier=True)


def test_the_nearest_point_of_a_line_is_its_foot_in_the_metric_of_the_data():
    """Of 2a + b = 4 from the origin, with widths 1 and 3: |4| / |(2, 3)| away."""
    neuron = deciding(lambda x: tf.tanh(2 * x[:, 0] + x[:, 1] - 4))
    around = Ellipsoid(np.zeros(2), np.diag([1.0, 3.0]), ("a", "b"))
    found = nearest_boundary(neuron, around, X)
    assert found.distance == pytest.approx(4 / np.sqrt(13), rel=1e-3)
    np.testing.assert_allclose(found.point, [8 / 13, 36 / 13], rtol=1e-2)
    assert found.to_yes and found.in_data


@pytest.mark.parametrize("seed", range(2))
def test_no_point_on_a_fine_grid_of_angles_is_nearer(seed):
    """On a boundary with several valleys, against rays in 2,000 directions."""

    def wavy(x):
        angle = tf.atan2(x[:, 1], x[:, 0])
        return tf.reduce_sum(x**2, axis=1) - (1.5 + 0.6 * tf.sin(5 * angle)) ** 2

    neuron = deciding(wavy)
    row = np.random.default_rng(seed).uniform(-0.5, 0.5, size=2)
    around = Ellipsoid(row, np.eye(2), ("a", "b"))
    found = nearest_boundary(neuron, around, X)
    angles = np.linspace(0, 2 * np.pi, 2000)[:, None]
    lengths = np.linspace(0, 3, 600)
    rays = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)[:, None] * lengths[:, None]
    values = neuron.values(row + rays.reshape(-1, 2)).reshape(2000, 600)
    flipped = (values > 0) != (values[0, 0] > 0)
    nearest = lengths[flipped.any(axis=0)][0]
    assert abs(found.distance - nearest) < 0.02
    beyond = found.point + 1e-3 * found.change
    assert (neuron.values(beyond[None])[0] > 0) == found.to_yes


def test_a_column_of_few_values_is_not_changed():
    x = np.column_stack([X[:, 0], np.arange(4000) % 2])
    neuron = deciding(lambda x: x[:, 0] + 3 * x[:, 1] - 2)
    around = Ellipsoid.of(np.array([0.5, 0.0]), x, ("a", "kind"))
    found = nearest_boundary(neuron, around, x)
    np.testing.assert_allclose(found.change, [1.5, 0.0], atol=1e-4)


def test_a_network_that_decides_alike_everywhere_has_no_boundary():
    always = deciding(lambda x: 1 + tf.reduce_sum(x**2, axis=1))
    assert nearest_boundary(always, Ellipsoid(np.ones(2), np.eye(2), ("a", "b")), X) is None


def test_a_point_beyond_the_data_is_called_so():
    far = deciding(lambda x: x[:, 0] - 40)
    found = nearest_boundary(far, Ellipsoid(np.zeros(2), np.eye(2), ("a", "b")), X)
    assert not found.in_data
    assert "outside of the data" in found.text(("a", "b"))


def test_changes_are_listed_by_their_size_in_widths():
    change, widths = np.array([1.0, 30.0, 0.0, 0.03]), np.array([1.0, 10.0, 0.0, 1.0])
    point = BoundaryPoint(change, 3.2, change, widths, False, True)
    assert point.listed(("a", "b", "c", "d")) == "b 0 -> 30, a 0 -> 1; 1 smaller change"
