"""A rewritten configuration describes the same computation, and never drops what matters."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from keras_symgrad.neurons.formats.configuration import rewritten
from keras_symgrad.neurons.formats.keras_2_functions import hard_sigmoid
from keras_symgrad.neurons.loading import load_model

layers = keras.layers
rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, (20, 2))
WEIGHTS = [rng.normal(size=shape).astype("float32") for shape in ((2, 8), (8,), (8, 1), (1,))]


def today() -> np.ndarray:
    """The network of all files here, in Keras 3."""
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(8, "elu"), layers.Dense(1, "sigmoid")]
    )
    model.set_weights(WEIGHTS)
    return np.asarray(model(X))


def dense(units: int, activation: str, **more: object) -> dict:
    initializer = {"class_name": "GlorotUniform", "config": {"seed": None, "dtype": "float32"}}
    named = {"name": f"dense_{units}", "units": units, "activation": activation, "use_bias": True}
    config = {**named, "kernel_initializer": initializer, "kernel_regularizer": None, **more}
    return {"class_name": "Dense", "config": config}


def of_keras_1(units: int, activation: str, **more: object) -> dict:
    named = {"name": f"dense_{units}", "output_dim": units, "activation": activation}
    config = {**named, "bias": True, "init": "uniform", "b_regularizer": None, **more}
    return {"class_name": "Dense", "config": config}


SHAPE = {"batch_input_shape": [None, 2], "dtype": "float32"}
BOTH = [dense(8, "elu", **SHAPE), dense(1, "sigmoid")]
ENTRY = {
    "class_name": "InputLayer",
    "name": "a/b",
    "inbound_nodes": [],
    "config": SHAPE | {"name": "a/b"},
}
OLD = {
    "a list of layers": BOTH,
    "Keras 1": [of_keras_1(8, "elu", input_dim=2), of_keras_1(1, "sigmoid")],
    "no InputLayer": {"name": "sequential_1", "layers": BOTH},
    "a shape that was found when it was trained": {
        "name": "sequential",
        "layers": [dense(8, "elu"), dense(1, "sigmoid")],
        "build_input_shape": [None, 2],
    },
    "a fixed size of batches": [dense(8, "elu", batch_input_shape=[32, 2]), dense(1, "sigmoid")],
    "a policy for dtypes": [
        dense(
            8, "elu", **SHAPE | {"dtype": {"class_name": "Policy", "config": {"name": "float32"}}}
        ),
        dense(1, "sigmoid"),
    ],
}


def write(path: Path, config: dict, names: list[str], arrays: list[list[np.ndarray]]) -> Path:
    """An HDF5 file of Keras 1 and 2."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["keras_version"] = b"2.1.4"
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name, own in zip(names, arrays):
            inner = group.create_group(name)
            keys = [f"{name}/{part}:0" for part in ("kernel", "bias")[: len(own)]]
            inner.attrs["weight_names"] = [key.encode() for key in keys]
            for key, array in zip(keys, own):
                inner.create_dataset(key, data=array)
    return path


@pytest.mark.parametrize("kind", OLD)
def test_a_sequential_model_of_any_age_computes_what_it_did(kind, tmp_path):
    config = {"class_name": "Sequential", "config": OLD[kind]}
    names, arrays = ["dense_8", "dense_1"], [WEIGHTS[:2], WEIGHTS[2:]]
    model = load_model(write(tmp_path / "old.h5", config, names, arrays))
    np.testing.assert_allclose(model(X), today(), atol=1e-6)
    assert model.input_shape == (None, 2)


def test_a_functional_model_with_slashes_in_its_names_computes_what_it_did(tmp_path):
    steps = [[[["a/b", 0, 0]]], [[["dense_8", 0, 0, {}]]]]
    members = [
        dict(layer, name=layer["config"]["name"], inbound_nodes=step)
        for layer, step in zip([dense(8, "elu"), dense(1, "sigmoid")], steps)
    ]
    config = {
        "name": "model_1",
        "layers": [ENTRY, *members],
        "input_layers": [["a/b", 0, 0]],
        "output_layers": [["dense_1", 0, 0]],
    }
    names, arrays = ["dense_8", "dense_1"], [WEIGHTS[:2], WEIGHTS[2:]]
    path = write(tmp_path / "old.h5", {"class_name": "Model", "config": config}, names, arrays)
    np.testing.assert_allclose(load_model(path)(X), today(), atol=1e-6)


def test_the_hard_sigmoid_keeps_the_slope_it_had():
    config = [{"class_name": "Dense", "config": {"units": 1, "activation": "hard_sigmoid"} | SHAPE}]
    found = rewritten({"class_name": "Sequential", "config": config}).config
    model = keras.saving.deserialize_keras_object(found)
    assert model.layers[-1].activation is hard_sigmoid
    assert float(hard_sigmoid(np.float32(1.0))) == pytest.approx(0.7)
    assert float(keras.activations.hard_sigmoid(np.float32(1.0))) == pytest.approx(2 / 3)


def test_an_old_gru_resets_before_its_product_and_one_of_cudnn_after():
    def first(class_name: str, **more: object) -> dict:
        config = [
            {"class_name": class_name, "config": {"units": 2, "batch_input_shape": [None, 3, 1]}}
        ]
        config[0]["config"] |= more
        found = rewritten({"class_name": "Sequential", "config": config}).config
        return found["config"]["layers"][1]

    assert first("GRU")["config"]["reset_after"] is False
    assert first("GRU", reset_after=True)["config"]["reset_after"] is True
    cudnn = first("CuDNNGRU")
    assert (cudnn["class_name"], cudnn["config"]["reset_after"]) == ("GRU", True)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"class_name": "LSTM", "config": {"units": 2, "time_major": True}}, "time_major"),
        ({"class_name": "BatchNormalization", "config": {"mode": 2}}, "`mode` 1 or 2"),
        ({"class_name": "LocallyConnected1D", "config": {"filters": 2}}, "'LocallyConnected1D'"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.read_file"}}, "'tf.io.read_file'"),
        ({"class_name": "Lambda", "config": {"function": ["4wEA", None, None]}}, "Python code"),
        ({"class_name": "Merge", "config": {"mode": "4wEA"}}, "joins branches by code"),
    ],
)
def test_what_cannot_be_the_same_is_refused(layer, message, tmp_path):
    layer["config"] |= {"batch_input_shape": [None, 3, 1], "name": "first"}
    path = write(tmp_path / "old.h5", {"class_name": "Sequential", "config": [layer]}, [], [])
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_a_class_of_the_users_own_is_taken_with_its_arguments(tmp_path):
    class Scale(layers.Layer):
        def __init__(self, factor: float, **kwargs: object):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return self.factor * x

    own = {"class_name": "Scale", "config": {"name": "scale", "factor": 3.0} | SHAPE}
    config = {"class_name": "Sequential", "config": [own, *BOTH]}
    path = write(tmp_path / "old.h5", config, ["dense_8", "dense_1"], [WEIGHTS[:2], WEIGHTS[2:]])
    with pytest.raises(ValueError, match=r"custom_objects=\{'Scale': ...\}\)`"):
        load_model(path)
    model = load_model(path, custom_objects={"Scale": Scale})
    plain = keras.Sequential([keras.Input((2,)), *model.layers[1:]])
    np.testing.assert_allclose(model(X), plain(3.0 * X), atol=1e-6)
