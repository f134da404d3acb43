"""Load models: `.keras`, legacy `.h5` and SavedModel directories.

Nothing in a file is run as Python code: `safe_mode` stays on and nothing is compiled. The loss that
the model was trained with is read as plain JSON, because a loss distinguishes a logit from a
regression.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_symgrad.files import (
    check_hdf5,
    check_keras_archive,
    check_saved_model,
    layers_of_code,
    listed_names,
    printable,
)
from keras_symgrad.neurons.inputs import Inputs

DEFAULT_SIGNATURE = "serving_default"
READABLE_FORMATS = "a `.keras` file, a legacy `.h5` file or a SavedModel directory"


@dataclass(frozen=True)
class SavedFunction:
    """One signature of a SavedModel.

    Args:
        name: of the directory, and of the signature if it is not the default one.
        function: takes the inputs by name, returns the outputs by name; gradients flow through it.
        specs: of the inputs, by name.
        outputs: names of the outputs.
    """

    name: str
    function: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
    specs: dict[str, tf.TensorSpec]
    outputs: tuple[str, ...]

    @property
    def dtype(self) -> str:
        """Dtype of the first input that has a gradient."""
        return next(spec.dtype.name for spec in self.specs.values() if spec.dtype.is_floating)

    def inputs(self, given: int | None) -> Inputs:
        """Describe the inputs as columns; `given` is their number, if the file leaves it open."""
        return Inputs.made_of(self.specs, self.name, given)

    def output(self, name: str | None) -> str:
        """Find the name of an output.

        Args:
            name: the user's `layer`; may be left out if there is only one output.

        Returns:
            The name in the signature.

        Raises:
            ValueError: there is no output of this name, or there are several and no name is given.
        """
        if name in self.outputs or (name is None and len(self.outputs) == 1):
            return name or self.outputs[0]
        listed = ", ".join(self.outputs)
        if name is None:
            raise ValueError(
                f"'{self.name}' has several outputs. Choose one with `layer=`: {listed}."
            )
        raise ValueError(
            "Inner layers of a SavedModel are out of reach: it holds a function, not layers. Its "
            f"outputs are: {listed}. Save the model as `.keras` for its layers. Received: "
            f"layer={name!r}"
        )


def load_saved_model(
    path: str | os.PathLike[str],
    signature: str | None = None,
    *,
    allow_operations: Collection[str] = (),
) -> SavedFunction:
    """Load a signature of a SavedModel with operations that are refused by default.

    `interpret` and its relatives take what is returned in place of the model's path. A path alone
    does for a SavedModel of operations that compute and do nothing else.

    Args:
        path: of the SavedModel directory.
        signature: `serving_default`, or the only one, if `None`.
        allow_operations: names of TensorFlow operations that may be run although they could read
            or write files, print, use a network or run code. Allow only what an error named, and
            only if you trust whoever made the model.

    Returns:
        The signature as a function, for `interpret(model, ...)`.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no SavedModel, or holds operations that are still refused.

    Example:

    >>> import tempfile
    >>> model = tf.Module()
    >>> @tf.function(input_signature=[tf.TensorSpec((None, 2), name="x")])
    ... def serve(x):
    ...     tf.print("called", output_stream="file:///dev/null")
    ...     return {"y": x[:, 0] * x[:, 1]}
    >>> model.serve, folder = serve, tempfile.mkdtemp()
    >>> tf.saved_model.save(model, folder, signatures=serve)
    >>> load_saved_model(folder, allow_operations=["PrintV2"]).outputs
    ('y',)
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected a SavedModel directory. There is nothing at: {path}")
    if not path.is_dir():
        raise ValueError(f"Expected a SavedModel directory. Received: {path}")
    if isinstance(allow_operations, str):
        raise ValueError(
            "`allow_operations` takes a list of names of operations. "
            f"Received: allow_operations={allow_operations!r}"
        )
    return _load_saved_model(path, signature, allow_operations)


def load(
    path: str | os.PathLike[str], signature: str | None = None
) -> tuple[keras.Model | SavedFunction, dict[str, Any] | None]:
    """Load a model, safely and without compiling it.

    Args:
        path: a `.keras` file, a legacy `.h5` file or a SavedModel directory.
        signature: of a SavedModel; `serving_default`, or the only one, if `None`.

    Returns:
        The model, and the configuration of its training loss, if the file has one.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no model, or one that cannot be loaded without running code from the file.
    """
    path = Path(path)
    if signature is not None and not path.is_dir():
        raise ValueError(_no_directory(signature, path))
    if not path.exists():
        raise FileNotFoundError(f"Expected {READABLE_FORMATS}. There is nothing at: {path}")
    if path.is_dir():
        return _load_saved_model(path, signature), None
    if not path.is_file():
        raise ValueError(
            f"Expected {READABLE_FORMATS}. Received what is neither file nor folder: {path}"
        )
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ValueError(f"Expected {READABLE_FORMATS}. Received: {path}")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ValueError(
            f"Expected {READABLE_FORMATS}, but this `.keras` file is no archive: {path}"
        )
    if path.suffix != ".keras" and not _is_hdf5(path):
        raise ValueError(f"Expected {READABLE_FORMATS}, but this file is no HDF5 file: {path}")
    try:
        (check_keras_archive if path.suffix == ".keras" else check_hdf5)(path)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    return model, _saved_loss(path)


