"""Regions of a network that was really trained to compute different things in different places."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import sympy
import tensorflow as tf
from matplotlib.figure import Figure

import keras_symgrad as ks
from keras_symgrad.engine import gradient

pytestmark = pytest.mark.slow

NAMES = ("x1", "x2", "x3")
X1, X2, X3 = sympy.symbols("x1 x2 x3", real=True)
FRESH = np.random.default_rng(7).uniform(-2, 2, (20_000, 3))


@pytest.fixture(scope="module")
def concept(models):
    """The network computes x1*x2 where x3 > 0, and x1 + x2**2 elsewhere."""
    return ks.interpret(
        models / "switch.keras",
        models / "switch.csv",
        sampling=ks.Sampling(rows=1200),
        # Longer formulas would take long to be approximations.
        search=ks.Search(effort="quick", max_complexity=8),
        verbose=False,
    )


def test_both_formulas_and_the_switch_are_found(concept):
    assert len(concept.regions) == 2
    number = concept.regions.number_of(FRESH)
    for k, region in enumerate(concept.regions):
        inside = FRESH[number == k]
        is_product = np.mean(inside[:, 2] > 0) > 0.5
        truth = X1 * X2 if is_product else X1 + X2**2
        assert np.mean((inside[:, 2] > 0) == is_product) > 0.97
        one, other = (gradient(g, NAMES, inside) for g in (region.formula.expression, truth))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        assert np.mean(1 - np.abs(np.sum(one * other, axis=1)) / lengths) < 2e-3


def test_a_switch_ends_the_search_for_one_formula(concept):
    assert concept.stopped == "switch"


def test_shares_are_those_of_fresh_points(concept):
    number = concept.regions.number_of(FRESH)
    for k, region in enumerate(concept.regions):
        assert region.share == pytest.approx(np.mean(number == k), abs=0.08)
        assert 0.6 < region.explained <= 1
    assert concept.regions.unexplained < concept.regions.unexplained_by_one - 0.1


def test_values_are_the_networks_away_from_the_switch(concept, models):
    network = keras.saving.load_model(models / "switch.keras")
    away = FRESH[np.abs(FRESH[:, 2]) > 0.4].astype("float32")
    values = network.predict(away, verbose=0)[:, 0]
    off = np.mean((concept.regions(away) - values) ** 2) / np.var(values)
    assert off < 0.01


def test_the_fidelity_of_all_regions_is_that_on_fresh_points(concept, models):
    network = keras.saving.load_model(models / "switch.keras")
    values = network.predict(FRESH.astype("float32"), verbose=0)[:, 0]
    r2 = 1 - np.mean((concept.predict(FRESH) - values) ** 2) / np.var(values)
    assert concept.regions.fidelity.formula == pytest.approx(r2, abs=0.02)
    assert concept.fidelity.formula < r2 - 0.1


@pytest.mark.parametrize("smoothness", [0.0, 0.02])
def test_a_layer_and_python_compute_the_same(concept, smoothness):
    away = FRESH[np.abs(FRESH[:, 2]) > 0.3][:500]
    expected = concept.regions(away)
    layer = concept.regions.to_layer(smoothness)
    assert np.asarray(layer(away.astype("float32")))[:, 0] == pytest.approx(expected, abs=1e-2)
    space: dict = {}
    exec(concept.regions.to_formula(smoothness).to_python(), space)
    assert space["formula"](*away.T) == pytest.approx(expected, abs=1e-2)


def test_smooth_gates_add_up_to_one(concept):
    same = [
        dataclasses.replace(one, value=concept.best.rewritten(lambda _: sympy.Integer(3)))
        for one in concept.regions
    ]
    whole = dataclasses.replace(concept.regions, regions=tuple(same))
    assert whole.to_formula(0.3)(FRESH[:50]) == pytest.approx(np.full(50, 3.0))


def test_regions_are_printed_saved_and_reported(concept, tmp_path):
    text = str(concept)
    for region in concept.regions:
        assert f"where {region.where} (" in text
        assert str(region.matches) in text
    again = ks.load_interpretation(concept.save(tmp_path / "switch.json"))
    assert str(again.regions) == str(concept.regions)
    assert (again.regions(FRESH) == concept.regions(FRESH)).all()
    assert again.regions.fidelity == concept.regions.fidelity
    assert f"all regions: {concept.regions.fidelity}" in text
    # What is about the single formula comes after it.
    lines = [line.partition(":")[0] for line in text.splitlines()]
    assert lines.index("influence") < lines.index("region 1") < lines.index("single formula")
    assert lines.index("single formula") < lines.index("matches") < lines.index("fidelity")
    page = concept.report(tmp_path / "switch.html").read_text()
    assert page.index("A formula for each region") < page.index("A single formula for all the data")
    for region in concept.regions:
        assert str(region.where).replace("<", "&lt;").replace(">", "&gt;") in concept._repr_html_()
        assert (region.value or region.formula).to_latex() in concept._repr_markdown_()
    axes = ks.plots.regions(concept, Figure().add_subplot())
    assert sum(len(part.get_offsets()) for part in axes.collections) > 500


def test_a_negative_smoothness_is_refused(concept):
    with pytest.raises(ValueError, match="`smoothness` is the width.*Received: smoothness=-1"):
        concept.regions.to_formula(-1)


def test_a_network_with_one_concept_has_one_region(models):
    concept = ks.interpret(
        models / "A1.keras",
        models / "A1.csv",
        search=ks.Search(methods="dictionary"),
        time_limit=2,
        verbose=False,
    )
    assert len(concept.regions) == 1
    assert concept.regions[0].where.is_everywhere
    assert "region 1" not in str(concept)


def test_a_classifier_that_passes_smoothly_from_one_formula_to_the_other_has_two_regions():
    def network(x):
        # A part of its boundary runs along the switch, where neither formula decides alone.
        gate = tf.sigmoid(8 * x[:, 2])
        inside = x[:, 0] * x[:, 1] - 0.5
        return 8 * (gate * inside + (1 - gate) * (x[:, 0] + x[:, 1] ** 2 - 1))

    concept = ks.interpret(
        ks.Neuron("gated", network, inputs=3, is_classifier=True),
        np.random.default_rng(3).uniform(-2, 2, (3000, 3)),
        names=NAMES,
        sampling=ks.Sampling(rows=1200),
        search=ks.Search(effort="quick", max_complexity=8),
        verbose=False,
    )
    assert len(concept.regions) == 2
    number, is_product = concept.regions.number_of(FRESH), FRESH[:, 2] > 0
    for k in range(2):
        # The threshold is where the decisions change, within 3 % of the range.
        assert min(np.mean(is_product[number == k]), np.mean(~is_product[number == k])) < 0.06
    decides = np.asarray(network(FRESH)) > 0
    assert np.mean(concept.decide(FRESH) == decides) > 0.93


def test_the_formula_of_several_levels_does_not_depend_on_which_of_them_it_is():
    """On the rows of two levels the sum of their columns is 1, and no data move along it."""

    def network(x):
        a, b, north, south, east, west = (x[:, k] for k in range(6))
        return north * a * b + south * (a + b**2) + (east + west) * (a - b / 2)

    rng = np.random.default_rng(5)
    x = np.column_stack([rng.uniform(-2, 2, (4000, 2)), np.eye(4)[rng.integers(0, 4, 4000)]])
    concept = ks.interpret(
        ks.Neuron("levels", network, inputs=6),
        x,
        names=["a", "b", *(f"side_{level}" for level in ("north", "south", "east", "west"))],
        sampling=ks.Sampling(rows=1200),
        search=ks.Search(effort="quick", max_complexity=8),
        verbose=False,
    )
    assert [str(region.where) for region in concept.regions][0] == "side in {east, west}"
    assert len(concept.regions) == 3
    for region in concept.regions:
        assert region.matches == "concept"
        assert {symbol.name for symbol in region.formula.expression.free_symbols} <= {"a", "b"}
    # The category is drawn as one input of four levels.
    axes = ks.plots.regions(concept, Figure().add_subplot())
    assert axes.get_xlabel() == "side" and axes.get_ylabel() in ("a", "b")
    assert [text.get_text() for text in axes.get_xticklabels()] == [
        "north",
        "south",
        "east",
        "west",
    ]
    for drawn, region in zip(axes.collections, concept.regions):
        levels = {axes.get_xticklabels()[round(at)].get_text() for at in drawn.get_offsets()[:, 0]}
        assert all(level in str(region.where) for level in levels)
    assert concept.regions.fidelity.formula > 0.999


def test_a_region_has_the_simplest_formula_that_is_as_faithful():
    """Near a smooth switch gradients bend, and formulas that follow them are longer."""

    def network(x):
        gate = tf.sigmoid(4 * x[:, 2])
        return gate * x[:, 0] * x[:, 1] + (1 - gate) * (x[:, 0] + x[:, 1] ** 2)

    concept = ks.interpret(
        ks.Neuron("gated", network, inputs=3),
        np.random.default_rng(0).uniform(-2, 2, (3000, 3)),
        names=NAMES,
        sampling=ks.Sampling(rows=1200),
        search=ks.Search(effort="quick", max_complexity=8),
        verbose=False,
    )
    assert {str(region.formula) for region in concept.regions} == {"x1*x2", "x1 + x2**2"}
    assert all(region.matches == "approximation" for region in concept.regions)
    assert concept.regions.fidelity.formula > 0.9


def test_it_is_said_where_regions_are_not_looked_for():
    def network(x):
        return tf.where(x[:, 2] > 0, x[:, 0] * x[:, 1], x[:, 0] + x[:, 1] ** 2) + 0 * x[:, 12]

    concept = ks.interpret(
        ks.Neuron("wide", network, inputs=13),
        np.random.default_rng(0).uniform(-2, 2, (1500, 13)),
        sampling=ks.Sampling(rows=400),
        operators="polynomial",
        search=ks.Search(effort="quick", max_complexity=8),
        time_limit=3,
        verbose=False,
    )
    assert len(concept.regions) == 1 and not concept.regions.complete
    assert dict(concept.remarks)["regions"] == "they are not looked for among more than 12 inputs"
