"""Weights of Keras 1 and 2 put into a model of Keras 3, each array where it belongs.

HDF5 files have them in two layouts: by name of layer, in the order of its weights (`save_weights`
and `.h5` models), and by attribute of an object (`.keras` archives and `.weights.h5` files). Every
weight of the model must have been found, or the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_symgrad.neurons.formats.configuration import OldLayer

if TYPE_CHECKING:
    import h5py

Tree = dict[str, Any]
CONVOLUTIONS = ("Conv", "AtrousConv", "Deconv")


def assign(
    model: keras.Model, file: h5py.File | h5py.Group, layers: Mapping[str, OldLayer]
) -> None:
    """Gives a model the weights of a file.

    Args:
        model: built of the configuration that belongs to the weights.
        file: HDF5 file or group of either layout.
        layers: the layers of the configuration before it was rewritten, by their new names.

    Raises:
        ValueError: the file has more, fewer or other weights than the model.
    """
    if not model.built:
        raise ValueError(
            "It does not say how many columns the model takes. Load it with your code and pass "
            "the model."
        )
    if "model_weights" in file and "layer_names" not in file.attrs:
        file = file["model_weights"]
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        assigned = _by_order(model, file, layers)
    else:
        assigned = _by_attribute(model, _tree(file))
    missing = [weight.path for weight in model.weights if id(weight) not in assigned]
    if missing:
        raise ValueError(
            f"It has no weights for {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more." if len(missing) > 3 else ".")
        )


def _by_order(model: keras.Model, file: h5py.Group, layers: Mapping[str, OldLayer]) -> set[int]:
    groups = [file[name] for name in _texts(file, "layer_names")]
    stored = [(group.name, _arrays(group)) for group in groups]
    stored = [(name, found) for name, found in stored if found]
    wanted = [layer for layer in model.layers if layer.weights]
    if len(stored) != len(wanted):
        raise ValueError(
            f"Its weights are those of {len(stored)} layers, and the model has {len(wanted)} with "
            "weights. They belong to another model."
        )
    assigned: set[int] = set()
    backend = file.attrs.get("backend")
    theano = None if backend is None else backend in (b"theano", "theano")
    for layer, (_, found) in zip(wanted, stored, strict=True):
        names, arrays = zip(*found)
        old = layers.get(layer.name)
        converted = list(arrays) if old is None else in_keras_3(old, list(arrays), theano)
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        if len(converted) == len(names):
            converted = _in_order_of(weights, names, converted)
        if len(weights) != len(converted):
            raise ValueError(
                f"Layer '{layer.name}' has {len(weights)} weights, and the file {len(converted)}."
            )
        for weight, array in zip(weights, converted):
            _set(weight, array)
            assigned.add(id(weight))
    _finalize(model)
    return assigned


def _finalize(layer: keras.layers.Layer) -> None:
    """Lets layers that compute with something made of their weights make it again."""
    if hasattr(layer, "finalize_state") and layer.built:
        layer.finalize_state()
    for inner in getattr(layer, "layers", ()):
        _finalize(inner)
    if isinstance(getattr(layer, "layer", None), keras.layers.Layer):
        _finalize(layer.layer)


def _in_order_of(
    weights: Sequence[keras.Variable], names: Sequence[str], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Arrays in the order of a layer's weights, where both say the same names."""
    found = [re.sub(r"(_\d+)?(:\d+)?$", "", name.split("/")[-1]) for name in names]
    wanted = [weight.name for weight in weights]
    if found == wanted or sorted(found) != sorted(wanted) or len(set(found)) < len(found):
        return arrays
    return [arrays[found.index(name)] for name in wanted]


def _by_attribute(model: keras.Model, tree: Tree) -> set[int]:
    assigned: set[int] = set()
    _assign_object(model, tree, assigned)
    return assigned


def _assign_object(layer: Any, tree: Tree, assigned: set[int]) -> None:
    own = tree.get("vars", {})
    if own:
        weights = [*layer._trainable_variables, *layer._non_trainable_variables]
        layer.load_own_variables(own)
        assigned.update(id(weight) for weight in weights)
    for name, branch in tree.items():
        if name == "vars" or not _has_arrays(branch):
            continue
        if name in ("layers", "_layer_checkpoint_dependencies"):
            _assign_layers(layer.layers, branch, assigned)
            continue
        part = getattr(layer, name, None)
        if isinstance(part, keras.layers.Layer):
            _assign_object(part, branch, assigned)
        elif isinstance(part, (list, tuple)):
            _assign_layers(list(part), branch, assigned)


def _assign_layers(layers: Sequence[keras.Layer], tree: Tree, assigned: set[int]) -> None:
    """Layers of one class are numbered by their order; some versions of Keras skip numbers."""
    by_class: dict[str, list[keras.Layer]] = {}
    for layer in layers:
        if layer.weights:
            by_class.setdefault(_snake(type(layer).__name__), []).append(layer)
    for name, members in by_class.items():
        pattern = re.compile(rf"{re.escape(name)}(?:_(\d+))?")
        matches = {
            key: pattern.fullmatch(key) for key, branch in tree.items() if _has_arrays(branch)
        }
        numbered = sorted((int(m[1] or 0), key) for key, m in matches.items() if m)
        if len(numbered) != len(members):
            raise ValueError(
                f"It has the weights of {len(numbered)} layers of the kind '{name}', and the model "
                f"has {len(members)}."
            )
        for layer, (_, key) in zip(members, numbered, strict=True):
            _assign_object(layer, tree[key], assigned)


