"""Every block of Python in the README runs, and its links lead somewhere."""

import re
from pathlib import Path

import code_blocks
import keras
import numpy as np
import pytest

import keras_symgrad as ks

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = code_blocks.blocks(README, "python")


@pytest.fixture
def names(monkeypatch):
    """Models and points for the README's code."""
    monkeypatch.chdir(ROOT)
    code_blocks.hurry(monkeypatch, methods=("dictionary",))
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, activation="tanh", name="hidden_1")(inputs)
    hidden = keras.layers.Dense(8, activation="tanh", name="hidden_2")(hidden)
    heads = {
        "model": keras.layers.Dense(1, activation="sigmoid")(hidden),
        "regressor": keras.layers.Dense(1)(hidden),
        "ten_classes": keras.layers.Dense(10, activation="softmax")(hidden),
    }
    models = {name: keras.Model(inputs, head) for name, head in heads.items()}
    for model in models.values():
        for layer in model.layers[1:]:
            _sparsen(layer)
    three = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3, activation="softmax", name="classes")]
    )
    models["three_classes"] = three
    return {**models, "x": np.random.default_rng(0).uniform(-1, 1, (500, 3)), "ks": ks}


def _sparsen(layer):
    """Keep one weight of each unit of a hidden layer, so that a search soon finds what it computes.

    For a network of random weights there is no formula, and nothing ends the search but the clock.
    """
    kernel, bias = layer.get_weights()
    largest = np.abs(kernel) == np.abs(kernel).max(axis=0)
    layer.set_weights([np.where(largest, kernel, 0), bias])


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS[1:], ids=range(1, len(BLOCKS)))
def test_the_readme_block_runs(block, names, monkeypatch):
    # These show no results: any will do.
    code_blocks.hurry(monkeypatch, time_limit=0.3)
    code_blocks.run(block, names, "README.md")


@pytest.mark.slow
def test_the_first_block_runs_and_says_what_the_model_says(names, capsys):
    code_blocks.run(BLOCKS[0], names, "README.md")
    assert "x1**2 + 2*x2**2 > 1" in capsys.readouterr().out


def test_every_file_that_the_readme_names_is_there():
    links = re.findall(r"\]\((?!http)([^)]+)\)|`(?:\./)?((?:examples|scripts)/[^`\s]*)`", README)
    for path in filter(None, (part for link in links for part in link)):
        assert (ROOT / path).exists(), path
