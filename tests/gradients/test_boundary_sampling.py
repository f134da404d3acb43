"""The slab of a classifier: near its boundary, and not wherever its logit is small."""

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.gradients.boundary_sampling import slab_rows
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron

BOUND = np.log(99)


def on_plateaus(x):
    """A logit of 12 (x1 - 0.2) that ends at 3.5, where it goes on along x2."""
    import tensorflow as tf

    step = 3.5 * tf.tanh(12 / 3.5 * (x[:, 0] - 0.2))
    return step + 0.05 * tf.sin(3 * x[:, 1]) * (step / 3.5) ** 4


def steady(x):
    return 2 * x[:, 0] + x[:, 1]


def box(rows: int = 3000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (rows, 2))


def test_rows_on_a_plateau_are_left_out_and_counted():
    neuron = Neuron("plateau", on_plateaus, inputs=2, is_classifier=True)
    x = box()
    # Nowhere is the network sure, so that the probability alone leaves every row in.
    assert (np.abs(neuron.values(x)) < BOUND).all()
    field = GradientField.from_neuron(neuron, x, rows=1000)
    assert field.plateau > 0.5 * len(x)
    assert np.abs(field.points[:, 0] - 0.2).max() < 1.0
    truth = np.tile([1.0, 0.0], (field.rows, 1))
    everywhere = GradientField.from_neuron(neuron, x, rows=1000, delta=None)
    assert direction_error(field.directions, truth) < 1e-3
    assert direction_error(everywhere.directions, np.tile([1.0, 0.0], (1000, 1))) > 0.05


def test_a_logit_without_a_plateau_keeps_all_rows_of_the_slab():
    neuron = Neuron("steady", steady, inputs=2, is_classifier=True)
    field = GradientField.from_neuron(neuron, box(), rows=1000)
    assert field.plateau == 0
    # The slab is the whole box.
    assert field.origin == {"data": 1000, "drawn": 0, "moved": 0}
    assert np.abs(field.values).max() > 2.5


@pytest.mark.parametrize("units", [(1.0, 1.0), (1e6, 1e-6)])
def test_which_rows_are_near_does_not_depend_on_units(units):
    def scaled(x):
        return on_plateaus(x / np.array(units, np.float32))

    neuron = Neuron("plateau", scaled, inputs=2, is_classifier=True)
    rows = slab_rows(
        neuron, box() * units, delta=0.01, rows=None, rng=np.random.default_rng(0), draw=False
    )
    plain = Neuron("plateau", on_plateaus, inputs=2, is_classifier=True)
    expected = slab_rows(
        plain, box(), delta=0.01, rows=None, rng=np.random.default_rng(0), draw=False
    )
    np.testing.assert_array_equal(rows.data_index, expected.data_index)


def test_rows_of_columns_from_tiny_to_huge_are_moved_along_all_of_them():
    scale = np.array([1e-25, 1e25])

    def steep(x):
        return 40 * tf.reduce_sum((x / scale.astype("float32")) ** 2, axis=1) - 40

    x = np.random.default_rng(0).uniform(-1.5, 1.5, (2000, 2)) * scale
    neuron = Neuron("ring", steep, inputs=2, is_classifier=True)
    rows = slab_rows(neuron, x, delta=0.01, rows=400, rng=np.random.default_rng(0), draw=False)
    assert rows.moved > 200
    moved = rows.points[-rows.moved :] / scale
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=0.1)
    # Both columns change sign and size along the ring.
    assert (np.abs(moved) > 0.7).mean(axis=0).min() > 0.2
