"""Provenance of a result: settings, versions and timings."""

from __future__ import annotations

import inspect
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib import import_module
from typing import Any

import keras
import numpy as np
import sympy

from keras_symgrad.engine import LOSSES, Loss, as_loss
from keras_symgrad.expressions import PRESETS, Complexity, Operator, OperatorSet, shipped
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron, Preprocessing, arguments_of
from keras_symgrad.priors import Constraints, Dimensions, Symmetry
from keras_symgrad.search.core.stopping import Stopping

# Key of the description of a value without a plain form.
IN_MEMORY = "in_memory"
# Arguments that change how a search is shown and not its result.
SHOWN_ONLY = ("verbose",)
# Arguments that are recorded as arguments of a public class.
_CLASSES = {"stopping": "Stopping", "constraints": "Constraints", "dimensions": "Dimensions"}
# Arguments whose fields are recorded each by its own name.
_OPTIONS = ("sampling", "priors", "search")
# Arguments of `Neuron.of` that `interpret` does not take.
_OF_NEURON = ("kind", "signature")
# Arguments that are paths of files.
_PATHS = ("model", "x", "weights", "resume")
# Arguments of `load_model` that only it takes.
_OF_FILE = ("weights", "custom_objects", "allow_operations")


def recorded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Record the arguments of `interpret` as plain data for files and people.

    Paths, numbers and names stay as they are. What lives in memory alone, such as a model or an
    array, is described: `{"in_memory": "array of shape (50, 2)"}`. Fields of `Sampling`, `Priors`
    and `Search` are recorded by their own names, and a `Neuron` as the arguments of `Neuron.of`.

    Args:
        arguments: by name.

    Returns:
        Plain data by the same names.

    Example:

    >>> recorded({"x": np.zeros((50, 2)), "seed": 0, "operators": OperatorSet("add, mul")})
    {'x': {'in_memory': 'array of shape (50, 2)'}, 'seed': 0, 'operators': ['add', 'mul']}
    """
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in _OPTIONS:
            plain |= {one.name: as_plain(getattr(value, one.name)) for one in fields(value)}
        elif name == "model":
            plain |= _of_model(value)
        elif name not in SHOWN_ONLY:
            plain[name] = as_plain(value)
    return plain


def _of_model(model: Any) -> dict[str, Any]:
    """The model as plain data, with the arguments of `Neuron.of` and `load_model` that made it."""
    if isinstance(model, Neuron) and model.source is not None:
        source = {name: as_plain(value) for name, value in model.source.items()}
        return source | _of_model(model.source["model"])
    arguments = arguments_of(model)
    if arguments is None:
        return {"model": as_plain(model)}
    plain = {name: as_plain(value) for name, value in arguments.items() if value}
    return {"model": plain.pop("path"), **plain}


def call(
    given: Mapping[str, Any],
    function: Callable[..., Any],
    passed_on_to: Callable[..., Any] | None = None,
) -> str:
    """Write Python code that repeats a call, with the arguments that differ from the defaults.

    Args:
        given: arguments by name, as `recorded` returns them.
        function: function that received them.
        passed_on_to: the function that takes the options for which `function` has no parameters.

    Returns:
        Lines of code; objects in memory are represented by the argument's name.

    Example:

    >>> def fit(model, *, unit=None, seed=0): ...
    >>> print(call({"model": "a.keras", "unit": 5, "seed": 0}, fit))
    fit(
        "a.keras",
        unit=5,
    )
    """
    lines = []
    given = _with_neuron(_with_file(given))
    parameters = inspect.signature(function).parameters
    if passed_on_to is not None:
        parameters = {**parameters, **_further(passed_on_to, parameters)}
    for name, parameter in parameters.items():
        if name in _OPTIONS and (code := _code_of_options(given, parameter.default)):
            lines.append(f"    {name}={code},")
        missing = parameter.default is inspect.Parameter.empty
        if name not in given or (not missing and given[name] == as_plain(parameter.default)):
            continue
        by_name = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        lines.append(
            f"    {name}={_code(name, given[name])},"
            if by_name
            else f"    {_code(name, given[name])},"
        )
    return "\n".join([f"{function.__name__}(", *lines, ")"])


def _with_file(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with the code of `load_model` as the model, where only that takes some of them."""
    chosen = {name: given[name] for name in _OF_FILE if given.get(name)}
    if not chosen:
        return dict(given)
    if given.get("signature") is not None:
        chosen = {"signature": given["signature"], **chosen}
    options = (f"{name}={_code(name, value)}" for name, value in chosen.items())
    code = ", ".join([_code("model", given["model"]), *options])
    rest = {name: value for name, value in given.items() if name not in chosen}
    return rest | {"model": _Code(f"ks.load_model({code})")}


