"""The number of threads and processes of a search is the user's choice."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import keras_symgrad as ks
from keras_symgrad.callbacks import LambdaCallback


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_a_search_takes_the_threads_it_is_given_and_no_process(workers):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (80, 2))
    field = ks.GradientField.from_gradients(x, x * [2, 4] + rng.normal(0, 0.3, x.shape))
    before, seen = set(threading.enumerate()), []

    def look(_, logs):
        others = set(threading.enumerate()) - before
        seen.append((len(others), len(multiprocessing.active_children())))

    ks.interpret(
        field,
        operators="add, mul",
        callbacks=[LambdaCallback(on_generation_end=look)],
        verbose=False,
        search=ks.Search(
            methods="trees",
            population=32,
            workers=workers,
            stopping=ks.Stopping(None, generations=3, patience=None, target_loss=None),
        ),
    )
    threads, processes = (max(counts) for counts in zip(*seen))
    assert processes == 0
    # One submits trees while others are bred, and one has compiled: both wait for the rest.
    assert threads <= 2 + (workers if workers > 1 else 0)
    assert set(threading.enumerate()) - before == set()


@pytest.mark.slow
def test_a_search_holds_the_linear_algebra_at_one_thread():
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    seen = []
    with threadpool_limits(2, user_api="blas"):
        ks.interpret(
            ks.GradientField.from_gradients(x, x * [2, 4]),
            callbacks=[LambdaCallback(on_generation_end=lambda *_: seen.append(threads()))],
            verbose=False,
        )
        assert threads() == {2}
    assert seen and all(found == {1} for found in seen)
