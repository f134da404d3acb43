"""Many neurons in one call: each as `interpret` alone finds it, with independent failures."""

from __future__ import annotations

import inspect
import signal
import threading
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from pathlib import Path

import numpy as np
import pytest

from keras_symgrad import Neuron, Search, Stopping
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_many import interpret_many
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.results import Interpretation

MODELS = Path(__file__).parents[2] / "examples" / "models"
OPTIONS = {"operators": "polynomial", "verbose": False}


def jobs():
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    return [{"model": GradientField.from_gradients(x, x * [2, c])} for c in (2, 4, 6)]


class Sequential(Executor):
    """Executor that calls at once; the first `losses` calls lose their worker."""

    def __init__(self, losses: int = 0):
        self.losses = losses

    def submit(self, function, *arguments):
        future = Future()
        self.losses -= 1
        if self.losses >= 0:
            future.set_exception(BrokenExecutor("killed"))
            return future
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.mark.slow
def test_each_is_found_as_alone_and_in_its_place():
    found = interpret_many(jobs(), executor=Sequential(), **OPTIONS)
    alone = [interpret(**job, **OPTIONS) for job in jobs()]
    assert [str(concept.best) for concept in found] == [str(concept.best) for concept in alone]
    assert [concept.cosine_error for concept in found] == [c.cosine_error for c in alone]


@pytest.mark.slow
def test_a_job_that_fails_leaves_its_error_and_the_others():
    wrong = {"model": MODELS / "A1.keras", "x": "nowhere.csv"}
    first, error, last = interpret_many(
        [jobs()[0], wrong, jobs()[2]], executor=Sequential(), **OPTIONS
    )
    assert isinstance(error, FileNotFoundError) and "nowhere.csv" in str(error)
    assert str(first.best) == "x1**2 + x2**2" and str(last.best) == "x1**2 + 3*x2**2"


@pytest.mark.slow
def test_jobs_of_lost_workers_that_cannot_be_renewed_are_said_to_be_lost():
    found = interpret_many(jobs(), executor=Sequential(losses=2), **OPTIONS)
    assert [isinstance(one, BrokenExecutor) for one in found].count(True) >= 2


class FirstOnly(Sequential):
    """Executor that does the first call, and then presses Ctrl-C or cancels all others."""

    def __init__(self, cancels: bool):
        super().__init__()
        self.cancels, self.calls = cancels, 0

    def submit(self, function, *arguments):
        self.calls += 1
        if self.calls == 1:
            return super().submit(function, *arguments)
        future = Future()
        if self.cancels:
            future.cancel()
            future.set_running_or_notify_cancel()
        elif self.calls == 2:
            threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()
        return future


@pytest.mark.parametrize("cancels", [False, True])
def test_what_had_ended_is_returned_after_ctrl_c_and_without_an_executor(cancels):
    before = signal.getsignal(signal.SIGINT)
    quick = Search(methods="dictionary")
    first, *others = interpret_many(jobs(), executor=FirstOnly(cancels), search=quick, **OPTIONS)
    assert str(first.best) == "x1**2 + x2**2"
    assert [type(other) for other in others] == [CancelledError] * 2
    assert all("cancelled" in str(o) if cancels else "Ctrl-C" in str(o) for o in others)
    assert signal.getsignal(signal.SIGINT) is before


class Closing(Sequential):
    """Executor that does the first call, and is then shut down with those that it had taken."""

    def __init__(self, accepts: int):
        super().__init__()
        self.left = accepts

    def submit(self, function, *arguments):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self.left == 0:
            return super().submit(function, *arguments)
        future = Future()
        # As `shutdown(cancel_futures=True)` does, which tells nobody who waits.
        future.cancel()
        return future


@pytest.mark.parametrize(
    ("accepts", "kinds"),
    [
        (1, [Interpretation, BrokenExecutor, BrokenExecutor]),
        (2, [CancelledError, Interpretation, BrokenExecutor]),
        (3, [CancelledError, CancelledError, Interpretation]),
    ],
)
def test_what_had_ended_is_returned_though_the_executor_is_closed(accepts, kinds):
    quick = Search(methods="dictionary")
    found = interpret_many(jobs(), executor=Closing(accepts), search=quick, **OPTIONS)
    assert [type(one) for one in found] == kinds


def test_threads_end_their_searches_after_ctrl_c():
    threading.Timer(2.0, signal.raise_signal, [signal.SIGINT]).start()
    noisy = np.random.default_rng(1).normal(size=(400, 2))
    job = {"model": GradientField.from_gradients(noisy, noisy[::-1].copy())}
    endless = Search(stopping=Stopping(600, patience=None))
    found = interpret_many([job, job], executor=None, workers=1, search=endless, **OPTIONS)
    assert isinstance(found[0], CancelledError) or found[0].stopped == "interrupted"
    assert isinstance(found[1], CancelledError)


@pytest.mark.slow
def test_processes_read_models_from_files():
    neuron = Neuron.of(str(MODELS / "A1.keras"), kind="logit")
    units = [{"unit": None}, {"model": neuron, "seed": 1}]
    found = interpret_many(
        units,
        workers=1,
        model=str(MODELS / "A1.keras"),
        x=str(MODELS / "A1.csv"),
        search=Search(methods="dictionary"),
        **OPTIONS,
    )
    assert [str(concept.best) for concept in found] == ["x1**2 + 2*x2**2"] * 2
    assert [concept.seed for concept in found] == [0, 1]
    assert found[0].rule.agreement > 0.99
    assert found[1].settings["kind"] == "logit"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"modle": 1}, "Job 1 has arguments that `interpret` does not take here: modle"),
        ({"x": "points.csv"}, "Job 1 has no `model`"),
        ({"model": "a.keras", "workers": 3}, "does not take here: workers"),
        ({"model": "a.keras", "search": {"methods": "trees"}}, "`search` is a `Search`"),
        ({"model": "a.keras", "search": Search(islands=2)}, "belong to `interpret_many`: islands"),
    ],
)
def test_wrong_jobs_are_named_before_anything_is_done(job, message):
    with pytest.raises(ValueError, match=message):
        interpret_many([jobs()[0], job], executor=Sequential(), verbose=False)


def test_workers_are_one_for_each_core_and_refused_as_those_of_a_search():
    with pytest.raises(ValueError, match="`workers` must be a whole number of at least 1"):
        interpret_many([], workers=0)
    with pytest.raises(ValueError, match="`executor` takes"):
        interpret_many([], executor="threads")
    assert inspect.signature(interpret_many).parameters["workers"].default == Search().workers
