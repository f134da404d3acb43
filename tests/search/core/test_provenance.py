"""Settings as plain data, and the code that repeats a call."""

from __future__ import annotations

import ast
import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import sympy

import keras_symgrad
from keras_symgrad import Priors, Sampling, Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import Operator, OperatorSet, shipped
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.loading import load_model
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.priors import Constraints, Dimensions, Even, Exchange
from keras_symgrad.search.core.provenance import Clock, call, recorded
from keras_symgrad.search.core.stopping import Stopping

BELL = Operator("bell", lambda a: sympy.exp(-(a**2)))


def evaluated(code: ast.expr, **names):
    """The value of code that holds `ks` and what is named alone."""
    return eval(ast.unparse(code), {"ks": keras_symgrad, **names})


def sampler(n, rng):
    return rng.uniform(size=(n, 2))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Path("a/b.keras"), "a/b.keras"),
        ("default", "default"),
        (np.float32(0.5), 0.5),
        ((3, 5), [3, 5]),
        (True, True),
        (None, None),
        (OperatorSet("add, exp"), ["add", "exp"]),
        (["add", shipped("exp")], ["add", "exp"]),
        (Stopping(5), {"time_limit": 5, "generations": None, "evaluations": None}),
        (Complexity(operators={"exp": 4}), {"constant": 3, "operators": {"exp": 4}}),
        ({"exp": 4}, {"exp": 4}),
        (BELL, {"in_memory": "Operator('bell', exp(-a**2))"}),
        # One of the user's own that is named as a shipped one.
        (Operator("exp2", lambda a: sympy.exp(2 * a)), {"in_memory": "Operator('exp2', exp(2*a))"}),
        (np.zeros((4, 2)), {"in_memory": "array of shape (4, 2)"}),
        (pd.DataFrame({"a": [1, 2]}), {"in_memory": "DataFrame of shape (2, 1)"}),
        (Neuron("ring", abs), {"in_memory": "Neuron 'ring'"}),
        (sampler, {"in_memory": "function sampler"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_setting_is_plain_data(value, plain):
    found = recorded({"setting": value})["setting"]
    assert json.loads(json.dumps(found)) == found
    if isinstance(plain, dict):
        assert plain.items() <= found.items()
    else:
        assert (found, type(found)) == (plain, type(plain))


def test_a_model_and_a_field_are_described():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="net")
    field = GradientField.from_gradients(np.ones((5, 2)), np.ones((5, 2)))
    given = recorded({"model": [model, "b.keras"], "field": field, "verbose": True})
    assert given["model"] == [{"in_memory": "Sequential 'net'"}, "b.keras"]
    assert "5 rows" in given["field"]["in_memory"]
    assert "verbose" not in given


def test_the_code_repeats_the_call_and_names_what_is_in_memory():
    options = {
        "model": Path("a 'b' \"c\".keras"),
        "x": np.zeros((4, 2)),
        "unit": (3, 5),
        "sampling": Sampling(delta=None, sampler=sampler, rows=2000),
        "operators": ["arithmetic", BELL],
        "search": Search(complexity=Complexity(constant=1), stopping=Stopping(None, generations=4)),
        "seed": 0,
    }
    code = ast.parse(call(recorded(options), interpret), mode="eval").body
    assert code.func.id == "interpret"
    model, x = code.args
    assert ast.literal_eval(model) == str(options["model"])
    assert x.id == "x"
    named = {keyword.arg: keyword.value for keyword in code.keywords}
    # Defaults are left out.
    assert set(named) == {"unit", "operators", "sampling", "search"}
    assert ast.literal_eval(named["unit"]) == (3, 5)
    assert named["operators"].id == "operators"
    assert vars(evaluated(named["sampling"], sampler=sampler)) == vars(options["sampling"])
    complexity = options["search"].complexity
    assert evaluated(named["search"], complexity=complexity) == options["search"]


def test_options_that_are_passed_on_are_part_of_the_code_unless_they_are_defaults():
    def inner(x, *, rows=2000, depth=3): ...

    def outer(x, seed=0, **options): ...

    given = {"x": "a.csv", "seed": 1, "rows": 2000, "depth": 4}
    assert call(given, outer, inner) == 'outer(\n    "a.csv",\n    1,\n    depth=4,\n)'


def test_options_are_recorded_by_their_own_names_and_come_back_equal():
    priors = Priors(
        symmetries=[Even("x1"), Exchange("x1", "x2")],
        constraints=Constraints({"exp": "exp"}, {"exp": 5}, 4),
        dimensions=Dimensions({"x1": "m", "x2": "s"}, result="m/s"),
        template="f(x1) + g(x2)",
        guesses=("x1/x2", "sin(x1)"),
    )
    sampling = Sampling(columns=("a", "b"), metric="columns", tangent=None, smoothing=0.5)
    search = Search(
        methods=("trees",), max_complexity=12, signed=True, population=64, workers=3, islands=2
    )
    given = {"model": "a.keras", "x": "a.csv", "operators": "default"}
    settings = recorded({**given, "sampling": sampling, "priors": priors, "search": search})
    assert json.loads(json.dumps(settings)) == settings
    assert not {"sampling", "priors", "search"} & set(settings)
    assert (settings["tangent"], settings["max_complexity"]) == (None, 12)
    code = ast.parse(call(settings, interpret), mode="eval").body
    named = {keyword.arg: keyword.value for keyword in code.keywords}
    assert set(named) == {"sampling", "priors", "search"}
    assert vars(evaluated(named["sampling"])) == vars(sampling)
    assert evaluated(named["search"]) == search
    again = evaluated(named["priors"])
    assert repr(again.symmetries) == repr(priors.symmetries)
    for name in ("constraints", "dimensions"):
        assert getattr(again, name).to_dict() == getattr(priors, name).to_dict()
    assert (again.template, again.guesses) == (priors.template, priors.guesses)


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        {"kind": "value"},
        {"kind": "probability", "unit": 0},
        {"layer": "hidden", "unit": (1, 0), "activation": True},
        {},
    ],
    ids=str,
)
def test_the_arguments_of_a_neuron_are_those_that_the_code_repeats(chosen, tmp_path):
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)]
    )
    model.save(tmp_path / "net.keras")
    path = str(tmp_path / "net.keras")
    neuron = Neuron.of(path, **chosen)
    settings = recorded(
        {"layer": None, "unit": None, "activation": False, "model": neuron, "x": "a.csv"}
    )
    assert settings["model"] == path
    code = ast.parse(call(settings, interpret), mode="eval").body
    assert ast.literal_eval(code.args[1]) == "a.csv"
    if "kind" in chosen:
        assert not code.keywords
        again = evaluated(code.args[0])
    else:
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in code.keywords}
        again = Neuron.of(ast.literal_eval(code.args[0]), **named)
    assert again.source == neuron.source
    x = np.random.default_rng(0).normal(size=(5, 2))
    for copy in (again, pickle.loads(pickle.dumps(neuron))):
        np.testing.assert_array_equal(copy(x), neuron(x))


