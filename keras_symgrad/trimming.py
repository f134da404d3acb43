"""Memory that nothing is in goes back to the system.

The GNU C library keeps what a thread freed for the next thread that comes to the same one of its
heaps, and a search has threads of its own. What is kept goes up and down by some hundred megabytes
from search to search, and looks like memory that is lost.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def trims(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """A function after which the C library's free memory is given back.

    Args:
        function: what needs much memory for a while.

    Returns:
        The same function. Where the C library cannot be asked (it is not GNU's), it does no more
        than it did.

    Example:

    >>> @trims
    ... def total(n):
    ...     return sum(list(range(n)))
    >>> total(10)
    45
    """

    @wraps(function)
    def trimmed(*args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        try:
            return function(*args, **options)
        finally:
            _trim()

    return trimmed


def _trim() -> None:
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # musl and macOS have no such name; Windows.
        return
