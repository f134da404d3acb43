"""Files that version 0.1.0 wrote, before its modules were moved into folders, still open.

`tests/fixtures/before_the_move/make.py` wrote them.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.search.callbacks.checkpoint import SavedSearch

FILES = Path(__file__).parents[1] / "fixtures" / "before_the_move"
# Written down beside the making of the files, not read from them.
CONCEPT = "2*x1**2 + x2**2"
X = np.array([[0.5, -1.0], [1.0, 0.25], [-0.75, 0.5]])


def test_a_model_with_both_layers_loads_and_computes_what_it_computed():
    # The names that Keras knows the classes by are a part of the format.
    assert keras.saving.get_registered_name(ks.SymbolicLayer) == "keras_symgrad>SymbolicLayer"
    assert keras.saving.get_registered_name(ks.MonotoneLayer) == "keras_symgrad>MonotoneLayer"
    model = keras.models.load_model(FILES / "layers.keras")
    g = X[:, 0] ** 2 + 2.5 * np.sin(X[:, 1])
    # Slopes 1 up to g = 1 and 3 beyond it.
    wrapped = 5.0 + np.minimum(g, 1.0) + 3.0 * np.maximum(g - 1.0, 0.0)
    np.testing.assert_allclose(model.predict(X, verbose=0)[:, 0], wrapped, rtol=1e-5)


@pytest.mark.parametrize("name", ["neuron", "neuron_with_knowledge"])
def test_a_result_of_one_neuron_opens(name, tmp_path):
    found = ks.load_interpretation(FILES / f"{name}.json")
    assert isinstance(found, ks.Interpretation)
    np.testing.assert_allclose(found.best(X), 2 * X[:, 0] ** 2 + X[:, 1] ** 2)
    assert found.matches == "concept"
    assert found.rule.level.value == pytest.approx(2 / 3, rel=1e-6)
    assert found.best.to_text() == CONCEPT
    assert ks.load_interpretation(found.save(tmp_path / "again.json")).best.to_text() == CONCEPT


def test_what_the_user_knew_is_in_the_result():
    settings = ks.load_interpretation(FILES / "neuron_with_knowledge.json").settings
    assert settings["symmetries"] == ["Even('x1')"]
    assert settings["guesses"] == ["x1**2 + x2**2"]
    assert ks.Dimensions(settings["dimensions"]["variables"]).variables.keys() == {"x1", "x2"}


def asked_by(code: str, ks: object = ks) -> tuple[tuple, dict]:
    """Arguments that a call has; nothing is searched."""
    names = {"ks": ks, "interpret": lambda *given, **options: (given, options)}
    return eval(code, names | {"model": "model", "x": "x"})


def test_the_call_has_the_options_of_the_file_as_values():
    given, options = asked_by(ks.load_interpretation(FILES / "neuron_with_knowledge.json").call)
    assert given == ("model", "x")
    priors, sampling, search = (options.pop(name) for name in ("priors", "sampling", "search"))
    assert priors.symmetries == (ks.Even("x1"),)
    assert priors.constraints.to_dict()["forbidden"] == {"mul": ["mul"]}
    assert priors.dimensions.variables.keys() == {"x1", "x2"}
    assert tuple(priors.guesses) == ("x1**2 + x2**2",)
    assert vars(sampling) == vars(ks.Sampling(rows=200))
    assert search == ks.Search(methods="dictionary", workers=2)
    assert options == {"operators": "polynomial", "loss": "squared", "time_limit": 20}


def test_the_kind_and_the_signature_of_a_file_are_those_of_a_neuron(tmp_path):
    content = json.loads((FILES / "neuron.json").read_text())
    content["settings"] |= {"model": "saved", "unit": 0, "kind": "value", "signature": "serve"}
    (tmp_path / "neuron.json").write_text(json.dumps(content))
    code = ks.load_interpretation(tmp_path / "neuron.json").call
    of_neuron = SimpleNamespace(of=lambda *given, **options: (given, options))
    stand_in = SimpleNamespace(Neuron=of_neuron, Sampling=ks.Sampling, Search=ks.Search)
    (neuron, x), options = asked_by(code, stand_in)
    assert neuron == (("saved",), {"unit": 0, "kind": "value", "signature": "serve"})
    assert x == "x" and not {"unit", "kind", "signature"} & set(options)


def test_a_result_of_classes_opens():
    found = ks.load_interpretation(FILES / "classes.json")
    assert isinstance(found, ks.ClassInterpretation)
    assert len(found.classes) == 3
    for concept in found.pairs.values():
        np.testing.assert_allclose(concept.best(X), X[:, 0] + X[:, 1] ** 2)


def test_a_result_of_several_neurons_opens():
    found = ks.load_interpretation(FILES / "jointly.json")
    assert isinstance(found, ks.JointInterpretation)
    (concept,) = found.concepts
    np.testing.assert_allclose(concept.best(X), X[:, 0] * X[:, 1])


def test_a_formula_opens():
    formula = ks.Formula.from_json((FILES / "formula.json").read_text())
    np.testing.assert_allclose(formula(X), 2 * X[:, 0] ** 2 + X[:, 1] ** 2)


@pytest.fixture
def field() -> ks.GradientField:
    return ks.GradientField.load(FILES / "field.npz")


def test_a_gradient_field_opens(field):
    assert (len(field.points), tuple(field.names)) == (60, ("a", "b"))
    # 2 x (1, 2) and noise of 0.1: they point where the gradients of a^2 + 2 b^2 do.
    exact = field.directions_of(2 * field.points * [1, 2])
    assert np.median((exact * field.directions).sum(1)) > 0.99
    np.testing.assert_allclose(field.values, field.points**2 @ [1, 2])


@pytest.mark.parametrize("methods", ["trees", "features"])
def test_a_kept_search_is_taken_over_whole(methods, field):
    path = FILES / f"search_{methods}.json"
    kept = SavedSearch(path)
    few = ks.GeneticSettings(demes=2, population=8, offspring=8)
    alphabet = Alphabet(ks.OperatorSet("add, mul, square"), field.names)
    search = ks.PortfolioSearch(alphabet, kept.field(field), None, few, methods=(methods,), seed=5)
    kept.restore(search)
    state = json.loads(path.read_text())["state"]
    assert search.evaluations > 0
    assert [one.loss for one in search.archive] == [row[3] for row in state["collector"]["archive"]]
    # What it would write now is what it has read; the features had their counters beside them.
    (before,) = state["islands"]
    counters = {"evaluations": before["others"], "generation": before["generation"]}
    kept = {"features": before["features"], "trees": before["trees"]}[methods]
    (now,) = (json.loads(epoch.state) for epoch in search._ring)
    assert now["collector"] == before["collector"]
    assert kept.items() <= now["strategies"][methods].items()
    assert methods == "trees" or counters.items() <= now["strategies"]["features"].items()
