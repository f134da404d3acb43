"""Ctrl-C costs no result, however often and whenever it is pressed after a search has begun."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass

import pytest

from keras_symgrad.search.core.interrupts import (
    MAX_PRESSES,
    deferred_interrupts,
    keeps_what_was_found,
)
from keras_symgrad.search.core.stopping import Progress, Stopping


@dataclass(frozen=True)
class Found:
    stopped: str


def press(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


@keeps_what_was_found
def found_by(*, before: int = 0, within: int = 0, after: int = 0) -> Found:
    """A search with Ctrl-C before it, in it and while its result is made."""

    def steps():
        for generation in range(1, 4):
            yield Progress(generation, 0, 0.0, 1.0, "", 0)

    press(before)
    limits = Stopping(None, generations=3)
    stopped = limits.drive(steps(), lambda progress: press(within))
    press(after)
    return Found(stopped)


def test_before_a_search_has_begun_there_is_nothing_to_keep():
    with pytest.raises(KeyboardInterrupt):
        found_by(before=1)


@pytest.mark.parametrize("pressed", [{"within": 1}, {"within": 2}, {"after": 1}, {"after": 2}])
def test_what_was_found_is_returned_and_says_that_it_was_interrupted(pressed):
    before = signal.getsignal(signal.SIGINT)
    assert found_by(**pressed).stopped == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_resumed_search_had_found_is_kept_though_it_takes_no_step():
    @keeps_what_was_found
    def resumed() -> Found:
        start = Progress(3, 0, 0.0, 1.0, "", 0)
        stopped = Stopping(None, generations=3).drive(iter(()), None, start)
        press()
        return Found(stopped)

    assert resumed().stopped == "interrupted"


def test_nobody_pressed():
    assert found_by().stopped == "generations"


def test_who_insists_is_obeyed(monkeypatch):
    monkeypatch.setattr("keras_symgrad.search.core.interrupts.SAME_PRESS_SECONDS", 0.0)
    assert found_by(after=MAX_PRESSES).stopped == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        found_by(after=MAX_PRESSES + 1)


def test_of_several_searches_the_next_ones_end_too():
    @keeps_what_was_found
    def several():
        return [found_by(within=1), found_by()]

    assert [found.stopped for found in several()] == ["interrupted", "interrupted"]


def test_in_another_thread_nothing_changes():
    found = []
    thread = threading.Thread(target=lambda: found.append(found_by()))
    thread.start()
    thread.join()
    assert found == [Found("generations")]
    with deferred_interrupts() as interrupts:
        interrupts.armed = True
        press()
        assert interrupts.presses == 1
