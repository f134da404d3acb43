"""A model of standardized columns is read in the units of its table."""

from __future__ import annotations

import json
from importlib import import_module

import keras
import numpy as np
import pytest
import sympy
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from keras_symgrad.api import interpret, interpret_classes, interpret_jointly, load_interpretation
from keras_symgrad.gradients import Sampling
from keras_symgrad.neurons import Neuron
from keras_symgrad.replacement import replace
from keras_symgrad.search import Search

RNG = np.random.default_rng(0)
# A person's mass and height; the network was trained on both standardized.
X = np.column_stack([RNG.uniform(50, 100, 2000), RNG.uniform(1.5, 2.0, 2000)])
NAMES = ("mass", "height")
SCALER = StandardScaler().fit(X)
QUICK = {
    "names": NAMES,
    "time_limit": 4,
    "verbose": False,
    "operators": "arithmetic",
    "search": Search(methods=("dictionary",)),
}
STANDARDIZED = Sampling(preprocessing=SCALER, rows=500)


def index(z):
    """The body-mass index, of standardized columns."""
    mass, height = (z[:, k] * SCALER.scale_[k] + SCALER.mean_[k] for k in (0, 1))
    return mass / height**2


@pytest.fixture(scope="module")
def found():
    return interpret(Neuron("index", index, inputs=2), X, sampling=STANDARDIZED, **QUICK)


def test_the_formula_is_in_the_units_of_the_table(found):
    mass, height = sympy.symbols("mass height", real=True)
    # Any function of mass/height**2 has these derivatives, up to one factor.
    ratio = sympy.diff(found.best.expression, mass) / sympy.diff(found.best.expression, height)
    at = {mass: 70.0, height: 1.8}
    assert float(ratio.subs(at)) == pytest.approx(-1.8 / (2 * 70.0), rel=1e-3)
    np.testing.assert_allclose(found.predict(X[:50]), X[:50, 0] / X[:50, 1] ** 2, rtol=0.02)
    assert "units: those of the table" in str(found)


def test_the_result_keeps_the_means_and_widths_and_the_call_repeats_them(found, tmp_path):
    path = found.save(tmp_path / "index.json")
    kept = json.loads(path.read_text())["settings"]["preprocessing"]
    assert Sampling(preprocessing=kept).preprocessing == STANDARDIZED.preprocessing
    assert "preprocessing={'mean': [" in found.call
    assert load_interpretation(path) == found


def test_a_layer_is_not_replaced_by_a_formula_in_other_units(found):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    with pytest.raises(ValueError, match="without `preprocessing`"):
        replace(model, "last", found)


def test_classes_and_several_neurons_are_read_in_the_units_of_the_table():
    z = keras.Input((2,))
    mass = z[:, :1] * SCALER.scale_[0] + SCALER.mean_[0]
    height = z[:, 1:] * SCALER.scale_[1] + SCALER.mean_[1]
    scores = keras.ops.concatenate([mass / height**2 - 23.0, 0 * mass], axis=1)
    model = keras.Model(z, keras.ops.softmax(scores))
    classes = interpret_classes(model, X, sampling=STANDARDIZED, **QUICK)
    assert classes.agreement > 0.98
    pair = [Neuron("mass", lambda z: z[:, 0], 2), Neuron("height", lambda z: z[:, 1] ** 3, 2)]
    both = interpret_jointly(pair, X, sampling=STANDARDIZED, **QUICK)
    assert both.concepts[0].box[0, 0] > 49


def test_the_command_line_takes_means_and_widths_from_json(tmp_path, capsys):
    inputs = keras.Input((2,))
    mass = inputs[:, :1] * SCALER.scale_[0] + SCALER.mean_[0]
    height = inputs[:, 1:] * SCALER.scale_[1] + SCALER.mean_[1]
    keras.Model(inputs, mass / height**2).save(tmp_path / "index.keras")
    lines = [f"{mass!r},{height!r}" for mass, height in X.tolist()]
    (tmp_path / "x.csv").write_text("\n".join(["mass,height", *lines]))
    pairs = {n: [m, s] for n, m, s in zip(NAMES, SCALER.mean_, SCALER.scale_)}
    (tmp_path / "scaler.json").write_text(json.dumps(pairs))
    (tmp_path / "scaler.pkl").write_bytes(b"\x80\x04.")
    main = import_module("keras_symgrad.cli.main").main
    words = ["interpret", tmp_path / "index.keras", "--data", tmp_path / "x.csv", "--quiet"]
    words += ["--methods", "dictionary", "--time-limit", "4", "--near", "3", "--preprocessing"]
    words = list(map(str, words))
    assert main([*words, str(tmp_path / "scaler.pkl")]) == 1
    assert "is no JSON" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "scaler.json")]) == 0
    printed = capsys.readouterr().out
    assert "mass" in printed and "height" in printed


def test_means_of_other_columns_are_refused_before_any_work():
    neuron = Neuron("sum", lambda z: tf.reduce_sum(z, axis=1), inputs=2)
    with pytest.raises(ValueError, match="Received: others, weight"):
        interpret(neuron, X, names=NAMES, sampling=Sampling(preprocessing={"weight": (0, 1)}))
