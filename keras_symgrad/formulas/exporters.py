"""Export formulas to files: source code, JSON, LaTeX, and models in other formats."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sympy

from keras_symgrad.files import check_writable, replacing, unwritable, write_text
from keras_symgrad.formulas.python_source import to_python

if TYPE_CHECKING:
    import keras

    from keras_symgrad.formulas.formula import Formula

# Functions without a TFLite operation, in terms of functions with one.
_WITHOUT: dict[type, Callable[[sympy.Expr], sympy.Expr]] = {
    sympy.tan: lambda u: sympy.sin(u) / sympy.cos(u),
    sympy.sinh: lambda u: (sympy.exp(u) - sympy.exp(-u)) / 2,
    sympy.cosh: lambda u: (sympy.exp(u) + sympy.exp(-u)) / 2,
}


def export(formula: Formula, path: str | os.PathLike[str]) -> Path:
    """Write a formula to a file whose ending selects the format.

    | ending | content |
    | --- | --- |
    | `.py` | a Python function that needs NumPy alone |
    | `.json` | for `Formula.from_json` |
    | `.tex` | LaTeX, constants rounded |
    | `.keras` | a Keras model of one `SymbolicLayer` |
    | `.onnx` | ONNX; needs the package `tf2onnx` |
    | `.tflite` | TFLite, of its built-in operations |
    | none | a folder, a TensorFlow SavedModel |

    Models take rows of shape `(batch, variables)` in float32 and return `(batch, 1)`.

    Args:
        formula: with its variables.
        path: of the file or folder.

    Returns:
        The path.

    Raises:
        ImportError: a converter is not installed.
        ValueError: the ending is unknown, nothing can be written there, or a format has no
            operation for the formula.
    """
    path = Path(path)
    check_path(path)
    if path.suffix in _TEXTS:
        return write_text(path, _TEXTS[path.suffix](formula), "The formula")
    try:
        with tempfile.TemporaryDirectory() as folder:
            # A converter that fails must leave no incomplete file.
            made = Path(folder) / f"formula{path.suffix}"
            _MODELS[path.suffix](formula, made)
            if path.suffix:
                with made.open("rb") as source, replacing(path) as target:
                    shutil.copyfileobj(source, target)
            else:
                shutil.copytree(made, path, dirs_exist_ok=True)
    except OSError as error:
        raise unwritable(path, "The formula", error) from error
    return path


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise unless `export` can write there; can be called before the formula exists.

    Args:
        path: of the file or folder.

    Raises:
        ImportError: a converter is not installed.
        ValueError: the ending is unknown, or nothing can be written there.
    """
    path = Path(path)
    if path.suffix not in _TEXTS | _MODELS:
        raise ValueError(
            f"The path must end with one of {', '.join([*_TEXTS, *filter(None, _MODELS)])}, or "
            f"with nothing for a SavedModel folder. Received: {path}"
        )
    if path.suffix == ".onnx" and not find_spec("tf2onnx"):
        raise ImportError(
            "ONNX is written by the package tf2onnx, which is not installed: "
            "`pip install keras-symgrad[onnx]`, or `pip install tf2onnx`."
        )
    if path.suffix:
        check_writable(path, "The formula")
    elif path.is_file():
        raise ValueError(f"A SavedModel is a folder, but there is a file at: {path}")


def to_model(formula: Formula) -> keras.Model:
    """A formula as a Keras model from `(batch, variables)` to `(batch, 1)`.

    Args:
        formula: with its variables.

    Returns:
        A built Sequential model of one `SymbolicLayer`.
    """
    import keras

    inputs = keras.Input((len(formula.names),), name="x")
    model = keras.Sequential([inputs, formula.to_layer(name="formula")])
    # Keras's exporters need a model that was called.
    model(np.ones((1, len(formula.names)), np.float32))
    return model


def _to_saved_model(formula: Formula, path: Path) -> None:
    to_model(formula).export(path, verbose=False)


def _to_onnx(formula: Formula, path: Path) -> None:
    to_model(formula).export(path, format="onnx", verbose=False)


def _to_tflite(formula: Formula, path: Path) -> None:
    import tensorflow as tf

    writable = formula
    for function, instead in _WITHOUT.items():
        writable = writable.rewritten(methodcaller("replace", function, instead))
    builtin = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    model = to_model(writable)
    try:
        model.export(path, format="litert", verbose=False, target_spec=builtin)
    except Exception as error:
        # The converter's exception class is not public.
        if type(error).__name__ != "ConverterError":
            raise
        raise ValueError(
            "TFLite has no built-in operation for a part of the formula, such as asin, acos, atan, "
            "erf or asinh. `model.export(path, format='litert')` of a model with the formula's "
            "layer writes a file for runtimes with TensorFlow's own operations (Flex). "
            f"Received: {formula}"
        ) from None


_TEXTS: dict[str, Callable[[Formula], str]] = {
    ".py": to_python,
    ".json": lambda formula: formula.to_json(),
    ".tex": lambda formula: formula.to_latex() + "\n",
}
_MODELS: dict[str, Callable[[Formula, Path], None]] = {
    ".keras": lambda formula, path: to_model(formula).save(path),
    ".onnx": _to_onnx,
    ".tflite": _to_tflite,
    "": _to_saved_model,
}
