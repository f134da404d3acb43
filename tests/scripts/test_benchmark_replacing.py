"""The benchmark of replaced layers: its rows, and that a failure does not cost the others."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text


@pytest.fixture
def benchmark(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
    yield import_module("benchmark_replacing")
    sys.modules.pop("benchmark_replacing")


def formula(text, names) -> ks.Formula:
    return ks.Formula(from_text(text, names), 5.0, 0.0, tuple(names))


@pytest.mark.slow
def test_rows_tell_agreement_before_and_after_training(benchmark, tmp_path, monkeypatch, capsys):
    def jointly(model, x, *, names, **settings):
        texts = ("x**2 + y**2 + vx**2 + vy**2", "x*vy - y*vx")
        return SimpleNamespace(best=tuple(formula(text, names) for text in texts))

    def broken(*args, **settings):
        raise RuntimeError("no formula today")

    monkeypatch.setattr(benchmark.ks, "interpret_jointly", jointly)
    monkeypatch.setattr(benchmark.ks, "interpret", broken)
    monkeypatch.setattr(benchmark, "PHI_EPOCHS", 10)
    path = tmp_path / "rows.json"
    arguments = "benchmark_replacing --cases A1 oscillator --seed 3 --epochs 1 --repeats 2"
    monkeypatch.setattr(sys, "argv", [*arguments.split(), "--json", str(path)])
    assert benchmark.main() == 0

    failed, row = json.loads(path.read_text())["rows"]
    assert set(benchmark.COLUMNS) <= set(failed) and failed["agreement"] is None
    assert failed["formula"] == "RuntimeError: no formula today"
    assert row["seed"] == 3 and row["layer"] == "bottleneck"
    assert 0.9 < row["agreement"] < 1 and row["tuned"] > 0.9
    assert row["parameters_after"] < row["parameters"] == 5528
    assert "no formula today" in capsys.readouterr().out
