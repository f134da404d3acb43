"""Threads that work has started and left behind."""

from __future__ import annotations

import threading
import time


def threads_left(before: set[threading.Thread], seconds: float = 20.0) -> set[threading.Thread]:
    """Threads that are not among earlier ones and are alive after some seconds of patience.

    Counts would not do: a thread of an earlier test may end meanwhile, and hide one that stays.
    """
    deadline = time.perf_counter() + seconds
    while (left := set(threading.enumerate()) - before) and time.perf_counter() < deadline:
        time.sleep(0.01)
    return left
