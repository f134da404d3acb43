"""Read model files of all Keras versions; the content decides, not the file name."""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_symgrad.files import (
    MAX_TEXT_BYTES,
    check_configuration,
    check_hdf5,
    check_hdf5_content,
    check_keras_archive,
    listed_names,
    printable,
)
from keras_symgrad.neurons.formats.configuration import python_layers, rewritten
from keras_symgrad.neurons.formats.old_weights import assign

if TYPE_CHECKING:
    import h5py

ARCHIVE = "archive"
HDF5_MODEL = "hdf5 model"
HDF5_WEIGHTS = "hdf5 weights"
JSON = "json"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# First bytes of other kinds of files, and what to do with them.
OTHER_FILES = (
    (b"\x80", "a pickle, which is a program and is not run. Load it yourself and pass the model"),
    (b"version https://git-lfs", "a pointer of Git LFS. Fetch the file itself with `git lfs pull`"),
    (b"<", "a page of HTML or XML. Download the file itself"),
)
TFLITE = b"TFL3"
MAX_NAMED_LAYERS = 20
IN_ARCHIVES = (
    ("data.pkl", "an archive of PyTorch. Only models of Keras are read"),
    ("saved_model.pb", "a zipped SavedModel. Unzip it and pass its folder"),
)


@dataclass(frozen=True)
class ModelFile:
    """The parts of a model in a file.

    Args:
        path: of the file.
        kind: one of `ARCHIVE`, `HDF5_MODEL`, `HDF5_WEIGHTS` and `JSON`.
        config: of the model, plain data; `None` for weights alone.
        version: of the Keras that wrote it, such as `"2.1.4"`; empty where it does not say.
        training: how the model was compiled, plain data.
    """

    path: Path
    kind: str
    config: Any
    version: str
    training: Any

    @property
    def is_old(self) -> bool:
        """True if it was written before Keras 3."""
        if self.version:
            return self.version[0] in "012"
        is_of_keras_3 = isinstance(self.config, dict) and "module" in self.config
        return not is_of_keras_3

    @property
    def loss(self) -> dict[str, Any] | None:
        """The configuration of the loss that the model was trained with, if it is one."""
        loss = self.training.get("loss") if isinstance(self.training, dict) else None
        if isinstance(loss, str):
            return {"class_name": loss, "config": {}}
        return loss if isinstance(loss, dict) and "class_name" in loss else None


