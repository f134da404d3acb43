"""The portfolio: each method alone, all together, and what they share."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import sympy

from keras_symgrad import Search, interpret
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.callbacks.base import LambdaCallback
from keras_symgrad.search.core.stopping import Stopping
from keras_symgrad.search.islands.collector import Collector
from keras_symgrad.search.portfolio import PortfolioSearch
from keras_symgrad.search.spectral.search import SpectralSearch
from keras_symgrad.search.strategies import METHODS

x1, x2, x3 = (symbol(f"x{k}") for k in range(1, 4))
OPERATORS = OperatorSet("add, sub, mul, square, sin")
NAMES = ["x1", "x2", "x3"]


def field_of(truth, seed=0) -> GradientField:
    points = np.random.default_rng(seed).uniform(-2, 2, size=(300, 3))
    return GradientField.from_gradients(points, gradient(truth, NAMES, points), names=NAMES)


def noisy(truth) -> GradientField:
    field = field_of(truth)
    blurred = field.directions + 0.05 * np.random.default_rng(1).normal(size=field.points.shape)
    return GradientField.from_gradients(field.points, blurred, names=NAMES)


def portfolio(field, **options) -> PortfolioSearch:
    return PortfolioSearch(Alphabet(options.pop("operators", OPERATORS), NAMES), field, **options)


@pytest.mark.slow
@pytest.mark.parametrize("methods", [*METHODS, METHODS])
def test_every_method_finds_a_simple_concept(methods):
    field = field_of(x1**2 + x2 * x3)
    search = portfolio(field, methods=methods)
    archive = search.run(Stopping(None, generations=60, patience=None, target_loss=1e-8))
    choice = archive.choice()
    expression = to_sympy(choice.tree, OPERATORS)
    assert loss(expression, NAMES, field.points, field.directions, frame=field.frame) < 1e-7
    assert search.stopped in ("target_loss", "exhausted")


def test_a_perfect_match_of_the_dictionary_ends_the_search_before_anything_is_compiled(monkeypatch):
    def compiled(self):
        raise AssertionError("the engine was compiled")

    monkeypatch.setattr("keras_symgrad.engine.engine.Engine.compile", compiled)
    search = portfolio(field_of(x1**2 + sympy.sin(x2 + x3)))
    search.run(Stopping(time_limit=60))
    assert search.stopped == "target_loss"


@dataclass
class Judged:
    """An assessment as it might be on other rows."""

    is_settled: bool
    matches: str = "concept"
    headline: str = "x1 > 0"


@pytest.fixture
def short_dictionary(monkeypatch):
    monkeypatch.setattr(SpectralSearch, "thorough_stages", lambda self: iter(()))


def of_effort(effort, *, settled, **options) -> PortfolioSearch:
    judge = {"effort": effort, "assess": lambda archive: Judged(settled)}
    search = portfolio(noisy(x1**2 + x2), **judge, **options)
    search.run(Stopping(None, generations=1, patience=None))
    return search


@pytest.mark.slow
def test_a_settled_answer_ends_the_search_before_anything_is_compiled_or_bred(
    monkeypatch, short_dictionary
):
    def compiled(self):
        raise AssertionError("the engine was compiled")

    monkeypatch.setattr("keras_symgrad.engine.engine.Engine.compile", compiled)
    search = of_effort("normal", settled=True)
    assert search.stopped == "settled" and search.state() is None
    assert of_effort("quick", settled=False).stopped == "quick"
    with pytest.raises(AssertionError, match="was compiled"):
        of_effort("normal", settled=False)
    with pytest.raises(AssertionError, match="was compiled"):
        of_effort("thorough", settled=True)


@pytest.mark.slow
@pytest.mark.parametrize(("effort", "settled"), [("normal", False), ("thorough", True)])
def test_an_open_answer_and_a_thorough_search_go_through_the_whole_dictionary(
    effort, settled, short_dictionary
):
    assert of_effort(effort, settled=settled, methods="dictionary").stopped == "exhausted"


@pytest.mark.slow
def test_a_callback_has_the_assessment_while_the_search_goes_on(short_dictionary):
    told = []
    search = portfolio(noisy(x1**2 + x2), methods="dictionary", assess=lambda _: Judged(False))
    seen = LambdaCallback(on_generation_end=lambda _, logs: told.append(logs["matches"]))
    search.run(Stopping(time_limit=60), [seen])
    assert search.assessment == Judged(False) and set(told) == {"concept"} and len(told) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "hard"}, "`effort` is one of 'quick', 'normal', 'thorough'.*effort='hard'"),
        ({"effort": "quick", "methods": "trees"}, "the dictionary alone.*not among `methods`"),
    ],
)
def test_an_effort_that_cannot_be_made_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        portfolio(field_of(x1), **options)


@pytest.mark.slow
def test_a_time_limit_does_not_wait_for_the_compiler(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr("keras_symgrad.engine.engine.Engine.compile", lambda self: over.wait(60))
    search = portfolio(noisy(x1 * sympy.sin(x2) + x3))
    search.run(Stopping(time_limit=1, patience=None))
    assert search.stopped == "time_limit"
    assert len(search.archive) and not over.is_set()
    over.set()


def test_a_limit_ends_a_stage_of_the_dictionary_which_keeps_what_it_had_found(monkeypatch):
    asked = []

    def reason(self, progress, waited=0.0):
        asked.append(progress.evaluations)
        return "time_limit" if len(asked) == 9 else None

    monkeypatch.setattr(Stopping, "reason", reason)
    search = portfolio(noisy(x1 * sympy.sin(x2) + x3), methods=("dictionary",))
    search.run(Stopping(time_limit=60))
    assert search.stopped == "time_limit"
    # The first stage ends at the first check, and the others at the second one.
    assert len(set(asked)) == 1
    assert search.evaluations == asked[0] + 8


@pytest.mark.slow
def test_a_limit_ends_the_shortening_of_what_the_dictionary_found(monkeypatch):
    shortened = []
    shorter = Collector._shortest_tree

    def counted(self, expression):
        shortened.append(expression)
        return shorter(self, expression)

    def reason(self, progress, waited=0.0):
        return "time_limit" if len(shortened) == 2 else None

    monkeypatch.setattr(Collector, "_shortest_tree", counted)
    monkeypatch.setattr(Stopping, "reason", reason)
    search = portfolio(noisy(x1 * sympy.sin(x2) + x3), methods=("dictionary",))
    search.run(Stopping(time_limit=60))
    assert search.stopped == "time_limit"
    assert len(shortened) == 2


def test_what_is_open_after_two_stages_is_shortened_before_the_next_and_once(monkeypatch):
    shortened, before = [], []
    shorter = Collector._shortest_tree

    def counted(self, expression):
        shortened.append(expression)
        return shorter(self, expression)

    def further(self):
        yield []
        before.append(len(shortened))
        yield []

    monkeypatch.setattr(Collector, "_shortest_tree", counted)
    monkeypatch.setattr(SpectralSearch, "thorough_stages", further)
    search = portfolio(noisy(x1 * sympy.sin(x2) + x3), methods=("dictionary",))
    search.run(Stopping(time_limit=60))
    assert search.stopped == "exhausted"
    assert len(shortened) == before[0] > 0


@pytest.mark.slow
def test_what_goes_wrong_while_compiling_is_told(monkeypatch):
    def fails(self):
        raise RuntimeError("no compiler")

    monkeypatch.setattr("keras_symgrad.engine.engine.Engine.compile", fails)
    with pytest.raises(RuntimeError, match="no compiler"):
        portfolio(noisy(x1 * sympy.sin(x2) + x3)).run(Stopping(time_limit=60))


@pytest.mark.slow
def test_what_is_no_sum_is_left_to_the_trees():
    search = portfolio(field_of(sympy.sin(x1 * sympy.sin(x2 + x3)) + x2))
    archive = search.run(Stopping(None, evaluations=150_000, patience=None, target_loss=1e-6))
    assert archive.choice().loss < 1e-5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_archive():
    field = noisy(x1**2 + x2)
    fronts = []
    for _ in range(2):
        search = portfolio(field, seed=5)
        archive = search.run(Stopping(None, generations=2))
        fronts.append([(i.complexity, i.loss, str(i.tree)) for i in archive.front()])
    assert fronts[0] == fronts[1]


@pytest.mark.slow
def test_signed_searches_tell_a_concept_from_its_opposite():
    field = field_of(-(x1**2) - 3 * x2 * x3)
    search = portfolio(field, signed=True)
    choice = search.run(Stopping(None, generations=40)).choice()
    expression = to_sympy(choice.tree, OPERATORS)
    assert (
        loss(expression, NAMES, field.points, field.directions, frame=field.frame, signed=True)
        < 1e-7
    )


@pytest.mark.parametrize("methods", [(), "dictionry", ("trees", "magic")])
def test_unknown_methods_are_named(methods):
    with pytest.raises(ValueError, match="'dictionary', 'features', 'trees'"):
        portfolio(field_of(x1 * x2 + x3), methods=methods)


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_found():
    search = portfolio(noisy(x1 * sympy.sin(x2 * x3) + x3**2 * x1))

    def press(generation, logs):
        if generation == 2:
            raise KeyboardInterrupt

    press_ctrl_c = LambdaCallback(on_generation_end=press)
    archive = search.run(Stopping(None, generations=50), [press_ctrl_c])
    assert search.stopped == "interrupted"
    assert len(archive)


@pytest.mark.slow
def test_a_dear_operator_does_not_hide_a_formula_that_others_write():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    field = GradientField.from_gradients(x, x * [2, 4])
    concept = interpret(
        field,
        operators="add, mul, square",
        complexity={"square": 20},
        time_limit=5,
        verbose=False,
        search=Search(methods=("dictionary",)),
    )
    assert concept.best.loss < 1e-9
    # x1*x1 + 2*(x2*x2)
    assert concept.best.complexity == 9
