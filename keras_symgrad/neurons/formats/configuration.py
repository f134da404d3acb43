"""The configuration of a model of Keras 1 or 2, rewritten as one that Keras 3 reads.

Everything here is plain data: a configuration goes in, another comes out, and nothing of it is run.
What a layer computes must not change. An argument that Keras 3 does not have is left out only where
its value makes no difference to the trained network; any other stays, and Keras refuses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from keras_symgrad.neurons.formats.keras_1 import in_words_of_keras_2
from keras_symgrad.neurons.formats.keras_2_functions import FUNCTIONS
from keras_symgrad.neurons.formats.tensorflow_operations import CLASSES as OPERATIONS
from keras_symgrad.neurons.formats.tensorflow_operations import (
    call_of,
    operation_of,
    tensor_of,
    with_tensors,
)

# They matter to training alone: the values of all weights are in the file.
TRAINING_ENDINGS = ("_initializer", "_regularizer", "_constraint")
# Arguments that Keras 3 does not have, and the values with which they change nothing; `None` stands
# for any value.
WITHOUT_EFFECT: dict[str, tuple[Any, ...] | None] = {
    "batch_input_shape": None,
    "batch_size": None,
    "input_shape": None,
    "input_length": None,
    "input_dim": None,
    "input_dtype": None,
    "implementation": None,
    "fused": None,
    "dynamic": (False, None),
    "time_major": (False,),
    "renorm": (False, None),
    "renorm_clipping": None,
    "renorm_momentum": None,
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "ragged": (False, None),
    "sparse": (False, None),
    "function_type": None,
    "output_shape_type": None,
    "module": None,
    "output_shape_module": None,
    "autocast": (True, None),
    "experimental_autocast": (True, None),
    "keepdims": (False,),
    "groups": (1,),
    "softmax_robust_masking": (False, None),
    "query_shape": None,
    "key_shape": None,
    "value_shape": None,
}
RENAMED = {
    ("LeakyReLU", "alpha"): "negative_slope",
    ("ThresholdedReLU", "theta"): "threshold",
    ("InputLayer", "batch_input_shape"): "batch_shape",
}
# Layers that Keras 3 has under another name, and what they compute if the file says nothing else.
RECURRENT = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
CLASSES = RECURRENT | {"ThresholdedReLU": "ReLU"}
MODELS = frozenset(("Model", "Functional", "Sequential"))
NESTED = ("layer", "backward_layer", "cell")


@dataclass(frozen=True)
class OldLayer:
    """A layer as its file describes it, before it was rewritten.

    Args:
        class_name: such as `"Convolution2D"`.
        config: its arguments.
        inner: the layer that it wraps, or the layers of a model.
    """

    class_name: str
    config: Mapping[str, Any]
    inner: tuple[OldLayer, ...] = ()


@dataclass
class Rewritten:
    """A rewritten configuration, and what Keras does not have of it.

    Args:
        config: for `keras.saving.deserialize_keras_object`.
        layers: those of the file, by their rewritten names.
        unknown: classes that are neither Keras' nor the user's.
        lambdas: names of layers that hold Python code.
    """

    config: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, OldLayer] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    lambdas: list[str] = field(default_factory=list)


def rewritten(
    config: Any, custom: Mapping[str, Any] | None = None, *, is_of_keras_3: bool = False
) -> Rewritten:
    """The configuration of a model of Keras 1 or 2 as one of Keras 3.

    Args:
        config: plain data, as `model.get_config()` or `model.to_json()` of that time wrote it.
        custom: the user's own classes and functions by name. One with the name of a Lambda layer
            is what that layer computes.
        is_of_keras_3: whether Keras 3 wrote it into an HDF5 file, in the old form.

    Returns:
        The configuration, and what of the file has no counterpart.

    Raises:
        ValueError: it is no configuration of a model, or a layer has no counterpart in Keras 3.

    Example:

    >>> old = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config":
    ...     {"name": "dense_1", "batch_input_shape": [None, 2], "output_dim": 1, "bias": True}}]}
    >>> model = keras.saving.deserialize_keras_object(rewritten(old).config)
    >>> model.input_shape, model.output_shape
    ((None, 2), (None, 1))
    """
    if not isinstance(config, dict) or config.get("class_name") not in MODELS:
        name = config.get("class_name") if isinstance(config, dict) else type(config).__name__
        raise ValueError(
            "It holds no configuration of a Sequential or functional model, but of a subclassed "
            f"one: {name!r:.60}. Its code is not in the file: make the model with your code, load "
            "its weights (`model.load_weights`), and pass the model."
            if isinstance(config, dict)
            else f"It holds no configuration of a model, but: {name}"
        )
    rewriter = _Rewriter(custom or {}, is_of_keras_3)
    result = rewriter.result
    result.config, _ = rewriter.layer(config)
    return result


class _Rewriter:
    """A walk over a configuration, which collects what it meets."""

    def __init__(self, custom: Mapping[str, Any], is_of_keras_3: bool):
        self.custom = custom
        self.is_old = not is_of_keras_3
        self.result = Rewritten()

    def layer(self, entry: Mapping[str, Any]) -> tuple[dict[str, Any], OldLayer]:
        """A layer or model, rewritten, and as it was."""
        class_name, config = entry.get("class_name"), entry.get("config")
        if not isinstance(class_name, str) or not isinstance(config, (dict, list)):
            raise ValueError(f"It holds a layer without class or arguments: {str(entry)[:80]}")
        if class_name == "Sequential":
            new, inner = self._sequential(config)
            return _object("Sequential", new), OldLayer(class_name, new, inner)
        if not isinstance(config, dict):
            raise ValueError(f"The arguments of a layer {class_name!r:.40} are no dictionary.")
        if class_name in ("Model", "Functional"):
            new, inner = self._functional(config)
            return _object("Functional", new), OldLayer(class_name, config, inner)
        if class_name == "Lambda":
            return self._lambda(config), OldLayer(class_name, config)
        if class_name in OPERATIONS:
            found = operation_of(class_name, config)
            if found is None:
                self.result.unknown.append(_operation_name(config))
                found = _object(class_name, dict(config))
            return found, OldLayer(class_name, config)
        if class_name in self.custom or self._registered(entry) is not None:
            return self._custom(entry), OldLayer(class_name, config)
        new_class, new = in_words_of_keras_2(class_name, config)
        known = getattr(keras.layers, CLASSES.get(new_class, new_class), None)
        if not isinstance(known, type) or not issubclass(known, keras.layers.Layer):
            self.result.unknown.append(class_name)
            return _object(class_name, {}), OldLayer(class_name, config)
        new, inner = self._arguments(new_class, known, new)
        return _object(known.__name__, new), OldLayer(class_name, config, inner)

    def _registered(self, entry: Mapping[str, Any]) -> Any:
        names = (entry.get("registered_name"), f"Custom>{entry['class_name']}")
        found = (keras.saving.get_registered_object(name) for name in names if name)
        return next((one for one in found if one is not None), None)

    def _custom(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A class of the user, whose arguments are their own affair."""
        name = str(entry["class_name"])
        if name not in self.custom:
            name = keras.saving.get_registered_name(self._registered(entry))
        config = _plain_dtype(dict(entry["config"]))
        config.pop("batch_input_shape", None)
        return {
            "module": None,
            "class_name": entry["class_name"],
            "registered_name": name,
            "config": config,
        }

    def _lambda(self, config: Mapping[str, Any]) -> dict[str, Any]:
        # By the name of the layer, or by that of its function, where it has one.
        names = (str(config.get("name")), str(config.get("function")))
        name = next((name for name in names if name in self.custom), None)
        if name is None:
            self.result.lambdas.append(names[0])
            return _object("Lambda", {"name": _name(names[0])})
        function = {
            "module": None,
            "class_name": "function",
            "config": name,
            "registered_name": name,
        }
        kept = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        kept["name"] = _name(names[0])
        arguments = config.get("arguments") or {}
        return _object(
            "Lambda", {**_plain_dtype(kept), "function": function, "arguments": arguments}
        )

    def _arguments(
        self, class_name: str, known: type, config: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[OldLayer, ...]]:
        """The arguments of one of Keras' own layers, and the layers that it wraps."""
        accepted = _accepted(known)
        new: dict[str, Any] = {}
        inner: list[OldLayer] = []
        for key, value in _plain_dtype(dict(config)).items():
            key = RENAMED.get((class_name, key), key)
            if key.endswith(TRAINING_ENDINGS):
                continue
            if key not in accepted and key in WITHOUT_EFFECT:
                harmless = WITHOUT_EFFECT[key]
                if harmless is None or value in harmless:
                    continue
            if key in NESTED and isinstance(value, dict) and "class_name" in value:
                value, old = self.layer(value)
                inner.append(old)
            elif key == "cells" and isinstance(value, list):
                pairs = [self.layer(cell) for cell in value]
                value = [pair[0] for pair in pairs]
                inner.extend(pair[1] for pair in pairs)
            elif key in ("activation", "recurrent_activation"):
                value = self._function(value)
            new[key] = value
        if "name" in new:
            new["name"] = _name(str(new["name"]))
        if class_name in ("GRU", "GRUCell") and "reset_after" not in new:
            # Its default was False before TensorFlow 2, whose files say True.
            new["reset_after"] = False
        if class_name in RECURRENT:
            new |= {"activation": "tanh", "recurrent_activation": "sigmoid"}
        if class_name == "CuDNNGRU":
            new["reset_after"] = True
        if class_name == "LSTM" or class_name == "GRU" or class_name == "SimpleRNN":
            # A wish for a fast kernel, which needs a graphics card.
            new.pop("use_cudnn", None)
        if class_name == "BatchNormalization" and isinstance(new.get("axis"), (list, tuple)):
            if len(new["axis"]) != 1:
                raise ValueError("Batch normalization over several axes has no counterpart.")
            new["axis"] = new["axis"][0]
        return new, tuple(inner)

    def _function(self, value: Any) -> Any:
        """An activation: its name, or the layer that stands for it."""
        if isinstance(value, dict) and "class_name" in value:
            class_name, inner = value["class_name"], value.get("config")
            if isinstance(inner, str):
                return self._function(inner)
            if isinstance(getattr(keras.layers, str(class_name), None), type):
                return self.layer(value)[0]
        if not isinstance(value, str):
            return value
        if value in FUNCTIONS and self.is_old:
            return keras.saving.serialize_keras_object(FUNCTIONS[value])
        if value in self.custom:
            return {
                "module": None,
                "class_name": "function",
                "config": value,
                "registered_name": value,
            }
        if not hasattr(keras.activations, value):
            self.result.unknown.append(value)
        return value

    def _sequential(
        self, config: list[Any] | Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[OldLayer, ...]]:
        described = {"layers": config} if isinstance(config, list) else config
        entries = [_in_words(entry) for entry in described.get("layers", ())]
        pairs = [self.layer(entry) for entry in entries]
        self._remember(pairs)
        layers = [pair[0] for pair in pairs]
        name = _name(str(described.get("name") or "sequential"))
        if layers and layers[0]["class_name"] != "InputLayer":
            shape = _input_shape(entries[0]) or described.get("build_input_shape")
            if shape is not None:
                first = dict(entries[0]["config"]) if isinstance(entries[0]["config"], dict) else {}
                dtype = first.get("input_dtype") or _plain_dtype(first).get("dtype") or "float32"
                given = {"batch_shape": shape, "name": f"{name}_input"}
                # An embedding's own dtype is that of its weights; it takes whole numbers.
                is_policy = str(dtype).startswith("mixed") or layers[0]["class_name"] == "Embedding"
                given["dtype"] = "float32" if is_policy else dtype
                layers.insert(0, _object("InputLayer", given))
        _open_batches(layers)
        return {"name": name, "layers": layers}, tuple(pair[1] for pair in pairs)

    def _functional(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[OldLayer, ...]]:
        entries = [_in_words(entry) for entry in config.get("layers", ())]
        networks = {_name_of(entry) for entry in entries if self.is_old and _has_own_call(entry)}

        def reference(found: Sequence[Any]) -> list[Any]:
            name, call, tensor = found[:3]
            # The first call of a model was that on its own inputs, which Keras 3 does not count.
            return [_name(str(name)), call - 1 if name in networks and call else call, tensor]

        pairs = []
        for entry in entries:
            new, old = self.layer(entry)
            new["name"] = new["config"]["name"] = _name(_name_of(entry))
            nodes = entry.get("inbound_nodes", ())
            if old.class_name in OPERATIONS and new["class_name"] not in OPERATIONS:
                new["inbound_nodes"] = [call_of(node, new, reference) for node in nodes]
            else:
                new["inbound_nodes"] = [_node(node, reference) for node in nodes]
            pairs.append((new, old))
        self._remember(pairs)
        layers = [pair[0] for pair in pairs]
        _open_batches(layers)
        new_config = {
            "name": _name(str(config.get("name") or "model")),
            "trainable": config.get("trainable", True),
            "layers": layers,
            "input_layers": _one_alone(_references(config.get("input_layers", []), reference)),
            "output_layers": _one_alone(_references(config.get("output_layers", []), reference)),
        }
        return new_config, tuple(pair[1] for pair in pairs)

    def _remember(self, pairs: Sequence[tuple[dict[str, Any], OldLayer]]) -> None:
        for new, old in pairs:
            self.result.layers[str(new["config"].get("name"))] = old


