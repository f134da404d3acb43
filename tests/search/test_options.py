"""Options of a search are checked when they are made, before any work."""

from __future__ import annotations

from importlib import import_module

import keras
import numpy as np
import pytest

import keras_symgrad as ks

refinement = import_module("keras_symgrad.engine.levenberg_marquardt")


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"methods": "luck"}, "methods='luck'"),
        ({"population": 3}, "population=3"),
        ({"workers": 0}, "workers=0"),
        ({"islands": 1.5}, "islands=1.5"),
        ({"max_complexity": 0}, "max_complexity=0"),
        ({"executor": 7}, "executor=7"),
        ({"optimizer": "sgdd"}, "sgdd"),
    ],
    ids=str,
)
def test_an_option_out_of_its_range_is_refused(options, received):
    with pytest.raises(ValueError, match=received):
        ks.Search(**options)


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.Adam(0.2)], ids=["name", "object"])
def test_constants_are_refined_by_the_optimizer_of_the_user(optimizer, monkeypatch):
    used, steps = [], refinement._keras_steps

    def recorded(*arguments):
        used.append(arguments[-1]["class_name"])
        return steps(*arguments)

    monkeypatch.setattr(refinement, "_keras_steps", recorded)
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    field = ks.GradientField.from_gradients(x, x * [1, 1.7])
    few = ks.Stopping(None, generations=2, patience=None)
    search = ks.Search(methods="trees", optimizer=optimizer, population=64, stopping=few)
    found = ks.interpret(field, search=search, operators="polynomial", verbose=False)
    assert set(used) == {"Adam"}
    assert found.settings["optimizer"] in ("adam", {"in_memory": "Adam"})
