"""Commands for pairs of classes, neurons together, signatures, and exports."""

from __future__ import annotations

import inspect
import json
from importlib import import_module

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_concepts import joint, of_classes, without_values

from keras_symgrad import api
from keras_symgrad.api import interpret, interpret_classes, interpret_jointly
from keras_symgrad.cli.commands import ask, concepts_of
from keras_symgrad.cli.parser import parser
from keras_symgrad.formulas.formula import Formula

cli = import_module("keras_symgrad.cli.main")

SHORT = ["--methods", "dictionary", "--operators", "polynomial", "--time-limit", "1"]


@pytest.fixture
def asked(monkeypatch):
    """Arguments that each function was called with, in the place of a search."""
    calls = []
    for place, function in [
        ("interpret", interpret),
        ("interpret_classes", interpret_classes),
        ("interpret_jointly", interpret_jointly),
    ]:

        def record(*args, function=function, **options):
            inspect.signature(function).bind(*args, **options)
            flat = {name: options.pop(name) for name in ("sampling", "priors", "search")}
            options |= {name: one for value in flat.values() for name, one in vars(value).items()}
            calls.append((function.__name__, args, options))

        monkeypatch.setattr(api, place, record)
    return calls


def question(*words: str):
    return parser(print).parse_args(["interpret", "m.keras", "--data", "d.csv", *words])


@pytest.mark.parametrize(
    ("words", "function", "given"),
    [
        ([], "interpret", {"unit": None, "draw": True, "delta": 0.01, "workers": None}),
        (["--unit", "2,0"], "interpret", {"unit": (2, 0)}),
        (["--classes", "--data-only"], "interpret_classes", {"classes": None, "draw": False}),
        (["--classes", "--class-names", "a,b"], "interpret_classes", {"classes": ["a", "b"]}),
        (["--classes", "--scheme", "scores"], "interpret_classes", {"scheme": "scores"}),
        (["--jointly", "--layer", "h"], "interpret_jointly", {"units": None, "layer": "h"}),
        (["--jointly", "--unit", "3"], "interpret_jointly", {"units": (3,)}),
        (["--jointly", "--unit", "0,2,5"], "interpret_jointly", {"units": (0, 2, 5)}),
        (["--jointly", "--tangent", "none"], "interpret_jointly", {"tangent": None}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_question_is_asked_of_its_own_function(words, function, given, asked):
    ask(question(*words), np.ones((3, 2)), ["x1", "x2"])
    ((name, args, options),) = asked
    assert args[0] == "m.keras"
    assert name == function
    assert {key: options[key] for key in given} == given
    assert options["time_limit"] == 60 and options["names"] == ["x1", "x2"]


@pytest.mark.slow
def test_a_kind_or_a_signature_is_that_of_a_neuron(models, asked):
    words = ["interpret", str(models / "A1.keras"), "--data", "d.csv", "--kind", "value"]
    ask(parser(print).parse_args(words), np.ones((3, 2)), ["x1", "x2"])
    ((name, (neuron, _), options),) = asked
    assert name == "interpret" and not {"layer", "unit", "kind"} & set(options)
    assert neuron.source["model"] == words[1] and neuron.source["kind"] == "value"
    assert neuron.is_classifier is False


def test_an_operation_of_a_saved_model_is_allowed_by_name_alone(asked, tmp_path):
    class Printing(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2))])
        def __call__(self, x):
            tf.print("printed")
            return {"y": tf.reduce_sum(x, axis=1, keepdims=True)}

    tf.saved_model.save(Printing(), str(tmp_path / "saved"))
    words = ["interpret", str(tmp_path / "saved"), "--data", "d.csv", "--allow-operation"]
    with pytest.raises(ValueError, match=r"PrintV2.*--allow-operation"):
        ask(parser(print).parse_args([*words, "WriteFile"]), np.ones((3, 2)), ["x1", "x2"])
    assert not asked
    allowed = [*words, "PrintV2", "--allow-operation", "StringFormat"]
    ask(parser(print).parse_args(allowed), np.ones((3, 2)), ["x1", "x2"])
    ((name, (model, _), _),) = asked
    assert name == "interpret" and model.function({"x": tf.ones((1, 2))})["y"].numpy() == [[2.0]]


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        (["--classes", "--jointly"], "not allowed with argument --classes"),
        (["--classes", "--unit", "1"], "--classes does not take --unit"),
        (["--classes", "--kind", "value", "--export", "f.py"], "does not take --kind, --export"),
        (["--jointly", "--delta", "0.1"], "--jointly does not take --delta"),
        (["--jointly", "--class-names", "a,b"], "--jointly does not take --class-names"),
        (["--class-names", "a,b"], "--class-names needs --classes"),
        (["--scheme", "scores"], "--scheme needs --classes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_would_be_ignored_are_wrong_usage(words, explanation, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["interpret", "m.keras", "--data", "d.csv", *words])
    assert stopped.value.code == 2
    assert explanation in capsys.readouterr().err


@pytest.mark.slow
def test_classes_are_told_apart_from_the_command_line(tmp_path, capsys):
    x = keras.Input((2,))
    logits = keras.layers.Concatenate()(
        [0 * x[:, :1], 3 * x[:, :1] * x[:, 1:] - 1, 1 - 3 * x[:, :1]]
    )
    model = keras.Model(x, keras.layers.Softmax()(logits), name="thirds")
    model.save(tmp_path / "thirds.keras")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).uniform(-1, 1, (800, 2)))
    words = [tmp_path / "thirds.keras", "--data", tmp_path / "x.npz", "--rows", "400", "--quiet"]
    words += ["--classes", "--class-names", "flat,saddle,slope", "--report", tmp_path / "out.html"]
    # The limit is of all pairs; the dictionary ends long before it.
    words += [*SHORT, "--time-limit", "12", "--scheme", "pairs", "--out", tmp_path]
    assert cli.main(["interpret", *map(str, words)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("saddle rather than flat: x1*x2 >")
    saved = json.loads((tmp_path / "interpretation.json").read_text())
    assert saved["settings"]["x"] == str(tmp_path / "x.npz")
    assert "How thirds/" in (tmp_path / "out.html").read_text()


@pytest.mark.slow
def test_units_are_read_jointly_from_the_command_line(tmp_path, capsys):
    x = keras.Input((3,))
    mixed = keras.layers.Concatenate(name="mixed")(
        [x[:, :1] * x[:, 1:2] + x[:, 2:], x[:, :1] * x[:, 1:2] - x[:, 2:], 0 * x[:, :1] + x[:, 2:]]
    )
    model = keras.Model(x, keras.layers.Dense(1)(mixed))
    model.save(tmp_path / "mixed.keras")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).uniform(1, 2, (500, 3)))
    words = ["interpret", str(tmp_path / "mixed.keras"), "--data", str(tmp_path / "x.npz")]
    assert cli.main([*words, "--layer", "mixed", "--jointly", "--unit", "0,1", *SHORT]) == 0

    text = capsys.readouterr().out
    assert "2 neurons carry 2 independent concepts" in text
    assert {"x3", "x1*x2"} == {line.split("   ")[0] for line in text.splitlines()[2:4]}


