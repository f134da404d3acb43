"""Strategies by name and as objects; one's own takes part like those of the package."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.search import EvolvedStrategy, StagedStrategy, strategies
from keras_symgrad.search.callbacks import Checkpoint, SavedSearch
from keras_symgrad.search.islands import Collector, Evaluators, Island
from keras_symgrad.search.spectral import Candidate
from keras_symgrad.search.strategies import METHODS, check_methods, strategies_of
from keras_symgrad.search.strategies.dictionary import Dictionary
from keras_symgrad.search.strategies.trees import Trees
from tests.search.searches import generations, noisy_field, small_search, written


class Walk(EvolvedStrategy):
    """Sums of the first variable and a growing number, one a generation."""

    name = "walk"
    uses_engine = False

    def evolution(self, evaluators, collector, seed):
        return WalkOnIsland(evaluators, collector, seed)


class WalkOnIsland:
    def __init__(self, evaluators, collector, seed):
        self.measure, self.alphabet = evaluators.measure, evaluators.problem.alphabet
        self.collector, self.at = collector, seed

    @property
    def evaluations(self):
        return self.at

    def generations(self):
        for at in count(self.at + 1):
            self.at = at
            tree = self.alphabet.tree(["add", "sin", 1, "mul", 1.0 / self.at, 0])
            self.collector.keep([Candidate(None, tree, self.measure(tree))])
            yield

    def take_in(self):
        pass

    def state(self):
        return {"at": self.at}

    def restore(self, state):
        self.at = state["at"]


class Product(StagedStrategy):
    """One stage with the formula of the noisy field."""

    name = "product"

    def search(self, evaluators):
        return OneStage(evaluators)


class OneStage:
    blocks = ()

    def __init__(self, evaluators):
        self.evaluators, self.found = evaluators, []

    def stages(self):
        tree = self.evaluators.problem.alphabet.tree(["add", 1, "mul", 0, "sin", 1])
        self.found = [Candidate(None, tree, self.evaluators.measure(tree))]
        yield None
        yield self.found

    def end_stage(self):
        return []


def test_each_module_of_the_folder_is_a_method():
    modules = {path.stem for path in Path(strategies.__file__).parent.glob("*.py")}
    assert modules - {"__init__", "registry"} == set(METHODS)
    assert tuple(strategy.name for strategy in strategies_of(METHODS)) == METHODS


def test_a_strategy_of_the_package_is_its_name():
    assert check_methods([Dictionary(), "trees", Trees()]) == ("dictionary", "trees", "trees")
    assert ks.Search(methods=Trees()) == ks.Search(methods="trees")
    assert small_search(methods=Trees()).problem.methods == ("trees",)


def test_two_strategies_of_one_name_are_refused():
    class Other(Walk):
        name = "trees"

    with pytest.raises(ValueError, match="needs a name of its own"):
        ks.Search(methods=["trees", Other()])
    with pytest.raises(ValueError, match="needs a name of its own"):
        ks.Search(methods=[Walk(), Walk()])


@pytest.mark.parametrize("methods", [["features", "trees"], ["trees", "features"]])
def test_trees_evolve_first_in_whatever_order_methods_are_named(methods):
    with Evaluators(small_search(methods=methods).problem) as evaluators:
        island = Island(evaluators, Collector(evaluators))
        assert list(island.state()["strategies"]) == ["trees", "features"]


def test_ones_own_evolution_finds_formulas_and_is_resumed(tmp_path):
    whole = small_search(methods=[Walk()], seed=0)
    whole.run(generations(6))
    assert whole.evaluations == 6
    path = tmp_path / "walk.json"
    small_search(methods=[Walk()], seed=0).run(generations(2), [Checkpoint(path, every=0)])
    kept = SavedSearch(path)
    parts = small_search(methods=[Walk()], seed=0, field=kept.field(noisy_field()))
    kept.restore(parts)
    parts.run(generations(6))
    assert parts.evaluations == 6
    np.testing.assert_allclose(
        [one.loss for one in parts.archive], [one.loss for one in whole.archive], rtol=1e-6
    )


def test_ones_own_stages_are_searched_first_and_are_all_of_a_quick_search():
    search = small_search(methods=[Product(), Walk()], seed=0)
    search.run(generations(2))
    # The noise of 5 % that no formula explains.
    assert search.archive.choice().loss < 2e-3 and search.stopped == "generations"
    quick = small_search(methods=[Product(), Walk()], effort="quick")
    quick.run(generations(2))
    assert quick.stopped == "quick" and written(quick) == written(search)[:1]


def test_trees_start_from_what_ones_own_stages_have_found():
    with Evaluators(small_search(methods=[Product(), "trees"]).problem) as evaluators:
        (search,) = evaluators.staged
        list(search.stages())
        island = Island(evaluators, Collector(evaluators))
        assert island.state()["strategies"]["trees"]["guesses"] == [["add", 1, "mul", 0, "sin", 1]]


def test_quick_needs_stages():
    with pytest.raises(ValueError, match="which is not among `methods`"):
        ks.Search(methods=[Walk()], effort="quick")
