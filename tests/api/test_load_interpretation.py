"""Results that were saved are the same when they are read again; other files are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.files.atomic import RESULT_VERSION, write_json
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.results.report.page import searched

pytestmark = pytest.mark.slow

QUICK = {
    "operators": "polynomial",
    "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
    "verbose": False,
}
NAMES = ("petal length (cm)", "lambda")


@pytest.fixture(scope="module")
def ellipse(models) -> Interpretation:
    """Interpretation of a trained classifier, with a rule, rivals and constants."""
    return ks.interpret(models / "A1.keras", models / "A1.csv", names=NAMES, **QUICK)


@pytest.fixture(scope="module")
def plane(models) -> Interpretation:
    """Interpretation of a neuron whose data have a fixed trace, with phi in closed form."""
    return ks.interpret(models / "002.keras", models / "002.csv", **QUICK)


@pytest.fixture(params=["ellipse", "plane"])
def concept(request) -> Interpretation:
    return request.getfixturevalue(request.param)


def test_a_result_reads_back_as_it_was(concept, tmp_path):
    again = ks.load_interpretation(concept.save(tmp_path / "result.json"))
    assert again.to_dict() == concept.to_dict()
    assert str(again) == str(concept)
    assert again.front.best.expression == concept.front.best.expression
    assert again.front.floor == concept.front.floor


def test_formula_rule_and_phi_compute_as_before(ellipse, models, tmp_path):
    again = ks.load_interpretation(ellipse.save(tmp_path / "result.json"))
    x = np.loadtxt(models / "A1.csv", delimiter=",", skiprows=1)[:200]
    np.testing.assert_array_equal(again.best(x), ellipse.best(x))
    np.testing.assert_array_equal(again.rule.decides(x), ellipse.rule.decides(x))
    np.testing.assert_array_equal(again.phi(again.best(x)), ellipse.phi(ellipse.best(x)))
    assert again.best.to_latex() == ellipse.best.to_latex()
    layer = again.best.to_layer()
    np.testing.assert_allclose(np.asarray(layer(x))[:, 0], ellipse.best(x), rtol=1e-5)
    assert again.rule.text == ellipse.rule.text


def test_the_value_of_a_regressor_computes_as_before(plane, models, tmp_path):
    again = ks.load_interpretation(plane.save(tmp_path / "result.json"))
    x = np.loadtxt(models / "002.csv", delimiter=",", skiprows=1)[:200]
    np.testing.assert_allclose(again.value.value(x), plane.value.value(x), rtol=1e-12)
    assert dict(again.remarks)["never left"] == "x1 + x4 = 5"


def test_what_is_not_in_the_file_is_asked_for_by_name(ellipse, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(ellipse.to_dict() | {"sample": None}))
    again = ks.load_interpretation(tmp_path / "old.json")
    with pytest.raises(ValueError, match="does not have: it was written by an earlier version"):
        again.choose(0)
    with pytest.raises(ValueError, match="gradients of this result are not in its file"):
        again.plot()
    with pytest.raises(ValueError, match="gradients of this result are not in its file"):
        again.report(tmp_path / "report.html")
    path = ellipse.gradients.save(tmp_path / "field.npz")
    again = replace(again, gradients=ks.GradientField.load(path))
    again.report(tmp_path / "report.html")
    assert "petal length (cm)" in (tmp_path / "report.html").read_text()


def test_a_reopened_result_plots_reports_and_chooses(concept, tmp_path):
    path = concept.save(tmp_path / "result.json")
    again = ks.load_interpretation(path)
    assert again == concept and path.stat().st_size < 1e6
    assert 100 <= again.gradients.rows <= 400 <= concept.gradients.rows
    assert again.plot().axes
    text = again.report(tmp_path / "report.html").read_text()
    assert "in the file of the result: pictures and angles below are of them" in text
    chosen = again.choose(0)
    # References are fitted again, to the rows of the file.
    for name in ("linear", "tree"):
        before, now = (getattr(one.fidelity, name) for one in (again, chosen))
        assert now == pytest.approx(before, abs=0.1)
    assert chosen.best.expression == concept.front[0].expression
    # What was kept is kept again, and the choice with it.
    reopened = ks.load_interpretation(chosen.save(tmp_path / "chosen.json"))
    assert reopened == chosen and reopened.front.picked == 0
    assert again.front.picked is None


def test_a_reopened_result_replaces_its_network_without_data(ellipse, models, tmp_path):
    again = ks.load_interpretation(ellipse.save(tmp_path / "result.json"))
    model = keras.models.load_model(models / "A1.keras")
    small = ks.replace(model, None, again)
    x = np.loadtxt(models / "A1.csv", delimiter=",", skiprows=1)
    before, after = (m.predict(x, verbose=0)[:, 0] > 0.5 for m in (model, small))
    assert np.mean(before == after) > 0.99


def test_several_neurons_and_classes_read_back(tmp_path):
    pair = [
        ks.Neuron("sum", lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs=3),
        ks.Neuron("difference", lambda x: x[:, 0] * x[:, 1] - x[:, 2], inputs=3),
    ]
    x = np.random.default_rng(0).uniform(1, 2, (400, 3))
    joint = ks.interpret_jointly(pair, x, **QUICK)
    again = ks.load_interpretation(joint.save(tmp_path / "joint.json"))
    assert again.to_dict() == joint.to_dict()
    assert str(again) == str(joint)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.layers[-1].set_weights([np.array([[1.0, -1, 0], [0, 1, -1]]), np.zeros(3)])
    x = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    classes = ks.interpret_classes(model, x, **QUICK)
    again = ks.load_interpretation(classes.save(tmp_path / "classes.json"))
    assert again.to_dict() == classes.to_dict()
    assert all(pair.sample for pair in again.pairs.values())
    assert str(again) == str(classes)
    np.testing.assert_array_equal(again.predict(x), classes.predict(x))


def test_a_file_from_before_there_were_versions_is_read(ellipse, tmp_path):
    content = ellipse.to_dict()
    for name in ("format", "version", "kind", "trusted", "given", "surface"):
        del content[name]
    del content["rule"]["digits"], content["rule"]["level"]
    # Python's own JSON wrote an endless interval so.
    content["constants"] = [{"value": 2.0, "error": float("inf"), "shown": "2"}]
    (tmp_path / "old.json").write_text(json.dumps(content))
    again = ks.load_interpretation(tmp_path / "old.json")
    assert again.rule.threshold == ellipse.rule.threshold
    assert not again.rule.level.is_fixed
    assert again.best.expression == ellipse.best.expression
    assert str(again.constants[0]) == "2 (not fixed by the network), shown as 2"


def test_intervals_of_version_1_are_read_as_symmetric_ones(ellipse, tmp_path):
    content = ellipse.to_dict() | {"version": 1}
    content["constants"] = [{"value": 2.0, "error": 0.25, "shown": None}]
    del content["rule"]["level"]
    content["rule"] |= {"text": "lambda > 0.998", "threshold": 0.99812}
    (tmp_path / "old.json").write_text(json.dumps(content))
    again = ks.load_interpretation(tmp_path / "old.json")
    assert (again.constants[0].low, again.constants[0].high) == (1.75, 2.25)
    assert again.rule.threshold == 0.998
    assert again.rule.text.endswith("> 0.998")


def test_what_is_not_finite_is_null_in_the_file(ellipse, tmp_path):
    content = ellipse.to_dict()
    content["constants"][0]["high"] = float("inf")
    content["timings"] |= {"search": float("inf"), "compile": float("nan")}
    path = write_json(tmp_path / "result.json", content, "The result")
    strict = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))
    assert strict["constants"][0]["high"] is None
    again = ks.load_interpretation(path)
    assert np.isinf(again.constants[0].high) and np.isinf(again.timings["search"])
    assert "formulas in inf s" in searched([again])


CHANGES = {
    "format": ("keras_symgrad.formula", "'keras-symgrad result' at `format`"),
    "version": (RESULT_VERSION + 1, f"is of version {RESULT_VERSION + 1}, .* up to"),
    "kind": ("layer", "one of 'neuron', 'classes', 'joint' at `kind`"),
    "variables": (["a", "a"], "Received twice: a"),
    "best": ({"expression": "__import__('os')", "complexity": 1, "loss": 0}, "A call|Unknown func"),
    "front": ([], "formulas of finite complexity at `front`"),
    "rule": ({"threshold": "high"}, "Expected a number at `rule.threshold`. Received: 'high'"),
    "phi": ({"knots": [1, 0], "values": [0, 1], "r2": 1}, "ascending knots"),
    "trusted": ([99], "numbers of rows of the front"),
    "box": ([[1, 1], [0, 0]], "lowest and the highest"),
    "rows": ({"held_out": -1}, "at least 0 at `rows.held_out`"),
    "seed": (1.5, "a whole number"),
    "picked": (99, "the number of a row of the front at `picked`"),
    "sample": ({"arrays": "no base64!"}, "an archive in base64 at `sample.arrays`"),
    "constants": ([{"value": 1, "low": 2, "high": 1}], "not below `low` at `constants.0..high`"),
    "noise_floor": (10**400, "a finite number at `noise_floor`"),
    "versions": ({"keras": 3}, "names with values of one kind"),
    "timings": ({"search": "long"}, "`timings.search`"),
    "surface": ({"axes": 1, "plane": [[1]]}, "rows of 2 numbers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_is_no_result_is_refused_with_the_place(name, ellipse, tmp_path):
    value, message = CHANGES[name]
    content = json.loads(json.dumps(ellipse.to_dict()))
    content[name] = value
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as raised:
        ks.load_interpretation(tmp_path / "result.json")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"stopping": {"time_limit=1) or __import__('os').system('true') #": 1}},
        {"stopping": {"time_limit=eval('1'), patience": 1}},
        {"symmetries": ["Even('x1')); import os; print(1"]},
        {"symmetries": ["Even(open('x'))"]},
        {"symmetries": ["Even.__class__('x')"]},
        {"dimensions": {"variables": {}, "**__import__('os').environ": 1}},
        {"stopping": ["a"]},
    ],
)
def test_settings_cannot_put_code_into_a_report(settings, ellipse, tmp_path):
    content = {**ellipse.to_dict(), "settings": settings}
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="arguments of `interpret` and nothing more at `settings`"):
        ks.load_interpretation(tmp_path / "result.json")


def test_settings_of_every_kind_are_read(ellipse, tmp_path):
    from keras_symgrad.search.core.provenance import recorded

    weighed = ks.Complexity(operators={"sin": 3})
    given = {
        "model": "a 'b'.keras",
        "x": np.zeros((2, 2)),
        "near": {"x1": 0.5, "petal length (cm)": -1.0},
        "unit": (1, 0),
        "sampling": ks.Sampling(delta=None, smoothing=1.5),
        "search": ks.Search(stopping=ks.Stopping(5.0), complexity=weighed),
        "priors": ks.Priors(
            symmetries=[ks.Even("x1"), ks.Exchange("x1", "x2")],
            dimensions={"petal length (cm)": "cm"},
        ),
        "operators": ks.OperatorSet("add, mul"),
    }
    content = {**ellipse.to_dict(), "settings": recorded(given)}
    (tmp_path / "result.json").write_text(json.dumps(content))
    again = ks.load_interpretation(tmp_path / "result.json")
    assert json.dumps(again.settings) == json.dumps(content["settings"])
    names = {"x": "x", "complexity": weighed}
    asked = eval(again.call, {"ks": ks, "interpret": lambda *_, **options: options, **names})
    assert vars(asked["sampling"]) == vars(given["sampling"])
    assert asked["search"] == given["search"]
    assert asked["priors"].symmetries == given["priors"].symmetries
    assert asked["priors"].dimensions == given["priors"].dimensions
    assert asked["near"] == given["near"]
    assert asked["unit"] == (1, 0) and tuple(asked["operators"]) == ("add", "mul")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("hello", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "Expected names with values"),
        ("{}", "'keras-symgrad result' at `format`. Received: nothing"),
        ('{"seed": ' + "9" * 5000 + "}", "no JSON"),
        ("\xff", "no JSON"),
    ],
)
def test_a_file_that_is_no_record_is_refused(text, message, tmp_path):
    (tmp_path / "result.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as raised:
        ks.load_interpretation(tmp_path / "result.json")
    assert len(str(raised.value).splitlines()) == 1


def test_a_missing_or_a_huge_file_is_refused_before_it_is_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file at: .*none.json"):
        ks.load_interpretation(tmp_path / "none.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(2**30)  # no bytes on the disk
    with pytest.raises(ValueError, match="64 MB at most. Received: .* of 1024 MB"):
        ks.load_interpretation(tmp_path / "huge.json")


def test_every_entry_of_a_file_is_documented(concept, project):
    text = (project / "docs" / "files.md").read_text()
    entries = set(concept.to_dict())
    for part in ("rule", "phi", "value", "surface"):
        entries |= set(concept.to_dict()[part] or ())
    assert [name for name in sorted(entries) if f"`{name}`" not in text] == []
