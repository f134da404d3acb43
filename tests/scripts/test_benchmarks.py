"""The benchmarks of systems: what their rows hold, and that a failure does not cost the others."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from types import SimpleNamespace

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
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
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


@pytest.mark.slow
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


LATENT_COLUMNS = {
    *("system", "seed", "activation", "projected", "recovered", "cosine_error", "complexity"),
    *("seconds", "expression", "recipe", "full", "network", "loss", "truth_complexity"),
}


@pytest.fixture
def latent(project, monkeypatch):
    """The benchmark of latent systems, with untrained encoders."""
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
    module = import_module("benchmark_latent")

    def untrained(system, activation, *, seed):
        return sys.modules["siamese"].encoder_for(system.points(50, seed), 4, activation)

    for recipe in module.RECIPES:
        monkeypatch.setitem(module.RECIPES, recipe, untrained)
    yield module
    for name in ("benchmark_latent", "train_latent", "siamese", "benchmark_systems", "training"):
        sys.modules.pop(name)


@pytest.mark.slow
def test_latent_systems_are_read_with_and_without_the_tangent_space(
    latent, tmp_path, monkeypatch, capsys
):
    tangents = []

    def interpret(encoder, x, *, names, sampling, **settings):
        tangents.append(sampling.tangent)
        if sampling.tangent is None:
            raise RuntimeError("lost across the data")
        x1, x2, x3, x4 = latent.LATENT_SYSTEMS["002"].variables
        best = latent.keras_symgrad.Formula(x1 * x4 - x2 * x3, 7.0, 1e-5, names)
        return SimpleNamespace(best=best)

    monkeypatch.setattr(latent.keras_symgrad, "interpret", interpret)
    path, networks = tmp_path / "rows.json", tmp_path / "networks"
    arguments = "benchmark_latent --systems 002 --seeds 2 --seed 7 --projected on off"
    arguments += " --recipe published"
    monkeypatch.setattr(
        sys, "argv", [*arguments.split(), "--json", str(path), "--networks", str(networks)]
    )
    assert latent.main() == 0

    rows = json.loads(path.read_text())["rows"]
    assert [(r["seed"], r["projected"], r["recovered"]) for r in rows] == [
        *((7, "on", "concept"), (7, "off", "missed"), (8, "on", "concept"), (8, "off", "missed"))
    ]
    assert tangents == ["auto", None] * 2
    assert all(set(row) >= LATENT_COLUMNS for row in rows)
    assert rows[0]["cosine_error"] < 1e-12 and rows[0]["network"] > 0.01
    assert rows[1]["expression"] == "RuntimeError: lost across the data"
    assert sorted(p.name for p in networks.iterdir()) == [
        "002-relu-published-7.keras",
        "002-relu-published-8.keras",
    ]
    printed = capsys.readouterr().out
    assert "2 of 2" in printed and "0 of 2" in printed and "6.9e-02" in printed


def test_a_triplet_with_a_point_thrown_far_out_is_drawn_again(latent):
    training, system = sys.modules["train_latent"], latent.LATENT_SYSTEMS["005"]
    triplets = training.triplets_of(system, 500, seed=1)
    anchors = system.points(500, seed=1)

    assert triplets.shape == (500, 3, 16) and triplets.dtype == np.float32
    assert np.abs(np.concatenate(system.triplets(500, seed=1))).max() > 20
    assert np.abs(triplets - anchors.mean(axis=0)).max() < 1.01 * training.REACH * anchors.std()
    np.testing.assert_allclose(
        *(system.values(triplets[:, k].astype(float)) for k in (0, 1)), atol=1e-5
    )


def test_the_siamese_loss_asks_for_less_difference_to_positives_than_to_negatives(latent):
    model = sys.modules["siamese"].Siamese(keras.Sequential([keras.Input((1,))]))
    rng = np.random.default_rng(0)
    anchors, steps, others = (rng.normal(size=(100, 1)) for _ in range(3))

    def loss(near, scale=1.0):
        z = scale * np.hstack([anchors, anchors + near * steps, others])
        return float(model.compute_loss(y_pred=keras.ops.convert_to_tensor(z)))

    # A tenth of the difference is worth log(100), in any unit.
    assert loss(1e-2) - loss(1e-3) == pytest.approx(np.log(100), abs=0.1)
    assert loss(1e-2, scale=1e3) == pytest.approx(loss(1e-2), abs=1e-3)


def test_the_published_loss_stops_at_a_margin(latent):
    model = sys.modules["train_latent"].MarginSiamese(keras.Sequential([keras.Input((1,))]))

    def loss(*z):
        return float(model.compute_loss(y_pred=keras.ops.convert_to_tensor([z])))

    # Anchor, positive, negative.
    assert loss(0.0, 0.5, -3.0) == 0
    assert loss(0.0, 0.5, 1.0) == pytest.approx(0.5)
    assert loss(2.0, 2.0, 2.0) == pytest.approx(1)


@pytest.mark.slow
def test_the_published_recipe_learns_a_trace(latent, monkeypatch):
    training, system = sys.modules["train_latent"], latent.LATENT_SYSTEMS["001"]
    monkeypatch.setattr(training, "PUBLISHED_TRIPLETS", 8192)
    encoder = training.train_as_published(system, seed=0, epochs=3)
    assert [layer.units for layer in encoder.layers] == [256, 256, 256, 1]
    assert training.errors_of(encoder, system, rows=500)[0] < 0.05
