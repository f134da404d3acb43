"""TensorFlow operations inside of functional models of TensorFlow 2.0 to 2.15.

There `x + y` and `tf.exp(x)` on symbolic tensors became layers (`TFOpLambda`, `SlicingOpLambda`,
`TensorFlowOpLayer`), which Keras 3 does not have. A file names the operation; only those listed
here are looked up, so that a file cannot call anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

PACKAGE = "keras_symgrad"
# Stands for a tensor in a file where a number is.
CONSTANT = "_CONSTANT_VALUE"
CLASSES = frozenset(("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"))
OPERATORS = {
    "__operators__.add": "math.add",
    "__operators__.sub": "math.subtract",
    "__operators__.mul": "math.multiply",
    "__operators__.truediv": "math.truediv",
    "__operators__.pow": "math.pow",
    "__operators__.neg": "math.negative",
    "__operators__.abs": "math.abs",
    "__operators__.matmul": "linalg.matmul",
    "__operators__.getitem": "getitem",
}
# Below `tf.`: they compute with tensors and reach nothing else.
FUNCTIONS = frozenset(
    (
        *("math.add", "math.subtract", "math.multiply", "math.divide", "math.truediv", "math.pow"),
        *("math.negative", "math.abs", "math.exp", "math.expm1", "math.log", "math.log1p"),
        *("math.sqrt", "math.rsqrt", "math.square", "math.reciprocal", "math.sign", "math.erf"),
        *("math.sin", "math.cos", "math.tan", "math.asin", "math.acos", "math.atan", "math.atan2"),
        *("math.sinh", "math.cosh", "math.tanh", "math.sigmoid", "math.softplus", "math.maximum"),
        *("math.minimum", "math.squared_difference", "math.divide_no_nan", "math.multiply_no_nan"),
        *("math.reduce_sum", "math.reduce_mean", "math.reduce_max", "math.reduce_min"),
        *("math.reduce_prod", "math.reduce_std", "math.reduce_variance", "math.reduce_logsumexp"),
        *("math.l2_normalize", "math.cumsum", "math.add_n", "math.floor", "math.round"),
        *("nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.selu", "nn.gelu", "nn.silu"),
        *("nn.softmax", "nn.softplus", "nn.softsign", "nn.tanh", "nn.sigmoid", "nn.l2_normalize"),
        *("linalg.matmul", "linalg.norm", "norm", "linalg.trace", "linalg.det", "linalg.diag_part"),
        *("concat", "stack", "unstack", "split", "reshape", "squeeze", "expand_dims", "transpose"),
        *("cast", "identity", "clip_by_value", "tile", "gather", "slice", "reverse", "where"),
        *("ones_like", "zeros_like", "stop_gradient", "pad", "repeat", "einsum", "tensordot"),
    )
)
# What ends a network as an activation does is one.
ACTIVATIONS = {
    "math.sigmoid": "sigmoid",
    "nn.sigmoid": "sigmoid",
    "nn.softmax": "softmax",
    "nn.tanh": "tanh",
    "math.tanh": "tanh",
    "nn.relu": "relu",
    "nn.softplus": "softplus",
    "math.softplus": "softplus",
}
# Operations of graphs, of which `TensorFlowOpLayer` has the definition, without attributes.
GRAPH_OPERATIONS = {
    "Add": "math.add",
    "AddV2": "math.add",
    "Sub": "math.subtract",
    "Mul": "math.multiply",
    "RealDiv": "math.truediv",
    "Div": "math.truediv",
    "Pow": "math.pow",
    "Neg": "math.negative",
    "Abs": "math.abs",
    "Exp": "math.exp",
    "Log": "math.log",
    "Log1p": "math.log1p",
    "Sqrt": "math.sqrt",
    "Rsqrt": "math.rsqrt",
    "Square": "math.square",
    "Sin": "math.sin",
    "Cos": "math.cos",
    "Tanh": "nn.tanh",
    "Sigmoid": "nn.sigmoid",
    "Relu": "nn.relu",
    "Softplus": "nn.softplus",
    "Maximum": "math.maximum",
    "Minimum": "math.minimum",
    "SquaredDifference": "math.squared_difference",
    "Identity": "identity",
}


@keras.saving.register_keras_serializable(PACKAGE)
class TensorFlowOperation(keras.layers.Layer):
    """An operation of TensorFlow as a layer.

    Args:
        operation: one of `FUNCTIONS`, such as `"math.multiply"`, or `"getitem"`.
        constants: arguments that are no tensors, by their place.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: the operation is not one of them.

    Example:

    >>> double = TensorFlowOperation("math.multiply", {1: 2.0})
    >>> double(tf.constant([3.0])).numpy()
    array([6.], dtype=float32)
    """

    def __init__(
        self, operation: str, constants: Mapping[int | str, Any] | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if operation != "getitem" and operation not in FUNCTIONS:
            raise ValueError(
                "Expected an operation of TensorFlow that computes with tensors. "
                f"Received: operation={operation!r:.80}"
            )
        self.operation = operation
        self.constants = {int(place): value for place, value in (constants or {}).items()}

    def call(self, *tensors: Any, **options: Any) -> Any:
        """The operation's value.

        Args:
            tensors: its tensors, in their order.
            options: its other arguments.
        """
        arguments = list(tensors)
        for place in sorted(self.constants):
            arguments.insert(place, self.constants[place])
        if self.operation == "getitem":
            return arguments[0][_slices(options["slice_spec"])]
        options.pop("name", None)
        function: Any = tf
        for part in self.operation.split("."):
            function = getattr(function, part)
        return function(*arguments, **options)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        constants = {str(place): value for place, value in self.constants.items()}
        return super().get_config() | {"operation": self.operation, "constants": constants}


def operation_of(class_name: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The layer of Keras 3 in the place of an operation in a file.

    Args:
        class_name: one of `CLASSES`.
        config: of the layer.

    Returns:
        Its description for Keras, or `None` for an operation that is not known.
    """
    constants: Mapping[Any, Any] = {}
    if class_name == "TensorFlowOpLayer":
        definition = config.get("node_def")
        found = definition.get("op") if isinstance(definition, dict) else None
        symbol, constants = GRAPH_OPERATIONS.get(str(found), ""), config.get("constants") or {}
    elif class_name == "SlicingOpLambda":
        symbol = "getitem"
    else:
        symbol = str(config.get("function"))
        symbol = OPERATORS.get(symbol, symbol)
    name = config["name"]
    if symbol in ACTIVATIONS and not constants:
        inner = {"name": name, "activation": ACTIVATIONS[symbol]}
        return _described("Activation", "keras.layers", None, inner)
    if symbol != "getitem" and symbol not in FUNCTIONS:
        return None
    inner = {"name": name, "operation": symbol, "constants": dict(constants)}
    if class_name == "TensorFlowOpLayer":
        inner["of_graph"] = True
    registered = f"{PACKAGE}>{TensorFlowOperation.__name__}"
    return _described(TensorFlowOperation.__name__, None, registered, inner)


