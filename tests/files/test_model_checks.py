"""Files of models that mean harm are refused before Keras or TensorFlow act on them."""

from __future__ import annotations

import json
import warnings
import zipfile

import h5py
import keras
import pytest
import tensorflow as tf

from keras_symgrad.files.model_checks import REACHING, check_sizes
from keras_symgrad.neurons.loading import load

layers = keras.layers


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A model as a file of each kind, in one folder."""
    folder = tmp_path_factory.mktemp("good")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, name="wide"), layers.Dense(1)])
    model.save(folder / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(folder / "model.h5")
    model.export(folder / "model", verbose=False)
    return folder


def with_layer(good, kind: str, tmp_path, **changes):
    """The model's file with other entries in the configuration of its first layer."""
    path = tmp_path / f"model.{kind}"
    path.write_bytes((good / f"model.{kind}").read_bytes())

    def changed(text: str) -> str:
        config = json.loads(text)
        layer = config["config"]["layers"][1]
        layer.update({k: v for k, v in changes.items() if k != "config"})
        layer["config"].update(changes.get("config", {}))
        return json.dumps(config)

    if kind == "h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = changed(file.attrs["model_config"])
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = changed(members["config.json"]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"units": 10**9}}, "larger than its weights: units=1000000000"),
        ({"config": {"units": 10**400}}, "larger than its weights: units=1000"),
        ({"module": "os", "class_name": "system"}, "uses 'system', which is not part of Keras"),
        (
            {
                "class_name": "StringLookup",
                "module": "keras.layers",
                "config": {"vocabulary": "/etc/passwd"},
            },
            "could not be loaded|holds Python code|not part of Keras",
        ),
        ({"module": "keras.utils", "class_name": "get_file"}, "could not be loaded|not part of"),
    ],
    ids=["units", "digits", "os", "vocabulary", "get_file"],
)
def test_a_layer_that_means_harm_is_refused(kind, changes, message, good, tmp_path):
    with pytest.raises(ValueError, match=message) as raised:
        load(with_layer(good, kind, tmp_path, **changes))
    assert len(str(raised.value).splitlines()) == 1
    assert "root:" not in str(raised.value)


def test_sizes_are_found_however_deep_they_lie():
    config: object = {"units": [2**40]}
    for _ in range(100_000):
        config = [config]
    with pytest.raises(ValueError, match="larger than its weights"):
        check_sizes(config, 1000)
    check_sizes({"units": 2**22, "seed": 2**31}, 2**24)


@pytest.mark.parametrize("kind", ["keras", "h5"])
def test_a_damaged_file_ends_in_one_line(kind, good, tmp_path):
    content = bytearray((good / f"model.{kind}").read_bytes())
    for at in range(40, len(content), 97):
        content[at] ^= 0x55
    (tmp_path / f"model.{kind}").write_bytes(content)
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        load(tmp_path / f"model.{kind}")
    assert len(str(raised.value).splitlines()) == 1


class Writes(tf.Module):
    """A module whose signature writes a file, in a function that it calls."""

    def __init__(self, target: str):
        super().__init__()
        self.target = target

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def inner(self, x):
        tf.io.write_file(self.target, "here")
        return x

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def serve(self, x):
        return {"y": tf.reduce_sum(self.inner(x), axis=1)}


class Runs(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def serve(self, x):
        return {"y": tf.py_function(lambda x: x[:, 0], [x], tf.float32)}


class Tells(tf.Module):
    def __init__(self, target: str):
        super().__init__()
        self.target = target

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def serve(self, x):
        tf.print(x, output_stream=f"file://{self.target}")
        return {"y": x[:, 0]}


@pytest.mark.parametrize(
    ("make", "operation"),
    [(Writes, "WriteFile"), (lambda _: Runs(), "EagerPyFunc"), (Tells, "PrintV2")],
    ids=["writes", "runs", "tells"],
)
def test_a_saved_model_that_reaches_out_is_refused(make, operation, tmp_path):
    module = make(str(tmp_path / "pwned"))
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.serve)
    with pytest.raises(ValueError, match=f"read or write files.* by {operation}. If you trust it"):
        load(tmp_path / "model")
    assert not (tmp_path / "pwned").exists()


def test_a_saved_model_of_keras_reaches_out_nowhere(good):
    assert load(good / "model")[0].outputs == ("output_0",)


def test_a_damaged_saved_model_ends_in_one_line(good, tmp_path):
    (tmp_path / "model").mkdir()
    content = (good / "model" / "saved_model.pb").read_bytes()
    (tmp_path / "model" / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="could not be loaded") as raised:
        load(tmp_path / "model")
    assert len(str(raised.value).splitlines()) == 1


def test_operations_that_reach_out_are_known_by_name():
    from tensorflow.python.framework import kernels

    known = {kernel.op for kernel in kernels.get_all_registered_kernels().kernel}
    reaching = {op for op in known if REACHING.fullmatch(op)}
    assert {"ReadFile", "WriteFile", "PyFunc", "TextLineDataset", "SaveV2", "_Send"} <= reaching
    # What networks are made of.
    assert not reaching & {"MatMul", "ReadVariableOp", "Conv2D", "StatefulPartitionedCall", "Relu"}
