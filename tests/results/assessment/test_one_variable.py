"""Neurons of one variable: values decide, for directions are signs."""

import numpy as np
import pytest
import sympy
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.gradients.reading import Reading
from keras_symgrad.results.assessment.one_variable import Graph

QUICK = {"search": ks.Search(methods=("dictionary",)), "time_limit": 5, "verbose": False}
x1 = sympy.Symbol("x1", real=True)


def points(rows: int = 600) -> np.ndarray:
    return np.random.default_rng(0).uniform(-2, 2, (rows, 1))


def read(function, decides: bool = False, x: np.ndarray | None = None, **options):
    neuron = ks.Neuron("f", function, inputs=1 if x is None else x.shape[1], is_classifier=decides)
    return ks.interpret(neuron, points() if x is None else x, **QUICK | options)


@pytest.mark.slow
def test_a_monotone_neuron_is_told_by_its_values():
    # By directions alone exp(x) and x are one concept.
    concept = read(lambda x: 3 * tf.exp(x[:, 0]) + 1)
    assert concept.best.expression == sympy.exp(x1)
    assert concept.matches == "concept"
    assert concept.fidelity.metric == "R2" and concept.fidelity.formula > 0.9999
    assert "in one dimension a direction is a sign" in str(concept)
    assert "|cos|" not in str(concept)


@pytest.mark.slow
def test_the_value_in_closed_form_is_the_neurons():
    concept = read(lambda x: 3 * x[:, 0] ** 2 - 6 * x[:, 0] + 1)
    x = points(50)
    np.testing.assert_allclose(
        concept.value.value(x), 3 * x[:, 0] ** 2 - 6 * x[:, 0] + 1, atol=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("frequency", [1.0, 2.0])
def test_a_sine_has_its_frequency(frequency):
    guess = f"sin({frequency}*x1)"
    concept = read(lambda x: tf.sin(frequency * x[:, 0]), priors=ks.Priors(guesses=[guess]))
    x = points(200)
    apart = concept.best(x) / concept.best(x).std() - np.sin(frequency * x[:, 0]) / np.std(
        np.sin(frequency * x[:, 0])
    )
    assert np.abs(apart).max() < 1e-2


@pytest.mark.slow
def test_what_no_formula_has_is_no_concept():
    weights = np.random.default_rng(1).normal(size=(2, 30)).astype("float32") * [[4.0], [3.0]]
    concept = read(lambda x: tf.reduce_sum(tf.sin(x * weights[0] + weights[1]), axis=1))
    assert concept.matches != "concept"


@pytest.mark.slow
def test_a_classifier_of_one_variable_gives_its_thresholds_and_no_more():
    concept = read(lambda x: 9 * (0.49 - x[:, 0] ** 2), decides=True)
    assert concept.matches == "boundary"
    assert concept.rule.agreement > 0.99
    inside = np.array([[-0.6], [0.0], [0.6]])
    outside = np.array([[-0.8], [0.8], [1.9]])
    assert concept.rule.decides(inside).all() and not concept.rule.decides(outside).any()


@pytest.mark.slow
def test_a_monotone_classifier_is_a_threshold():
    concept = read(lambda x: 5 * tf.tanh(x[:, 0] - 0.3), decides=True)
    assert concept.best.expression == x1


@pytest.mark.slow
def test_constant_columns_leave_one_variable():
    x = np.column_stack([points()[:, 0], np.full(600, 3.0)])
    concept = read(lambda x: tf.exp(x[:, 0]) + 0 * x[:, 1], x=x)
    assert concept.best.expression == sympy.exp(x1)


@pytest.mark.slow
def test_gradients_from_elsewhere_need_values():
    x = points()
    field = ks.GradientField.from_gradients(x, np.exp(x))
    with pytest.raises(ValueError, match="In one dimension a direction is a sign.*Received: "):
        ks.interpret(field, **QUICK)
    field = ks.GradientField.from_gradients(x, np.exp(x), values=np.exp(x[:, 0]))
    assert ks.interpret(field, **QUICK).best.expression == sympy.exp(x1)


def test_several_variables_have_no_graph():
    x = np.random.default_rng(0).uniform(size=(50, 2))
    assert Graph.of(Reading.of_field(ks.GradientField.from_gradients(x, x))) is None


@pytest.mark.slow
def test_a_result_of_one_variable_is_kept_and_drawn(tmp_path):
    concept = read(lambda x: tf.exp(x[:, 0]))
    concept.report(tmp_path / "result.html")
    again = ks.load_interpretation(concept.save(tmp_path / "result.json"))
    assert again.matches == "concept" and again.best.expression == concept.best.expression
