from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn import preprocessing as scalers

import keras_symgrad as ks
from keras_symgrad.neurons import Neuron, Quantities
from keras_symgrad.neurons.preprocessing import Preprocessing

X = np.random.default_rng(0).normal(size=(300, 2)) * [1e-3, 40.0] + [1e6, -7.0]
NAMES = ("pressure", "heat")
SCALERS = [
    scalers.StandardScaler(),
    scalers.StandardScaler(with_mean=False),
    scalers.StandardScaler(with_std=False),
    scalers.MinMaxScaler(),
    scalers.MinMaxScaler((-1, 3)),
    scalers.RobustScaler(),
    scalers.RobustScaler(with_centering=False, with_scaling=False),
    scalers.MaxAbsScaler(),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_a_scaler_is_the_map_that_it_computes(scaler):
    found = Preprocessing.of(scaler.fit(X))
    np.testing.assert_allclose(found(X), scaler.transform(X), rtol=1e-5, atol=1e-6)
    assert Preprocessing.of(found.to_dict()) == found


def test_a_scaler_of_a_frame_goes_by_names():
    pandas = pytest.importorskip("pandas")
    scaler = scalers.StandardScaler().fit(pandas.DataFrame(X, columns=NAMES))
    offsets, scales = Preprocessing.of(scaler).of_columns(NAMES[::-1])
    np.testing.assert_allclose(offsets, scaler.mean_[::-1])
    np.testing.assert_allclose(scales, scaler.scale_[::-1])
    with pytest.raises(ValueError, match="Received: others, pressure, heat"):
        Preprocessing.of(scaler).of_columns(("a", "b"))
    with pytest.raises(ValueError, match="Received: no more"):
        Preprocessing.of(scaler).of_columns((*NAMES, "more"))


def test_columns_in_another_order_than_the_scalers_are_refused():
    """The network was trained on what the scaler returned, in its order."""
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [5.0, 7.0, 6.0]})
    scaler = Preprocessing.of(scalers.StandardScaler().fit(frame))
    scaler.check_order(("a", "b"))
    with pytest.raises(ValueError, match=r"another order.*columns=\['a', 'b'\].*Received: b, a"):
        scaler.check_order(("b", "a"))
    Preprocessing.of({"a": (1, 2), "b": (0, 1)}).check_order(("b", "a"))
    reordered = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["b", "a"])
    for read, units in ((ks.interpret, 1), (ks.interpret_classes, 3)):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
        with pytest.raises(ValueError, match="another order"):
            read(model, reordered, sampling=ks.Sampling(preprocessing=scaler), verbose=False)


def test_columns_that_are_not_named_stay():
    offsets, scales = Preprocessing.of({"heat": [5, 2]}).of_columns(NAMES)
    assert (offsets.tolist(), scales.tolist()) == ([0, 5], [1, 2])


def test_gradients_follow_the_chain_rule_and_columns_keep_their_digits():
    """float32 alone has steps of 1/16 around 1e6, sixty times the width of the column."""

    def network(z):
        return tf.sin(z[:, 0]) * z[:, 1]

    scaler = scalers.StandardScaler().fit(X)
    neuron = Preprocessing.of(scaler).neuron(Neuron("net", network, inputs=2), NAMES)
    z = scaler.transform(X)
    values, gradients = neuron.values_and_gradients(X)
    np.testing.assert_allclose(values, np.sin(z[:, 0]) * z[:, 1], atol=1e-5)
    exact = np.stack([np.cos(z[:, 0]) * z[:, 1], np.sin(z[:, 0])], axis=1) / scaler.scale_
    np.testing.assert_allclose(gradients * scaler.scale_, exact * scaler.scale_, atol=1e-5)


def test_quantities_are_those_of_what_the_network_receives():
    total = Quantities(lambda z: tf.reduce_sum(z, axis=1, keepdims=True), ["total"])
    scaler = scalers.RobustScaler().fit(X)
    values, jacobians = Preprocessing.of(scaler).quantities(total, NAMES).values_and_jacobians(X)
    np.testing.assert_allclose(values[:, 0], scaler.transform(X).sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(jacobians[0, 0], 1 / scaler.scale_, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (scalers.StandardScaler(), "It is not fitted. Received: preprocessing=StandardScaler"),
        (scalers.MinMaxScaler(clip=True).fit(X), "without limits"),
        (scalers.QuantileTransformer(n_quantiles=10).fit(X), "Received: .*QuantileTransformer"),
        (scalers.PolynomialFeatures().fit(X), "Received: preprocessing=PolynomialFeatures"),
        (([0.0, 1.0], [1.0, 0.0]), "mean 1 and width 0 for column 1"),
        (([0.0], [1.0, 1.0]), "1 means and 2 widths"),
        ({"heat": (np.nan, 1.0)}, "mean nan and width 1 for 'heat'"),
        ({"heat": 3.0}, "a pair"),
        ({}, "0 means"),
        ("scaler.pkl", "Received: preprocessing='scaler.pkl'"),
        (7, "Received: preprocessing=7"),
        ((["a"], ["b"]), "a pair"),
    ],
    ids=str,
)
def test_what_is_no_affine_map_of_columns_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing.of(given)


def test_a_scaler_of_another_number_of_columns_is_refused():
    with pytest.raises(ValueError, match="each of the 3 columns .* Received: 2"):
        Preprocessing.of((np.zeros(2), np.ones(2))).of_columns(("a", "b", "c"))
