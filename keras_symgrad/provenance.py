"""What an interpretation was made from: settings as plain data, and where the data lay."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.operators import PRESETS, Operator, OperatorSet, shipped
from keras_symgrad.search.stopping import Stopping

# What changes how a search is shown and not what it finds.
SHOWN_ONLY = ("verbose",)


def recorded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `interpret` as plain data for files and people.

    Paths, numbers and names stay as they are. What lives in memory alone, such as a model or an
    array, is described.

    Args:
        arguments: by name.

    Returns:
        Plain data by the same names.

    Example:

    >>> recorded({"x": np.zeros((50, 2)), "rows": 2000, "operators": OperatorSet("add, mul")})
    {'x': 'array of shape (50, 2)', 'rows': 2000, 'operators': ['add', 'mul']}
    """
    return {name: _plain(value) for name, value in arguments.items() if name not in SHOWN_ONLY}


def changed(given: Mapping[str, Any], function: Callable) -> dict[str, Any]:
    """Those settings that are not the defaults of a function.

    Args:
        given: settings by name.
        function: whose defaults they are compared with.

    Returns:
        Some of them, in their order.

    Example:

    >>> changed({"rows": 50, "seed": 0}, lambda *, rows=2000, seed=0: None)
    {'rows': 50}
    """
    defaults = {
        name: _plain(parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {
        name: value for name, value in given.items() if name in defaults and value != defaults[name]
    }


def box_of(points: np.ndarray) -> np.ndarray:
    """Lowest and highest value of each variable, `(2, variables)`, over finite rows.

    Args:
        points: `(rows, variables)`.

    Returns:
        An array of two rows.

    Example:

    >>> box_of(np.array([[0.0, 5.0], [2.0, 3.0], [np.nan, 9.0]])).tolist()
    [[0.0, 3.0], [2.0, 5.0]]
    """
    finite = points[np.isfinite(points).all(axis=1)]
    return np.stack([finite.min(axis=0), finite.max(axis=0)])


def _plain(value: Any) -> Any:
    for kinds, plain in _PLAIN:
        if isinstance(value, kinds):
            return plain(value)
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    name = getattr(value, "__name__", None)
    return f"{type(value).__name__} {name}" if name else type(value).__name__


def _of_operator(operator: Operator) -> str:
    is_shipped = operator.name in PRESETS["full"] and shipped(operator.name) == operator
    return operator.name if is_shipped else repr(operator)


def _of_complexity(complexity: Complexity) -> dict[str, Any]:
    names = ("constant", "variable", "integer", "operators", "function")
    return {name: _plain(getattr(complexity, name)) for name in names}


# The first row that holds says how.
_PLAIN: tuple[tuple[type | tuple[type, ...], Callable], ...] = (
    ((type(None), str, bool, int, float), lambda value: value),
    (np.generic, lambda value: value.item()),
    (np.ndarray, lambda value: f"array of shape {value.shape}"),
    (os.PathLike, os.fspath),
    (Operator, _of_operator),
    (Complexity, _of_complexity),
    (Stopping, lambda value: asdict(value)),
    ((list, tuple, OperatorSet), lambda values: [_plain(value) for value in values]),
    (Mapping, lambda values: {str(name): _plain(value) for name, value in values.items()}),
    (keras.Layer, lambda model: f"{type(model).__name__} {model.name!r} in memory"),
    (Neuron, lambda neuron: f"Neuron {neuron.name!r} in memory"),
    (GradientField, repr),
)
