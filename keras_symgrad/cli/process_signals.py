"""Signals of the process: SIGTERM and SIGHUP request a graceful stop as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C; one that is ignored, as by `nohup`, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name, None) for name in NAMES[1:]]
    before = {number: signal.getsignal(number) for number in numbers if number is not None}
    taken = [number for number, handler in before.items() if handler == signal.SIG_DFL]

    def pressed(number: int, frame: Any) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, frame)

    for number in taken:
        signal.signal(number, pressed)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is pressed:
                signal.signal(number, before[number])


def ignore_further() -> None:
    """Ignore further signals while the process ends."""
    for name in NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
