"""Ctrl-C that waits for the end of a generation."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Takes the first Ctrl-C as a wish, and only the second one as an order.

    A search that is interrupted in the middle of a generation cannot be resumed from there. In
    threads other than the main one nothing changes.

    Yields:
        A function that tells whether Ctrl-C was pressed.

    Example:

    >>> with deferred_interrupt() as was_pressed:
    ...     signal.raise_signal(signal.SIGINT)
    ...     was_pressed()
    True
    """
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def press(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread() or before is None:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
