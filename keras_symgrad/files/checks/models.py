"""Safety checks for untrusted model files, before Keras or TensorFlow open them.

Keras in safe mode runs no Python code of a file, but builds any model that the file describes.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from keras_symgrad.files.checks.hdf5 import check_hdf5_content
from keras_symgrad.files.checks.layer_sizes import check_sizes
from keras_symgrad.files.checks.zip_archives import check_archive
from keras_symgrad.files.terminal import printable

# Largest text in an archive: parsed JSON takes ten times its memory, and Keras copies it.
MAX_TEXT_BYTES = 2**25
HARMLESS_TEXT_BYTES = 2**20
# Configurations of real models are compressed by a factor of 10 to 50.
MAX_TEXT_RATIO = 100
# Layers that run code which stands in the file, or elsewhere.
LAYERS_OF_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
# Functions of these modules compute with tensors. Others of Keras fetch data sets or weights, or
# change its settings, and a layer would call them with a tensor.
MODULES_OF_FUNCTIONS = re.compile(
    r"keras\.(activations|constraints|initializers|losses|metrics|ops(\..*)?|regularizers)"
)
MODULES_OF_CLASSES = re.compile(
    r"keras(\.(_legacy\.layers|constraints|distillation|dtype_policies|initializers|layers|losses"
    r"|metrics|models|ops(\..*)?|optimizers(\.schedules)?|quantizers|random|regularizers|src\..*))?"
)
# An item of an array that a file describes has at most 999 bytes or characters.
ARRAY_DTYPE = re.compile(r"[<>=|]?[A-Za-z]+\d{0,3}([a-z_]+\d{0,3}){0,4}")
MAX_DTYPE_CHARACTERS = 24


def check_keras_archive(path: Path) -> None:
    """Raise unless a `.keras` file is an archive that Keras may unpack and build.

    Args:
        path: of the file.

    Raises:
        ValueError: the archive is damaged or far larger inside than outside, its layers are
            larger than the weights in it, or these cannot be read safely.
    """
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        weights = sum(member.file_size for member in members if "weights" in member.filename)
        _check_texts(members)
        try:
            config = json.loads(archive.read("config.json"))
        except (KeyError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError):
            raise ValueError("Its configuration `config.json` is missing or damaged.") from None
        except Exception as error:  # from the decompressor
            raise ValueError(f"Its configuration is damaged ({error}).") from None
    if isinstance(config, dict):
        # Nothing is compiled.
        config.pop("compile_config", None)
    check_configuration(config, weights)
    check_hdf5_content(path)


def check_hdf5(path: Path) -> None:
    """Raise unless an HDF5 file holds the configuration of a model that Keras may build.

    Args:
        path: of the file, which `check_hdf5_content` has passed.

    Raises:
        ValueError: it has no configuration, or as in `check_configuration`.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs["model_config"]
        config = json.loads(text)
    except Exception as error:  # h5py has no exception class of its own
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"It holds no configuration of a model ({reason}).") from None
    check_configuration(config, path.stat().st_size)


def check_configuration(config: Any, weights: int) -> None:
    """Raise unless a configuration holds nothing but a model that fits its weights.

    Args:
        config: of a model, plain data.
        weights: bytes that the file has for weights.

    Raises:
        ValueError: a layer is larger than the weights, a part of it is an object of Keras that
            does more than compute, or an array has items of a thousand bytes or more.

    Example:

    >>> loads = {"module": "keras.datasets.mnist", "class_name": "function", "config": "load_data"}
    >>> check_configuration({"activation": loads}, 1000)
    Traceback (most recent call last):
    ValueError: It names 'keras.datasets.mnist.load_data', which is not a part of a model.
    """
    check_sizes(config, weights)
    for part in _dictionaries(config):
        kind, module, inner = (part.get(key) for key in ("class_name", "module", "config"))
        if isinstance(module, str) and (module == "keras" or module.startswith("keras.")):
            is_function = kind == "function"
            modules = MODULES_OF_FUNCTIONS if is_function else MODULES_OF_CLASSES
            if not modules.fullmatch(module):
                name = printable(f"{module}.{inner if is_function else kind}")[:80]
                raise ValueError(f"It names '{name}', which is not a part of a model.")
        if kind in ("__numpy__", "__tensor__") and isinstance(inner, dict):
            dtype = inner.get("dtype")
            is_usual = isinstance(dtype, str) and len(dtype) <= MAX_DTYPE_CHARACTERS
            if not is_usual or not ARRAY_DTYPE.fullmatch(str(dtype)):
                raise ValueError(f"An array in it has an unusual dtype: {dtype!r:.80}.")


def _dictionaries(config: Any) -> Iterator[dict[str, Any]]:
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def layers_of_code(config: Any) -> list[str]:
    """Layers of a model that Python code in the file, or a program in another one, is part of.

    Args:
        config: of a model, plain data.

    Returns:
        Names and classes, such as `"'double' (Lambda)"`.

    Example:

    >>> layers_of_code([{"class_name": "Lambda", "config": {"name": "double"}}])
    ["'double' (Lambda)"]
    """
    found: list[str] = []
    left = [(config, "")]
    while left:
        part, owner = left.pop()
        if isinstance(part, dict):
            kind, inner = part.get("class_name"), part.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                owner = f"'{printable(inner['name'])[:80]}' ({printable(str(kind))[:80]})"
            if kind in LAYERS_OF_CODE or kind == "__lambda__":
                found.append(owner or str(kind))
            left.extend((value, owner) for value in part.values())
        elif isinstance(part, list):
            left.extend((value, owner) for value in part)
    return sorted(set(found))


def _check_texts(members: Iterable[zipfile.ZipInfo]) -> None:
    for member in members:
        most = max(HARMLESS_TEXT_BYTES, MAX_TEXT_RATIO * member.compress_size)
        if member.filename.endswith(".json") and member.file_size > min(most, MAX_TEXT_BYTES):
            raise ValueError(
                f"Its text {member.filename!r:.80} takes {member.file_size >> 20:,} MB, far more "
                "than the configuration of a model."
            )
