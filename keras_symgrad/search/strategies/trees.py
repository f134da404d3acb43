"""Strategy "trees": evolved formulas of any form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keras_symgrad.search.genetic import GeneticSearch
from keras_symgrad.search.islands import Collector, Evaluators, EvolvedStrategy, initial_trees


@dataclass(frozen=True)
class Trees(EvolvedStrategy):
    """Evolution of whole formulas; it begins with the guesses and the results of the stages."""

    name: ClassVar[str] = "trees"
    turn: ClassVar[int] = 0

    def evolution(self, evaluators: Evaluators, collector: Collector, seed: int) -> GeneticSearch:
        """Prepare the evolution.

        Args:
            evaluators: of the problem.
            collector: its archive takes the trees found.
            seed: of the island.
        """
        problem = evaluators.problem
        found = (
            one.tree
            for search in evaluators.staged
            for one in sorted(search.found, key=lambda one: one.loss)
        )
        return GeneticSearch(
            evaluators.engine,
            problem.alphabet,
            problem.complexity,
            problem.settings,
            [*initial_trees(problem), *found],
            seed,
            blocks=[block for search in evaluators.staged for block in search.blocks],
            archive=collector.archive,
            knowledge=problem.knowledge,
        )


STRATEGY = Trees()
