"""A time limit for SymPy calls."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

# Largest ratio of elapsed time to processor time.
MAX_WALL_TIME_RATIO = 60
# Number of attempts to stop a thread, and seconds between them.
MAX_INTERRUPTS = 3
SECONDS_BETWEEN_INTERRUPTS = 0.2


class _Stopped(BaseException):
    """Exception raised inside a thread from outside."""


def within_time_limit(seconds: float, work: Callable[[], Result]) -> Result:
    """Run `work` and return its result; stop it at the time limit or on Ctrl-C.

    The work runs in a separate thread. A signal could stop it in the main thread only, and a
    process would need half a second to import SymPy. SymPy is pure Python, so an exception raised
    in its thread from outside ends it at its next step.

    The seconds are processor time of the thread where the system reports it (Linux does), so the
    load of the machine does not change the result.

    Args:
        seconds: time limit, above 0.
        work: a function without arguments, of pure Python.

    Returns:
        What `work` returns.

    Raises:
        TimeoutError: the time limit was reached.
        Exception: whatever `work` raises.

    Example:

    >>> within_time_limit(1.0, lambda: 6 * 7)
    42
    """
    gate = threading.Lock()
    state = {"finished": False, "stopped": False}
    clock: list[int] = []
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            try:
                if hasattr(time, "pthread_getcpuclockid"):
                    clock.append(time.pthread_getcpuclockid(threading.get_ident()))
                results.append(work())
            except Exception as error:
                errors.append(error)
            with gate:
                state["finished"] = True
            while state["stopped"]:  # the pending exception must arrive here
                pass
        except _Stopped:
            pass

    thread = threading.Thread(target=run, name="time limit", daemon=True)
    thread.start()
    try:
        _wait(thread, clock, seconds)
    finally:
        with gate:
            state["stopped"] = not state["finished"]
        if state["stopped"]:
            _stop(thread)
    if state["stopped"]:
        raise TimeoutError(f"not done within {seconds:g} s")
    if errors:
        raise errors[0]
    return results[0]


_stopping = threading.Lock()


def _stop(thread: threading.Thread) -> None:
    """Raise an exception in a thread until it ends."""
    with _stopping, _unheard():
        for _ in range(MAX_INTERRUPTS):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped)
            )
            thread.join(SECONDS_BETWEEN_INTERRUPTS)
            if not thread.is_alive():
                return


@contextmanager
def _unheard() -> Iterator[None]:
    """Suppress Python's messages about an exception that nothing could catch.

    This happens where an object is being destroyed or garbage collected, and at the end of a
    thread that was asked again while it ended.
    """
    unraisable, excepthook = sys.unraisablehook, threading.excepthook

    def others(ignored: sys.UnraisableHookArgs) -> None:
        if not issubclass(ignored.exc_type, _Stopped):
            unraisable(ignored)

    def other_threads(ended: threading.ExceptHookArgs) -> None:
        if not issubclass(ended.exc_type, _Stopped):
            excepthook(ended)

    sys.unraisablehook, threading.excepthook = others, other_threads
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = unraisable, excepthook


def _wait(thread: threading.Thread, clock: list[int], seconds: float) -> None:
    """Return when the thread has ended or has used that much processor time."""
    left, end = seconds, time.monotonic() + MAX_WALL_TIME_RATIO * seconds
    while left > 0 and time.monotonic() < end:
        thread.join(left)
        if not thread.is_alive() or not clock:
            return
        try:
            left = seconds - time.clock_gettime(clock[0])
        except OSError:  # the thread has just ended
            return