def read_model_file(path: Path) -> ModelFile | None:
    """Read the configuration in a model file; its content decides, not its name.

    Args:
        path: of the file.

    Returns:
        The file; `None` if Keras did not write it.

    Raises:
        ValueError: it is damaged, refers to other files, or holds far more than its size.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(HDF5_SIGNATURE):
        return _read_hdf5(path)
    if zipfile.is_zipfile(path):
        return _read_archive(path)
    if start.lstrip()[:1] == b"{":
        return _read_json(path)
    return None


def described_otherwise(path: Path) -> str | None:
    """Describe a file that Keras did not write, and what to do with it; `None` if unknown."""
    with path.open("rb") as file:
        start = file.read(64)
    if start[4:8] == TFLITE:
        return "a model of TensorFlow Lite, which has no gradients. Pass the model it was made from"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        return next((s for end, s in IN_ARCHIVES if any(n.endswith(end) for n in names)), None)
    if path.suffix == ".index" or ".data-0" in path.name:
        return (
            "a checkpoint of TensorFlow, which has weights and no model. Make the model with your "
            "code, load its weights, and pass the model"
        )
    return next((text for mark, text in OTHER_FILES if start.startswith(mark)), None)


def model_from(
    file: ModelFile, weights: Path | None = None, custom: Mapping[str, Any] | None = None
) -> keras.Model:
    """Load the model in a file, with its weights and without its optimizer.

    Args:
        file: that has a configuration.
        weights: another file, whose weights the model gets; its own by default.
        custom: classes and functions by name that Keras does not know. A function with the name of
            a Lambda layer is what that layer computes.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: a layer is not known or holds Python code, or the weights are of another model.
    """
    custom = dict(custom or {})
    with warnings.catch_warnings():
        # Keras warns of what was usual when the file was written.
        warnings.simplefilter("ignore")
        if file.is_old:
            return _rewritten_model(file, weights or file.path, custom)
        lambdas = [name for name in python_layers(file.config) if name not in custom]
        if lambdas:
            raise ValueError(holds_code(lambdas))
        if weights is None and not python_layers(file.config):
            suffix = ".keras" if file.kind == ARCHIVE else ".h5"
            with _named(file.path, suffix) as path:
                return keras.models.load_model(
                    path, custom_objects=custom, compile=False, safe_mode=True
                )
        if file.kind == HDF5_MODEL:
            return _rewritten_model(file, weights or file.path, custom)
        config = _without_code(file.config, custom)
        model = keras.saving.deserialize_keras_object(config, custom_objects=custom)
        with _opened(weights or file.path) as arrays:
            assign(model, arrays, {})
        return model


def _rewritten_model(file: ModelFile, weights: Path, custom: dict[str, Any]) -> keras.Model:
    found = rewritten(file.config, custom, is_of_keras_3=not file.is_old)
    if found.lambdas:
        raise ValueError(holds_code(found.lambdas))
    if found.unknown:
        raise ValueError(is_unknown(found.unknown[0]))
    model = keras.saving.deserialize_keras_object(found.config, custom_objects=custom)
    with _opened(weights) as arrays:
        assign(model, arrays, found.layers)
    return model


def holds_code(names: list[str]) -> str:
    """Explain how to read a model with layers that hold Python code.

    Args:
        names: of the layers.
    """
    listed = ", ".join(f"'{printable(name)[:80]}'" for name in names[:MAX_NAMED_LAYERS])
    return (
        f"It holds Python code (a Lambda layer: {listed}), which is not run from a file. Pass a "
        "function of a tensor that computes the same: "
        f"`ks.load_model(path, custom_objects={{'{printable(names[0])[:80]}': function}})`. Or, if "
        "you trust the file, load it yourself with `safe_mode=False` and pass the model."
    )


def holds_program(layers: list[str]) -> str:
    """Explain the refusal of layers that hold programs other than functions.

    Args:
        layers: names and classes.
    """
    named = f" (layer {listed_names(layers)})" if layers else ""
    return (
        f"It holds Python code or a program{named}, which is not run from a file. If you trust "
        "it, load it yourself with `safe_mode=False` and pass the model."
    )


def is_unknown(name: str) -> str:
    """Explain how to read a model with a class or an operation that Keras 3 does not have.

    Args:
        name: of it.
    """
    name = printable(" ".join(name.split()))[:80]
    if name.startswith("tf."):
        return (
            f"It uses the operation '{name}' as a layer, which Keras 3 does not have. Export the "
            "model as a SavedModel with the version of Keras that wrote it (`model.save('folder')` "
            "of Keras 2) and pass the folder."
        )
    return (
        f"It uses '{name}', which is not part of Keras. Pass its class or function to "
        f"`ks.load_model(path, custom_objects={{'{name}': ...}})`, import the code that registers "
        "it (`keras.saving.register_keras_serializable`), or load the model yourself and pass it."
    )


def _read_hdf5(path: Path) -> ModelFile:
    import h5py

    check_hdf5_content(path)
    with h5py.File(path) as file:
        is_model = "model_config" in file.attrs
    if is_model:
        check_hdf5(path)
    with h5py.File(path) as file:
        config = _json(file.attrs["model_config"]) if is_model else None
        training = _json(file.attrs["training_config"]) if "training_config" in file.attrs else None
        version = file.attrs.get("keras_version")
        if version is None and "model_weights" in file:
            version = file["model_weights"].attrs.get("keras_version")
    return ModelFile(
        path, HDF5_MODEL if is_model else HDF5_WEIGHTS, config, _text(version), training
    )


def _read_archive(path: Path) -> ModelFile | None:
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist() and path.suffix != ".keras":
            return None
    check_keras_archive(path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        version = ""
        if "metadata.json" in archive.namelist():
            metadata = json.loads(archive.read("metadata.json"))
            version = _text(metadata.get("keras_version"))
    training = config.get("compile_config") if isinstance(config, dict) else None
    return ModelFile(path, ARCHIVE, config, version, training)


def _read_json(path: Path) -> ModelFile | None:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise ValueError(f"Its configuration takes more than {MAX_TEXT_BYTES >> 20} MB.")
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return None
    if isinstance(config, dict) and "modelTopology" in config:
        raise ValueError(
            "It is a model of TensorFlow.js. Convert it back with `tensorflowjs_converter "
            "--input_format=tfjs_layers_model --output_format=keras`."
        )
    if not isinstance(config, dict) or "class_name" not in config:
        return None
    return ModelFile(path, JSON, config, _text(config.get("keras_version")), None)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open the HDF5 file with the weights: the file itself, or a member of an archive."""
    import h5py

    with path.open("rb") as content:
        is_hdf5 = content.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    if is_hdf5:
        with h5py.File(path) as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".weights.h5")]
        if len(members) != 1:
            raise ValueError(f"It holds {len(members)} files of weights, where one is expected.")
        with h5py.File(io.BytesIO(archive.read(members[0]))) as file:
            yield file


@contextmanager
def _named(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a path with the ending that Keras expects: the file itself, or a link to it."""
    if path.suffix == suffix or (suffix, path.suffix) == (".h5", ".hdf5"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        os.symlink(path.resolve(), link)
        yield link


def check_weights_fit(file: ModelFile, weights: Path) -> None:
    """Raise if a model would need more memory than its file of weights can fill.

    Args:
        file: with the configuration.
        weights: the other file.
    """
    check_configuration(file.config, weights.stat().st_size)


def _without_code(config: Any, custom: Mapping[str, Any]) -> Any:
    """Make a Keras 3 configuration whose Lambda layers refer to the user's functions."""
    if isinstance(config, list):
        return [_without_code(part, custom) for part in config]
    if not isinstance(config, dict):
        return config
    new = {key: _without_code(value, custom) for key, value in config.items()}
    inner = config.get("config")
    if config.get("class_name") == "Lambda" and isinstance(inner, dict):
        name = str(inner.get("name"))
        if name in custom:
            function = {
                "module": None,
                "class_name": "function",
                "config": name,
                "registered_name": name,
            }
            new["config"] = {**new["config"], "function": function, "output_shape": None}
    return new
