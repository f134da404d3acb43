"""The time limit."""

import signal
import sys
import threading
import time

import pytest
from started_threads import threads_left

from keras_symgrad.expressions.time_limit import _stop, within_time_limit


def endless():
    while True:
        sum(range(100))


def test_work_that_is_done_in_time_has_its_result():
    assert within_time_limit(5.0, lambda: threading.current_thread().name) == "time limit"


def test_work_that_takes_too_long_is_stopped_for_good():
    before = set(threading.enumerate())
    start = time.perf_counter()
    with pytest.raises(TimeoutError, match=r"not done within 0\.05 s"):
        within_time_limit(0.05, endless)
    assert time.perf_counter() - start < 10
    assert threads_left(before) == set()


def test_ctrl_c_stops_the_work_too():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            within_time_limit(60.0, endless)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert threads_left(before) == set()


def test_errors_of_the_work_are_errors_of_the_caller():
    with pytest.raises(ZeroDivisionError):
        within_time_limit(5.0, lambda: 1 / 0)


def test_work_that_swallows_errors_is_stopped_all_the_same():
    def stubborn():
        while True:
            try:
                sum(range(100))
            except Exception:
                continue

    with pytest.raises(TimeoutError):
        within_time_limit(0.05, stubborn)


def test_a_stop_that_arrives_where_it_must_be_ignored_is_repeated_and_not_told(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    class Lasting:
        def __del__(self):
            endless()

    class Failing:
        def __del__(self):
            raise ValueError

    def work():
        Lasting()
        endless()

    before = set(threading.enumerate())
    with pytest.raises(TimeoutError):
        within_time_limit(0.02, work)
    assert threads_left(before) == set()
    assert told == []
    Failing()
    assert [unraisable.exc_type for unraisable in told] == [ValueError]


def test_a_stop_that_nothing_in_a_thread_catches_is_not_told(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    thread = threading.Thread(target=endless, daemon=True)
    thread.start()
    _stop(thread)
    assert not thread.is_alive() and told == []
    failing = threading.Thread(target=lambda: int("x"))
    failing.start()
    failing.join()
    assert [ended.exc_type for ended in told] == [ValueError]


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of a thread")
def test_time_in_which_others_have_the_processor_does_not_count():
    # Asleep it needs no processor, as on a machine that is busy with something else.
    assert within_time_limit(0.1, lambda: time.sleep(0.3) or "done") == "done"
