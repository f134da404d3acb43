"""Interactions, against functions whose mixed derivatives are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.api import interpret, load_interpretation
from keras_symgrad.neurons import Neuron
from keras_symgrad.results.assessment.influence import influences
from keras_symgrad.results.assessment.interactions import (
    Interaction,
    described_interactions,
    interactions,
)
from keras_symgrad.results.report import plots
from keras_symgrad.search import Search

R = np.random.default_rng(0)
X = R.normal(size=(3000, 4)) * [1.0, 100.0, 1e-3, 1.0]
NAMES = ("a", "b", "c", "d")


def found(function, x=X, names=NAMES):
    neuron = Neuron("net", function, inputs=len(names), dtype="float64")
    return interactions(neuron, x, names, influences(neuron, x, names))


def pairs(found) -> list[set[str]]:
    return [{one.first, one.second} for one in found]


def test_a_product_and_a_sum_have_one_pair():
    (one,) = found(lambda x: x[:, 0] * x[:, 1] + 3e4 * x[:, 2] + x[:, 3])
    assert {one.first, one.second} == {"a", "b"}
    assert one.share == 1
    # For independent normal columns E|D| = (2/sqrt(pi))^2 100, E|change of ab| = 2/pi sqrt(2) 100.
    total = 2 * (2 / np.pi * np.sqrt(2)) * 100 + 3e4 * 1e-3 * 1.128 + 1.128
    assert one.strength == pytest.approx(4 / np.pi * 100 / total, rel=0.08)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.exp(x[:, 0]) + tf.sin(x[:, 1] / 100) - x[:, 3] ** 3,
        lambda x: x[:, 0] - 0.01 * x[:, 1],
        lambda x: 5 + 0 * x[:, 0],
    ],
)
def test_a_sum_of_functions_of_one_input_has_none(function):
    assert found(function) == ()


def test_shares_are_the_sizes_of_the_second_differences():
    both = found(lambda x: 3 * x[:, 0] * x[:, 1] / 100 + x[:, 1] * x[:, 2] * 10)
    assert pairs(both) == [{"a", "b"}, {"b", "c"}]
    assert both[0].share / both[1].share == pytest.approx(3, rel=0.05)
    assert sum(one.share for one in both) == pytest.approx(1)


def test_a_category_in_one_hot_columns_is_one_input():
    hot = np.eye(3)[R.integers(0, 3, 3000)]
    x = np.column_stack([X[:, 0], X[:, 3], hot])
    names = ("speed", "mass", "color_red", "color_green", "color_blue")
    (one,) = found(lambda x: x[:, 0] * (x[:, 2] - 2 * x[:, 3]) + x[:, 1], x, names)
    assert {one.first, one.second} == {"speed", "color"}


@pytest.mark.parametrize(
    ("concept", "expected"),
    [
        (lambda x: x[:, 0] ** 2 + (x[:, 1] / 50) ** 2, []),
        (lambda x: x[:, 0] * x[:, 1] / 100 + x[:, 3], [{"a", "b"}]),
    ],
)
@pytest.mark.parametrize("bend", [lambda g: 9 * tf.tanh(g / 3), lambda g: g + g**3])
def test_no_bend_of_a_logit_makes_or_hides_an_interaction(concept, expected, bend):
    neuron = Neuron("net", lambda x: bend(concept(x)), 4, is_classifier=True, dtype="float64")
    assert pairs(interactions(neuron, X, NAMES, influences(neuron, X, NAMES))) == expected


def test_units_of_columns_make_no_difference():
    def function(x):
        return x[:, 0] * x[:, 1] / 100 + x[:, 3] * tf.sin(1e3 * x[:, 2])

    scales = np.array([1e3, 1e-5, 7.0, 1e4])
    one, other = found(function), found(lambda x: function(x / scales), X * scales)
    np.testing.assert_allclose([i.share for i in one], [i.share for i in other], rtol=1e-6)
    assert pairs(one) == pairs(other)


def test_the_result_prints_draws_and_keeps_them(tmp_path):
    neuron = Neuron("net", lambda x: x[:, 0] * x[:, 3] + x[:, 1] / 100, inputs=4)
    quick = {"operators": "polynomial", "verbose": False, "time_limit": 3}
    concept = interpret(
        neuron, X, names=("a", "$b$", "c", "d"), search=Search(methods="dictionary"), **quick
    )
    lines = str(concept).splitlines()
    number = next(k for k, line in enumerate(lines) if line.startswith("influence: "))
    assert lines[number + 1] == "interactions: a and d 100 %"
    path = concept.save(tmp_path / "net.json")
    assert json.loads(path.read_text())["interactions"][0]["share"] == 1
    again = load_interpretation(path)
    assert again.interactions == concept.interactions and again == concept
    assert "Interactions" in again.report(tmp_path / "net.html").read_text()
    figure = again.plot_influence()
    (axes,) = figure.axes
    texts = [label.get_text() for label in axes.get_yticklabels()]
    assert texts[:3] == [one.name for one in concept.influence[:3]]
    assert "a and d" in texts
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[0] == pytest.approx(100 * concept.influence[0].share)
    figure.savefig(tmp_path / "influence.png")
    assert plots.influence(concept).get_xlabel()


def test_many_interactions_are_shortened():
    every = [Interaction("a", f"b{k}", 0.125, 0.1) for k in range(8)]
    assert described_interactions(every).endswith("a and b4 12 %; 3 more")
