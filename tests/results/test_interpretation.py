"""`interpret` on networks that were really trained: what it finds, writes and refuses."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib import import_module

import keras
import numpy as np
import pandas as pd
import pytest
import sympy
import tensorflow as tf

import keras_symgrad
from keras_symgrad import Sampling, Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.datasets.recovery import judge
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.operators import Operator
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.search.core.stopping import Stopping

pytestmark = pytest.mark.slow

layers = keras.layers

BELL = Operator("bell", lambda a: sympy.exp(-(a**2)))
OPERATORS = ["add", "sub", "mul", "square", "sin", BELL]
# That trees are searched is tested elsewhere: they take seconds to compile and to evolve.
FOUR_GENERATIONS = Search(
    methods=("dictionary", "features"), stopping=Stopping(None, generations=4)
)
NAMES = ("petal length (cm)", "lambda")


def read(model, x, **options) -> Interpretation:
    """A short search whose end does not depend on the clock."""
    options = {"operators": OPERATORS, "search": FOUR_GENERATIONS, **options}
    return interpret(model, x, verbose=False, **options)


def same_concept(one: Interpretation, other: Interpretation, points: np.ndarray) -> float:
    """Mean of 1 - |cos| between two results."""
    fields = [gradient(r.best.expression, r.names, points) for r in (one, other)]
    return direction_error(*fields)


@pytest.fixture(scope="module")
def points(models) -> np.ndarray:
    return np.loadtxt(models / "A1.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def network(models) -> keras.Model:
    return keras.models.load_model(models / "A1.keras")


@pytest.fixture(scope="module")
def ellipse(network, points) -> Interpretation:
    """The network for x1**2 + 2*x2**2 > 1, its columns under names that no code could hold."""
    return read(network, pd.DataFrame(points, columns=NAMES))


def test_the_ellipse_is_read_off_its_network(ellipse, points, network):
    first, second = (sympy.Symbol(name, real=True) for name in NAMES)
    x1, x2 = SYSTEMS["A1"].variables
    found = ellipse.best.expression.subs({first: x1, second: x2})

    assert judge(found, SYSTEMS["A1"]).kind == "concept"
    assert ellipse.best.complexity <= 1.5 * 9
    assert ellipse.cosine_error < 2e-3
    assert ellipse.phi.r2 > 0.97
    assert ellipse.rule.agreement > 0.99
    assert ellipse.rule.threshold == pytest.approx(1, abs=0.05)
    # The agreement, counted again on points of our own.
    fresh = SYSTEMS["A1"].sample(5000, seed=123)
    yes = np.asarray(network(fresh))[:, 0] > 0.5
    share = np.mean(ellipse.rule.decides(fresh) == yes)
    assert share == pytest.approx(ellipse.rule.agreement, abs=0.01)


def test_the_file_holds_the_whole_result_and_reads_back(ellipse, tmp_path):
    path = ellipse.save(tmp_path / "ellipse.json")
    written = json.loads(path.read_text())

    assert written["variables"] == list(NAMES)
    assert from_text(written["best"]["expression"], NAMES) == ellipse.best.expression
    assert len(written["front"]) == len(ellipse.front)
    for row, formula in zip([written["best"], *written["front"]], [ellipse.best, *ellipse.front]):
        assert set(row) == {"expression", "complexity", "loss", "fidelity"}
        assert from_text(row["expression"], NAMES, formula.operators) == formula.expression
        assert (row["complexity"], row["loss"]) == (formula.complexity, formula.loss)
    rule = written["rule"]
    assert {"text", "threshold", "direction", "agreement"} <= set(rule)
    assert rule["text"] == ellipse.rule.text
    assert rule["direction"] in "<>"
    assert 0 < written["cosine_error"] == ellipse.cosine_error < 2e-3
    assert written["seed"] == 0
    assert written["versions"]["keras_symgrad"] == keras_symgrad.__version__
    assert {"python", "tensorflow", "keras", "sympy", "numpy"} <= set(written["versions"])
    assert {"gradients", "search", "finishing"} <= set(written["timings"])
    assert all(seconds >= 0 for seconds in written["timings"].values())
    assert os.listdir(tmp_path) == ["ellipse.json"]


def test_odd_names_work_in_latex_text_and_layer(ellipse, points):
    assert r"\text{petal length (cm)}" in ellipse.best.to_latex()
    assert "'petal length (cm)'" in ellipse.rule.text
    assert "petal length (cm)" in str(ellipse)
    assert "<-- best" in str(ellipse)
    layer = ellipse.best.to_layer()
    np.testing.assert_allclose(
        np.asarray(layer(points[:20]))[:, 0], ellipse.best(points[:20]), rtol=1e-5
    )


def test_rows_are_accounted_for(ellipse):
    rows = ellipse.rows
    used = rows["train"] + rows["held_out"] + rows["flat"]
    assert used == rows["data"] + rows["drawn"] + rows["moved"]
    assert rows["search"] <= rows["train"]
    assert rows["dropped"] == 0
    # The dictionary alone: the answer was settled after its first stage.
    assert ellipse.evaluations > 10
    assert ellipse.stopped == "settled"


def test_phi_of_the_best_formula_is_the_neuron(ellipse, network, points):
    logit = np.asarray(Neuron.of(network)(points))
    inside = np.abs(logit) < 4
    value = ellipse.phi(ellipse.best(points[inside]))
    residual = np.mean((value - logit[inside]) ** 2) / logit[inside].var()
    assert residual < 0.05
    assert ellipse.phi.rising
    assert ellipse.phi.preimage(0.0) == ellipse.rule.level.value
    assert ellipse.rule.level.holds(1)


def test_the_same_seed_gives_the_same_result(ellipse, network, points):
    again = read(network, pd.DataFrame(points, columns=NAMES)).to_dict()
    first = ellipse.to_dict()
    for result in (first, again):
        del result["timings"]
    assert json.dumps(first) == json.dumps(again)


def test_a_field_of_gradients_is_searched_without_a_model(points):
    field = GradientField.from_gradients(points, points * [2, 6], names=["a", "b"])
    result = read(field, None)
    assert result.best.to_text() == "a**2 + 3*b**2"
    assert (result.rule, result.phi) == (None, None)
    assert result.to_dict()["phi"] is None
    with pytest.raises(ValueError, match="its points are in it"):
        read(field, points)
    with pytest.raises(ValueError, match="was read from one: leave them out"):
        read(field, None, layer="hidden_1")
    with pytest.raises(
        ValueError, match="Leave out `names` and `sampling`.*names=.*sampling=default"
    ):
        read(field, None, names=["x", "y"])


@pytest.mark.parametrize("target", ["missing/result.json", "file/result.json", "folder"])
def test_a_place_that_cannot_be_written_is_one_error_and_nothing_is_left(target, ellipse, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="cannot be written to .* Choose a folder"):
        ellipse.save(tmp_path / target)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_there_is_replaced(ellipse, tmp_path):
    (tmp_path / "result.json").write_text("old")
    ellipse.save(str(tmp_path / "result.json"))
    assert json.loads((tmp_path / "result.json").read_text())["seed"] == 0


def test_sine_of_a_sum_is_read_off_its_network(models):
    result = read(models / "B.keras", models / "B.csv")
    assert result.names == ("x1", "x2", "x3")
    assert judge(result.best.expression, SYSTEMS["B"]).kind == "concept"
    assert result.rule.agreement > 0.99
    # What the gradients show before any search.
    (group,) = result.groups
    assert group.variables == ("x2", "x3")
    assert group.error < 1e-3
    assert "enter only as: x2 + x3" in str(result)


def test_a_decreasing_transformation_carries_the_same_concept(ellipse, network, points):
    logit = Neuron.of(network)
    opposite = Neuron("opposite", lambda x: -(logit(x) ** 3), inputs=2, is_classifier=False)
    by_dictionary = replace(FOUR_GENERATIONS, methods="dictionary")
    result = read(opposite, points, names=NAMES, search=by_dictionary)

    assert same_concept(result, ellipse, points) < 2e-3
    assert not result.phi.rising
    assert result.rule is None


def test_signed_formulas_grow_with_the_neuron(points):
    falling = Neuron("falling", lambda x: -(x[:, 0] ** 2) - 2 * x[:, 1] ** 2, inputs=2)
    result = read(falling, points, search=replace(FOUR_GENERATIONS, signed=True))

    assert result.phi.rising
    assert result.best.loss < 1e-6
    along = gradient(result.best.expression, result.names, points) * [[-1, -2]] * points
    assert np.all(along.sum(axis=1) >= 0)


def test_a_number_is_explained_without_a_rule(network, points):
    # The probability as it is: flat in single precision wherever the network is sure.
    result = read(Neuron.of(network, kind="value"), points)
    assert result.rule is None
    assert result.to_dict()["rule"] is None
    assert result.rows["data"] == 2000
    assert 0 < result.rows["flat"] < 1500
    assert result.rows["train"] + result.rows["held_out"] == 2000 - result.rows["flat"]
    assert result.phi.r2 > 0.97
    # Far from the boundary nobody taught the network a direction.
    assert result.cosine_error < 0.2


def test_a_hidden_unit_is_read_before_its_activation(network, points):
    result = read(network, points, layer="hidden_1", unit=3)
    kernel = network.get_layer("hidden_1").get_weights()[0][:, 3]

    assert result.neuron.endswith("hidden_1[3]")
    assert result.rule is None
    weights = gradient(result.best.expression, result.names, points[:50])
    assert direction_error(weights, np.tile(kernel, (50, 1))) < 1e-5


def test_users_own_operators_are_found_by_the_search(points):
    hills = Neuron(
        "hills", lambda x: tf.exp(-(x[:, 0] ** 2)) + 2 * tf.exp(-(x[:, 1] ** 2)), inputs=2
    )
    result = read(hills, points)
    assert result.best.loss < 1e-8
    assert result.best.complexity <= 9
    x1, x2 = (sympy.Symbol(name, real=True) for name in ("x1", "x2"))
    assert result.best.expression == sympy.exp(-(x1**2)) + 2 * sympy.exp(-(x2**2))


def test_columns_that_are_constant_or_ignored_stay_out_of_the_formula(points):
    ring = Neuron(
        "ring", lambda x: 9 * (x[:, 0] ** 2 + x[:, 2] ** 2 - 1), inputs=3, is_classifier=True
    )
    constant = np.insert(points, 1, 7.0, axis=1)
    result = read(ring, constant)
    assert result.best.to_text() == "x1**2 + x3**2"
    assert result.ignored == ("x2",)
    assert result.to_dict()["ignored"] == ["x2"]
    assert result.rule.threshold == pytest.approx(1, abs=0.01)


def test_two_rows_are_enough_where_more_may_be_drawn(network, points):
    inside, outside = points[[0]] * 0, points[[0]] * 0 + 0.95
    result = read(network, np.concatenate([inside, outside]))
    assert result.rows["drawn"] + result.rows["moved"] > 1900
    assert result.rule.agreement > 0.9


def dense(*units, activation="sigmoid", **kwargs) -> keras.Model:
    last = layers.Dense(units[-1], activation=activation, **kwargs)
    hidden = [layers.Dense(n, activation="tanh", name=f"hidden_{n}") for n in units[:-1]]
    return keras.Sequential([keras.Input((2,)), *hidden, last])


GRID = np.random.default_rng(0).uniform(-1, 1, size=(50, 2))


@pytest.mark.parametrize(
    ("make", "x", "options", "explanation"),
    [
        (dense, np.zeros((0, 2)), {}, "at least one row"),
        (dense, np.full((20, 2), np.nan), {}, "NaN or infinity"),
        (dense, np.ones((20, 3)), {}, "takes 2 columns, but the data have 3"),
        (dense, np.ones(20), {}, r"shape \(rows, columns\)"),
        (lambda *_: keras.Sequential([layers.Dense(1)]), GRID, {}, "not built"),
        (dense, GRID, {"layer": "none"}, "hidden_4"),
        (dense, GRID, {"layer": "hidden_4"}, "4 units"),
        (dense, GRID, {"layer": "hidden_4", "unit": 4}, "from 0 to 3"),
        (
            lambda *n: dense(*n, kernel_initializer="zeros"),
            GRID,
            {},
            "gradient is zero at every row",
        ),
        (
            lambda *n: dense(*n, bias_initializer=keras.initializers.Constant(50.0)),
            GRID,
            {},
            "No row has a probability between delta",
        ),
        (lambda *_: "none.keras", GRID, {}, "none.keras"),
        (lambda *_: [], GRID, {}, "`interpret` takes a model, .* Received: an empty list"),
        (dense, "none.csv", {}, "There is no file at"),
        (lambda *_: __file__, GRID, {}, r"Expected a `\.keras` file"),
        (dense, GRID, {"operators": "add, foo"}, "named 'foo'"),
        (dense, GRID, {"names": ["a"]}, "one name for each of 2"),
        (dense, GRID, {"sampling": Sampling(columns=["z"])}, "Received: 'z'"),
        (dense, GRID, {"seed": -1}, "`seed` must be a whole number of at least 0"),
        (dense, GRID, {"time_limit": 0}, "`time_limit` must be positive"),
        (dense, GRID, {"complexity": {"tan": 2}}, "tan"),
        (
            dense,
            GRID,
            {"sampling": Sampling(sampler=lambda n, rng: np.ones((n, 3)))},
            r"`sampler\(n, rng\)`",
        ),
        (lambda *n: Neuron.of(dense(*n), kind="value"), GRID[:1], {}, "Two rows with a gradient"),
        (
            lambda *_: Neuron("own", lambda x: x[:, 0], inputs=2),
            GRID,
            {"layer": "hidden_4"},
            "A `Neuron` is one already",
        ),
    ],
)
def test_bad_input_is_one_clear_error_before_the_search(make, x, options, explanation, monkeypatch):
    def searched(*_, **__):
        raise AssertionError("the search was started")

    monkeypatch.setattr(import_module("keras_symgrad.api.interpret"), "PortfolioSearch", searched)
    with pytest.raises((ValueError, FileNotFoundError), match=explanation):
        read(make(4, 1), x, **options)


def test_an_operator_that_cannot_be_differentiated_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="step"):
        Operator("step", lambda a: sympy.Function("unknown")(a))


def test_rows_with_nan_are_left_out_and_counted(network, points):
    gaps = np.concatenate([points[:300], np.full((40, 2), np.nan)])
    with pytest.warns(UserWarning, match="hold NaN"):
        result = read(network, gaps)
    assert result.rows["dropped"] == 40
    assert result.rule.points > 1000


def test_a_closed_form_of_the_value_is_listed_only_where_it_is_nearly_as_good_as_phi(points):
    field = GradientField.from_gradients(points, points * [2, 4], values=points**2 @ [1, 2])
    found = read(field, None, operators="polynomial")
    worse = replace(found, value=replace(found.value, r2=0.5)) if found.value else found
    assert found.fidelity.metric == "R2"
    if found.value:
        assert "value" in dict(found.remarks)
    assert "value" not in dict(worse.remarks)
