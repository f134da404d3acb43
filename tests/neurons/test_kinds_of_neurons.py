"""Formulas of neurons of many kinds, from networks that were really trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.files.tables import read_points

QUICK = {
    "search": ks.Search(methods=("dictionary",)),
    "time_limit": 3,
    "sampling": ks.Sampling(rows=600),
    "verbose": False,
}


def error_of(concept: ks.Interpretation, x: np.ndarray, truth: np.ndarray) -> float:
    """Mean of 1 - |cos| between the formula's gradients and the true ones."""
    return direction_error(np.asarray(concept.best.to_layer().symbolic_gradient(x)), truth)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["bottleneck", None])
def test_a_hidden_unit_and_the_output_behind_it_carry_the_energy_of_a_pendulum(layer, models):
    concept = ks.interpret(models / "pendulum.keras", models / "pendulum.csv", layer=layer, **QUICK)
    x = np.random.default_rng(5).uniform(-1.8, 1.8, (5_000, 2))
    assert concept.names == ("angle", "speed")
    assert error_of(concept, x, np.stack([np.sin(x[:, 0]), x[:, 1]], axis=1)) < 2e-3
    assert concept.phi.r2 > 0.999


@pytest.mark.slow
def test_a_model_of_named_inputs_is_read_in_the_units_of_the_data(models):
    table, _ = read_points(models / "barrier.csv")
    cars = {"mass": table[:, 0], "velocity": table[:, 1:]}
    concept = ks.interpret(models / "barrier.keras", cars, **QUICK)

    rng = np.random.default_rng(5)
    x = rng.uniform([800, -25, -25], [2400, 25, 25], size=(100_000, 3))
    energy = x[:, 0] * (x[:, 1] ** 2 + x[:, 2] ** 2) / 2
    near = x[np.abs(energy - 3e5) < 1e3]
    mass, along, across = near.T
    # Columns of such different widths compare in their own units.
    truth = np.stack([(along**2 + across**2) / 2, mass * along, mass * across], axis=1)
    widths = np.array([1600.0, 50.0, 50.0])
    found = np.asarray(concept.best.to_layer().symbolic_gradient(near))
    assert concept.names == ("mass", "velocity_1", "velocity_2")
    assert direction_error(found * widths, truth * widths) < 2e-3
    assert concept.rule.agreement > 0.99


@pytest.mark.slow
def test_a_neuron_is_read_in_terms_of_quantities_that_the_user_names(models):
    import tensorflow as tf

    parts = ks.Quantities(
        lambda x: tf.stack([x[:, 1] ** 2 / 2, 1 - tf.cos(x[:, 0])], axis=1),
        names=["kinetic", "potential"],
    )
    concept = ks.interpret(
        models / "pendulum.keras",
        models / "pendulum.csv",
        **QUICK | {"sampling": ks.Sampling(rows=600, in_terms_of=parts)},
    )
    assert concept.names == ("kinetic", "potential")
    gradient = np.asarray(concept.best.to_layer().symbolic_gradient([[0.7, 0.4]]))
    np.testing.assert_allclose(gradient[0, 1] / gradient[0, 0], 1, rtol=0.05)


@pytest.mark.slow
def test_a_model_reads_the_same_from_memory_as_from_its_file(models):
    model = keras.models.load_model(models / "barrier.keras")
    x, _ = read_points(models / "barrier.csv")
    memory, file = ks.Neuron.of(model), ks.Neuron.of(models / "barrier.keras")
    assert memory.names == file.names == ("mass", "velocity_1", "velocity_2")
    for one, other in zip(memory.values_and_gradients(x), file.values_and_gradients(x)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_convolutional_network_is_read_in_the_units_of_an_earlier_layer():
    picture = keras.Input((6, 6, 1), name="picture")
    seen = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="seen")(picture)
    squares = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="squares")(seen**2)
    both = [keras.layers.GlobalAveragePooling2D()(part) for part in (seen, squares)]
    pooled = keras.layers.Concatenate(name="pooled")(both)
    model = keras.Model(picture, pooled[:, 1:] * pooled[:, :1] ** 3, name="net")
    rng = np.random.default_rng(0)
    pictures = rng.uniform(0.2, 1, (800, 1, 1, 1)) * rng.uniform(0.5, 1.5, size=(800, 6, 6, 1))

    pooled = ks.Sampling(rows=600, in_terms_of="pooled")
    concept = ks.interpret(model, pictures, **QUICK | {"sampling": pooled})
    assert concept.names == ("pooled_0", "pooled_1")
    a, b = rng.uniform(0.3, 1, (2, 500))
    truth = np.stack([3 * b * a**2, a**3], axis=1)
    assert error_of(concept, np.stack([a, b], axis=1), truth) < 1e-4


@pytest.mark.slow
def test_a_trained_convolutional_network_is_read_in_features_that_the_user_names(models):
    import tensorflow as tf

    named = ks.Quantities(
        lambda x: tf.stack(tf.nn.moments(x, axes=[1, 2, 3]), axis=1),
        names=["mean", "variance"],
        shape=(8, 8, 1),
    )
    rng = np.random.default_rng(1)
    contrast = rng.uniform(0.1, 0.6, (1500, 1, 1, 1))
    pictures = rng.uniform(0.4, 1, (1500, 1, 1, 1)) * (
        1 + contrast * rng.normal(size=(1500, 8, 8, 1))
    )
    concept = ks.interpret(
        models / "speckle.keras",
        pictures,
        **QUICK | {"sampling": ks.Sampling(rows=600, in_terms_of=named)},
    )
    mean, deviation = rng.uniform(0.4, 1, 500), 0.35
    x = np.stack([mean, (deviation * mean) ** 2], axis=1)
    # On the boundary, where the deviation is 0.35 of the mean: variance / mean^2 is constant.
    truth = np.stack([-2 * x[:, 1] / x[:, 0], np.ones(500)], axis=1)
    assert error_of(concept, x, truth) < 5e-3
    assert concept.rule.agreement > 0.95
