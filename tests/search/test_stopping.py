"""Limits are checked before the search, and the one that is reached is named."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.search.stopping import Progress, Stopping


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
    assert stopping.share(progress(seconds=20.0, generation=5)) == 0.5
    assert stopping.share(progress(seconds=80.0, generation=5)) == 0.8
    assert stopping.share(progress(seconds=300.0)) == 1.0
    assert Stopping(time_limit=None, patience=5).share(progress()) == 0.0


def test_a_search_is_driven_until_a_limit_an_end_or_ctrl_c_and_then_closed():
    closed = []

    def steps(number):
        try:
            for generation in range(1, number + 1):
                yield Progress(generation, 0, 0.0, 1.0, "", 0)
        finally:
            closed.append(number)

    def press(progress):
        if progress.generation == 2:
            raise KeyboardInterrupt

    stopping = Stopping(None, generations=3, patience=None)
    assert stopping.drive(steps(9)) == "generations"
    assert stopping.drive(steps(2)) == "exhausted"
    assert stopping.drive(steps(5), press) == "interrupted"
    assert closed == [9, 2, 5]
