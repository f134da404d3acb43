"""The benchmark of systems: what its rows hold, and that one failure does not cost the others."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import keras
import numpy as np
import pytest

COLUMNS = {
    *("system", "seed", "activation", "delta", "method", "recovered", "on_front"),
    *("cosine_error", "complexity", "truth_complexity", "loss", "seconds", "agreement"),
    *("expression", "ratio", "matches", "front_seconds"),
}


@pytest.fixture
def benchmark(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts"))
    yield import_module("benchmark_systems")
    sys.modules.pop("benchmark_systems")
    sys.modules.pop("training")


@pytest.fixture
def quick(benchmark, monkeypatch):
    """The benchmark with untrained networks and methods that take no time."""

    def true(task):
        system = task.system
        terms = getattr(system, "concepts", [system])
        answer = benchmark.Found(sum(s.expression for s in terms), "sum", 5.0, 1e-3, 0.99)
        return answer, [answer]

    def broken(task):
        raise RuntimeError("no formula today")

    monkeypatch.setattr(benchmark, "METHODS", {"gradients": true, "labels": broken})
    monkeypatch.setattr(
        sys.modules["training"],
        "train",
        lambda system, activation, seed: benchmark_network(system),
    )
    return benchmark


def benchmark_network(system) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((len(system.names),))
    return keras.Sequential([inputs, keras.layers.Dense(1, activation="sigmoid")])


def test_a_failing_run_is_a_row_and_the_others_are_written(quick, tmp_path, monkeypatch, capsys):
    path, networks = tmp_path / "rows.json", tmp_path / "networks"
    arguments = "benchmark_systems --systems A1 F --seeds 1 --methods gradients labels"
    monkeypatch.setattr(
        sys, "argv", [*arguments.split(), "--json", str(path), "--networks", str(networks)]
    )
    assert quick.main() == 0

    rows = json.loads(path.read_text())["rows"]
    assert [(r["system"], r["method"]) for r in rows] == [
        *(("A1", "gradients"), ("A1", "labels"), ("F", "gradients"), ("F", "labels"))
    ]
    assert all(set(row) >= COLUMNS for row in rows)
    assert [r["recovered"] for r in rows] == ["concept", "missed", "missed", "missed"]
    assert rows[1]["expression"] == "RuntimeError: no formula today"
    assert rows[2]["ratio"] is not None and rows[0]["ratio"] is None
    assert sorted(p.name for p in networks.iterdir()) == ["A1-elu-1.keras", "F-elu-1.keras"]
    assert "1 + 0 of 1" in capsys.readouterr().out


def test_agreement_is_that_of_the_best_threshold_in_the_better_direction(quick):
    system = quick.EVERY["A1"]
    task = quick.Task(system, 1, "elu", 0.01, benchmark_network(system))
    kernel, _ = (w.numpy().astype(float) for w in task.model.weights)
    x1, x2 = system.variables
    line = float(kernel[0, 0]) * x1 + float(kernel[1, 0]) * x2

    def agreement(expression) -> float:
        return quick.agreement_of(quick.Found(expression, "", 1.0, 0.0), task)

    assert agreement(line) == pytest.approx(1, abs=1e-3)
    assert agreement(-3 * line + 1) == pytest.approx(1, abs=1e-3)
    yes = quick.logit(task, system.data(10_000, quick.FRESH + 1)[0]) > 0
    assert agreement(x1**2) >= max(np.mean(yes), np.mean(~yes))
