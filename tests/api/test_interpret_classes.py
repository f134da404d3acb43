"""Classifiers of several classes: a formula for each pair, and the classifier that they make."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from keras_symgrad import Sampling, Search
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.files.tables import read_points
from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

pytestmark = pytest.mark.slow

layers = keras.layers
QUICK = {
    "search": Search(methods=("dictionary",)),
    "time_limit": 40,
    "sampling": Sampling(rows=600),
    "verbose": False,
}


def largest(x: np.ndarray) -> np.ndarray:
    """Labels of `models/regions.keras`: the largest of 1, x1*x2 and x3^2 + x4^2."""
    return np.argmax([np.ones(len(x)), x[:, 0] * x[:, 1], x[:, 2] ** 2 + x[:, 3] ** 2], axis=0)


@pytest.fixture(scope="module")
def regions(models):
    return interpret_classes(
        models / "regions.keras",
        models / "regions.csv",
        classes=["flat", "saddle", "bowl"],
        **QUICK,
    )


def test_each_pair_of_a_trained_network_has_the_formula_of_its_own_boundary(regions):
    truths = {
        (1, 0): lambda x: np.stack([x[:, 1], x[:, 0], 0 * x[:, 0], 0 * x[:, 0]], axis=1),
        (2, 0): lambda x: np.stack([0 * x[:, 0], 0 * x[:, 0], 2 * x[:, 2], 2 * x[:, 3]], axis=1),
        (2, 1): lambda x: np.stack([-x[:, 1], -x[:, 0], 2 * x[:, 2], 2 * x[:, 3]], axis=1),
    }
    assert set(regions.pairs) == set(truths)
    rng = np.random.default_rng(5)
    x = rng.uniform([0, 0, -1.2, -1.2], [2, 2, 1.2, 1.2], size=(40_000, 4))
    scores = np.stack([np.ones(len(x)), x[:, 0] * x[:, 1], x[:, 2] ** 2 + x[:, 3] ** 2], axis=1)
    for (k, j), truth in truths.items():
        # On the pair's own boundary: the two are the largest and nearly equal.
        near = np.abs(scores[:, k] - scores[:, j]) < 0.02
        near &= np.all(np.sort(np.argsort(scores, axis=1)[:, 1:], axis=1) == [j, k], axis=1)
        layer = regions.pairs[k, j].best.to_layer()
        found = np.asarray(layer.symbolic_gradient(x[near]))
        cosines = np.sum(found * truth(x[near]), axis=1) / (
            np.linalg.norm(found, axis=1) * np.linalg.norm(truth(x[near]), axis=1)
        )
        assert near.sum() > 100
        assert np.mean(1 - np.abs(cosines)) < 5e-3


def test_the_formulas_together_choose_as_the_network_does(regions, models):
    model = keras.models.load_model(models / "regions.keras", compile=False)
    rng = np.random.default_rng(6)
    x = rng.uniform([0, 0, -1.2, -1.2], [2, 2, 1.2, 1.2], size=(5_000, 4))
    share = np.mean(regions.predict(x) == np.argmax(model(x), axis=1))

    assert share > 0.98
    assert regions.agreement == pytest.approx(share, abs=0.01)
    assert min(regions.recall) > 0.97
    assert regions.points == 400  # a fifth of the rows
    assert np.mean(regions.predict(x) == largest(x)) > 0.98


def test_a_margin_is_positive_for_the_class_that_is_chosen_only(regions, models):
    x, _ = read_points(models / "regions.csv")
    margins = regions.margins(x)
    chosen = regions.predict(x)
    assert np.all((margins > 0).sum(axis=1) <= 1)
    assert np.mean(margins[np.arange(len(x)), chosen] > 0) > 0.99


def test_a_result_prints_and_saves_a_rule_for_each_pair(regions, tmp_path):
    text = str(regions)
    assert "3 classes by 3 formulas" in text
    assert "saddle rather than flat: x1*x2 >" in text
    assert "bowl: " in text
    saved = json.loads(regions.save(tmp_path / "regions.json").read_text())
    assert saved["classes"] == ["flat", "saddle", "bowl"]
    assert [pair["classes"] for pair in saved["pairs"]][0] == ["saddle", "flat"]
    layer = SymbolicLayer(saved["pairs"][0]["best"]["expression"], names=saved["variables"])
    x = np.array([[1.5, 2.0, 0.0, 0.0]])
    np.testing.assert_allclose(layer(x), regions.pairs[1, 0].best(x)[:, None], rtol=1e-5)


def test_classes_that_never_meet_are_not_read():
    x = keras.Input((2,))
    u = x[:, :1]
    # The middle one lies between the others everywhere.
    scores = layers.Concatenate()([9 * u - 9, 9 - 9 * u**2, -9 * u - 9])
    model = keras.Model(x, scores, name="between")
    points = np.random.default_rng(0).uniform(-2, 2, (800, 2))
    found = interpret_classes(model, points, operators="polynomial", **QUICK)

    assert (2, 0) in found.unread
    assert "class 2 against class 0: not read" in str(found)
    assert found.agreement > 0.97


def test_a_model_of_named_inputs_takes_them_in_any_order(models):
    a, b = keras.Input((1,), name="a"), keras.Input((2,), name="b")
    square = keras.ops.sum(b**2, axis=1, keepdims=True)
    scores = layers.Concatenate()([4 * a, 4 * square, 0 * a - 4])
    model = keras.Model({"a": a, "b": b}, keras.ops.softmax(scores), name="named")
    rng = np.random.default_rng(0)
    points = {"b": rng.uniform(-1, 1, (1500, 2)), "a": rng.uniform(0, 2, 1500)}
    found = interpret_classes(model, points, operators="polynomial", **QUICK)

    assert found.names == ("a", "b_1", "b_2")
    truth = points["a"] < np.sum(points["b"] ** 2, axis=1)
    assert np.mean(found.predict(points) == truth) > 0.98
    assert "two likeliest at 0 of" in found.unread[2, 0]


def test_one_pair_that_cannot_be_read_does_not_lose_the_others():
    x = keras.Input((2,))
    u = x[:, :1]
    # Far out the last class is the second, but never near to the first.
    scores = layers.Concatenate()([9 * u, -9 * u, 9 * keras.ops.abs(u) - 20])
    model = keras.Model(x, scores, name="apart")
    points = np.random.default_rng(0).uniform(-2, 2, (800, 2))
    found = interpret_classes(model, points, operators="polynomial", **QUICK)
    assert list(found.pairs) == [(1, 0)]
    assert "No row has a probability" in found.unread[2, 0]
    assert "class 2 against class 1: not read: No row has" in str(found)


def test_if_no_pair_can_be_read_the_reasons_are_told():
    x = keras.Input((2,))
    u = x[:, :1]
    scores = layers.Concatenate()([9 * u, -9 * u, 9 * keras.ops.abs(u) - 20])
    model = keras.Model(x, scores, name="apart")
    points = np.random.default_rng(0).uniform(-2, 2, (800, 2))
    with pytest.raises(ValueError, match="No pair of classes of .* could be read.*No row has"):
        interpret_classes(model, points, pairs=[(2, 1)], **QUICK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operators": "made-up"}, "no operator or preset named 'made-up'"),
        ({"scheme": "rest"}, "'auto', 'pairs', 'scores'. Received: scheme='rest'"),
        ({"scheme": "scores", "pairs": [(1, 0)]}, "fitted without `pairs`"),
        ({"scheme": "scores", "loss": "huber"}, 'fitted without `loss`.*scheme="pairs"'),
        ({"rows": 100}, "`rows` is an option of `ks.Sampling`"),
        ({"classes": ["a", "b"]}, "one name for each of the model's 3 classes"),
        ({"classes": ["a", "b", "b"]}, "all different"),
        ({"pairs": [(0, 3)]}, "different classes from 0 to 2"),
        ({"pairs": [(1, 1)]}, "different classes"),
        (
            {"sampling": Sampling(columns=["x1", "x2"])},
            "takes 4 columns, but the data have 2: x1, x2",
        ),
    ],
)
def test_a_wrong_question_is_answered_before_any_search(arguments, message, models):
    with pytest.raises(ValueError, match=message):
        interpret_classes(models / "regions.keras", models / "regions.csv", **arguments)


def test_models_that_choose_no_class_are_sent_to_interpret(models):
    tags = keras.Sequential([keras.Input((2,)), layers.Dense(3, activation="sigmoid")])
    for model, message in [
        (models / "A1.keras", "ends in a sigmoid.*unit=k"),
        (tags, "each unit is a classifier of its own"),
        (keras.Sequential([keras.Input((2,)), layers.Dense(1)]), "is read by `interpret`"),
    ]:
        with pytest.raises(ValueError, match=message):
            interpret_classes(model, np.ones((50, 2)))
