"""Results are values: they are copied, pickled, compared, and take points by name."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import sympy

from keras_symgrad import Search
from keras_symgrad.api import interpret, load_interpretation
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.formulas import Formula
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.core import Stopping

QUICK = {"search": Search(methods=("dictionary",), stopping=Stopping(3)), "verbose": False}
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
