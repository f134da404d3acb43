"""Load models: `.keras`, legacy `.h5` and SavedModel directories.

Nothing in a file is run as Python code: `safe_mode` stays on and nothing is compiled. The loss that
the model was trained with is read as plain JSON, because a loss distinguishes a logit from a
regression.
"""

from __future__ import annotations

import hashlib
import os
import re
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.files import check_saved_model, layers_of_code, listed_names, printable
from keras_symgrad.neurons import formats
from keras_symgrad.neurons.inputs import Inputs

DEFAULT_SIGNATURE = "serving_default"
READABLE_FORMATS = "a `.keras` file, a legacy `.h5` file or a SavedModel directory"
# Characters of another library's error.
MAX_REASON = 600


@dataclass(frozen=True)
class SavedFunction:
    """One signature of a SavedModel.

    Args:
        name: of the directory, and of the signature if it is not the default one.
        function: takes the inputs by name, returns the outputs by name; gradients flow through it.
        specs: of the inputs, by name.
        outputs: names of the outputs.
        arguments: of `load_model` that made it.
    """

    name: str
    function: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
    specs: dict[str, tf.TensorSpec]
    outputs: tuple[str, ...]
    arguments: Mapping[str, Any] | None = None

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


def load(
    path: str | os.PathLike[str],
    signature: str | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    allow_operations: Collection[str] = (),
) -> tuple[keras.Model | SavedFunction, dict[str, Any] | None]:
    """Load a model, safely and without compiling it.

    The kind of a file is determined by its content, not by its name. Files of Keras 1 and 2 are
    rewritten, as plain data, as Keras 3 describes models.

    Args:
        path: a `.keras` file, a legacy `.h5` file, a SavedModel directory, or the JSON of a model
            (`model.to_json()`) whose `weights` are in another file.
        signature: of a SavedModel; `serving_default`, or the only one, if `None`.
        weights: an HDF5 file that `model.save_weights` wrote.
        custom_objects: classes and functions by name, as in `keras.models.load_model`. A function
            with the name of a Lambda layer replaces what that layer computes.
        allow_operations: of a SavedModel, as in `load_model`.

    Returns:
        The model, and the configuration of its training loss, if the file has one.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no model, or one that cannot be loaded without running code from the file.
    """
    path = Path(path)
    if signature is not None and not path.is_dir():
        raise ValueError(_no_directory(signature, path))
    if isinstance(allow_operations, str):
        raise ValueError(
            "`allow_operations` takes a list of names of operations. "
            f"Received: allow_operations={allow_operations!r}"
        )
    if not path.exists():
        raise FileNotFoundError(f"Expected {READABLE_FORMATS}. There is nothing at: {path}")
    if path.is_dir():
        if weights is not None:
            raise ValueError(
                f"A SavedModel has its weights in its folder. Leave out `weights`. Received: {path}"
            )
        if custom_objects:
            raise ValueError(
                "A SavedModel holds functions and no classes. Leave out `custom_objects`. "
                f"Received: {path}"
            )
        return _load_saved_model(path, signature, allow_operations), None
    if allow_operations:
        raise ValueError(
            "`allow_operations` is for a SavedModel directory: other files hold no operations. "
            f"Received: {path}"
        )
    if not path.is_file():
        raise ValueError(
            f"Expected {READABLE_FORMATS}. Received what is neither file nor folder: {path}"
        )
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"Expected a file of weights. There is no file at: {weights}")
    try:
        file = formats.read_model_file(path)
        if file is None:
            found = formats.described_otherwise(path) or "none of them by its content"
            raise ValueError(f"It is {found}.")
        model = formats.model_from(file, _checked_weights(file, weights), custom_objects)
    except Exception as error:
        raise ValueError(_reason(path, error)) from error
    return model, file.loss


def _checked_weights(
    file: formats.ModelFile, weights: str | os.PathLike[str] | None
) -> Path | None:
    """Return the path of a separate file of weights, with both files checked."""
    if file.kind == formats.HDF5_WEIGHTS:
        raise ValueError(
            "It holds weights without a model. Pass the model's JSON (`model.to_json()`), and this "
            "file as `weights=`; or make the model with your code, `model.load_weights` them, and "
            "pass the model."
        )
    if weights is None:
        if file.kind == formats.JSON:
            raise ValueError(
                "It holds a model without weights. Pass the HDF5 file that `model.save_weights` "
                "wrote, or a model's `.h5` file, as `weights=`."
            )
        return None
    weights = Path(weights)
    if formats.read_model_file(weights) is None:
        raise ValueError(
            f"Expected weights in an HDF5 file, as `model.save_weights` writes. Received: {weights}"
        )
    formats.check_weights_fit(file, weights)
    return weights