def opened(
    model: keras.Layer | SavedFunction | str | os.PathLike[str], signature: str | None = None
) -> tuple[keras.Layer | SavedFunction, dict[str, Any] | keras.losses.Loss | str | None]:
    """Load a model if necessary, and check that TensorFlow can differentiate it.

    Args:
        model: a Keras model or layer, what `load_saved_model` returned, or a path as in `load`.
        signature: of a SavedModel.

    Returns:
        The model, and its training loss, if the model or its file has one.

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
        return load(model, signature)
    if isinstance(model, SavedFunction) and signature is None:
        return model, None
    if not isinstance(model, keras.Layer):
        raise TypeError(
            "Expected a Keras 3 model or the path of one. For a model of `tf_keras` or of "
            f"TensorFlow, pass the path of its SavedModel. Received: {type(model)}"
        )
    if signature is not None:
        raise ValueError(_no_directory(signature, model.name))
    return model, getattr(model, "loss", None)


def _load_saved_model(
    path: Path, signature: str | None, allow_operations: Collection[str] = ()
) -> SavedFunction:
    if not any((path / f"saved_model.{ending}").exists() for ending in ("pb", "pbtxt")):
        raise ValueError(
            f"Expected {READABLE_FORMATS}, but this directory holds no `saved_model.pb`: {path}"
        )
    try:
        check_saved_model(path, allow_operations)
        loaded = tf.saved_model.load(os.fspath(path))
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    names = list(loaded.signatures)
    name = signature or (DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in names else None)
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        raise ValueError(_no_signature(path, loaded, name))
    chosen = loaded.signatures[name]

    def function(inputs: dict[str, tf.Tensor], _keep_alive: Any = loaded) -> dict[str, tf.Tensor]:
        return chosen(**inputs)

    return SavedFunction(
        path.name if name == DEFAULT_SIGNATURE or len(names) == 1 else f"{path.name}/{name}",
        function,
        # In a file they are not ordered.
        dict(sorted(chosen.structured_input_signature[1].items())),
        tuple(sorted(chosen.structured_outputs)),
    )


def _no_signature(path: Path, loaded: Any, name: str | None) -> str:
    names = list(loaded.signatures)
    if names:
        return (
            f"The SavedModel {path} has the signatures {listed_names(names)}. Choose one with "
            f"`ks.Neuron.of(path, signature={names[0]!r})`, for example. "
            f"Received: signature={name!r}"
        )
    functions = [key for key, value in vars(loaded).items() if hasattr(value, "concrete_functions")]
    how = (
        f" Its functions are {', '.join(functions)}; give one to `Neuron` yourself: "
        f"`Neuron('name', tf.saved_model.load(path).{functions[0]}, inputs=columns)`."
        if functions
        else ""
    )
    return (
        "Expected a SavedModel with an inference signature, as `model.export(path)` writes. "
        f"This one has none: {path}.{how}"
    )


def _no_directory(signature: str, model: Any) -> str:
    return f"Only a SavedModel directory has signatures. Received: signature={signature!r}, {model}"


def kind_by_loss(loss: dict[str, Any] | keras.losses.Loss | str | None) -> str | None:
    """Classify a model's output by its loss.

    Args:
        loss: of a compiled model, or its configuration in a file.

    Returns:
        `"logit"` or `"probability"` for a binary cross-entropy, `None` for any other loss.

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


def _saved_loss(path: Path) -> dict[str, Any] | None:
    """The loss's configuration from the file's JSON; `None` if it cannot be read."""
    training = _config(path).get("training")
    loss = training.get("loss") if isinstance(training, dict) else None
    if isinstance(loss, str):
        return {"class_name": loss, "config": {}}
    return loss if isinstance(loss, dict) and "class_name" in loss else None


def _config(path: Path) -> dict[str, Any]:
    """The configurations of the model and of its training, empty where they cannot be read."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
            return {"model": config.get("config"), "training": config.get("compile_config")}
        import h5py

        with h5py.File(path) as file:
            return {
                name: json.loads(file.attrs[f"{name}_config"])
                for name in ("model", "training")
                if f"{name}_config" in file.attrs
            }
    except Exception:  # of zip files, decompressors and h5py; what matters is checked before
        return {}


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _reason(path: Path, error: Exception) -> str:
    """One sentence with the cause, from the chain of errors that Keras raised."""
    chain: BaseException = error
    text = str(error)
    while chain.__context__ is not None:
        chain = chain.__context__
        text += f"\n{chain}"
    trusting = "If you trust it, load it yourself with `safe_mode=False` and pass the model."
    if "vocabulary file outside" in text:
        return (
            f"The model in {path} takes a vocabulary from a file outside of its own, which is not "
            f"read. {trusting}"
        )
    if "safe_mode" in text or "arbitrary code" in text:
        refused = layers_of_code(_config(path).get("model"))
        named = f" (layer {listed_names(refused)})" if refused else ""
        return (
            f"The model in {path} holds Python code or a program{named}, which is not run from a "
            f"file. {trusting}"
        )
    unknown = re.search(r"(?:Could not locate \w+|Unknown layer:) '([^']+)'", text)
    if unknown:
        name = printable(" ".join(unknown[1].split()))[:80]
        return (
            f"The model in {path} uses '{name}', which is not part of Keras. Import the code "
            "that registers it (`keras.saving.register_keras_serializable`), or load the model "
            "yourself and pass it."
        )
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    reason = printable(first[:300])
    return f"Expected {READABLE_FORMATS}, but this could not be loaded: {path}. {reason}"
