"""Fidelity: what a formula explains beside what needs no formula."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.formulas import Fidelity


def test_r2_of_values_is_that_of_scikit_learn():
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    network = rng.normal(size=200)
    formula = network + rng.normal(0, 0.3, 200)
    found = Fidelity.of_values(network, formula)
    assert found.formula == pytest.approx(r2_score(network, formula), rel=1e-12)
    assert (found.metric, found.majority, found.rows) == ("R2", 0.0, 200)


def test_where_a_formula_has_no_value_it_explains_nothing():
    network = np.array([0.0, 1.0, 2.0, 3.0])
    assert Fidelity.of_values(network, np.full(4, np.nan)).formula == 0
    assert Fidelity.of_values(network, np.array([0, 1, np.inf, 3])).formula == pytest.approx(0.95)
    # Rows where the network has none do not count.
    assert Fidelity.of_values(np.append(network, np.nan), np.arange(5.0)).rows == 4


def test_agreement_with_nearly_always_no_explains_little():
    network = np.arange(100) < 5
    nearly = Fidelity.of_decisions(network, np.zeros(100, bool))
    assert (nearly.formula, nearly.majority, nearly.explained) == (0.95, 0.95, 0.0)
    assert Fidelity.of_decisions(network, np.arange(100) < 4).explained == pytest.approx(0.8)
    assert Fidelity.of_decisions(network, network).explained == 1.0
    # Where there is one answer only, a formula that gives it explains nothing.
    assert Fidelity.of_decisions(network | True, network | True).explained == 0.0


def test_the_text_says_what_was_counted_and_what_simple_models_reach():
    text = str(Fidelity("agreement", 0.8203, 0.551, 2000, linear=0.8, tree=0.7552))
    assert text == (
        "agreement 82.0 % of 2,000 held-out rows "
        "(logistic model 80.0 %, tree of depth 3 75.5 %, majority 55.1 %)"
    )
    assert str(Fidelity("R2", 0.9, 0.0, 10)) == "R2 0.900 on 10 held-out rows"


def test_a_fidelity_is_read_back_and_those_of_files_without_references_too():
    fidelity = Fidelity("R2", 0.9, 0.0, 10, linear=0.5, tree=None)
    assert Fidelity.from_dict(fidelity.to_dict()) == fidelity
    old = {"metric": "agreement", "value": 0.97, "baseline": 0.6, "rows": 400}
    assert Fidelity.from_dict(old) == Fidelity("agreement", 0.97, 0.6, 400)
    with pytest.raises(ValueError, match="metric"):
        Fidelity.from_dict(old | {"metric": "beauty"})
