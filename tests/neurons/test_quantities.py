"""Quantities of a layer or of one's own, and that their Jacobians are their derivatives."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.neurons.quantities import Quantities

layers = keras.layers


def finite_differences(function, x: np.ndarray, step: float) -> np.ndarray:
    """Central differences, `(rows, quantities, inputs)`."""
    columns = [
        (np.asarray(function(x + h)) - np.asarray(function(x - h))) / (2 * step)
        for h in step * np.eye(x.shape[1])
    ]
    return np.stack(columns, axis=2)


@pytest.fixture(scope="module")
def picture_model() -> keras.Sequential:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((5, 5, 1)),
            layers.Conv2D(2, 3, activation="tanh", name="conv"),
            layers.Flatten(),
            layers.Dense(3, activation="elu", name="features"),
            layers.Dense(1),
        ],
        name="pictures",
    )


@pytest.mark.slow
def test_the_jacobian_of_a_trained_layer_equals_the_chain_rule_in_numpy(models):
    model = keras.models.load_model(models / "A1.keras", compile=False)
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    quantities = Quantities.of(models / "A1.keras", "hidden_1")
    values, jacobians = quantities.values_and_jacobians(x, batch_size=64)

    kernel, bias = (w.astype(np.float64) for w in model.get_layer("hidden_1").get_weights())
    before = x @ kernel + bias
    np.testing.assert_allclose(values, np.where(before > 0, before, np.expm1(before)), atol=1e-5)
    slope = np.where(before > 0, 1, np.exp(before))
    np.testing.assert_allclose(jacobians, slope[:, :, None] * kernel.T, atol=1e-4)
    assert jacobians.dtype == values.dtype == np.float64
    assert quantities.names[:2] == ("hidden_1_0", "hidden_1_1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "units", "names"),
    [
        ("conv", None, ["conv_0_0_0", "conv_0_0_1", "conv_0_1_0"]),
        ("conv", [(2, 2, 1), 4], ["conv_2_2_1", "conv_0_2_0"]),
        ("features", [2], ["features_2"]),
    ],
)
def test_layers_of_convolutional_networks_are_differentiated_by_each_pixel(
    layer, units, names, picture_model
):
    x = np.random.default_rng(1).normal(size=(4, 25))
    quantities = Quantities.of(picture_model, layer, units)
    values, jacobians = quantities.values_and_jacobians(x)

    inner = keras.Model(picture_model.inputs[0], picture_model.get_layer(layer).output)
    whole = inner(x.reshape(4, 5, 5, 1)).numpy().reshape(4, -1)
    places = {(2, 2, 1): 17, 4: 4, 2: 2}
    chosen = range(whole.shape[1]) if units is None else [places[unit] for unit in units]
    np.testing.assert_allclose(values, whole[:, chosen], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        jacobians, finite_differences(quantities, x, 1e-2), rtol=2e-2, atol=2e-3
    )
    assert list(quantities.names[: len(names)]) == names


def test_a_function_of_pictures_of_ones_own_gets_pictures():
    def features(pictures):
        brightness = tf.reduce_mean(pictures, axis=[1, 2, 3])
        contrast = tf.math.reduce_variance(pictures, axis=[1, 2, 3])
        return tf.stack([brightness, contrast], axis=1)

    x = np.random.default_rng(0).normal(size=(6, 12))
    quantities = Quantities(features, ["mean", "variance"], shape=(3, 4, 1), dtype="float64")
    values, jacobians = quantities.values_and_jacobians(x, batch_size=4)

    np.testing.assert_allclose(values, np.stack([x.mean(1), x.var(1)], axis=1))
    expected = np.stack([np.full((6, 12), 1 / 12), 2 * (x - x.mean(1)[:, None]) / 12], axis=1)
    np.testing.assert_allclose(jacobians, expected)


def test_one_quantity_may_be_a_vector_of_rows_and_may_ignore_an_input():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    values, jacobians = Quantities(lambda x: x[:, 0] ** 2, ["a"]).values_and_jacobians(x)
    np.testing.assert_allclose(values, [[1], [9]])
    np.testing.assert_allclose(jacobians, [[[2, 0]], [[6, 0]]])


def test_large_jacobians_are_read_in_small_batches(monkeypatch):
    monkeypatch.setattr("keras_symgrad.neurons.quantities.LARGEST_BATCH", 40)
    seen = []

    def both(x):
        tf.py_function(lambda rows: seen.append(int(rows)), [tf.shape(x)[0]], [])
        return tf.concat([x, x**2], axis=1)

    x = np.arange(30.0).reshape(10, 3)
    _, jacobians = Quantities(both, list("abcdef")).values_and_jacobians(x)
    assert max(seen) <= 2
    np.testing.assert_allclose(jacobians[:, 3:], 2 * x[:, :, None] * np.eye(3))


@pytest.mark.parametrize(
    ("function", "names", "message"),
    [
        (lambda x: tf.round(x), ["a", "b"], "No gradient leads.*rounding"),
        (lambda x: tf.stop_gradient(x), ["a", "b"], "No gradient leads"),
        (lambda x: tf.argmax(x, axis=1), ["a"], "dtype int64, which has no gradient"),
        (lambda x: x, ["a"], r"shape \(rows, 1\). Received: shape \(rows, 2\)"),
        (lambda x: x[:1], ["a", "b"], r"shape \(rows, 2\). Received: shape \(1, 2\)"),
        (lambda x: x[0], ["a", "b"], r"shape \(rows, 2\)"),
        (lambda x: tf.sqrt(x), ["a", "b"], "not finite in 1 of 3 rows. It is a. Leave"),
        (lambda x: tf.linalg.matvec(tf.ones((3, 3)), x), ["a", "b", "c"], "on points with 2 col"),
    ],
)
def test_what_is_no_differentiable_function_is_refused(function, names, message):
    x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 2.0]])
    with pytest.raises(ValueError, match=message):
        Quantities(function, names).values_and_jacobians(x)


def test_faulty_arguments_are_refused(models, tmp_path, picture_model):
    with pytest.raises(TypeError, match="Quantities.of"):
        Quantities("hidden_1", ["a"])
    with pytest.raises(ValueError, match="twice: a"):
        Quantities(lambda x: x, ["a", "a"])
    with pytest.raises(ValueError, match=r"shape \(rows, 4\). Received: shape \(2, 3\)"):
        Quantities(lambda x: x[:, 0, 0], ["a"], shape=(2, 2)).values_and_jacobians(np.ones((2, 3)))
    for units, message in [
        ([9], "from 0 to 2.*Received: unit=9"),
        ([(0, 1)], "Received: unit=.0, 1."),
    ]:
        with pytest.raises(ValueError, match=message):
            Quantities.of(picture_model, "features", units)
    with pytest.raises(ValueError, match="a position from .0, 0, 0. to .2, 2, 1."):
        Quantities.of(picture_model, "conv", [(3, 0, 0)])
    model = keras.models.load_model(models / "A1.keras", compile=False)
    model.export(tmp_path / "A1", verbose=False)
    with pytest.raises(ValueError, match="out of reach"):
        Quantities.of(tmp_path / "A1", "hidden_1")
