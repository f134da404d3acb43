"""The time that pairs of classes take together."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_symgrad.api.class_progress import ClassProgress
from keras_symgrad.gradients import Sampling
from keras_symgrad.neurons import ClassLogits
from keras_symgrad.search.callbacks.progress_display import ProgressDisplay
from keras_symgrad.search.core import Stopping

class_pairs = import_module("keras_symgrad.api.class_pairs")

CLASSES = 5
PAIRS = [(k, j) for k in range(CLASSES) for j in range(k)]
# Seconds that reading and assessing a pair take beside its search.
BESIDE = 9.0


@pytest.fixture
def scores():
    """Scores around five centres on a circle, all of which meet in its middle."""
    angles = 2 * np.pi * np.arange(CLASSES) / CLASSES
    layer = keras.layers.Dense(CLASSES, use_bias=False)
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.set_weights([np.array([np.cos(angles), np.sin(angles)])])
    return ClassLogits.of(model, None, None)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only pairs move: each by its search, as long as it may last, and `BESIDE`."""
    now = SimpleNamespace(seconds=0.0, searched=[])

    def interpret(*arguments, time_limit, **options):
        spent = np.inf if time_limit is None else time_limit
        now.searched.append(spent)
        now.seconds += BESIDE + (spent if np.isfinite(spent) else 1.0)
        return SimpleNamespace(timings={"search": spent}, headline="", matches="", stopped="")

    monkeypatch.setattr(class_pairs, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    monkeypatch.setattr(class_pairs, "interpret", interpret)
    return now


def read(scores, limit):
    x = np.random.default_rng(0).normal(size=(4000, 2))
    classes = [str(k) for k in range(CLASSES)]
    return class_pairs.read_pairs(
        scores,
        PAIRS,
        x,
        ("a", "b"),
        classes,
        Sampling(),
        Stopping(time_limit=limit),
        0,
        {},
        ClassProgress(ProgressDisplay()),
    )


@pytest.mark.parametrize("limit", [15.0, 30.0, 60.0, 1000.0])
def test_the_limit_is_of_all_that_a_pair_takes_and_not_of_its_search_alone(scores, clock, limit):
    found = read(scores, limit)
    met = len(found.read) + sum("left no time" in reason for reason in found.unread.values())
    assert clock.seconds <= max(limit, BESIDE + clock.searched[0])
    assert len(found.read) >= 1
    assert found.complete == (len(found.read) == met)
    assert set(found.read) | set(found.unread) == set(PAIRS)


def test_without_a_limit_every_pair_that_meets_is_read(scores, clock):
    found = read(scores, None)
    assert found.complete
    assert all("the two likeliest at" in reason for reason in found.unread.values())
