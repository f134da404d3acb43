"""Free heap memory is returned to the operating system."""

from __future__ import annotations

import inspect
import platform
from threading import Thread

import psutil
import pytest

from keras_symgrad.api.interpret import interpret
from keras_symgrad.engine.memory import trims

MEGABYTES = 200
BLOCK = 50_000


def fill_and_free() -> bytearray:
    """Leave one block at the end of a thread's heap, so that free memory below it is kept."""
    last = []

    def work():
        blocks = [bytearray(BLOCK) for _ in range(MEGABYTES * 10**6 // BLOCK)]
        last.append(blocks[-1])

    thread = Thread(target=work)
    thread.start()
    thread.join()
    return last[0]


def megabytes() -> float:
    return psutil.Process().memory_info().rss / 1e6


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is asked")
def test_what_a_thread_freed_goes_back_to_the_system():
    before = megabytes()
    kept = fill_and_free()
    assert megabytes() - before > MEGABYTES / 2, "the C library gives back what it did not"
    trims(lambda: None)()
    assert megabytes() - before < MEGABYTES / 10
    assert len(kept) == BLOCK


def test_errors_go_through_and_the_signature_stays():
    with pytest.raises(ZeroDivisionError):
        trims(lambda number: 1 / number)(0)
    assert "time_limit" in inspect.signature(interpret).parameters


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert trims(lambda: 5)() == 5
