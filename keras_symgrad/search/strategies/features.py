"""Strategy "features": evolved features, whose sums are longer than those of the dictionary."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

from keras_symgrad.search.core import Plain, whole
from keras_symgrad.search.genetic import FeatureEvolution
from keras_symgrad.search.islands import Collector, Evaluators, EvolvedStrategy

# After this many steps without a formula worth keeping, features are evolved only in every n-th
# generation: if only trees find something, features get little of the time.
MAX_IDLE_GENERATIONS = 5
RESTING_GENERATIONS = 4


@dataclass(frozen=True)
class Features(EvolvedStrategy):
    """Evolution of the features of sums; the spectrum gives the weights."""

    name: ClassVar[str] = "features"
    turn: ClassVar[int] = 1

    def evolution(
        self, evaluators: Evaluators, collector: Collector, seed: int
    ) -> FeatureGenerations | None:
        """Prepare the evolution; sums of features cannot have a template's form.

        Args:
            evaluators: of the problem.
            collector: takes the candidates found.
            seed: of the island.
        """
        problem, known = evaluators.problem, evaluators.problem.knowledge
        if known is not None and known.template is not None:
            return None
        features = FeatureEvolution(
            evaluators.spectral,
            problem.complexity,
            problem.settings.max_complexity,
            seed=seed,
            optimizer=problem.settings.optimizer,
        )
        return FeatureGenerations(features, evaluators, collector)


class FeatureGenerations:
    """Generations of a `FeatureEvolution`, which rests while it finds nothing.

    Args:
        features: the sets of features.
        evaluators: of the problem; the engine refines constants.
        collector: takes the candidates found.

    Attributes:
        evaluations: candidates evaluated.
        generation: number of generations done, those without a step included.
    """

    def __init__(self, features: FeatureEvolution, evaluators: Evaluators, collector: Collector):
        self.evaluations = 0
        self.generation = 0
        self._features, self._evaluators, self._collector = features, evaluators, collector
        self._idle = 0

    def generations(self) -> Generator[None, None, None]:
        """Run generations, without end."""
        while True:
            self.generation += 1
            if self._idle < MAX_IDLE_GENERATIONS or self.generation % RESTING_GENERATIONS == 0:
                found = self._features.step(self._evaluators.engine)
                self.evaluations += len(found)
                self._idle = 0 if self._collector.keep(found) else self._idle + 1
            yield

    def take_in(self) -> None:
        """Nothing is pending between two generations."""

    def state(self) -> Plain:
        """State on which the next generations depend, as plain data."""
        counters = {
            "generation": self.generation,
            "evaluations": self.evaluations,
            "idle": self._idle,
        }
        return counters | self._features.state()

    def restore(self, state: Plain) -> None:
        """Restore a `state`."""
        self.generation, self.evaluations = whole(state["generation"]), whole(state["evaluations"])
        self._idle = whole(state["idle"])
        self._features.restore(state)


STRATEGY = Features()
