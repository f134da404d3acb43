"""`Island`: features and trees that evolve side by side into one archive.

Between two generations it can be converted to plain data, and continued in any process without a
change of the result.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from itertools import count

from keras_symgrad.search.core import Plain, whole
from keras_symgrad.search.genetic import FeatureEvolution, GeneticSearch
from keras_symgrad.search.islands.collector import Collector
from keras_symgrad.search.islands.evaluators import Evaluators
from keras_symgrad.search.islands.initial_guesses import initial_trees

# After this many steps without a formula worth keeping, features are evolved only in every n-th
# generation.
MAX_IDLE_GENERATIONS = 5
RESTING_GENERATIONS = 4


class Island:
    """Evolution of features and trees, as the problem requires.

    Args:
        instruments: evaluators. The results of their dictionary search are the start.
        collector: collects the results; its archive provides migrants.
        index: number of the island; each has separate random numbers.

    Attributes:
        generation: number of generations done.
    """

    def __init__(self, instruments: Evaluators, collector: Collector, index: int = 0):
        problem, spectral = instruments.problem, instruments.spectral
        self.collector = collector
        self.generation = 0
        self._instruments = instruments
        self._others = 0
        self._idle = 0
        # Consecutive seeds belong to other searches.
        seed = problem.seed + 1_000_003 * index
        self.evolution = self.genetic = None
        known = problem.knowledge
        # Sums of features cannot have a template's form.
        if "features" in problem.methods and (known is None or known.template is None):
            self.evolution = FeatureEvolution(
                spectral,
                problem.complexity,
                problem.settings.max_complexity,
                seed=seed,
                optimizer=problem.settings.optimizer,
            )
        if "trees" in problem.methods:
            uses_dictionary = "dictionary" in problem.methods
            self.genetic = GeneticSearch(
                instruments.engine,
                problem.alphabet,
                problem.complexity,
                problem.settings,
                [
                    *initial_trees(problem),
                    *(one.tree for one in sorted(spectral.found, key=lambda one: one.loss)),
                ],
                seed,
                blocks=spectral.structure.blocks if uses_dictionary else (),
                archive=collector.archive,
                knowledge=known,
            )

    @property
    def evaluations(self) -> int:
        """Number of candidates evaluated."""
        return self._others + (self.genetic.evaluations if self.genetic else 0)

    def generations(self) -> Generator[int, None, None]:
        """Run generations, without end; none if the problem uses neither features nor trees.

        Yields:
            Number of generations done.
        """
        with closing(self._bred()) as bred:
            for self.generation in bred:
                # If only trees find something, evolved features get little of the time.
                if self.evolution and (
                    self._idle < MAX_IDLE_GENERATIONS or self.generation % RESTING_GENERATIONS == 0
                ):
                    found = self.evolution.step(self._instruments.engine)
                    self._others += len(found)
                    self._idle = 0 if self.collector.keep(found) else self._idle + 1
                self.collector.round()
                yield self.generation

    def _bred(self) -> Generator[int, None, None]:
        """Numbers of generations; trees are bred and evaluated in between."""
        if self.genetic:
            with closing(self.genetic.generations()) as generations:
                yield from (progress.generation for progress in generations)
        elif self.evolution:
            yield from count(self.generation + 1)

    def take_in(self) -> None:
        """Let the pending offspring join, as when `generations` is closed."""
        if self.genetic:
            self.genetic.take_in()

    def state(self) -> Plain:
        """The island as plain data."""
        return {
            "generation": self.generation,
            "others": self._others,
            "idle": self._idle,
            "collector": self.collector.state(),
            "features": self.evolution and self.evolution.state(),
            "trees": self.genetic and self.genetic.state(),
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state` of an island of the same problem."""
        self.generation = whole(state["generation"])
        self._others, self._idle = whole(state["others"]), whole(state["idle"])
        self.collector.restore(state["collector"])
        if self.evolution:
            self.evolution.restore(state["features"])
        if self.genetic:
            self.genetic.restore(state["trees"])