def _with_neuron(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with the code of `Neuron.of` as the model, where only that takes some of them."""
    chosen = {name: given[name] for name in _OF_NEURON if given.get(name) is not None}
    if not chosen or "unit" not in given:
        return dict(given)
    # Unit 0 is one; a name that was not given is `None`, and `activation` is `False`.
    places = {name: given.get(name) for name in ("layer", "unit", "activation", "inputs")}
    chosen = {n: one for n, one in places.items() if one is not None and one is not False} | chosen
    options = (f"{name}={_code(name, value)}" for name, value in chosen.items())
    code = ", ".join([_code("model", given["model"]), *options])
    rest = {name: value for name, value in given.items() if name not in chosen}
    return rest | {"model": _Code(f"ks.Neuron.of({code})")}


class _Code(str):
    """Code that stands in a call as it is."""


def _code_of_options(given: Mapping[str, Any], default: Any) -> str:
    """Code of a `Sampling`, `Priors` or `Search` with the fields that are no defaults."""
    changed = {
        one.name: given[one.name]
        for one in fields(default)
        if one.name in given and given[one.name] != as_plain(getattr(default, one.name))
    }
    if not changed:
        return ""
    options = ", ".join(f"{option}={_code(option, value)}" for option, value in changed.items())
    return f"ks.{type(default).__name__}({options})"


def _further(
    function: Callable[..., Any], known: Mapping[str, Any]
) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {name: parameters[name] for name in parameters if name not in known}


def _code(name: str, value: Any) -> str:
    if isinstance(value, _Code):
        return str(value)
    if name in _CLASSES and value and (name != "dimensions" or "variables" in value):
        options = ", ".join(f"{option}={one!r}" for option, one in value.items())
        return f"ks.{_CLASSES[name]}({options})"
    if name == "symmetries":
        return f"({''.join(f'ks.{symmetry}, ' for symmetry in value).strip()})"
    if name == "complexity" or IN_MEMORY in str(value):
        return name
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    # A tuple is valid where a sequence is expected, and a pair of units must be one.
    return repr(tuple(value) if isinstance(value, list) else value)


def without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the names of files alone: a page for others tells nothing of one's folders.

    Args:
        settings: arguments by name, as `recorded` returns them.

    Example:

    >>> without_folders({"model": "/home/ann/ellipse.keras", "layer": "a/b", "resume": None})
    {'model': 'ellipse.keras', 'layer': 'a/b', 'resume': None}
    """
    return {
        name: _without_folder(value) if name in _PATHS else value
        for name, value in settings.items()
    }


def call_without_folders(code: str, settings: Mapping[str, Any]) -> str:
    """The code of a call with the names of files alone.

    Args:
        code: what `call` returned for these settings.
        settings: arguments by name.

    Example:

    >>> settings = {"model": "models/a.keras"}
    >>> call_without_folders('interpret(\\n    "models/a.keras",\\n)', settings)
    'interpret(\\n    "a.keras",\\n)'
    """
    for name in _PATHS:
        value = settings.get(name)
        if value is not None and IN_MEMORY not in str(value):
            code = code.replace(_code(name, value), _code(name, _without_folder(value)))
    return code


def _without_folder(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_without_folder(one) for one in value]
    if not isinstance(value, str):
        return value
    # A result may come from a system that separates folders in the other way.
    return re.split(r"[/\\]", value.rstrip("/\\"))[-1] or value


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
    finite = np.isfinite(points).all(axis=1)
    points = points if finite.all() else points[finite]
    return np.stack([points.min(axis=0), points.max(axis=0)])


def as_plain(value: Any) -> Any:
    """Convert a value to plain data, or describe it.

    Args:
        value: anything.

    Returns:
        Numbers, text, lists and dictionaries; `{"in_memory": ...}` for other values.

    Example:

    >>> as_plain([np.float64(0.5), np.zeros(3)])
    [0.5, {'in_memory': 'array of shape (3,)'}]
    """
    for kinds, form in _PLAIN:
        if isinstance(value, kinds):
            return form(value)
    if getattr(value, "shape", None) is not None:
        return {IN_MEMORY: f"{type(value).__name__} of shape {tuple(value.shape)}"}
    return {IN_MEMORY: " ".join((type(value).__name__, getattr(value, "__name__", ""))).strip()}


def _of_operator(operator: Operator) -> str | dict[str, str]:
    is_shipped = operator.name in PRESETS["full"] and shipped(operator.name) == operator
    return operator.name if is_shipped else {IN_MEMORY: repr(operator)}


def _of_complexity(complexity: Complexity) -> dict[str, Any]:
    names = ("constant", "variable", "integer", "operators", "function")
    return {name: as_plain(getattr(complexity, name)) for name in names}


# The first matching row decides.
_PLAIN: tuple[tuple[type | tuple[type, ...], Callable[..., Any]], ...] = (
    # NumPy's types first: some are floats of Python as well.
    (np.generic, lambda value: value.item()),
    ((type(None), str, bool, int, float), lambda value: value),
    (np.ndarray, lambda value: {IN_MEMORY: f"array of shape {value.shape}"}),
    (os.PathLike, os.fspath),
    (Operator, _of_operator),
    (Complexity, _of_complexity),
    (Stopping, asdict),
    (keras.optimizers.Optimizer, lambda optimizer: {IN_MEMORY: type(optimizer).__name__}),
    (Loss, lambda loss: loss.name if loss in map(as_loss, LOSSES) else {IN_MEMORY: str(loss)}),
    (Symmetry, repr),
    (Preprocessing, lambda map: map.to_dict()),
    ((Constraints, Dimensions), lambda rules: rules.to_dict()),
    (sympy.Expr, str),
    ((list, tuple, OperatorSet), lambda values: [as_plain(value) for value in values]),
    (Mapping, lambda values: {str(name): as_plain(value) for name, value in values.items()}),
    (keras.Layer, lambda model: {IN_MEMORY: f"{type(model).__name__} {model.name!r}"}),
    (Neuron, lambda neuron: {IN_MEMORY: f"Neuron {neuron.name!r}"}),
    (GradientField, lambda field: {IN_MEMORY: repr(field)}),
)


class Clock:
    """Timer of the named parts of a computation.

    Example:

    >>> clock = Clock()
    >>> with clock.timed("search"):
    ...     pass
    >>> list(clock.seconds)
    ['search']
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of a block to a part."""
        start = time.perf_counter()
        yield
        before = self.seconds.get(part, 0.0)
        self.seconds[part] = round(before + time.perf_counter() - start, 3)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    packages = ("keras_symgrad", "tensorflow", "keras", "sympy", "deap", "numpy", "scipy")
    found = {name: import_module(name).__version__ for name in packages}
    return {"python": platform.python_version(), **found}
