"""Options of a search are checked when they are made, before any work."""

from __future__ import annotations

import os
from importlib import import_module

import keras
import numpy as np
import pytest

import keras_symgrad as ks

refinement = import_module("keras_symgrad.engine.levenberg_marquardt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ()}, "`methods` are ways to search"),
        ({"methods": "luck"}, "`methods` .*'luck'"),
        ({"max_complexity": 0}, "`max_complexity` .*Received: max_complexity=0"),
        ({"max_complexity": np.nan}, "`max_complexity` .*nan"),
        ({"max_complexity": None}, "`max_complexity` .*None"),
        ({"max_complexity": "30"}, "`max_complexity` .*'30'"),
        ({"population": 15}, "`population` .*at least 16. Received: population=15"),
        ({"population": None}, "`population` .*None"),
        ({"population": 64.0}, "`population` .*64.0"),
        ({"workers": 0}, "`workers` .*at least 1. Received: workers=0"),
        ({"workers": True}, "`workers` .*True"),
        ({"islands": 1.5}, "`islands` .*islands=1.5"),
        ({"executor": "threads"}, "`executor` .*'threads'"),
        ({"stopping": 60}, "`stopping` .*Received: stopping=60"),
        ({"optimizer": "sgdd"}, "sgdd"),
    ],
    ids=str,
)
def test_an_option_out_of_its_range_is_refused_by_its_name(options, message):
    with pytest.raises(ValueError, match=message):
        ks.Search(**options)


def test_the_smallest_values_are_taken():
    search = ks.Search(max_complexity=1, population=np.int64(16), workers=1, islands=1)
    assert search.settings.population * search.settings.demes == 16
    assert search.threads == 1 and type(search.population) is int


def test_workers_are_the_cores_of_the_machine_unless_they_are_given(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert ks.Search().threads == 7
    assert ks.Search(workers=3).threads == 3
    # Some systems do not say.
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert ks.Search().threads == 1


def test_values_with_equal_fields_are_equal_and_cannot_be_changed():
    assert ks.Search(methods="trees") == ks.Search(methods=["trees"])
    with pytest.raises(AttributeError):
        ks.Search().signed = True


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("stopping", r"search=ks.Search\(stopping=...\)"),
        ("rows", r"sampling=ks.Sampling\(rows=...\)"),
        ("template", r"priors=ks.Priors\(template=...\)"),
        ("kind", r"ks.Neuron.of\(model, kind=...\)"),
        ("colour", "takes the options x, layer, unit"),
    ],
)
def test_an_option_that_interpret_does_not_take_is_refused_with_its_place(option, place):
    with pytest.raises(ValueError, match=f"{place}.*Received: {option}=1"):
        ks.interpret(None, np.ones((5, 2)), **{option: 1})
