"""Work beside the search."""

from __future__ import annotations

import threading

import pytest

from keras_symgrad.search.islands.background import BackgroundTask


def test_work_is_done_once_and_only_when_it_is_asked_for():
    done = []
    with BackgroundTask(lambda: done.append(1)) as aside:
        assert not done
        assert aside.done(60)
        assert aside.done(60)
    assert done == [1]


def test_what_takes_long_is_not_waited_for():
    over = threading.Event()
    with BackgroundTask(lambda: over.wait(60)) as aside:
        assert not aside.done(0.01)
    # The block ended though the work goes on.
    assert not over.is_set()
    over.set()


def test_what_goes_wrong_is_raised():
    def fails():
        raise RuntimeError("no compiler")

    with BackgroundTask(fails) as aside, pytest.raises(RuntimeError, match="no compiler"):
        aside.done(60)
