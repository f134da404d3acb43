"""Load models: `.keras`, legacy `.h5` and SavedModel directories.

Nothing in a file is run as Python code: `safe_mode` stays on and nothing is compiled. What a file
says of the loss that its model was trained with is read as plain JSON, because a loss tells a logit
from a regression.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_symgrad.files import check_saved_model
from keras_symgrad.neurons import formats
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
        """Of the inputs: the first one's that has a gradient."""
        return next(spec.dtype.name for spec in self.specs.values() if spec.dtype.is_floating)

    def inputs(self, given: int | None) -> Inputs:
        """The inputs as columns; `given` is their number, if the file leaves it open."""
        return Inputs.made_of(self.specs, self.name, given)

    def output(self, name: str | None) -> str:
        """The name of the output that is meant.

        Args:
            name: the user's `layer`; may be left out if there is only one output.

        Returns:
            The name in the signature.

        Raises:
            ValueError: there is none of this name, or several and no name.
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
    path: str | os.PathLike,
    signature: str | None = None,
    *,
    weights: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> tuple[keras.Model | SavedFunction, dict | None]:
    """Loads a model, safely and without compiling it.

    What a file is follows from its content, whatever its name. Files of Keras 1 and 2 are rewritten
    as Keras 3 describes models, as data.

    Args:
        path: a `.keras` file, a legacy `.h5` file, a SavedModel directory, or the JSON of a model
            (`model.to_json()`) whose `weights` are in another file.
        signature: of a SavedModel; `serving_default`, or the only one, if `None`.
        weights: an HDF5 file that `model.save_weights` wrote.
        custom_objects: classes and functions by name, as in `keras.models.load_model`. A function
            with the name of a Lambda layer is what that layer computes.

    Returns:
        The model, and the configuration of the loss that it was trained with, if the file says.

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
        if weights is not None:
            raise ValueError(
                f"A SavedModel has its weights in its folder. Leave out `weights`. Received: {path}"
            )
        return _load_saved_model(path, signature), None
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


def _checked_weights(file: formats.ModelFile, weights: str | os.PathLike | None) -> Path | None:
    """The other file that a model has its weights in, after a look at both."""
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


@dataclass(frozen=True)
class LoadedModel:
    """A model from a file, with the loss that the file says.

    Args:
        model: that was loaded.
        loss: configuration of the loss that it was trained with.
    """

    model: keras.Model | SavedFunction
    loss: dict | None


def loaded(
    model: Any,
    signature: str | None = None,
    weights: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """A model whose file needs more than its path; any other as it is.

    Args:
        model: what a user gave as one.
        signature: of a SavedModel.
        weights: as in `load`.
        custom_objects: as in `load`.

    Returns:
        A `LoadedModel`, which stands for the path, or `model` where there is nothing more to give.

    Raises:
        FileNotFoundError, ValueError: as in `load`, or `model` is no path.
    """
    if weights is None and custom_objects is None:
        return model
    if not isinstance(model, (str, os.PathLike)):
        raise ValueError(
            "`weights` and `custom_objects` belong to a model in a file. Load the weights into the "
            f"model, and leave them out. Received: a model of type {type(model).__name__}"
        )
    _check_backend()
    return LoadedModel(*load(model, signature, weights=weights, custom_objects=custom_objects))


def load_model(
    path: str | os.PathLike,
    *,
    weights: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Loads a Keras model of any age as a model of Keras 3, without running code from the file.

    Files of Keras 1 and 2 are rewritten as Keras 3 describes models. Initializers, regularizers and
    constraints, which matter to training alone, are left out, and the model is not compiled.

    Args:
        path: a `.keras` or `.h5` file, whatever its name, or the JSON of a model.
        weights: an HDF5 file that `model.save_weights` wrote, for JSON.
        custom_objects: classes and functions by name, as in `keras.models.load_model`. A function
            with the name of a Lambda layer is what that layer computes.

    Returns:
        The model, as `interpret`, `replace` and Keras take it.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: it is no model, or one that cannot be loaded without running code from the file.

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
    model, loss = load(path, weights=weights, custom_objects=custom_objects)
    if isinstance(model, SavedFunction):
        raise ValueError(
            "A SavedModel holds a function, not a Keras model. Pass its path to `interpret`. "
            f"Received: {path}"
        )
    if loss is not None:
        # Where `compile` would put it: it tells a logit from a number.
        model.loss = loss
    return model


def opened(
    model: keras.Layer | LoadedModel | str | os.PathLike, signature: str | None = None
) -> tuple[keras.Layer | SavedFunction, dict | keras.losses.Loss | str | None]:
    """A model from wherever it is, checked that TensorFlow can differentiate it.

    Args:
        model: a Keras model or layer, or a path as in `load`.
        signature: of a SavedModel.

    Returns:
        The model, and the loss that it was trained with, if it or its file says.

    Raises:
        TypeError: it is neither a Keras model nor a path.
        FileNotFoundError, ValueError: as in `load`, or Keras does not run on TensorFlow.
    """
    _check_backend()
    if isinstance(model, LoadedModel):
        return model.model, model.loss
    if isinstance(model, (str, os.PathLike)):
        return load(model, signature)
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


def _load_saved_model(path: Path, signature: str | None) -> SavedFunction:
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
        check_saved_model(path)
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
        # A file has them in no order.
        dict(sorted(chosen.structured_input_signature[1].items())),
        tuple(sorted(chosen.structured_outputs)),
    )


def _missing_variables(path: Path) -> str | None:
    """What is missing of the files that a SavedModel with variables has beside it."""
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
            f"The SavedModel {path} has the signatures {', '.join(names)}. Choose one with "
            f"`signature={names[0]}`, for example. Received: signature={name!r}"
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


def _reason(path: Path, error: Exception) -> str:
    """One sentence of what is wrong, from the chain of errors that Keras raised."""
    chain, text = error, str(error)
    while chain.__context__ is not None:
        chain = chain.__context__
        text += f"\n{chain}"
    if "safe_mode" in text or "arbitrary code" in text:
        first = str(error) if "`custom_objects=" in str(error) else formats.holds_code(["name"])
        return f"The model in {path} cannot be loaded. {first}"
    unknown = re.search(r"(?:Could not locate \w+|Unknown layer:) '([^']+)'", text)
    if unknown:
        return f"The model in {path} cannot be loaded. {formats.is_unknown(unknown[1])}"
    first = _first_lines(str(error))
    if "deserialized properly" in first:
        innermost = re.findall(r"Exception encountered: (.+)", text)
        first = innermost[-1] if innermost else first
    if first.startswith(("Expected", "There is no")):
        return first
    return f"Expected {READABLE_FORMATS}, but this could not be loaded: {path}. {first[:600]}"


def _first_lines(text: str) -> str:
    """The first line of an error, and the second where the first only says that there was one."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", text).splitlines() if line.strip()]
    says_nothing = lines and lines[0].startswith("Exception encountered when calling")
    return " ".join(lines[: 2 if says_nothing else 1])
