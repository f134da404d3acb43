"""Limits are checked before the search, and the one that is reached is named."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from keras_symgrad.search.core.stopping import Progress, Stopping, limits_of


def progress(**fields) -> Progress:
    start = {"generation": 1, "evaluations": 100, "seconds": 1.0}
    return Progress(**start | {"loss": 0.5, "formula": "x1", "settled": 0} | fields)


@pytest.mark.parametrize("name", ["time_limit", "generations", "evaluations", "patience"])
@pytest.mark.parametrize("limit", [0, -1, np.nan, np.inf])
def test_a_limit_must_be_positive(name, limit):
    with pytest.raises(ValueError, match=f"`{name}` must be positive or None. Received: {name}="):
        Stopping(**{name: limit})


def test_a_search_without_any_limit_is_refused():
    with pytest.raises(ValueError, match="A search needs a limit.*`time_limit`"):
        Stopping(time_limit=None, patience=None)


@pytest.mark.parametrize(
    ("limits", "state", "reason"),
    [
        ({"time_limit": 2.0}, {"seconds": 2.0}, "time_limit"),
        ({"generations": 3}, {"generation": 3}, "generations"),
        ({"evaluations": 150}, {"evaluations": 170}, "evaluations"),
        ({"patience": 4}, {"settled": 4}, "patience"),
        ({"target_loss": 1e-3}, {"loss": 9e-4}, "target_loss"),
        ({"target_loss": 0.0}, {"loss": 0.0}, "target_loss"),
        ({"generations": 3, "target_loss": 1e-3}, {"generation": 3, "loss": 0.0}, "target_loss"),
    ],
)
def test_the_limit_that_is_reached_is_named(limits, state, reason):
    stopping = Stopping(**limits)
    assert stopping.reason(progress()) is None
    assert stopping.reason(progress(**state)) == reason


def test_limits_that_are_none_end_nothing():
    stopping = Stopping(time_limit=None, patience=None, generations=10**9)
    assert stopping.reason(progress(seconds=1e9, evaluations=10**9, settled=10**6)) is None


def test_the_share_is_that_of_the_nearest_limit():
    stopping = Stopping(time_limit=100.0, generations=10)
    assert stopping.share(5, 100, seconds=20.0) == 0.5
    assert stopping.share(5, 100, seconds=80.0) == 0.8
    assert stopping.share(1, 100, seconds=300.0) == 1.0
    assert Stopping(time_limit=None, patience=5).share(1, 100, 1.0) == 0.0


def steps(number: int, seconds: float = 0.0):
    for generation in range(1, number + 1):
        yield Progress(generation, 0, seconds, 1.0, "", 0)


STOPPING = Stopping(None, generations=3, patience=None)


def test_a_search_is_driven_until_a_limit_or_its_end():
    assert STOPPING.drive(steps(9)) == "generations"
    assert STOPPING.drive(steps(2)) == "exhausted"


def test_whoever_looks_on_may_end_a_search():
    seen = []
    assert STOPPING.drive(steps(5), lambda p: seen.append(p) or "enough") == "enough"
    assert len(seen) == 1


def test_ctrl_c_ends_a_search_after_its_step():
    seen = []

    def press(progress):
        seen.append(progress.generation)
        if progress.generation == 2:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    assert STOPPING.drive(steps(5), press) == "interrupted"
    assert seen == [1, 2] and signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_it_at_once(monkeypatch):
    monkeypatch.setattr("keras_symgrad.search.core.interrupts.SAME_PRESS_SECONDS", 0.0)

    def press_twice():
        yield Progress(1, 0, 0.0, 1.0, "", 0)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")

    assert Stopping(None, generations=3).drive(press_twice()) == "interrupted"


def test_the_time_limit_holds_while_others_are_awaited():
    def waiting():
        yield Progress(1, 0, 0.0, 1.0, "", 0)
        while True:
            yield None

    assert Stopping(time_limit=0.05).drive(waiting()) == "time_limit"


def test_a_time_limit_beside_stopping_is_one_limit_or_an_error():
    assert limits_of("auto", None) == Stopping()
    assert limits_of(5.0, None).time_limit == 5.0
    assert limits_of("auto", Stopping(patience=3)) == Stopping(patience=3)
    both = limits_of(5.0, Stopping(time_limit=None, patience=400))
    assert (both.time_limit, both.patience) == (5.0, 400)
    with pytest.raises(ValueError, match="`stopping` has a time limit.*Received: time_limit=5"):
        limits_of(5.0, Stopping(patience=400))
