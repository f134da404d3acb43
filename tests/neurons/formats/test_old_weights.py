"""Weights of Keras 1, of cuDNN and of Theano in the order and the direction of Keras 3."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from keras_symgrad.neurons.formats.configuration import OldLayer
from keras_symgrad.neurons.formats.old_weights import assign, in_keras_3

layers = keras.layers
rng = np.random.default_rng(0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_gates_of_keras_1_compute_the_same_lstm():
    # Keras 1 kept W, U and b of each gate, in the order i, c, f, o.
    parts = [rng.normal(size=shape) for _ in range(4) for shape in ((2, 3), (3, 3), (3,))]
    layer = layers.LSTM(3)
    layer.build((None, 4, 2))
    layer.set_weights(in_keras_3(OldLayer("LSTM", {}), parts))
    x = rng.normal(size=(1, 4, 2))
    gates = {name: parts[3 * k : 3 * k + 3] for k, name in enumerate("icfo")}
    h, c = np.zeros((1, 3)), np.zeros((1, 3))
    for step in range(4):
        z = {name: x[:, step] @ w + h @ u + b for name, (w, u, b) in gates.items()}
        c = sigmoid(z["f"]) * c + sigmoid(z["i"]) * np.tanh(z["c"])
        h = sigmoid(z["o"]) * np.tanh(c)
    np.testing.assert_allclose(layer(x), h, atol=1e-5)


def test_weights_of_cudnn_compute_the_same_lstm():
    kernel, recurrent, bias = (rng.normal(size=shape) for shape in ((2, 12), (3, 12), (24,)))
    layer = layers.LSTM(3)
    layer.build((None, 4, 2))
    layer.set_weights(in_keras_3(OldLayer("CuDNNLSTM", {}), [kernel, recurrent, bias]))
    x = rng.normal(size=(1, 4, 2))
    # cuDNN multiplies from the left, by one matrix a gate, and adds two biases.
    w = [gate.reshape(3, 2) for gate in np.hsplit(kernel, 4)]
    u = np.hsplit(recurrent, 4)
    b = bias.reshape(2, 4, 3).sum(axis=0)
    h, c = np.zeros(3), np.zeros(3)
    for step in range(4):
        i, f, g, o = (w[k] @ x[0, step] + u[k] @ h + b[k] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(layer(x)[0], h, atol=1e-5)


def test_kernels_of_theano_run_backwards():
    kernel = rng.normal(size=(2, 3, 1, 1))
    turned, _ = in_keras_3(OldLayer("Conv2D", {}), [kernel, np.zeros(1)], theano=True)
    image = rng.normal(size=(1, 2, 3, 1))
    layer = layers.Conv2D(1, (2, 3))
    layer.build(image.shape)
    layer.set_weights([turned, np.zeros(1)])
    convolution = np.sum(image[0, ::-1, ::-1, 0] * kernel[..., 0, 0])
    np.testing.assert_allclose(np.ravel(layer(image)), [convolution], atol=1e-5)


def test_a_kernel_of_keras_1_whose_direction_is_not_known_is_refused():
    old = OldLayer("Convolution2D", {"dim_ordering": "th"})
    with pytest.raises(ValueError, match="Theano or TensorFlow"):
        in_keras_3(old, [np.zeros((4, 1, 2, 3))], theano=None)


def test_weights_whose_names_are_in_another_order_are_put_in_that_of_the_layer(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="d")])
    kernel, bias = rng.normal(size=(3, 3)), rng.normal(size=3)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/bias:0", b"d/kernel:0"]
        group["d/bias:0"], group["d/kernel:0"] = bias, kernel
        assign(model, file, {})
    np.testing.assert_allclose(model.get_weights()[0], kernel, atol=1e-6)


@pytest.mark.parametrize("numbers", [("", "_1"), ("", "_2"), ("_3", "_7")])
@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
@pytest.mark.parametrize("separator", ["/", "\\"])
def test_archives_of_keras_2_number_layers_with_gaps(numbers, root, separator, tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.ReLU(), layers.Dense(2)])
    wanted = [rng.normal(size=w.shape) for w in model.weights]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for k, number in enumerate(numbers):
            group = file.create_group(f"{root}{separator}dense{number}")
            for j in (0, 1):
                group[f"vars/{j}"] = wanted[2 * k + j]
        assign(model, file, {})
    for found, array in zip(model.get_weights(), wanted):
        np.testing.assert_allclose(found, array, atol=1e-6)


def test_weights_of_another_model_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.BatchNormalization()])
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = np.zeros((2, 2)), np.zeros(2)
        with pytest.raises(ValueError, match="0 layers of the kind 'batch_normalization'"):
            assign(model, file, {})