@pytest.mark.slow
def test_a_formula_is_exported_from_the_command_line(models, tmp_path, capsys):
    words = ["interpret", models / "A1.keras", "--data", models / "A1.csv", "--quiet"]
    for name in ("f.py", "f.tex", "f.json", "f.keras"):
        words += ["--export", tmp_path / name]
    assert cli.main([*map(str, words), *SHORT]) == 0

    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    truth = x[:, 0] ** 2 + 2 * x[:, 1] ** 2
    code = {}
    exec((tmp_path / "f.py").read_text(), code)
    formula = Formula.from_json((tmp_path / "f.json").read_text())
    model = keras.models.load_model(tmp_path / "f.keras")
    for values in (code["formula"](*x.T), formula(x), np.asarray(model(x))[:, 0]):
        np.testing.assert_allclose(values, truth, rtol=1e-2)
    assert (tmp_path / "f.tex").read_text() == "x_{1}^{2} + 2 x_{2}^{2}\n"


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        (["--export", "f.pdf"], r"must end with one of .py, .json, .tex"),
        (["--export", "nowhere/f.py"], "The formula cannot be written to nowhere/f.py"),
        (["--signature", "serve"], "Only a SavedModel directory has signatures"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_before_the_search(words, explanation, models, capsys):
    data = ["interpret", str(models / "A1.keras"), "--data", str(models / "A1.csv")]
    assert cli.main([*data, *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("keras-symgrad: error: ") and explanation in line


@pytest.mark.slow
def test_a_signature_that_does_not_exist_is_answered_with_those_that_do(models, tmp_path, capsys):
    keras.models.load_model(models / "A1.keras").export(tmp_path / "saved", verbose=False)
    data = ["interpret", str(tmp_path / "saved"), "--data", str(models / "A1.csv")]
    assert cli.main([*data, "--signature", "predict"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "serving_default" in line and "`--signature " in line


@pytest.mark.slow
def test_all_that_was_found_is_known_of_each_answer():
    assert concepts_of(without_values()) == [without_values()]
    assert concepts_of(joint()) == list(joint().concepts)
    assert concepts_of(of_classes()) == list(of_classes().pairs.values())