def test_a_model_in_two_files_is_loaded_again_by_the_code(tmp_path):
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)]
    )
    description, weights = tmp_path / "net.json", tmp_path / "net.weights.h5"
    description.write_text(model.to_json())
    model.save_weights(weights)
    x = np.random.default_rng(0).normal(size=(5, 2))
    given = {"layer": "hidden", "unit": 1, "activation": False, "x": "a.csv"}
    loaded = load_model(description, weights=weights)
    # As a model, and as a neuron of it.
    for one in (loaded, Neuron.of(loaded, "hidden", 1)):
        settings = recorded({**given, "model": one})
        assert json.loads(json.dumps(settings)) == settings
        assert settings["model"] == str(description)
        assert settings["weights"] == str(weights)
        code = ast.parse(call(settings, interpret), mode="eval").body
        assert ast.unparse(code.args[0]).startswith("ks.load_model(")
        again = evaluated(code.args[0])
        np.testing.assert_array_equal(again(x), model(x))
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in code.keywords}
        assert named == {"layer": "hidden", "unit": 1}
    neuron = Neuron.of(loaded, "hidden", 1)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(neuron))(x), neuron(x))


def test_a_model_that_was_trained_after_it_was_loaded_is_in_memory_alone(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "net.keras")
    model = load_model(tmp_path / "net.keras")
    assert recorded({"model": model})["model"] == str(tmp_path / "net.keras")
    model.set_weights([2 * weight + 1 for weight in model.get_weights()])
    assert "Sequential" in recorded({"model": model})["model"]["in_memory"]


def test_a_neuron_that_was_made_of_another_is_recorded_as_itself():
    inputs = keras.Input((2,))
    # A `call` that ends in plain TensorFlow code: what the output is cannot be seen.
    output = keras.layers.Lambda(lambda x: x[:, :1] * 0.1 + 0.5)(inputs)
    neuron = Neuron.of(keras.Model(inputs, output, name="net"))
    given = {"x": "a.csv", "layer": None, "unit": None, "activation": False}
    assert neuron.is_classifier is None
    read = recorded({**given, "model": neuron.read_as("probability")})
    assert read["kind"] == "probability"
    assert 'ks.Neuron.of(model, kind="probability")' in call(read, interpret)
    # A logit that is read as a probability is no neuron of the model any more.
    twice = neuron.read_as("probability").read_as("probability")
    assert "Neuron" in recorded({**given, "model": twice})["model"]["in_memory"]


def test_a_part_that_is_timed_twice_has_the_time_of_both(monkeypatch):
    readings = iter([0.0, 2.0, 10.0, 10.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(readings))
    clock = Clock()
    for _ in range(2):
        with clock.timed("gradients"):
            pass
    assert clock.seconds == {"gradients": 2.5}
