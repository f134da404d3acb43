"""Files of models that mean harm are refused before Keras or TensorFlow act on them."""

from __future__ import annotations

import inspect
import json
import re
import warnings
import zipfile

import h5py
import keras
import pytest
import tensorflow as tf
from keras.src.api_export import REGISTERED_NAMES_TO_OBJS

from keras_symgrad.files.checks.layer_sizes import check_sizes
from keras_symgrad.files.checks.models import check_configuration, check_keras_archive
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "config",
    [
        {"output_shape": [None, 2**15, 2**15]},
        {"height": 2**20, "width": 2**20},
        {"size": [2**16, 2**16]},
        {"num_tokens": 10**9},
        {"num_bins": 10**12},
        {"fft_length": 2**20, "num_mel_bins": 2**20, "sampling_rate": 16000},
        {"num_heads": 2**15, "key_dim": 2**15},
        {"num_heads": 2, "query_shape": [None, 2**20, 2**20]},
        {"pool_size": 1e300},
        {"units": float("inf")},
        {"build_config": {"input_shape": [None, 2**40]}},
        {"build_config": {"shapes_dict": {"value_shape": [[None, 2**40]]}}},
        {"input_dim": 10**6, "output_dim": 10**6},
        {"filters": 2**12, "kernel_size": [2**12, 2**12]},
        {"n": 10**9},
        {"padding": [[10**9, 0], [0, 0]]},
    ],
    ids=str,
)
def test_every_size_of_a_layer_is_bounded(config):
    with pytest.raises(ValueError, match="larger than its weights"):
        check_sizes([{"class_name": "Any", "config": config}], 10**6)


def test_sizes_of_layers_that_people_use_are_not_refused():
    for layer in (
        layers.InputLayer((224, 224, 3)),
        layers.Conv2D(2048, 3, strides=2),
        layers.Embedding(50_000, 768),
        layers.MultiHeadAttention(16, 128, 128),
        layers.EinsumDense("abc,cde->abde", output_shape=(None, 16, 64)),
        layers.MelSpectrogram(num_mel_bins=128, sampling_rate=48_000),
        layers.Resizing(1024, 1024),
        layers.CategoryEncoding(10_000),
    ):
        check_sizes({"config": layer.get_config()}, 10**6)


def named_objects():
    """Each public function and class of Keras, as the configuration of a layer names it."""
    for name, item in sorted(REGISTERED_NAMES_TO_OBJS.items()):
        module, _, short = name.rpartition(".")
        yield name, item, {"module": module, "class_name": "function", "config": short}
        yield name, item, {"module": module, "class_name": short, "config": {}}


def test_functions_that_fetch_read_write_or_change_settings_are_refused():
    word = re.compile(
        r"(load|save|get_file|fetch|download|dataset|plot|initialize|set_|enable|disable|export"
        r"|clear|register|weights|get_word|imagenet|callback)",
        re.I,
    )
    harmless = re.compile(
        r"keras\.(ops|layers|activations|losses|metrics|initializers|constraints|regularizers"
        r"|optimizers|models|quantizers)\.|keras\.Initializer"
    )
    refused = 0
    for name, _, part in named_objects():
        if word.search(name) and not harmless.match(name):
            with pytest.raises(ValueError, match="not a part of a model"):
                check_configuration({"layers": [{"activation": part}]}, 1000)
            refused += 1
    assert refused > 50


def test_a_function_of_a_model_is_one_that_computes_with_tensors():
    for name, item, part in named_objects():
        if part["class_name"] != "function":
            continue
        try:
            check_configuration(part, 1000)
        except ValueError:
            continue
        assert not (inspect.isclass(item) and issubclass(item, (keras.Layer, keras.Model))), name
        assert not name.startswith(("keras.applications", "keras.datasets", "keras.utils")), name


def test_what_models_are_made_of_is_not_refused():
    x = keras.Input((2,))
    y = layers.Activation(keras.ops.sin)(keras.ops.exp(x)[:, :1] + keras.ops.sum(x))
    y = layers.Dense(2, kernel_initializer="he_normal", kernel_regularizer="l2")(y)
    model = keras.Model(x, keras.Sequential([layers.BatchNormalization()])(y))
    check_configuration(json.loads(model.to_json()), 1000)


@pytest.mark.parametrize("dtype", ["U500000000", "S1000", "(9999,)f4", "f4,f4", [["a", "f8"]], 3])
def test_an_array_of_huge_items_is_refused(dtype):
    array = {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": dtype}}
    with pytest.raises(ValueError, match="unusual dtype"):
        check_configuration({"bias_initializer": [array]}, 1000)


@pytest.mark.parametrize("dtype", ["float32", "<f8", "int64", "bool", "U16", "float8_e4m3fn"])
def test_an_array_of_numbers_is_not_refused(dtype):
    check_configuration({"class_name": "__numpy__", "config": {"value": [], "dtype": dtype}}, 0)


def test_a_model_that_would_fetch_weights_is_refused(good, tmp_path):
    fetches = {"module": "keras.applications.vgg16", "class_name": "function", "config": "VGG16"}
    with pytest.raises(
        ValueError, match=r"keras\.applications\.vgg16\.VGG16.* not a part"
    ) as raised:
        load(with_layer(good, "keras", tmp_path, config={"activation": fetches}))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
def test_a_text_that_unpacks_to_far_more_is_refused(name, good, tmp_path):
    with zipfile.ZipFile(good / "model.keras") as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = members[name][:-1] + b" " * 62_000_000 + b"}"
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    assert (tmp_path / "model.keras").stat().st_size < 200_000
    with pytest.raises(ValueError, match="takes 59 MB, far more than the configuration"):
        check_keras_archive(tmp_path / "model.keras")


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
    with pytest.raises(ValueError, match=f"read or write files.*: .*{operation}.*If you trust it"):
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
