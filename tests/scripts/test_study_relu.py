"""The study of ReLU networks: what its rows say, on the shipped network."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

import keras
import pytest
from rich.console import Console

from keras_symgrad.gradients.field import GradientField


@pytest.fixture
def study(project, models, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
    module = import_module("study_relu")
    shipped = keras.models.load_model(models / "B-relu.keras")
    monkeypatch.setattr(module, "load_or_train", lambda *_: shipped)
    monkeypatch.setattr(module, "GIVEN_ROWS", 2000)
    yield module
    sys.modules.pop("study_relu")
    sys.modules.pop("training")


@pytest.mark.slow
def test_a_row_tells_of_the_truth_with_and_without_averaging(study, monkeypatch):
    seen = []

    def fail(field: GradientField, **_) -> None:
        seen.append(field)
        raise ValueError("no time")

    # A reading that fails is a row too.
    monkeypatch.setattr(study, "interpret", fail)
    options = argparse.Namespace(networks=None, time_limit=1.0)
    row = study.measure(study.SYSTEMS["B"], "relu", 0, [0.05, 0.2], options)

    losses = {average["width"]: average["loss"] for average in row["averages"]}
    assert {0.05, 0.2, row["chosen_width"]} == set(losses)
    assert losses[0.2] < losses[0.05] < row["raw"]
    raw, smooth = seen
    assert study.truth_loss(raw, study.SYSTEMS["B"]) == row["raw"]
    assert study.truth_loss(smooth, study.SYSTEMS["B"]) == losses[row["chosen_width"]]
    assert row["read_raw"] == {"recovered": "missed", "expression": "ValueError: no time"}

    console = Console(width=150, record=True)
    console.print(study.losses_table([row]), study.readings_table([row]))
    text = console.export_text()
    assert f"{row['raw']:.1e}" in text
    assert "ValueError: no time" in text
