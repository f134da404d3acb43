"""Code of the user's own for the command line: layers, functions and operators from modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_symgrad.expressions import Operator


def imported(names: Sequence[str]) -> dict[str, ModuleType]:
    """Modules by their names, those in the current folder included.

    Args:
        names: of modules, such as `my_physics`.

    Returns:
        The modules, in the order of their names.

    Raises:
        ValueError: there is no module of a name, or it cannot be imported.
    """
    modules = {}
    for name in names:
        folder = os.getcwd()
        # As `python -m` does; a program that was installed has its own folder there.
        sys.path.insert(0, folder)
        try:
            modules[name] = import_module(name)
        except Exception as error:
            raise ValueError(
                f"The module '{name}' of --import could not be imported: {error}. It is looked for "
                f"in {folder} and among the packages that are installed."
            ) from error
        finally:
            sys.path.remove(folder)
    return modules


def objects_of(modules: Mapping[str, ModuleType]) -> dict[str, Any]:
    """Classes and functions of modules by name, as `custom_objects`.

    Args:
        modules: by name.

    Returns:
        What the modules have under public names, without what they themselves took from Keras.
    """
    return {
        name: value
        for module in modules.values()
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and not _is_of_keras(value)
    }


def _is_of_keras(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] in ("keras", "keras_symgrad")


def operators_of(
    names: str, file: Path | None, modules: Mapping[str, ModuleType]
) -> str | list[str | Operator]:
    """The operators that formulas are made of.

    Args:
        names: with commas between them; `module.name` is an operator of a module.
        file: of operators, as `read_operators` takes it.
        modules: that were imported, by name.

    Returns:
        The names as they are, if there is no operator of the user's own among them.

    Raises:
        ValueError: a module has no such operator, or the file holds none.
    """
    from keras_symgrad.expressions import Operator
    from keras_symgrad.expressions.formats import read_operators

    found: list[str | Operator] = []
    for name in (part.strip() for part in names.split(",")):
        module, _, attribute = name.rpartition(".")
        if not module:
            found.append(name)
            continue
        if module not in modules:
            raise ValueError(
                f"The operator '{name}' is one of the module '{module}'. Add `--import {module}`."
            )
        operator = getattr(modules[module], attribute, None)
        if not isinstance(operator, Operator):
            own = [key for key, one in vars(modules[module]).items() if isinstance(one, Operator)]
            raise ValueError(
                f"The module '{module}' has no `keras_symgrad.Operator` named '{attribute}'. Its "
                f"operators are: {', '.join(own) or 'none'}"
            )
        found.append(operator)
    if file is not None:
        found += read_operators(file)
    return names if all(isinstance(one, str) for one in found) else found
