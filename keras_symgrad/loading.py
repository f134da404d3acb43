"""Models from files: `.keras`, legacy `.h5` and SavedModel directories.

Nothing in a file is run as Python code: `safe_mode` stays on and nothing is compiled. What a file
says of the loss that its model was trained with is read as plain JSON, because a loss tells a logit
from a regression.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_symgrad.inputs import Inputs

READABLE = "a `.keras` file, a legacy `.h5` file or a SavedModel directory"


@dataclass(frozen=True)
class SavedFunction:
    """The inference function of a SavedModel: one tensor in, one tensor out.

    Args:
        name: name of the directory.
        function: `(rows, inputs) -> output`; input gradients flow through it.
        inputs: number of input columns, `None` if the file does not say.
        dtype: of the input.
    """

    name: str
    function: Callable[[tf.Tensor], tf.Tensor]
    inputs: int | None
    dtype: str


def load(path: str | os.PathLike) -> tuple[keras.Model | SavedFunction, dict | None]:
    """Loads a model, safely and without compiling it.

    Args:
        path: a `.keras` file, a legacy `.h5` file or a SavedModel directory.

    Returns:
        The model, and the configuration of the loss that it was trained with, if the file says.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no model, or one that cannot be loaded without running code from the file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected {READABLE}. There is nothing at: {path}")
    if path.is_dir():
        return _load_saved_model(path), None
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"Expected {READABLE}. Received: {path}")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(f"Expected {READABLE}, but this `.keras` file is no archive: {path}")
    if path.suffix != ".keras" and not _is_hdf5(path):
        raise ValueError(f"Expected {READABLE}, but this file is no HDF5 file: {path}")
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    return model, _saved_loss(path)


def opened(
    model: keras.Layer | str | os.PathLike,
) -> tuple[keras.Layer | SavedFunction, dict | keras.losses.Loss | str | None]:
    """A model from wherever it is, checked that TensorFlow can differentiate it.

    Args:
        model: a Keras model or layer, or a path as in `load`.

    Returns:
        The model, and the loss that it was trained with, if it or its file says.

    Raises:
        TypeError: it is neither a Keras model nor a path.
        FileNotFoundError, ValueError: as in `load`, or Keras does not run on TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Gradients are read with TensorFlow. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: backend '{keras.backend.backend()}'"
        )
    if isinstance(model, (str, os.PathLike)):
        return load(model)
    if not isinstance(model, keras.Layer):
        raise TypeError(
            "Expected a Keras 3 model or the path of one. For a model of `tf_keras` or of "
            f"TensorFlow, pass the path of its SavedModel. Received: {type(model)}"
        )
    return model, getattr(model, "loss", None)


def _load_saved_model(path: Path) -> SavedFunction:
    if not any((path / f"saved_model.{ending}").exists() for ending in ("pb", "pbtxt")):
        raise ValueError(
            f"Expected {READABLE}, but this directory holds no `saved_model.pb`: {path}"
        )
    try:
        loaded = tf.saved_model.load(os.fspath(path))
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    names = list(loaded.signatures)
    name = "serving_default" if "serving_default" in names else names[0] if names else None
    if name is None:
        raise ValueError(
            "Expected a SavedModel with an inference signature, as `model.export(path)` writes. "
            f"This one has none: {path}"
        )
    signature = loaded.signatures[name]
    specs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    if len(specs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"Expected a SavedModel with one input and one output. Signature '{name}' of {path} "
            f"has the inputs {sorted(specs)} and the outputs {sorted(outputs)}."
        )
    ((key, spec),) = specs.items()

    def function(x: tf.Tensor, _keep_alive: Any = loaded) -> tf.Tensor:
        (output,) = signature(**{key: tf.cast(x, spec.dtype)}).values()
        return output

    columns = Inputs.made_of(spec, path.name).columns
    dtype = spec.dtype.name if spec.dtype.is_floating else "float32"
    return SavedFunction(path.name, function, columns, dtype)


def kind_by_loss(loss: dict | keras.losses.Loss | str | None) -> str | None:
    """What the loss says that a model's output is.

    Args:
        loss: of a compiled model, or its configuration in a file.

    Returns:
        `"logit"` or `"probability"` for a binary cross-entropy, `None` for anything else.

    Example:

    >>> kind_by_loss(keras.losses.BinaryCrossentropy(from_logits=True))
    'logit'
    >>> kind_by_loss("binary_crossentropy")
    'probability'
    """
    if isinstance(loss, keras.losses.Loss):
        loss = {"class_name": type(loss).__name__, "config": loss.get_config()}
    if isinstance(loss, str):
        loss = {"class_name": loss}
    if not isinstance(loss, dict):
        return None
    name = str(loss.get("class_name")).replace("_", "").lower()
    if name not in ("binarycrossentropy", "binaryfocalcrossentropy"):
        return None
    return "logit" if (loss.get("config") or {}).get("from_logits") else "probability"


def _saved_loss(path: Path) -> dict | None:
    """The loss's configuration from the file's JSON; `None` wherever there is none to read."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json")).get("compile_config") or {}
        else:
            import h5py

            with h5py.File(path) as file:
                config = json.loads(file.attrs["training_config"])
        loss = config.get("loss")
    except (KeyError, ValueError, AttributeError):
        return None
    if isinstance(loss, str):
        return {"class_name": loss, "config": {}}
    return loss if isinstance(loss, dict) and "class_name" in loss else None


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _reason(path: Path, error: Exception) -> str:
    """One sentence of what is wrong, from the chain of errors that Keras raised."""
    chain, text = error, str(error)
    while chain.__context__ is not None:
        chain = chain.__context__
        text += f"\n{chain}"
    if "safe_mode" in text or "arbitrary code" in text:
        return (
            f"The model in {path} holds Python code (a Lambda layer), which is not run from a "
            "file. If you trust it, load it yourself with `safe_mode=False` and pass the model."
        )
    unknown = re.search(r"(?:Could not locate \w+|Unknown layer:) '([^']+)'", text)
    if unknown:
        return (
            f"The model in {path} uses '{unknown[1]}', which is not part of Keras. Import the code "
            "that registers it (`keras.saving.register_keras_serializable`), or load the model "
            "yourself and pass it."
        )
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"Expected {READABLE}, but this could not be loaded: {path}. {first[:300]}"
