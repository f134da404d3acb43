"""Influence, against closed forms and permutation importance that is counted here."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.files.atomic import write_json
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.assessment.influence import (
    Influence,
    described,
    few_valued,
    ignored,
    influences,
    influences_of_field,
    not_looked_at,
)

pytestmark = pytest.mark.slow

R = np.random.default_rng(0)
QUICK = {
    "operators": "polynomial",
    "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
    "verbose": False,
}


def linear(weights, **options) -> Neuron:
    row = tf.constant(np.atleast_2d(weights).T, tf.float64)
    return Neuron("linear", lambda x: (x @ row)[:, 0], len(row), dtype="float64", **options)


def by_name(found) -> dict[str, Influence]:
    return {one.name: one for one in found}


@pytest.mark.parametrize("way", ["network", "field"])
def test_shares_of_a_linear_network_are_its_weights_times_the_widths(way):
    widths, weights = np.array([1000.0, 1.0, 1e-4, 0.1]), np.array([-0.001, 3.0, 2e4, 0.0])
    x = R.normal(size=(2000, 4)) * widths
    names = ["a", "b", "c", "d"]
    if way == "network":
        found = by_name(influences(linear(weights), x, names))
    else:
        gradients = np.tile(weights, (len(x), 1))
        found = by_name(
            influences_of_field(GradientField.from_gradients(x, gradients, names=names))
        )
    sizes = np.abs(weights) * widths
    shares = [found[name].share for name in names]
    np.testing.assert_allclose(shares, sizes / sizes.sum(), atol=0.02)
    assert [found[name].sign for name in names] == ["-", "+", "+", "none"]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("way", ["network", "field"])
def test_what_is_added_to_all_levels_of_a_block_has_no_effect(way):
    hot = np.eye(3)[R.integers(0, 3, 2000)]
    x = np.column_stack([R.normal(size=2000), hot])
    names = ["speed", "color_red", "color_green", "color_blue"]
    shares = []
    for added in (0.0, 50.0):
        weights = np.array([1.0, added, added + 1, added + 2])
        if way == "network":
            found = by_name(influences(linear(weights), x, names))
        else:
            field = GradientField.from_gradients(x, np.tile(weights, (2000, 1)), names=names)
            found = by_name(influences_of_field(field))
        assert set(found) == {"speed", "color"}
        assert (found["color"].columns, found["color"].sign) == (tuple(names[1:]), "none")
        shares.append(found["color"].share)
    assert shares[1] == pytest.approx(shares[0], abs=1e-4)
    # By hand: |x - x'| of a normal variable, and |level - level'| of three levels alike.
    if way == "network":
        speed, color = 2 / np.sqrt(np.pi), (2 * 2 * 1 + 2 * 2) / 9
        assert shares[0] == pytest.approx(color / (color + speed), abs=0.03)


def test_a_category_that_only_a_lookup_sees_counts_with_a_network_at_hand():
    table = tf.constant([0.0, 4.0, 1.0])
    neuron = Neuron(
        "lookup", lambda x: x[:, 0] + tf.gather(table, tf.cast(x[:, 1] + 0.5, "int32")), inputs=2
    )
    x = np.column_stack([R.normal(size=900), R.integers(0, 3, 900)])
    found = by_name(influences(neuron, x, ["a", "kind"]))
    assert found["kind"].share > 0.5
    assert found["kind"].values == (0.0, 1.0, 2.0)
    assert ignored(found.values()) == ()


def test_an_input_that_pushes_both_ways_has_no_sign():
    neuron = Neuron("bowl", lambda x: x[:, 0] ** 2 + tf.exp(x[:, 1]) - x[:, 2] ** 3, inputs=3)
    found = by_name(influences(neuron, R.uniform(-1, 1, (2000, 3)), ["a", "b", "c"]))
    assert [found[name].sign for name in "abc"] == ["mixed", "+", "-"]
    # Up and down again within the range: rows far apart would not show it.
    wave = Neuron("wave", lambda x: x[:, 0] + 0.3 * tf.sin(9 * x[:, 0]) + x[:, 1], inputs=2)
    (one,) = (f for f in influences(wave, R.uniform(-1, 1, (2000, 2)), ["a", "b"]) if f.name == "a")
    assert one.sign == "mixed"


def test_the_order_is_that_of_permutation_importance_on_a_trained_classifier():
    keras.utils.set_random_seed(0)
    rows = 600
    x = R.normal(size=(rows, 8)) * np.logspace(-2, 3, 8)
    z = x / np.logspace(-2, 3, 8)
    z[:, 3] += 0.8 * z[:, 6]
    x[:, 3] = z[:, 3] * np.logspace(-2, 3, 8)[3]
    labels = (2 * z[:, 6] - 1.5 * z[:, 1] + 0.6 * z[:, 3] * z[:, 4] + 0.3 * z[:, 0] > 0).astype(int)
    scaling = keras.layers.Normalization()
    scaling.adapt(x.astype("float32"))
    dense = [keras.layers.Dense(32, activation="relu") for _ in range(2)]
    layers = [keras.Input((8,)), scaling, *dense, keras.layers.Dropout(0.1)]
    model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", jit_compile=False)
    model.fit(x.astype("float32"), labels, epochs=10, batch_size=64, verbose=0)
    neuron = Neuron.of(model)
    found = influences(neuron, x, [f"x{k}" for k in range(8)])

    flips = np.zeros(8)
    decided = neuron.values(x) > 0
    for k in range(8):
        permuted = x.copy()
        permuted[:, k] = R.permutation(x[:, k])
        flips[k] = np.mean((neuron.values(permuted) > 0) != decided)
    two = {f"x{k}" for k in np.argsort(-flips)[:2]}
    assert two <= {one.name for one in found[:3]}
    assert two == {"x6", "x1"}


def test_more_inputs_than_are_exchanged_are_measured_by_their_gradients(monkeypatch):
    monkeypatch.setattr("keras_symgrad.results.assessment.influence.MAX_EXCHANGED", 2)
    found = by_name(influences(linear([1.0, -3.0, 0.0]), R.normal(size=(900, 3)), list("abc")))
    assert found["b"].share == pytest.approx(0.75, abs=0.03)
    assert [found[name].sign for name in "abc"] == ["+", "-", "none"]


def test_only_what_is_measured_below_the_threshold_is_ignored():
    weights = [1.0, 0.05, 0.01, 0.0]
    x = R.normal(size=(2000, 4))
    found = influences(linear(weights), x, list("abcd"))
    assert ignored(found) == ("c", "d")
    assert ignored(()) == ()


def test_the_strongest_inputs_are_told_first_and_the_rest_is_counted():
    found = [Influence(f"x{k}", (f"x{k}",), 0.1, "+") for k in range(10)]
    assert described(found).startswith("x0 10 % (+), x1 10 % (+)")
    assert described(found).endswith("x7 10 % (+); 2 more")
    block = Influence("color", ("color_red", "color_blue"), 0.0001)
    assert str(block) == "color < 0.1 % (2 levels)"
    red = Influence("red", ("red",), 0.0, values=(0.0, 1.0))
    assert str(red) == "red 0 %"
    assert few_valued([block, red]) == "color (one of color_red, color_blue), red (0, 1)"
    assert few_valued(found) == ""


def test_a_block_does_not_take_the_name_of_another_column():
    hot = np.eye(2)[R.integers(0, 2, 300)]
    x = np.column_stack([R.normal(size=300), hot])
    found = influences(linear([1.0, 0.0, 1.0]), x, ["color", "color_red", "color_blue"])
    assert {one.name for one in found} == {"color", "color_red/color_blue"}


def table_with_a_flag(rows=1200) -> np.ndarray:
    return np.column_stack([R.uniform(0.5, 2, rows), R.integers(0, 2, rows), R.normal(size=rows)])


@pytest.mark.parametrize(
    ("slopes", "expected"),
    [
        # a*(1 + red)
        (lambda a, red, b: (1 + red, a, 0 * b), "a*(red + 1)"),
        # exp of the same with a term more: phi may bend it, the formula may not.
        (lambda a, red, b: (1 + red, a, 1 + 0 * b), "a*red + a + b"),
    ],
)
def test_a_column_of_zeros_and_ones_is_not_bent(slopes, expected):
    x = table_with_a_flag()
    gradients = np.stack(slopes(*x.T), axis=1)
    field = GradientField.from_gradients(x, gradients, names=["a", "red", "b"])
    concept = ks.interpret(field, **{**QUICK, "operators": "default"})
    assert str(concept.best) == expected
    assert "columns of few values: red (0, 1)" in str(concept)
    red = next(s for s in concept.best.expression.free_symbols if s.name == "red")
    for row in concept.front:
        assert row.expression.diff(red, 2) == 0


@pytest.fixture(scope="module")
def concept() -> ks.Interpretation:
    """Interpretation of a linear neuron of a number, a flag and a category in three columns."""
    x = np.column_stack([table_with_a_flag(300)[:, :2], np.eye(3)[R.integers(0, 3, 300)]])
    names = ["<b>", "red", "kind_x", "kind_y", "kind_z"]
    options = {**QUICK, "operators": "add, mul"}
    return ks.interpret(linear([1.0, -2, 1, 2, 3]), x, names=names, **options)


def test_influence_is_kept_in_the_file_and_older_files_have_none(concept, tmp_path):
    content = concept.to_dict()
    assert content["influence"][0]["columns"] == ["red"]
    again = ks.load_interpretation(concept.save(tmp_path / "new.json"))
    assert again.influence == concept.influence
    assert str(again) == str(concept)
    del content["influence"]
    write_json(tmp_path / "old.json", content, "The result")
    again = ks.load_interpretation(tmp_path / "old.json")
    assert again.influence == ()
    assert "influence" not in str(again)
    assert "Influence" not in again._repr_html_()
    for wrong in ({"share": 2.0}, {"sign": "up"}, {"columns": ["no"]}, {"columns": []}):
        content["influence"] = [{**concept.influence[0].to_dict(), **wrong}]
        write_json(tmp_path / "wrong.json", content, "The result")
        with pytest.raises(ValueError, match=f"influence.0..{next(iter(wrong))}"):
            ks.load_interpretation(tmp_path / "wrong.json")


def test_inputs_that_count_and_were_not_looked_at_are_told_apart_from_ignored_ones(concept):
    weak, *others = (replace(one, looked_at=False) for one in concept.influence[::-1])
    parts = tuple(sorted((*others, replace(weak, share=1e-4)), key=lambda one: -one.share))
    told = replace(concept, influence=parts)
    names = [name for one in parts[:-1] for name in one.columns]
    assert not_looked_at(parts) == tuple(names)
    line = f"not looked at: groups were not looked for among {', '.join(names)}"
    assert line in str(told) and "not looked at" not in str(concept)


def test_influence_stands_in_notebooks_and_reports_as_a_table(concept):
    for page in (concept._page(), concept._repr_html_()):
        assert page.count("<meter") == len(concept.influence) == 3
        assert "depends on the level, one of 3" in page
        assert "&lt;b&gt;" in page and "<b>" not in page
    assert "**influence**" in concept._repr_markdown_()
