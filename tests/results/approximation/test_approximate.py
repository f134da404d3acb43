"""Approximations of networks without a formula, judged on rows that they never saw."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.results.approximation.accounts import accounts
from keras_symgrad.results.approximation.steps import FitRows

pytestmark = pytest.mark.slow

OPERATORS = OperatorSet("default") + ["relu", "tanh"]
# The search has little to try; what it finds is one account among others.
FEW = ["polynomial", "relu", "sin"]
SHORT = ks.Search(methods="dictionary", stopping=ks.Stopping(generations=1))


def wave(x: np.ndarray) -> np.ndarray:
    """Additive, with a hinge and an interaction; no short formula is exact."""
    bends = np.sin(1.3 * x[:, 0] + 0.2 * x[:, 0] ** 3) + 1.5 * np.abs(x[:, 1] - 0.4)
    return bends + x[:, 2] * x[:, 3] + 0.3 * np.sin(9 * x[:, 2]) + 0.8 * (x[:, 4] > 0)


def table(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    x[:, 4] = rng.random(rows) < 0.4
    return x


def fitted(function, x: np.ndarray, *, decides: bool, budget: float = 59):
    discrete = np.array([len(set(column)) <= 12 for column in x.T])
    rows = FitRows.of(x, function(x), function, discrete)
    complexity = Complexity().over(OPERATORS)
    return accounts(rows, complexity, OPERATORS, decides=decides, budget=budget)


def sums(account, x: np.ndarray) -> np.ndarray:
    return np.column_stack([term.values(x) for term in account.terms]) @ account.coefficients


def r2(account, x: np.ndarray) -> float:
    """Of the best straight line, on new points: less than that of phi."""
    return float(np.corrcoef(sums(account, x), wave(x))[0, 1] ** 2)


def test_accounts_grow_more_faithful_and_beat_linear_models_and_trees():
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    known, fresh = table(600, 0), table(3000, 1)
    found, chosen = fitted(wave, known, decides=False)
    best = found[chosen]
    models = (LinearRegression(), DecisionTreeRegressor(max_depth=3, random_state=0))
    simple = max(m.fit(known, wave(known)).score(fresh, wave(fresh)) for m in models)
    assert r2(best, fresh) > simple + 0.2 and r2(best, fresh) > 0.9
    costs, merits = [one.cost for one in found], [one.merit for one in found]
    assert costs == sorted(costs) and merits == sorted(merits)
    # Sizes are judged by rows that terms were not selected on.
    assert best.score == pytest.approx(r2(best, fresh), abs=0.08)


def test_noise_columns_and_a_random_target_are_not_explained():
    rng = np.random.default_rng(3)
    labels = dict(enumerate(rng.normal(size=200)))
    x = table(200, 2)
    discrete = np.zeros(6, bool)
    rows = FitRows.of(x, np.array(list(labels.values())), None, discrete)
    complexity = Complexity().over(OPERATORS)
    found, chosen = accounts(rows, complexity, OPERATORS, decides=False, budget=59)
    assert found[chosen].score < 0.1


def test_a_linear_model_of_many_inputs_is_an_account_whatever_it_costs():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(200, 40)), rng.normal(size=40)
    rows = FitRows.of(x, x @ weights, None, np.zeros(40, bool))
    complexity = Complexity().over(OPERATORS)
    found, chosen = accounts(rows, complexity, OPERATORS, decides=False, budget=59)
    best = found[chosen]
    assert all(one.is_linear for one in best.terms) and best.cost > 59 and best.score > 0.98


def test_what_is_chosen_is_as_faithful_as_a_linear_model_of_all_columns():
    from sklearn.linear_model import LinearRegression

    def network(x):
        return x @ np.array([3, 2.5, 2, 1.5, 1, 0.7, 0.35, 0.25]) + 0.3 * np.sin(5 * x[:, 0])

    rng = np.random.default_rng(0)
    known, fresh = rng.normal(size=(250, 8)), rng.normal(size=(3000, 8))
    found, chosen = fitted(network, known, decides=False)
    linear = LinearRegression().fit(known, network(known)).score(fresh, network(fresh))
    alike = np.corrcoef(sums(found[chosen], fresh), network(fresh))[0, 1] ** 2
    assert alike > linear - 0.003
    # A shorter one is within the distance of the most faithful one, and behind the linear model.
    shorter = [one for one in found[:chosen] if one.merit > found[-1].merit - 0.005]
    assert shorter


def test_inputs_of_equal_weight_share_a_coefficient_that_is_counted_once():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 14))
    weights = np.repeat([1.0, -1.0, 0.4], [6, 4, 4])
    found, chosen = fitted(lambda points: points @ weights, x, decides=False)
    best = found[chosen]
    assert len(best.terms) == 14 and best.score > 0.998
    # Fourteen inputs, thirteen signs, and one number with its times.
    complexity = Complexity().over(OPERATORS)
    assert best.cost == 27 + complexity.constant + complexity.of_node("mul")


def test_decisions_are_divided_where_the_network_divides_them():
    def disc(x):
        return 6 * (1.5 - x[:, 0] ** 2 - 0.5 * x[:, 1] ** 2) * (1 + x[:, 2] ** 2)

    known, fresh = table(500, 0), table(3000, 1)
    found, chosen = fitted(disc, known, decides=True)
    best = found[chosen]
    decided = sums(best, fresh) > best.threshold
    assert np.mean(decided == (disc(fresh) > 0)) > 0.97


def test_a_step_stays_among_the_data_and_changes_a_category_as_a_whole():
    x = table(300, 0)
    rows = FitRows.of(x, wave(x), wave, np.arange(6) == 4)
    ends = rows.points[300:]
    assert (ends.min(axis=0) >= x.min(axis=0)).all() and (ends.max(axis=0) <= x.max(axis=0)).all()
    assert set(ends[:, 4]) == {0.0, 1.0}
    np.testing.assert_allclose(rows.values, wave(rows.points))


@pytest.fixture(scope="module")
def approximated():
    def network(x):
        x = tf.cast(x, tf.float64)
        bends = tf.sin(1.3 * x[:, 0] + 0.2 * x[:, 0] ** 3) + 1.5 * tf.abs(x[:, 1] - 0.4)
        bends += x[:, 2] * x[:, 3] + 0.3 * tf.sin(9 * x[:, 2])
        return bends + 0.8 * tf.cast(x[:, 4] > 0, tf.float64)

    neuron = ks.Neuron("wave", network, inputs=6)
    return ks.interpret(neuron, table(800, 0), operators=FEW, search=SHORT, verbose=False)


def test_where_no_formula_fits_the_answer_is_an_approximation_with_its_number(approximated):
    assert approximated.matches == "approximation"
    fidelity = approximated.fidelity
    assert fidelity.metric == "R2" and fidelity.rows == 160
    fresh = table(3000, 1)
    found = approximated.phi(approximated.best(fresh))
    true = float(1 - np.var(wave(fresh) - found) / np.var(wave(fresh)))
    assert true == pytest.approx(fidelity.formula, abs=0.06)
    assert true > max(fidelity.linear, fidelity.tree) + 0.1
    assert "an approximation" in approximated.headline and str(fidelity) in str(approximated)


def test_the_front_names_the_simplest_formula_of_a_fidelity(approximated):
    front = approximated.front
    wanted = front.for_fidelity(0.8)
    simpler = [row for row in front if row.complexity < wanted.complexity]
    assert wanted.fidelity.formula >= 0.8
    assert all(row.fidelity.formula < 0.8 for row in simpler)
    assert front.for_fidelity(1.0) is None
    with pytest.raises(ValueError, match="Received: fidelity=95"):
        front.for_fidelity(95)


def test_an_approximation_is_saved_reported_and_made_a_layer(approximated, tmp_path):
    again = ks.load_interpretation(approximated.save(tmp_path / "wave.json"))
    assert str(again.front) == str(approximated.front)
    assert again.front.best.fidelity == approximated.fidelity == again.fidelity
    x = table(50, 5).astype(np.float32)
    layer = approximated.best.to_layer()
    np.testing.assert_allclose(np.ravel(layer(x)), approximated.best(x), rtol=1e-3, atol=1e-3)
    text = approximated.report(tmp_path / "wave.html").read_text()
    assert "tree of depth 3" in text and approximated.front.best.fidelity.shown in text


def test_a_formula_that_is_what_the_network_computes_stays_a_concept():
    def ring(x):
        return tf.sqrt(1 + x[:, 0] ** 2 + 2 * x[:, 1] ** 2)

    neuron, x = ks.Neuron("ring", ring, inputs=3), table(500, 0)[:, :3]
    concept = ks.interpret(neuron, x, search=SHORT, verbose=False)
    assert concept.matches == "concept" and concept.front.chosen is None
    assert concept.best.complexity < 10 and concept.fidelity.formula > 0.97
