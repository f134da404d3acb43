"""Read results from the files that `save` writes: `load_interpretation`.

A file is plain data, described in `docs/files.md`. Formulas in it are read by the project's own
parser and never run.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from typing import Any

from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.files import RESULT_FORMAT, RESULT_VERSION, Record, read_json
from keras_symgrad.results import ClassInterpretation, Interpretation, JointInterpretation
from keras_symgrad.search.core import call

WHAT = "a result that `save` wrote"


def load_interpretation(
    path: str | os.PathLike[str],
) -> Interpretation | ClassInterpretation | JointInterpretation:
    """Read a result that `save` wrote.

    Everything is restored except the network, and all but a few hundred rows of the data and the
    gradients, on which the result plots, reports and assesses other rows of its front. All rows can
    be put back if `concept.gradients.save(path)` saved them:
    `dataclasses.replace(concept, gradients=GradientField.load(path))`. Files of more than about 170
    variables, and those of earlier versions, have no rows.

    Args:
        path: of the file.

    Returns:
        The result, of the class that wrote it.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: the file is not a result, or was written by a later version.

    Example:

    >>> import tempfile, numpy as np, keras_symgrad as ks
    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> field = ks.GradientField.from_gradients(x, x * [2, 4])
    >>> concept = ks.interpret(field, operators="polynomial", verbose=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load_interpretation(concept.save(f"{folder}/ellipse.json"))
    >>> print(again.best)
    x1**2 + 2*x2**2
    """
    content = read_json(path, WHAT)
    try:
        return interpretation_from(content)
    except ValueError as error:
        raise ValueError(f"Expected {WHAT}. {path} is not one: {error}") from None


def interpretation_from(
    content: Any,
) -> Interpretation | ClassInterpretation | JointInterpretation:
    """Make a result from the plain data that its `to_dict` returned.

    Args:
        content: plain data.

    Returns:
        The result, as `load_interpretation` returns it.

    Raises:
        ValueError: it is not a result.
    """
    record = Record(content)
    return _CLASSES[_kind(record)].from_dict(record, _call_of)


def _kind(record: Record) -> str:
    """Return the kind of result, after checking format and version."""
    if "format" not in record and "version" not in record:
        kinds = {"best": "neuron", "pairs": "classes", "concepts": "joint"}
        found = [kind for name, kind in kinds.items() if name in record]
        if not found:
            raise record.refused("format", repr(RESULT_FORMAT))
        return found[0]
    record.one_of("format", (RESULT_FORMAT,))
    version = record.whole("version")
    if version > RESULT_VERSION:
        raise ValueError(
            f"It is of version {version}, and this version of keras-symgrad reads those up to "
            f"{RESULT_VERSION}. Read it with the version that wrote it, or a later one."
        )
    return record.one_of("kind", tuple(_CLASSES))


def _call_of(kind: str, record: Record) -> str:
    """The code that repeats the call of a result, with the settings of its file."""
    # Version 0 has no settings for results of several neurons.
    settings = {}
    if kind == "neuron" or "settings" in record:
        settings = record.by_name("settings", object)
    try:
        code = call(settings, *_CALLED[kind])
        is_safe = _is_one_call(code)
    except (AttributeError, TypeError, ValueError, RecursionError):
        is_safe = False
    if not is_safe:
        name = _CALLED[kind][0].__name__
        raise record.refused("settings", f"arguments of `{name}` and nothing more")
    return code


# Allowed in arguments: literal values, and classes of `ks`.
_OF_ARGUMENTS = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Name),
    *(ast.Load, ast.keyword, ast.Call, ast.Attribute, ast.BinOp, ast.Add, ast.Sub),
)


def _is_one_call(code: str) -> bool:
    """Return whether code only calls a function with literals and objects of `ks`."""
    try:
        root = ast.parse(code, mode="eval").body
    except (SyntaxError, MemoryError):
        return False
    if not isinstance(root, ast.Call):
        return False
    parts = [part for part in ast.walk(root) if part not in (root, root.func)]
    return all(
        isinstance(part, _OF_ARGUMENTS)
        and (not isinstance(part, ast.Call) or isinstance(part.func, ast.Attribute))
        and (not isinstance(part, ast.Attribute) or _is_of_ks(part))
        for part in parts
    )


def _is_of_ks(part: ast.Attribute) -> bool:
    """Return whether it is `ks.Something` or `ks.Neuron.of`."""
    if part.attr == "of" and isinstance(part.value, ast.Attribute):
        return part.value.attr == "Neuron" and _is_of_ks(part.value)
    return isinstance(part.value, ast.Name) and part.value.id == "ks"


# By the kind of result: its class, and the functions whose call made it.
_CLASSES: dict[
    str, type[Interpretation] | type[ClassInterpretation] | type[JointInterpretation]
] = {
    "neuron": Interpretation,
    "classes": ClassInterpretation,
    "joint": JointInterpretation,
}
_CALLED: dict[str, tuple[Callable[..., Any], ...]] = {
    "neuron": (interpret,),
    "classes": (interpret_classes, interpret),
    "joint": (interpret_jointly, interpret),
}
