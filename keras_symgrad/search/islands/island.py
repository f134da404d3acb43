"""`Island`: strategies that evolve side by side into one archive.

Between two generations it can be converted to plain data, and continued in any process without a
change of the result.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing

from keras_symgrad.search.core import Plain, whole
from keras_symgrad.search.islands.collector import Collector
from keras_symgrad.search.islands.evaluators import Evaluators
from keras_symgrad.search.islands.strategy import Evolution, EvolvedStrategy


class Island:
    """Evolution by those strategies of a problem that evolve.

    Args:
        evaluators: of the problem. The results of its searches in stages are the start.
        collector: collects the results; its archive provides migrants.
        index: number of the island; each has separate random numbers.

    Attributes:
        generation: number of generations done.
    """

    def __init__(self, evaluators: Evaluators, collector: Collector, index: int = 0):
        self.collector = collector
        self.generation = 0
        # Consecutive seeds belong to other searches.
        seed = evaluators.problem.seed + 1_000_003 * index
        evolved = [one for one in evaluators.problem.strategies if isinstance(one, EvolvedStrategy)]
        self._evolutions: dict[str, Evolution] = {}
        for strategy in sorted(evolved, key=lambda one: one.turn):
            evolution = strategy.evolution(evaluators, collector, seed)
            if evolution is not None:
                self._evolutions[strategy.name] = evolution

    @property
    def evaluations(self) -> int:
        """Number of candidates evaluated."""
        return sum(evolution.evaluations for evolution in self._evolutions.values())

    def generations(self) -> Generator[int, None, None]:
        """Run generations, without end; the iterator is empty if no strategy evolves.

        Yields:
            Number of generations done.
        """
        with ExitStack() as stack:
            steps = [
                stack.enter_context(closing(evolution.generations()))
                for evolution in self._evolutions.values()
            ]
            for _ in zip(*steps):
                self.generation += 1
                self.collector.round()
                yield self.generation

    def take_in(self) -> None:
        """Let the pending offspring join, as when `generations` is closed."""
        for evolution in self._evolutions.values():
            evolution.take_in()

    def state(self) -> Plain:
        """The island as plain data."""
        return {
            "generation": self.generation,
            "collector": self.collector.state(),
            "strategies": {name: one.state() for name, one in self._evolutions.items()},
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state` of an island of the same problem."""
        self.generation = whole(state["generation"])
        self.collector.restore(state["collector"])
        states = state["strategies"] if "strategies" in state else _before_strategies(state)
        for name, evolution in self._evolutions.items():
            evolution.restore(states[name])


def _before_strategies(state: Plain) -> Plain:
    """States of the strategies in a file of version 0.1, where the island counted for features."""
    counters = {
        "generation": state["generation"],
        "evaluations": state["others"],
        "idle": state["idle"],
    }
    features = state["features"]
    return {"features": features and counters | features, "trees": state["trees"]}
