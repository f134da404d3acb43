"""Lazy imports for the `__init__.py` of a package.

TensorFlow, SymPy and DEAP take seconds to import, `keras-symgrad --help` should take none. The
`__init__.py` of a folder lists its names once, for type checkers, editors and this module alike:

    if TYPE_CHECKING:
        from keras_symgrad.engine.losses import Huber, Loss
    else:
        __getattr__, __dir__ = lazy_imports(__name__)
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_imports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package that lists its imports below `TYPE_CHECKING`.

    Args:
        package: `__name__` of the package.

    Returns:
        The two functions. An imported name becomes an attribute of the package.

    Raises:
        AttributeError: by the first function, for a name that is not listed.

    Example:

    >>> import keras_symgrad.engine
    >>> keras_symgrad.engine.Huber.__name__
    'Huber'
    """
    module = sys.modules[package]
    sources = _listed(inspect.getsource(module))

    def get(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        source = sources[name]
        # A module of the package is not an attribute of it before it is imported.
        holder = None if source == package else import_module(source)
        if hasattr(holder, name):
            found = getattr(holder, name)
        else:
            found = import_module(f"{source}.{name}")
        # A module that was imported before hides the function that has its name.
        if inspect.ismodule(found) and hasattr(found, name):
            found = getattr(found, name)
        setattr(module, name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(module), *sources})

    return get, names


def _listed(source: str) -> dict[str, str]:
    """Names that a source imports below `if TYPE_CHECKING`, with the modules they come from."""
    return {
        alias.asname or alias.name: str(statement.module)
        for block in ast.parse(source).body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