def _snake(name: str) -> str:
    """The name of a class as Keras writes it into archives."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _tree(file: h5py.Group) -> Tree:
    """All arrays of a group, in dictionaries; Windows wrote backslashes into names."""
    import h5py

    tree: Tree = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            *parts, last = name.replace("\\", "/").split("/")
            branch = tree
            for part in parts:
                branch = branch.setdefault(part, {})
            branch[last] = item[()]

    file.visititems(visit)
    # Those of optimizers and metrics are of no use here.
    return {name: branch for name, branch in tree.items() if name not in ("optimizer", "metrics")}


def _has_arrays(branch: Any) -> bool:
    return isinstance(branch, np.ndarray) or (
        isinstance(branch, dict) and any(map(_has_arrays, branch.values()))
    )


def _texts(group: h5py.Group, name: str) -> list[str]:
    """A list of texts in the attributes of a group; a long one is in several."""
    found = group.attrs.get(name)
    if found is None:
        found = [text for part in _parts(group, name) for text in part]
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in found]


def _parts(group: h5py.Group, name: str) -> Iterator[Sequence[Any]]:
    number = 0
    while f"{name}{number}" in group.attrs:
        yield group.attrs[f"{name}{number}"]
        number += 1


def _arrays(group: h5py.Group) -> list[tuple[str, np.ndarray]]:
    return [(name, np.asarray(group[name])) for name in _texts(group, "weight_names")]


def _set(weight: keras.Variable, array: np.ndarray) -> None:
    if tuple(weight.shape) != array.shape:
        raise ValueError(
            f"The weight '{weight.path}' has the shape {tuple(weight.shape)}, and that of the file "
            f"{array.shape}. They belong to another model."
        )
    weight.assign(array)


def in_keras_3(
    old: OldLayer, arrays: list[np.ndarray], theano: bool | None = False
) -> list[np.ndarray]:
    """Arrays of one layer in the shapes of Keras 3.

    Args:
        old: the layer as its file describes it.
        arrays: its weights, in their order.
        theano: whether it was trained with Theano, whose convolutions run backwards; `None` if the
            file does not say.

    Returns:
        The same weights as Keras 3 has them.

    Raises:
        ValueError: they belong to a model inside of the model and are in an order of their own.
    """
    name, count = old.class_name, len(arrays)
    if name == "Bidirectional" and old.inner:
        half = count // 2
        return [
            array
            for part in (arrays[:half], arrays[half:])
            for array in in_keras_3(old.inner[0], part, theano)
        ]
    if name == "TimeDistributed" and old.inner:
        return in_keras_3(old.inner[0], arrays, theano)
    if name in ("Sequential", "Model", "Functional"):
        if any(_is_converted(inner, theano) for inner in _all(old)):
            raise ValueError(
                "A model inside of the model has layers of Keras 1, of cuDNN or of Theano, whose "
                "weights are in an order of their own. Load it with your code and pass the model."
            )
        return arrays
    if name in ("LSTM", "GRU") and count in (12, 9):
        return _joined_gates(name, arrays)
    if name in ("CuDNNLSTM", "CuDNNGRU"):
        return _from_cudnn(name, arrays)
    if not name.startswith(CONVOLUTIONS):
        return arrays
    kernel = arrays[0]
    if old.config.get("dim_ordering") == "th":
        if theano is None:
            raise ValueError(
                "It does not say whether it was trained with Theano or TensorFlow, whose "
                "convolutions run in opposite directions. Load it with your code and pass "
                "the model."
            )
        # (filters, channels, rows, columns)
        kernel = np.moveaxis(kernel, (1, 0), (-2, -1))
    if "1D" in name and kernel.ndim == 4:
        kernel = kernel[:, 0]
    if theano:
        kernel = np.flip(kernel, tuple(range(kernel.ndim - 2)))
        if name.startswith("ConvLSTM"):
            recurrent = np.flip(arrays[1], tuple(range(arrays[1].ndim - 2)))
            return [kernel, recurrent, *arrays[2:]]
    return [kernel, *arrays[1:]]


def _is_converted(old: OldLayer, theano: bool | None) -> bool:
    if old.class_name.startswith(CONVOLUTIONS):
        return bool(theano) or "dim_ordering" in old.config or "filter_length" in old.config
    return old.class_name.startswith("CuDNN") or "inner_activation" in old.config


def _all(old: OldLayer) -> Iterator[OldLayer]:
    for inner in old.inner:
        yield inner
        yield from _all(inner)


def _joined_gates(name: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias from those of each gate, as Keras 1 kept them.

    Its order was i, c, f, o for an LSTM, where Keras 2 and 3 have i, f, c, o.
    """
    gates = [arrays[k : k + 3] for k in range(0, len(arrays), 3)]
    if name == "LSTM":
        gates = [gates[k] for k in (0, 2, 1, 3)]
    return [np.concatenate([gate[part] for gate in gates], axis=-1) for part in range(3)]


def _from_cudnn(name: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Weights of a layer of cuDNN, which are transposed and have two biases."""
    gates = 4 if name == "CuDNNLSTM" else 3
    kernel, recurrent, bias = arrays
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, gates)])
    recurrent = np.hstack([k.T for k in np.hsplit(recurrent, gates)])
    halves = bias.reshape(2, -1)
    return [kernel, recurrent, halves.sum(axis=0) if name == "CuDNNLSTM" else halves]
