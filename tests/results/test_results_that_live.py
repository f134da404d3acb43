"""Results are values: they are copied, pickled, compared, and take points by name."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import sympy
import tensorflow as tf

from keras_symgrad import Search
from keras_symgrad.api import interpret, load_interpretation
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.formulas import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search.core import Stopping

QUICK = {"search": Search(methods="dictionary", stopping=Stopping(3)), "verbose": False}
rng = np.random.default_rng(0)
X = rng.uniform(0.5, 2, (400, 2))


@pytest.fixture(scope="module")
def concept():
    entry = keras.Input((2,))
    dense = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")
    model = keras.Model(entry, dense(2 * entry[:, :1] * entry[:, 1:] - 3.0), name="net")
    return interpret(model, X, names=["a", "b"], **QUICK)


def test_a_result_that_was_used_is_pickled_and_copied(concept):
    concept.best(X), concept.rule.decides(X)
    for again in (pickle.loads(pickle.dumps(concept)), copy.deepcopy(concept)):
        assert again == concept and hash(again) == hash(concept)
        np.testing.assert_array_equal(again.best(X), concept.best(X))
        np.testing.assert_array_equal(again.gradients.points, concept.gradients.points)
        assert again.plot().axes
    assert copy.deepcopy(concept).network is concept.network
    assert pickle.loads(pickle.dumps(concept)).network is None


def test_a_result_equals_the_one_that_was_saved_and_no_other(concept, tmp_path):
    again = load_interpretation(concept.save(tmp_path / "result.json"))
    assert again.front == concept.front and again.best == concept.best and again.phi == concept.phi
    other = interpret(GradientField.from_gradients(X, X, names=["a", "b"]), **QUICK)
    assert other != concept and other.front != concept.front and concept != "net"


def test_its_repr_is_one_short_line(concept):
    assert repr(concept).startswith("Interpretation('net/logit': ")
    assert "\n" not in repr(concept) and len(repr(concept)) < 120


def test_it_predicts_and_decides_as_the_network_does(concept):
    logit = 2 * X[:, 0] * X[:, 1] - 3
    near = np.abs(logit) < 2
    np.testing.assert_allclose(concept.predict(X)[near], logit[near], atol=0.1)
    assert np.mean(concept.decide(X) == (logit > 0)) > 0.98
    assert concept.predict([1.0, 1.5]) == pytest.approx(0, abs=0.1)


def test_columns_are_taken_by_name_and_other_widths_are_refused(concept):
    frame = pd.DataFrame({"other": 0.0, "b": X[:, 1], "a": X[:, 0]})
    np.testing.assert_array_equal(concept.best(frame), concept.best(X))
    np.testing.assert_array_equal(concept.rule.decides(frame), concept.rule.decides(X))
    np.testing.assert_array_equal(concept.predict(dict(frame)), concept.predict(X))
    assert (
        concept.best({"a": 1.0, "b": 2.0})
        == concept.best([1.0, 2.0])
        == concept.best([[1.0, 2.0]])[0]
    )
    with pytest.raises(ValueError, match="have no a, but: b"):
        concept.best(frame[["b"]])
    for width in (1, 3):
        with pytest.raises(ValueError, match="takes points of 2 columns: a, b"):
            concept.best(np.zeros((4, width)))


def test_sympy_goes_on_with_plain_symbols(concept):
    a, b = concept.best.symbols
    assert (a, b) == sympy.symbols("a b")
    assert sympy.diff(concept.best.to_sympy(), a) != 0


def test_a_front_is_a_table(concept):
    table = concept.front.to_dataframe()
    assert len(table) == len(concept.front) and table["best"].sum() == 1
    assert list(table["complexity"]) == sorted(table["complexity"])


@pytest.mark.parametrize("names", [["\u00b5", "\u03bc"], ["\u212b", "\u00c5"], ["e\u0301", "x"]])
def test_names_that_python_reads_as_others_survive_text_and_json(names):
    one, other = (sympy.Symbol(name, real=True) for name in names)
    formula = Formula(one**2 + 3 * one * other, 9, 0.0, tuple(names))
    again = Formula.from_json(formula.to_json())
    np.testing.assert_array_equal(again(X), X[:, 0] ** 2 + 3 * X[:, 0] * X[:, 1])
    assert from_text(formula.to_text(), names) == formula.expression


def test_a_name_that_python_reads_as_another_is_known_without_quotation_marks():
    assert from_text("2*\u00b5", ["\u00b5"]) == 2 * sympy.Symbol("\u00b5", real=True)
    for name in ("\u00b5", "\u03bc"):
        assert from_text(name, ["\u00b5", "\u03bc"]) == sympy.Symbol(name, real=True)


def test_another_row_is_assessed_anew(concept):
    """The truth is a*b; a alone is right about 80 % of the time, and says so."""
    alone = Formula(sympy.Symbol("a", real=True), 1, 0.2, ("a", "b"))
    concept = replace(concept, front=ParetoFront([alone, *concept.front], concept.front.floor))
    chosen = concept.choose(0)
    assert chosen.front.best == alone and chosen.front.picked == 0
    assert chosen.matches == "nothing"
    truth = 2 * X[:, 0] * X[:, 1] > 3
    assert chosen.fidelity.formula < 0.95
    assert chosen.rule.agreement == pytest.approx(np.mean(chosen.decide(X) == truth), abs=0.1)
    assert chosen.rule.formula == chosen.best and chosen.rule.text != concept.rule.text
    # The gradient of a*b is (b, a), at an angle to that of a whose cosine is b/sqrt(a^2 + b^2).
    at = chosen.gradients.points
    angle = np.degrees(np.arccos(np.mean(at[:, 1] / np.hypot(at[:, 0], at[:, 1]))))
    assert chosen.angle == pytest.approx(angle, abs=4)
    assert "picked: row" in str(chosen)
    # It is counted on half of the held-out rows.
    assert chosen.holds.measure == "decision"
    assert chosen.holds.near == pytest.approx(np.mean(chosen.decide(X) == truth), abs=0.2)
    assert concept.front.picked is None and concept.matches == "concept"


def test_the_chosen_row_itself_keeps_its_class_by_evidence_of_its_own(concept):
    for row in (concept.best, concept.front.best):
        again = concept.choose(row)
        assert again.best.expression == concept.best.expression
        assert again.matches == "concept" and again.rule.agreement > 0.98


def test_a_row_that_the_search_did_not_trust_is_no_concept(concept):
    trusted = [row for row in concept.front if row is not concept.front.best]
    front = ParetoFront(list(concept.front), concept.front.floor, trusted)
    doubted = replace(concept, front=front)
    number = list(front).index(concept.front.best)
    assert doubted.choose(number).matches == "approximation"


@pytest.mark.parametrize("row", [99, -99, True, 1.5, "x1", None, [0]])
def test_what_is_no_row_is_refused(concept, row):
    with pytest.raises(ValueError, match=r"takes the number of a row of the front, 0 to \d+"):
        concept.choose(row)


def test_a_formula_from_elsewhere_is_refused(concept):
    a = sympy.Symbol("a", real=True)
    with pytest.raises(ValueError, match="or a formula of it"):
        concept.choose(Formula(a**7, 3, 0.0, ("a", "b")))


def test_a_row_of_one_variable_is_assessed_by_its_values(tmp_path):
    x = np.linspace(0, 2, 400)[:, None]
    neuron = Neuron("sine", lambda x: tf.sin(3 * x[:, 0]), inputs=1)
    found = interpret(neuron, x, operators="default", **QUICK)
    assert found.matches == "concept"
    again = load_interpretation(found.save(tmp_path / "sine.json"))
    for result in (found, again):
        chosen = result.choose(0)
        line = np.polyfit(chosen.best(x), np.sin(3 * x[:, 0]), 1)
        left = np.sin(3 * x[:, 0]) - np.polyval(line, chosen.best(x))
        r2 = 1 - left.var() / np.sin(3 * x[:, 0]).var()
        assert chosen.fidelity.formula == pytest.approx(r2, abs=0.1)
        assert chosen.matches != "concept"


def test_a_choice_is_made_in_units_of_the_columns_own():
    x = np.column_stack([rng.uniform(1, 2, 800) * 1e-6, 1e6 + rng.uniform(-1, 1, 800)])
    neuron = Neuron(
        "scaled",
        lambda x: (x[:, 0] * 1e6) ** 2 + 2 * (x[:, 1] - 1e6) ** 2 - 2,
        inputs=2,
        is_classifier=True,
        dtype="float64",
    )
    found = interpret(neuron, x, operators="polynomial", **QUICK)
    again = found.choose(found.best)
    assert found.matches == again.matches == "concept"
    assert again.rule.threshold == pytest.approx(2, rel=1e-3)
    assert found.choose(0).matches == "nothing"


@pytest.mark.parametrize(
    "names", [["\u00b5", "\u03bc"], ["\u2126", "\u00c5"], ["e\u0301", "\u00e9"]]
)
def test_a_result_with_such_names_is_saved_copied_and_asked_by_name(names, concept, tmp_path):
    frame = pd.DataFrame(X, columns=names)
    product = Formula(
        sympy.Mul(*(sympy.Symbol(name, real=True) for name in names)), 3, 0.0, tuple(names)
    )
    neuron = Neuron("p", lambda x: x[:, 0] * x[:, 1] - 1.5, inputs=2, is_classifier=True)
    found = interpret(neuron, frame, operators="polynomial", **QUICK)
    assert found.names == tuple(names)
    saved = load_interpretation(found.save(tmp_path / "names.json"))
    for again in (saved, pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert again == found
        np.testing.assert_array_equal(again.predict(frame[names[::-1]]), found.predict(X))
        assert np.mean(again.decide(frame[names[::-1]]) == (product(X) > 1.5)) > 0.99
        assert again.decide(dict(zip(names, [2.0, 2.0]))) and not again.decide([0.5, 0.5])
