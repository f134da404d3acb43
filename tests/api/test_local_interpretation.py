"""A formula around one row, as a user asks for it."""

from __future__ import annotations

import json
import math
import signal
from dataclasses import dataclass, field
from importlib import import_module

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.api import interpret, interpret_classes, load_interpretation
from keras_symgrad.api.local_interpretation import interpret_near, row_of
from keras_symgrad.api.task import Task
from keras_symgrad.engine import SQUARED
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.files import Points
from keras_symgrad.gradients import GradientField, Sampling
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Priors
from keras_symgrad.results.neighbourhood import Neighbourhood
from keras_symgrad.search import Search
from keras_symgrad.search.core import Stopping

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.uniform(-2, 2, size=(2000, 2)), np.arange(2000) % 2])
NAMES = ("a", "b", "kind")
QUICK = {
    "time_limit": 4,
    "verbose": False,
    "operators": "polynomial",
    "search": Search(methods=("dictionary",)),
    "sampling": Sampling(rows=500),
}
ROW = {"a": 0.5, "b": -0.25, "kind": 1.0}


def two_things(x):
    """One formula for each level of the third column."""
    return tf.where(x[:, 2] > 0.5, x[:, 0] * x[:, 1] + 3 * x[:, 0], x[:, 1] ** 3 - x[:, 0])


@pytest.fixture(scope="module")
def switch():
    return Neuron("switch", two_things, inputs=3)


@pytest.fixture(scope="module")
def found(switch):
    return interpret(switch, X, names=NAMES, near=ROW, **QUICK)


def test_a_row_outside_of_the_data_is_said_to_be():
    product = Neuron("product", lambda x: x[:, 0] * x[:, 1], inputs=2)
    inside, outside = (
        interpret(product, X[:, :2], names=("a", "b"), near=row, **QUICK).near
        for row in ((0.5, 1.0), (20.0, 1.0))
    )
    assert inside.in_data and "outside" not in dict(inside.remarks)
    assert not outside.in_data and "not trained" in dict(outside.remarks)["outside"]
    assert not Neighbourhood.from_dict(outside.to_dict(), ("a", "b")).in_data


def test_the_formula_is_that_of_the_rows_own_level(found):
    assert "kind" not in {symbol.name for symbol in found.best.expression.free_symbols}
    assert found.near.fixed == ("kind",)
    inside = found.near.draw(20_000, seed=5)
    values = inside[:, 0] * inside[:, 1] + 3 * inside[:, 0]
    spread = np.diff(np.quantile(values, (0.05, 0.95)))[0]
    near = np.abs(found.predict(inside) - values) <= 0.05 * spread
    assert near.mean() > 0.95
    assert found.radius > 0.5


def test_the_result_says_so_in_print_and_in_its_file(found, tmp_path):
    printed = str(found)
    assert "near: a = 0.5, b = -0.25, kind = 1 (value of the network 1.375" in printed
    assert "radius: " in printed and "of 4,000 fresh points inside" in printed
    assert "stay as in the row: kind" in printed
    assert "near={'a': 0.5, 'b': -0.25, 'kind': 1.0}" in found.call
    path = found.save(tmp_path / "row.json")
    assert json.loads(path.read_text())["near"]["radius"] == found.radius
    again = load_interpretation(path)
    assert again == found
    assert again.radius == found.radius
    np.testing.assert_array_equal(again.near.draw(9), found.near.draw(9))
    assert "Around one row" in again.report(tmp_path / "row.html").read_text()


def test_no_region_and_no_condition_is_looked_for_around_a_row(found):
    assert found.regions is None and found.holds is None
    assert "kind" not in found.ignored
    assert all(one.name != "kind" for one in found.influence)


def test_another_row_of_the_front_has_a_radius_of_its_own(found):
    first = found.choose(0)
    assert first.near.sought == found.near.sought
    assert first.near.formula_value == pytest.approx(float(first.predict([0.5, -0.25, 1.0])))
    assert first.radius < found.radius or first.best == found.best


def test_a_row_deep_inside_a_class_has_its_formula_and_nearest_boundary():
    ring = Neuron("ring", lambda x: 40 - 10 * tf.reduce_sum(x[:, :2] ** 2, 1), 3, True)
    found = interpret(ring, X, names=NAMES, near=[0.3, 0.4, 0.0], **QUICK)
    widths = X[:, :2].std(axis=0).mean()
    boundary = found.near.boundary
    assert boundary.distance == pytest.approx(1.5 / widths, rel=0.02)
    np.testing.assert_allclose(boundary.point, [1.2, 1.6, 0.0], atol=0.05)
    assert not boundary.to_yes
    assert "the decision turns to no at" in str(found)


def test_where_a_network_is_not_finite_at_the_row_it_says_so():
    root = Neuron("root", lambda x: tf.sqrt(x[:, 0] - 5), inputs=3)
    with pytest.raises(ValueError, match="finite at the row `near`. Received: 'root' is nan"):
        interpret(root, X, names=NAMES, near=ROW, **QUICK)


def test_a_row_is_numbers_or_named_or_a_number_of_the_data():
    pandas = pytest.importorskip("pandas")
    expected = [0.5, -0.25, 1.0]
    series = pandas.Series({"kind": 1, "a": 0.5, "b": -0.25, "more": 3})
    frame = pandas.DataFrame([series])
    for near in (expected, tuple(expected), np.array([expected]), ROW, series, frame):
        assert row_of(near, X, NAMES).tolist() == expected
    assert row_of(7, X, NAMES).tolist() == X[7].tolist()
    assert row_of(np.int64(7), X, NAMES).tolist() == X[7].tolist()


