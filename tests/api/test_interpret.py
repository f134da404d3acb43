"""Assessments of `interpret`, on networks that were really trained."""

from __future__ import annotations

import json
import signal
from concurrent.futures import Executor, Future
from dataclasses import replace

import keras
import numpy as np
import pytest
import sympy

from keras_symgrad import Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.callbacks import Callback
from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.datasets.recovery import judge
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.search.core.interrupts import deferred_interrupts
from keras_symgrad.search.core.stopping import Stopping
from keras_symgrad.search.islands.ring import WorkersLostError
from keras_symgrad.search.portfolio import PortfolioSearch

pytestmark = pytest.mark.slow

OPERATORS = ["add", "sub", "mul", "div", "square"]


# That trees are searched is tested elsewhere: they take seconds to compile and to evolve.
WITHOUT_TREES = Search(methods=("dictionary", "features"), stopping=Stopping(None, generations=4))


def read(model, x, **options) -> Interpretation:
    options = {
        "operators": OPERATORS,
        "search": WITHOUT_TREES,
        **options,
    }
    return interpret(model, x, verbose=False, **options)


@pytest.fixture(scope="module")
def points(models) -> np.ndarray:
    return np.loadtxt(models / "A1.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def ellipse(models, points) -> Interpretation:
    thorough = replace(WITHOUT_TREES, methods=("dictionary",), effort="thorough")
    return read(models / "A1.keras", points, search=thorough)


@pytest.fixture(scope="module")
def tangle() -> keras.Model:
    """A wide network with random weights: it computes something, and nothing simple."""
    keras.utils.set_random_seed(0)
    wide = keras.initializers.RandomNormal(stddev=4.0)
    hidden = keras.layers.Dense(
        300, activation="tanh", kernel_initializer=wide, bias_initializer=wide
    )
    output = keras.layers.Dense(1, activation="sigmoid", name="probability")
    return keras.Sequential([keras.Input((2,)), hidden, output], name="tangle")


def test_a_concept_says_what_it_was_told_apart_from(ellipse):
    assert ellipse.matches == "concept"
    assert ellipse.boundary_error < 2e-3
    assert ellipse.rivals[0].class_distance > 2e-3
    text = str(ellipse)
    assert "matches: concept (gradients " in text
    assert ", the nearest rival, " in text
    assert f"fidelity: {ellipse.fidelity}" in text
    assert "times the error" in text


def test_a_settled_answer_is_that_of_the_thorough_search(models, points, ellipse):
    seen = []

    class Watch(Callback):
        def on_generation_end(self, generation, logs=None):
            seen.append((generation, logs["matches"], self.search.assessment.best.expression))

    result = read(models / "A1.keras", points, callbacks=[Watch()])
    assert (result.stopped, result.matches) == ("settled", "concept")
    # The first stage of the dictionary had it, and nothing came after.
    assert seen == [(0, "concept", result.best.expression)]
    assert judge(result.best.expression, SYSTEMS["A1"]).kind == "concept"
    assert result.best.expression == ellipse.best.expression
    assert "until the answer was settled" in result.ending


def test_constants_come_with_their_intervals(ellipse):
    (constant,) = ellipse.constants
    assert constant.holds(2)
    assert constant.high - constant.low < 0.2
    assert constant.shown == 2
    assert f"constants: {constant}" in str(ellipse)


def test_the_noise_floor_is_what_held_out_rows_cannot_tell_apart(ellipse):
    assert ellipse.front[-1].loss <= ellipse.noise_floor < 2e-4
    for other in ellipse.alternatives:
        assert other.loss_ratio < 1.5
        assert other.formula.expression != ellipse.best.expression


def test_the_evidence_is_in_the_file(ellipse, tmp_path):
    written = json.loads(ellipse.save(tmp_path / "result.json").read_text())
    assert written["matches"] == "concept"
    assert written["boundary_error"] == ellipse.boundary_error
    assert written["noise_floor"] == ellipse.noise_floor
    assert written["constants"][0].keys() == {"value", "low", "high", "shown"}
    assert len(written["rivals"]) == len(ellipse.rivals)
    assert {"expression", "loss_ratio", "class_distance"} <= set(written["rivals"][0])
    assert len(written["alternatives"]) == len(ellipse.alternatives)


def test_where_nothing_simple_fits_the_result_says_so(tangle):
    x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    result = read(tangle, x, search=replace(WITHOUT_TREES, methods=("dictionary",)))
    assert result.matches == "nothing"
    first, *_ = str(result).splitlines()
    assert "no simple formula fits; the closest found is" in first
    assert "rule:" not in str(result)
    assert "matches: nothing (gradients " in str(result)


def test_a_neuron_that_decides_nothing_matches_as_a_concept(points):
    saddle = Neuron("saddle", lambda x: x[:, 0] * x[:, 1], inputs=2)
    result = read(saddle, points)
    assert (result.matches, result.boundary_error, result.rivals) == ("concept", None, ())
    assert "parallel over all the data" in str(result)


def test_networks_of_one_task_are_read_together(models, points):
    """The network and a copy with errors of its own: the mean has an estimate of its error."""
    network = keras.models.load_model(models / "A1.keras")
    other = keras.models.clone_model(network)
    rng = np.random.default_rng(0)
    other.set_weights([w * rng.normal(1, 0.01, w.shape) for w in network.get_weights()])

    both = read([network, other], points)
    assert both.neuron.startswith("mean of 2 x system_A1")
    assert judge(both.best.expression, SYSTEMS["A1"]).kind == "concept"
    assert both.rule.agreement > 0.98
    assert both.noise_floor > 1e-6
    paths = read([models / "A1.keras", models / "A1.keras"], str(models / "A1.csv"))
    assert paths.best.expression.equals(both.best.expression)


def test_models_that_do_not_belong_together_are_refused(models, tangle, points):
    with pytest.raises(ValueError, match="leave them out, or pass the model"):
        read([Neuron("own", lambda x: x[:, 0], inputs=2), tangle], points, unit=0)
    with pytest.raises(ValueError, match="same inputs"):
        read([Neuron("own", lambda x: x[:, 0], inputs=2), tangle], points)


def test_a_rough_network_cannot_decide_between_a_quotient_and_a_difference(points):
    """They share a boundary, and its slab is thin."""
    x1, x2 = sympy.symbols("x1 x2", real=True)
    rng = np.random.default_rng(0)
    slopes, shifts = rng.normal(0, 3, size=(2, 40)), rng.uniform(0, 6, size=40)

    def logit(x):
        ripples = 0.2 * keras.ops.mean(keras.ops.sin(x @ slopes.astype("float32") + shifts), axis=1)
        return 60 * (x[:, 0] - x[:, 1] + ripples)

    x = rng.uniform(0.5, 2, size=(2000, 2))
    result = read(Neuron("line", logit, inputs=2, is_classifier=True), x)
    assert result.best.expression in (x1 - x2, -x1 + x2, x1 / x2, x2 / x1)
    assert result.matches == "boundary"
    assert "has the same boundary" in str(result)


def test_where_labels_fix_a_boundary_no_more_is_claimed(models):
    # The labels are those of a quotient, and just as well of a difference.
    model, points = models / "E.keras", models / "E.csv"
    result = interpret(
        model,
        points,
        operators=OPERATORS,
        time_limit=None,
        verbose=False,
        search=Search(methods=("dictionary",)),
    )
    assert judge(result.best.expression, SYSTEMS["E"]).kind == result.matches == "boundary"
    assert result.rule.agreement > 0.99
    assert result.rivals
    # Six variables are three before any search, and then two.
    groups = {group.variables for group in result.groups}
    assert {("x1", "x2"), ("x3", "x4"), ("x5", "x6")} <= groups
    # No longer search decides between the rivals.
    assert result.stopped == "settled"


@pytest.mark.parametrize("stopped", ["interrupted", "time_limit"])
def test_ctrl_c_before_anything_was_found_is_no_search_that_failed(stopped, monkeypatch):
    def run(self, *_):
        with deferred_interrupts() as interrupts:
            interrupts.armed = True
            signal.raise_signal(signal.SIGINT)
        self.stopped = stopped
        return self.archive

    monkeypatch.setattr(PortfolioSearch, "run", run)
    x = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    with pytest.raises(KeyboardInterrupt):
        interpret(GradientField.from_gradients(x, x), operators="polynomial", verbose=False)


class Cancelling(Executor):
    """Executor that cancels what it is given, as Dask does when its scheduler is gone."""

    def submit(self, function, /, *arguments, **options):
        future = Future()
        future.cancel()
        return future


@pytest.mark.filterwarnings("ignore:An epoch of island")
def test_workers_that_are_lost_are_told_of():
    x = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    field = GradientField.from_gradients(x, np.random.default_rng(1).normal(size=x.shape))
    options = {"operators": "polynomial", "verbose": False}
    search = Search(methods=("dictionary", "features"), executor=Cancelling(), islands=2)
    with pytest.warns(UserWarning, match="The search ends with what was found"):
        found = interpret(field, search=search, **options)
    assert found.stopped == "workers_lost"
    assert "lost its workers; another one may find better" in str(found)
    search = replace(search, methods="features")
    with pytest.warns(UserWarning), pytest.raises(WorkersLostError, match="before a first formula"):
        interpret(field, search=search, **options)