def python_layers(config: Any) -> list[str]:
    """Names of the Lambda layers of a configuration of Keras 3 that hold Python code.

    Args:
        config: plain data.

    Returns:
        Names, in the order of the file.
    """
    if isinstance(config, list):
        return [name for part in config for name in python_layers(part)]
    if not isinstance(config, dict):
        return []
    inner = config.get("config")
    if config.get("class_name") == "Lambda" and isinstance(inner, dict):
        function = inner.get("function")
        of_keras_3 = isinstance(function, dict) and function.get("class_name") == "__lambda__"
        return [str(inner.get("name"))] if of_keras_3 or isinstance(function, list) else []
    return [name for part in config.values() for name in python_layers(part)]


def _object(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """An object of Keras' own as Keras 3 describes it."""
    module = {"Sequential": "keras", "Functional": "keras.src.models.functional"}
    return {
        "module": module.get(class_name, "keras.layers"),
        "class_name": class_name,
        "registered_name": None,
        "config": config,
    }


def _operation_name(config: Mapping[str, Any]) -> str:
    definition = config.get("node_def")
    found = definition.get("op") if isinstance(definition, dict) else config.get("function")
    return f"tf.{found}"


def _name(name: str) -> str:
    """A name that Keras 3 takes: no slashes."""
    return name.replace("/", "_")


def _in_words(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or "class_name" not in entry or "config" not in entry:
        raise ValueError(f"It holds a layer without class or arguments: {str(entry)[:80]}")
    return entry


def _accepted(known: type) -> frozenset[str]:
    """Names of the arguments of a class and of those that it inherits from."""
    return frozenset(
        name
        for one in known.__mro__
        if one is not object and "__init__" in vars(one)
        for name, parameter in inspect.signature(vars(one)["__init__"]).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    )


def _plain_dtype(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the name of a dtype in the place of a policy of Keras 2."""
    dtype = config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config") or {}
        config["dtype"] = inner.get("name") if isinstance(inner, dict) else inner
    if config.get("dtype", "") is None:
        config.pop("dtype")
    return config


def _input_shape(entry: Mapping[str, Any]) -> list[int | None] | None:
    """The shape with its batch that the first layer of a Sequential model says it takes."""
    config = entry["config"]
    if isinstance(config, list) or "layers" in config:
        inner = config if isinstance(config, list) else config["layers"]
        return _input_shape(inner[0]) if inner else None
    for key in ("batch_input_shape", "batch_shape"):
        if config.get(key) is not None:
            return list(config[key])
    if config.get("input_shape") is not None:
        return [None, *config["input_shape"]]
    if entry["class_name"] == "Embedding":
        return [None, config.get("input_length")]
    if isinstance(config.get("input_dim"), int):
        width = [config["input_dim"]]
        return (
            [None, config["input_length"], *width] if "input_length" in config else [None, *width]
        )
    layer = config.get("layer")
    return _input_shape(layer) if isinstance(layer, dict) and "config" in layer else None


def _open_batches(layers: Sequence[dict[str, Any]]) -> None:
    """Lets a model take any number of rows, unless a state goes from batch to batch."""
    if any(one.get("stateful") for layer in layers for one in _configs(layer)):
        return
    for layer in layers:
        if layer["class_name"] == "InputLayer" and layer["config"].get("batch_shape"):
            layer["config"]["batch_shape"] = [None, *layer["config"]["batch_shape"][1:]]


def _configs(layer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    config = layer.get("config")
    if isinstance(config, dict):
        yield config
        for key in NESTED:
            if isinstance(config.get(key), dict):
                yield from _configs(config[key])


def _name_of(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry["config"]["name"])


def _has_own_call(entry: Mapping[str, Any]) -> bool:
    """Return whether a layer is a model that was made with inputs of its own."""
    if entry["class_name"] == "Sequential":
        config = entry["config"]
        layers = config if isinstance(config, list) else config.get("layers", ())
        return bool(layers) and _input_shape(layers[0]) is not None
    return entry["class_name"] in MODELS


Reference = Callable[[Sequence[Any]], list[Any]]


def _node(node: Any, reference: Reference) -> Any:
    """Where the inputs of one call of a layer come from."""
    calls = [node] if node and isinstance(node[0], str) else node
    if not any(_holds_tensors(call[3]) for call in calls if len(call) > 3):
        return [[*reference(call), call[3] if len(call) > 3 else {}] for call in calls]
    arguments = [tensor_of(reference(call)) for call in calls]
    options = calls[-1][3] if len(calls[-1]) > 3 else {}
    return {
        "args": arguments if len(arguments) == 1 else [arguments],
        "kwargs": with_tensors(options, reference),
    }


def _holds_tensors(options: Mapping[str, Any]) -> bool:
    """Return whether a layer was called with tensors by name, as attention is."""
    values = list(options.values())
    return any(
        isinstance(v, list) and len(v) == 3 and isinstance(v[0], str) and isinstance(v[1], int)
        for v in values
    )


def _one_alone(references: Any) -> Any:
    """One input or output as Keras 3 has it: not a list of one, which it would ask for."""
    is_list = isinstance(references, list) and len(references) == 1
    return references[0] if is_list and isinstance(references[0], list) else references


def _references(references: Any, reference: Reference) -> Any:
    """Inputs or outputs of a model: lists of layer, call and tensor, in lists or dictionaries."""
    if isinstance(references, dict):
        return {key: _references(value, reference) for key, value in references.items()}
    if references and isinstance(references[0], str):
        return reference(references)
    return [_references(one, reference) for one in references]
