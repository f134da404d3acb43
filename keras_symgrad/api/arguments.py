"""Check the arguments of `interpret` and its relatives before any work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from keras_symgrad.files import listed_names
from keras_symgrad.gradients import GradientField, Sampling
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Priors
from keras_symgrad.search import Search

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

# Options that are values, by the argument that takes them.
_OPTIONS = {"sampling": Sampling, "priors": Priors, "search": Search}


def refuses_unknown_options(
    function: Callable[Arguments, Returned],
) -> Callable[Arguments, Returned]:
    """Wrap a function so that an option which it does not take is refused with its place.

    `complexity`, which was an argument of its own, counts as that of `search`.
    """
    taken = inspect.signature(function).parameters

    @wraps(function)
    def checked(*args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        if "complexity" in options and "complexity" not in taken:
            options["search"] = _weighed(options.get("search", Search()), options.pop("complexity"))
        check_taken(options, taken)
        return function(*args, **options)

    return checked


def check_taken(options: Mapping[str, Any], taken: Iterable[str]) -> None:
    """Raise for an option that a function does not take, with its place.

    Args:
        options: by name.
        taken: names of the function's parameters.
    """
    for name, value in options.items():
        if name not in taken:
            raise ValueError(f"{_place_of(name, taken)} Received: {name}={value!r}")


def _weighed(search: Any, complexity: Any) -> Any:
    """The search with a complexity that was given beside it."""
    if not isinstance(search, Search):
        return search
    if search.complexity is not None:
        raise ValueError(
            "`complexity` is given twice. Leave it to `search=ks.Search(complexity=...)`. "
            f"Received: complexity={complexity!r}, search.complexity={search.complexity!r}"
        )
    return replace(search, complexity=complexity)


def _place_of(name: str, taken: Iterable[str]) -> str:
    for place, kind in _OPTIONS.items():
        if name in (one.name for one in fields(kind)):
            return (
                f"`{name}` is an option of `ks.{kind.__name__}`. Pass "
                f"`{place}=ks.{kind.__name__}({name}=...)`."
            )
    if name in ("kind", "signature"):
        return f"`{name}` is an option of `ks.Neuron.of`. Pass `ks.Neuron.of(model, {name}=...)`."
    return f"`interpret` takes the options {', '.join(list(taken)[1:])}."


def check_options(**options: Any) -> None:
    """Raise for `sampling`, `priors` or `search` that are not of their classes."""
    for name, value in options.items():
        kind = _OPTIONS[name]
        if not isinstance(value, kind):
            raise ValueError(
                f"`{name}` is a `{kind.__name__}`, such as "
                f"ks.{kind.__name__}({fields(kind)[0].name}=...). Received: {name}={value!r}"
            )


def check_variation(points: np.ndarray, names: Sequence[str]) -> None:
    """Raise for several points that are all the same: no direction is in them."""
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) > 1 and not np.ptp(finite, axis=0).any():
        raise ValueError(
            "The data do not vary: all rows are one point, and a formula needs points that differ "
            f"in {listed_names(names)}. Pass the points that the model was trained on. "
            f"Received: {len(finite):,} equal rows"
        )


def check_model(
    model: Any, x: Any, chosen: tuple[Any, ...], names: Sequence[str] | None, sampling: Sampling
) -> None:
    """Raise where arguments do not fit the kind of model."""
    if isinstance(model, GradientField) != (x is None):
        raise ValueError(
            "`interpret` takes a model or a `Neuron` with points `x`, or a `GradientField` alone: "
            f"its points are in it. Received: model of type {type(model).__name__}, "
            f"x={'None' if x is None else type(x).__name__}"
        )
    models = model if isinstance(model, (list, tuple)) else [model]
    if not models:
        raise ValueError(
            "`interpret` takes a model, or a list of models that were trained apart on the same "
            "data. Received: an empty list"
        )
    if any(isinstance(one, (Neuron, GradientField)) for one in models) and chosen != (
        (None, None, False)
    ):
        layer, unit, activation = chosen
        raise ValueError(
            "`layer`, `unit` and `activation` choose a neuron of a model. A `Neuron` is one "
            "already, and a `GradientField` was read from one: leave them out, or pass the model. "
            f"Received: {layer=}, {unit=}, {activation=}"
        )
    if not isinstance(model, GradientField):
        return
    defaults = Sampling()
    # A metric or a tangent of the user's own may be an array, which has no `!=`.
    given = {field.name: getattr(sampling, field.name) for field in fields(Sampling)}
    changed = [
        name
        for name, value in given.items()
        if type(value) is not type(getattr(defaults, name)) or value != getattr(defaults, name)
    ]
    if names is not None or changed:
        raise ValueError(
            "A `GradientField` has its points, their names, its metric and its quantities in it. "
            "Leave out `names` and `sampling`, or make the field with them. "
            f"Received: {names=}, sampling={', '.join(changed) or 'default'}"
        )
