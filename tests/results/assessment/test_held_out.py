"""References on held-out data rows are those of scikit-learn, fitted to the network's outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from keras_symgrad import Search, interpret
from keras_symgrad.formulas import MonotoneFit
from keras_symgrad.gradients import GradientField, Reading
from keras_symgrad.gradients.reading import split
from keras_symgrad.neurons import Neuron
from keras_symgrad.results.assessment import HeldOutRows
from keras_symgrad.results.assessment.held_out import predictions

POINTS = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 10, 0.1]


def network(x):
    return x[:, 0] + 0.02 * x[:, 1] ** 2 - 1 + 3 * x[:, 2]


def held_out(
    *, decides: bool, points: np.ndarray = POINTS, function: Callable = network
) -> tuple[HeldOutRows, np.ndarray]:
    neuron = Neuron("some", function, inputs=3, is_classifier=decides)
    shown, kept = split(points, seed=0)
    field = GradientField.from_neuron(neuron, shown, seed=0)
    reading = Reading(field, field, neuron, shown, kept)
    return HeldOutRows.of(reading, *field.split()), shown


def test_a_column_that_is_zero_on_all_training_rows_is_no_obstacle():
    rng = np.random.default_rng(0)
    train = np.column_stack([rng.normal(size=60), np.zeros(60)])
    points = train + [0, 3]
    linear, tree = predictions(train, 2 * train[:, 0], points, seed=0)
    np.testing.assert_allclose(linear, 2 * train[:, 0])
    assert np.corrcoef(tree, linear)[0, 1] > 0.9


def test_of_fewer_than_ten_rows_no_fidelity_is_called_held_out():
    x = np.random.default_rng(0).uniform(0.5, 2, (8, 2))
    neuron = Neuron("product", lambda x: x[:, 0] * x[:, 1], inputs=2)
    search = Search(methods="dictionary", max_complexity=5)
    concept = interpret(neuron, x, search=search, operators="arithmetic", verbose=False)
    assert not concept.fidelity.held_out
    assert f"{len(x)} rows that it was fitted to" in str(concept)


def test_values_are_compared_with_a_linear_model_and_a_tree():
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.tree import DecisionTreeRegressor

    found, shown = held_out(decides=False)
    fresh, true = found.rows.points, network(found.rows.points)
    linear = LinearRegression().fit(shown, network(shown)).predict(fresh)
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(shown, network(shown))
    assert found.linear == pytest.approx(r2_score(true, linear), abs=1e-3)
    assert found.tree == pytest.approx(r2_score(true, tree.predict(fresh)), abs=1e-3)
    assert not {tuple(row) for row in fresh} & {tuple(row) for row in shown}


def test_decisions_are_compared_with_a_logistic_model_a_tree_and_the_majority():
    from sklearn.tree import DecisionTreeClassifier

    found, shown = held_out(decides=True)
    fresh = found.rows.points
    yes = network(fresh) > 0
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(shown, network(shown) > 0)
    fidelity = found.fidelity(found.rows.values)
    assert fidelity.metric == "agreement" and fidelity.formula == 1.0
    assert fidelity.majority == max(yes.mean(), 1 - yes.mean())
    assert fidelity.tree == pytest.approx(np.mean(tree.predict(fresh) == yes), abs=1e-9)
    assert fidelity.majority < fidelity.linear < 1


def test_a_network_that_always_says_yes_is_compared_by_its_values():
    found, _ = held_out(decides=True, function=lambda x: 2 + 0.1 * x[:, 0])
    assert found.fidelity(found.rows.values).metric == "R2"


def test_columns_of_any_size_and_constant_ones_have_references():
    points = POINTS.copy()
    points[:, 1] = 7.0
    found, _ = held_out(decides=False, points=points)
    assert found.linear == pytest.approx(1.0, abs=1e-5)


def test_phi_that_must_be_zero_somewhere_is_monotone_and_zero_there():
    rng = np.random.default_rng(0)
    g = rng.normal(size=500)
    f = g + 0.3 + 0.5 * rng.normal(size=500)
    phi = MonotoneFit.smooth(g, f, zero=0.1)
    assert phi.preimage(0.0) == pytest.approx(0.1)
    assert (np.diff(phi.values) >= 0).all() and (np.diff(phi.knots) > 0).all()
    assert (phi(g[g > 0.1]) >= 0).all() and (phi(g[g < 0.1]) <= 0).all()
