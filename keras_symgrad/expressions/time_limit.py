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

# How much longer than by a processor's time work may take by the clock.
MAX_WALL_TIME_RATIO = 60
# How often a thread is asked to stop, and after how many seconds again.
MAX_INTERRUPTS = 3
SECONDS_BETWEEN_INTERRUPTS = 0.2


class _Stopped(BaseException):
    """Raised inside a thread from outside."""


def within_time_limit(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, which is stopped when the time is over, or on Ctrl-C.

    The work is done in a thread of its own. A signal could stop it in the main thread only, and
    a process would import SymPy anew for half a second. SymPy is Python all through, so an
    exception raised in its thread from outside ends it at its next step.

    The seconds are those that a processor worked on it, where the system tells them (Linux does),
    so that a busy machine does not change what is done in time.

    Args:
        seconds: time limit, above 0.
        work: a function without arguments, of pure Python.

    Returns:
        What `work` returns.

    Raises:
        TimeoutError: the time was not enough.
        Exception: whatever `work` raises.

    Example:

    >>> within_time_limit(1.0, lambda: 6 * 7)
    42
    """
    gate = threading.Lock()
    state = {"finished": False, "stopped": False}
    clock: list[int] = []
    outcome: dict[str, Result | Exception] = {}

    def run() -> None:
        try:
            try:
                if hasattr(time, "pthread_getcpuclockid"):
                    clock.append(time.pthread_getcpuclockid(threading.get_ident()))
                outcome["result"] = work()
            except Exception as error:
                outcome["error"] = error
            with gate:
                state["finished"] = True
            while state["stopped"]:  # the exception is on its way: it shall arrive here
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
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


_stopping = threading.Lock()


def _stop(thread: threading.Thread) -> None:
    """Asks a thread to end, more than once where it must be."""
    with _stopping, _unheard():
        for _ in range(MAX_INTERRUPTS):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped)
            )
            thread.join(SECONDS_BETWEEN_INTERRUPTS)
            if not thread.is_alive():
                return


@contextmanager
def _unheard() -> Iterator[None]:
    """Keeps Python from telling the user of a stop that arrived where it could only be ignored.

    That is where an object is being destroyed or garbage collected.
    """
    hook = sys.unraisablehook

    def others(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, _Stopped):
            hook(unraisable)

    sys.unraisablehook = others
    try:
        yield
    finally:
        sys.unraisablehook = hook


def _wait(thread: threading.Thread, clock: list[int], seconds: float) -> None:
    """Returns when the thread has ended or has worked for that long."""
    left, end = seconds, time.monotonic() + MAX_WALL_TIME_RATIO * seconds
    while left > 0 and time.monotonic() < end:
        thread.join(left)
        if not thread.is_alive() or not clock:
            return
        try:
            left = seconds - time.clock_gettime(clock[0])
        except OSError:  # it has just ended
            return