# What each model that `load_model` returned was loaded with, and a digest of its weights then.
_LOADED: weakref.WeakKeyDictionary[keras.Model, tuple[Mapping[str, Any], str]] = (
    weakref.WeakKeyDictionary()
)


def load_model(
    path: str | os.PathLike[str],
    signature: str | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    allow_operations: Collection[str] = (),
) -> keras.Model | SavedFunction:
    """Load a model of any version of Keras, without running code from the file.

    `interpret` and its relatives take the result in place of the model's path. The path alone is
    enough for a file that needs none of the options here.

    Files of Keras 1 and 2 are rewritten as Keras 3 describes models. Initializers, regularizers and
    constraints are left out, as they only affect training, and the model is not compiled.

    Args:
        path: a `.keras` or `.h5` file under any name, a SavedModel directory, or the JSON of a
            model (`model.to_json()`).
        signature: of a SavedModel; `serving_default`, or the only one, if `None`.
        weights: the HDF5 file that `model.save_weights` wrote, for JSON.
        custom_objects: classes and functions by name, as in `keras.models.load_model`. A function
            with the name of a Lambda layer replaces what that layer computes.
        allow_operations: names of TensorFlow operations that a SavedModel may run although they
            could read or write files, print, use a network or run code. Allow only what an error
            named, and only if you trust whoever made the model.

    Returns:
        A Keras model; for a SavedModel its signature as a function.

    Raises:
        FileNotFoundError: nothing is at a path.
        ValueError: it is not a model, an option does not fit the kind of file, or the model cannot
            be loaded without code or operations that are refused.

    Example:

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     description, weights = Path(folder, "model.json"), Path(folder, "model.weights.h5")
    ...     _ = description.write_text(model.to_json())
    ...     model.save_weights(weights)
    ...     again = load_model(description, weights=weights)
    >>> bool((again.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    _check_backend()
    model, loss = load(
        path,
        signature,
        weights=weights,
        custom_objects=custom_objects,
        allow_operations=allow_operations,
    )
    given: dict[str, Any] = {
        "path": os.fspath(path),
        "signature": signature,
        "weights": None if weights is None else os.fspath(weights),
        "custom_objects": custom_objects,
        "allow_operations": tuple(allow_operations),
    }
    if isinstance(model, SavedFunction):
        return replace(model, arguments=given)
    if loss is not None:
        # `compile` would set it; it distinguishes a logit from a number.
        model.loss = loss
    _LOADED[model] = given, _digest(model)
    return model


def arguments_of(model: Any) -> Mapping[str, Any] | None:
    """Return the arguments of `load_model` that load a model again.

    Args:
        model: anything that `interpret` takes as a model.

    Returns:
        Arguments by name; `None` for a model that did not come from `load_model`, or whose weights
        have changed since.

    Example:

    >>> arguments_of(keras.Sequential()) is None
    True
    """
    if isinstance(model, SavedFunction):
        return model.arguments
    if not isinstance(model, keras.Model) or model not in _LOADED:
        return None
    arguments, digest = _LOADED[model]
    return arguments if digest == _digest(model) else None


def _digest(model: keras.Model) -> str:
    digest = hashlib.blake2b()
    for variable in model.variables:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()


def opened(
    model: keras.Layer | SavedFunction | str | os.PathLike[str], signature: str | None = None
) -> tuple[keras.Layer | SavedFunction, dict[str, Any] | keras.losses.Loss | str | None]:
    """Load a model if necessary, and check that TensorFlow can differentiate it.

    Args:
        model: a Keras model or layer, what `load_model` returned, or a path as in `load`.
        signature: of a SavedModel.

    Returns:
        The model, and its training loss, if the model or its file has one.

    Raises:
        TypeError: it is neither a Keras model nor a path.
        FileNotFoundError, ValueError: as in `load`, or Keras does not run on TensorFlow.
    """
    _check_backend()
    if isinstance(model, (str, os.PathLike)):
        return load(model, signature)
    if isinstance(model, SavedFunction) and signature is None:
        return model, None
    if isinstance(model, type):
        raise TypeError(
            "Expected a Keras 3 model, and not its class: make the model and train it first. "
            f"Received: {model!r}"
        )
    if callable(model) and not isinstance(model, keras.Layer) and not hasattr(model, "predict"):
        name = getattr(model, "__name__", "f")
        raise TypeError(
            "Expected a Keras 3 model or the path of one, and not a function. One of TensorFlow "
            "that takes rows (rows, inputs) and returns a number for each is read as "
            f"`ks.Neuron({name!r}, function, inputs=2)`; other gradients as "
            f"`ks.GradientField.from_gradients(points, gradients)`. Received: {model!r}"
        )
    if not isinstance(model, keras.Layer):
        raise TypeError(
            "Expected a Keras 3 model or the path of one. For a model of `tf_keras` or of "
            f"TensorFlow, pass the path of its SavedModel. Received: {type(model)}"
        )
    if signature is not None:
        raise ValueError(_no_directory(signature, model.name))
    return model, getattr(model, "loss", None)


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Gradients are read with TensorFlow. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported. "
            f"Received: backend '{keras.backend.backend()}'"
        )


def _load_saved_model(
    path: Path, signature: str | None, allow_operations: Collection[str]
) -> SavedFunction:
    if not any((path / f"saved_model.{ending}").exists() for ending in ("pb", "pbtxt")):
        raise ValueError(
            f"Expected {READABLE_FORMATS}, but this directory holds no `saved_model.pb`: {path}"
        )
    missing = _missing_variables(path)
    if missing is not None:
        raise ValueError(
            f"The SavedModel in {path} has no {missing}, where its weights are. Copy the whole "
            "folder, with its subfolder `variables` (large files may be kept in Git LFS: `git lfs "
            "pull`)."
        )
    try:
        check_saved_model(path, allow_operations)
        with formats.without_optimizer_slots(path) as folder:
            loaded = tf.saved_model.load(os.fspath(folder))
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


def _missing_variables(path: Path) -> str | None:
    """Name the file that a SavedModel with variables needs and does not have, if any."""
    folder = path / "variables"
    if not folder.is_dir():
        has_some = any(path.glob("variables.*")) or _is_of_keras(path)
        return "folder `variables`" if has_some else None
    if (folder / "variables.index").exists() and not any(folder.glob("variables.data-*")):
        return "`variables/variables.data-00000-of-00001`"
    return None


def _is_of_keras(path: Path) -> bool:
    return (path / "keras_metadata.pb").exists()


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


def _reason(path: Path, error: Exception) -> str:
    """One sentence with the cause, from the chain of errors that Keras raised."""
    chain: BaseException = error
    text = str(error)
    while chain.__context__ is not None:
        chain = chain.__context__
        text += f"\n{chain}"
    if "vocabulary file outside" in text:
        return (
            f"The model in {path} takes a vocabulary from a file outside of its own, which is not "
            "read. If you trust it, load it yourself with `safe_mode=False` and pass the model."
        )
    if "safe_mode" in text or "arbitrary code" in text:
        named = str(error)
        if "custom_objects=" not in named:
            named = formats.holds_program(layers_of_code(_configuration(path)))
        return f"The model in {path} cannot be loaded. {named}"
    unknown = re.search(r"(?:Could not locate \w+|Unknown layer:) '([^']+)'", text)
    if unknown:
        return f"The model in {path} cannot be loaded. {formats.is_unknown(unknown[1])}"
    first = _first_lines(str(error))
    if "deserialized properly" in first:
        innermost = re.findall(r"Exception encountered: (.+)", text)
        first = innermost[-1] if innermost else first
    first = printable(first[:MAX_REASON])
    if first.startswith(("Expected", "There is no")):
        return first
    return f"Expected {READABLE_FORMATS}, but this could not be loaded: {path}. {first}"


def _configuration(path: Path) -> Any:
    """The configuration of the model in a file; `None` where it cannot be read."""
    try:
        file = formats.read_model_file(path) if path.is_file() else None
    except Exception:  # from zip files, decompressors and h5py; the caller has the first error
        return None
    return None if file is None else file.config


def _first_lines(text: str) -> str:
    """The first line of an error, with the second where the first only announces it."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", text).splitlines() if line.strip()]
    announces = lines and lines[0].startswith("Exception encountered when calling")
    return " ".join(lines[: 2 if announces else 1])