@pytest.mark.parametrize(
    ("near", "message"),
    [
        ([1.0, 2.0], r"a row of 3 finite numbers \(a, b, kind\).* near of shape \(2,\)"),
        ([1.0, np.nan, 0.0], "Received: near with nan for 'b'"),
        ([1.0, 2.0, np.inf], "Received: near with inf for 'kind'"),
        (np.zeros((2, 3)), r"near of shape \(2, 3\)"),
        ({"a": 1.0, "b": 2.0}, "The data have no kind"),
        ({"a": 1.0, "b": "red", "kind": 0}, "a row of 3 finite numbers"),
        ("first", "a row of 3 finite numbers"),
        (2000, "0 to 1999. Received: near=2000"),
        (-1, "0 to 1999. Received: near=-1"),
        (True, r"near of shape \(\)"),
        (0.5, r"near of shape \(\)"),
    ],
)
def test_what_is_no_row_of_the_data_is_refused(near, message, switch):
    with pytest.raises(ValueError, match=message):
        interpret(switch, X, names=NAMES, near=near, **QUICK)


def test_what_does_not_go_with_a_row_is_refused_before_any_work(switch):
    field = GradientField.from_gradients(X, X)
    with pytest.raises(ValueError, match="`near` asks the network"):
        interpret(field, near=0)
    for sampling in (
        Sampling(sampler=lambda n, rng: X[:n]),
        Sampling(in_terms_of="latent"),
        Sampling(tangent="local"),
    ):
        with pytest.raises(ValueError, match="`near` draws points"):
            interpret(switch, X, near=0, sampling=sampling)
    with pytest.raises(ValueError, match="Leave out `resume`"):
        interpret(switch, X, near=0, search=Search(resume="no.search"))
    narrow = Neuron("narrow", lambda x: x[:, 0] * x[:, 1], inputs=2)
    with pytest.raises(ValueError, match="takes 2 columns, but the data have 3"):
        interpret(narrow, X, near=0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
    with pytest.raises(ValueError, match=r"unit=\(k, j\), near=row"):
        interpret_classes(model, X, near=0)


def test_ctrl_c_in_a_later_search_costs_nothing_of_what_was_found(switch, monkeypatch):
    module = import_module("keras_symgrad.api.interpret")
    search, found = module._found, []

    def interrupted_in_the_second(*arguments):
        if found:
            signal.raise_signal(signal.SIGINT)
            raise KeyboardInterrupt
        found.append(search(*arguments))
        return found[0]

    monkeypatch.setattr(module, "_found", interrupted_in_the_second)
    # However far the first formula holds, there is a reason to go on.
    local = import_module("keras_symgrad.api.local_interpretation")
    monkeypatch.setattr(local, "HOLDS", math.inf)
    monkeypatch.setattr(local, "_radii", lambda *_: (1.0, 0.5))
    result = interpret(switch, X, names=NAMES, near=ROW, **QUICK | {"time_limit": 2})
    assert result.stopped == "interrupted"
    assert result.best.expression == found[0].best.expression


@pytest.mark.parametrize(
    "search, is_quick",
    [
        (Search(), True),
        (Search(effort="thorough"), False),
        (Search(methods=("features", "trees")), False),
    ],
    ids=["default", "thorough", "without-dictionary"],
)
def test_the_dictionary_is_searched_alone_unless_more_is_asked_for(search, is_quick):
    tried = []

    def find(reading, task, clock, near):
        tried.append(task.search.effort)
        return _Held(near.sought if task.search.effort == "quick" else 0.0)

    _around(find, search)
    assert tried == (["quick"] if is_quick else [search.effort] * len(tried))


def test_where_the_dictionary_holds_nowhere_the_other_methods_have_their_turn():
    tried = []

    def find(reading, task, clock, near):
        tried.append((task.search.effort, task.stopping.time_limit))
        return _Held(0.0 if task.search.effort == "quick" else near.sought)

    found = _around(find, Search())
    efforts = [effort for effort, _ in tried]
    assert efforts[0] == "quick" and efforts[-1] == "normal" and efforts.count("normal") == 1
    assert found.radius > 0
    # Each search of the dictionary has taken a second of the limit.
    assert tried[-1][1] == (60 - efforts.count("quick")) / 2


@dataclass(frozen=True)
class _Held:
    """A result with a radius, as `interpret_near` needs it."""

    radius: float
    near: None = None
    gradients: None = None
    stopped: str = "quick"
    evaluations: int = 1
    timings: dict[str, float] = field(default_factory=lambda: {"search": 1.0})


def _around(find, search):
    """The choice of `interpret_near` among results with known radii, for a bent network."""
    bent = Neuron("bent", lambda x: tf.sin(2 * x[:, 0]) * tf.exp(x[:, 1]), inputs=3)
    task = Task(
        OperatorSet("polynomial"),
        Complexity(),
        SQUARED,
        True,
        Sampling(rows=200),
        Priors(),
        search,
        Stopping(time_limit=60.0),
        None,
        (),
        0,
        False,
        {},
    )
    return interpret_near([bent], Points(X, NAMES), [0.5, -0.25, 1.0], task, find)