def call_of(
    node: Sequence[Any], layer: Mapping[str, Any], reference: Callable[[Sequence[Any]], list[Any]]
) -> dict[str, Any]:
    """One call of an operation: its tensors and its other arguments.

    Numbers in the place of tensors are added to the layer's constants.

    Args:
        node: as a file of Keras 2 has it, `[layer, call, tensor, other arguments]` for each tensor;
            a list of layer, call and tensor among the other arguments is a tensor too.
        layer: the layer that `operation_of` returned.
        reference: takes layer, call and tensor of the file to those of the new configuration.

    Returns:
        The call in the words of Keras 3.
    """
    is_one = bool(node) and isinstance(node[0], str)
    calls = [node] if is_one else node
    is_activation = layer["class_name"] == "Activation"
    arguments = []
    for place, call in enumerate(calls):
        if call[0] == CONSTANT:
            layer["config"]["constants"][str(place)] = call[2]
        else:
            arguments.append(tensor_of(reference(call)))
    options = dict(calls[-1][3]) if len(calls[-1]) > 3 and not is_activation else {}
    options.pop("name", None)
    # A list of tensors is one argument, as of `tf.concat`; the operations of graphs take none.
    is_list = not is_one and not is_activation and not layer["config"].pop("of_graph", False)
    return {
        "args": [arguments] if is_list else arguments,
        "kwargs": {key: with_tensors(value, reference) for key, value in options.items()},
    }


def with_tensors(value: Any, reference: Callable[[Sequence[Any]], list[Any]]) -> Any:
    """Arguments of a call, with tensors in the place of references to layers."""
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int):
            return value[2] if value[0] == CONSTANT else tensor_of(reference(value))
        return [with_tensors(one, reference) for one in value]
    if isinstance(value, dict):
        return {key: with_tensors(one, reference) for key, one in value.items()}
    return value


def tensor_of(history: Sequence[Any]) -> dict[str, Any]:
    """A tensor in a configuration: the layer, the call and the output that it is."""
    # Keras puts the tensor of this history in its place, whatever shape is said here.
    inner = {"shape": [None], "dtype": "float32", "keras_history": list(history[:3])}
    return {"class_name": "__keras_tensor__", "config": inner}


def _described(
    class_name: str, module: str | None, registered: str | None, config: dict[str, Any]
) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": class_name,
        "registered_name": registered,
        "config": config,
    }


def _slices(specification: Any) -> Any:
    """Slices from the dictionaries that a file has for them."""
    if isinstance(specification, (list, tuple)):
        return tuple(_slices(one) for one in specification)
    if isinstance(specification, dict) and "start" in specification:
        return slice(*(specification.get(key) for key in ("start", "stop", "step")))
    if isinstance(specification, dict):
        return _NAMED[specification["value"]]
    return specification


_NAMED = {"Ellipsis": Ellipsis, "tf.newaxis": None, "newaxis": None}
