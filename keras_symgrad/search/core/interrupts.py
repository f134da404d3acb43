"""Ctrl-C requests a graceful stop: a search ends after its generation, and its result is kept."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Signals that follow each other sooner are one: a terminal sends Ctrl-C to a whole group of
# processes, and a parent may pass it on.
SAME_PRESS_SECONDS = 1.0
# Presses that the making of a result outlasts: one more gives it up. During a search the second
# press ends the generation at once.
MAX_PRESSES = 3


class Interrupts:
    """A handler of SIGINT that records presses.

    Attributes:
        armed: whether there is something to be kept. Before, a press raises `KeyboardInterrupt`.
        searching: whether a second press ends what goes on at once.
        presses: how many there were.
    """

    def __init__(self) -> None:
        self.armed = False
        self.searching = False
        self.presses = 0
        self._last = 0.0

    def __call__(self, *_: object) -> None:
        """Handle one signal."""
        if not self.armed:
            raise KeyboardInterrupt
        now = time.monotonic()
        if self.presses and now - self._last < SAME_PRESS_SECONDS:
            return
        self.presses, self._last = self.presses + 1, now
        if self.presses > (1 if self.searching else MAX_PRESSES):
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Record Ctrl-C within the block once `armed` is set; inner blocks share the outermost handler.

    In threads other than the main one nothing is recorded.

    Yields:
        The handler.

    Example:

    >>> with deferred_interrupts() as interrupts:
    ...     interrupts.armed = True
    ...     signal.raise_signal(signal.SIGINT)
    ...     signal.raise_signal(signal.SIGINT)  # within a second it is the same
    ...     interrupts.presses
    1
    """
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, Interrupts):
        yield before
        return
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def keeps_what_was_found(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that returns its result although Ctrl-C is pressed after its search has begun.

    Args:
        function: that searches. A result with an attribute `stopped` says that it was interrupted.

    Returns:
        The same function; Ctrl-C before a search raises `KeyboardInterrupt`.
    """

    @functools.wraps(function)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with deferred_interrupts() as interrupts:
            result: Any = function(*args, **kwargs)
            if interrupts.presses and hasattr(result, "stopped"):
                result = replace(result, stopped="interrupted")
            return result

    return guarded
