"""`PendingGeneration`: offspring in evaluation while others are bred."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from keras_symgrad.expressions import Alphabet
from keras_symgrad.search.core import (
    Individual,
    Plain,
    individual_from_plain,
    individual_to_plain,
    number_from_plain,
    number_to_plain,
    tree_from_plain,
    tree_to_plain,
)


@dataclass(frozen=True)
class PendingGeneration:
    """Offspring under evaluation.

    Attributes:
        half: numbers of the demes that bred them.
        bred: offspring of each of these demes.
        job: their trees and losses, all demes' in one list.
    """

    half: Sequence[int]
    bred: list[list[Individual]]
    job: Future[Any]

    def state(self) -> Plain:
        """The offspring as plain data, evaluated; trees only where refinement changed them."""
        individuals = [individual for brood in self.bred for individual in brood]
        return {
            "half": list(self.half),
            "bred": [[individual_to_plain(one) for one in brood] for brood in self.bred],
            "evaluated": [
                [None if tree is one.tree else tree_to_plain(tree), number_to_plain(loss)]
                for one, (tree, loss) in zip(individuals, self.job.result())
            ],
        }

    @classmethod
    def restored(cls, state: Plain, alphabet: Alphabet, demes: int) -> PendingGeneration:
        """The offspring of a `state`."""
        bred = [[individual_from_plain(i, alphabet) for i in brood] for brood in state["bred"]]
        individuals = [individual for brood in bred for individual in brood]
        half, evaluated = state["half"], state["evaluated"]
        if len(half) != len(bred) or len(evaluated) != len(individuals):
            raise ValueError("Offspring and their losses do not belong together.")
        if not set(half) <= set(range(demes)):
            raise ValueError(f"Demes are numbered below {demes}. Received: {str(half)[:80]}")
        job: Future[Any] = Future()
        job.set_result(
            [
                (
                    one.tree if tree is None else tree_from_plain(tree, alphabet),
                    number_from_plain(loss),
                )
                for one, (tree, loss) in zip(individuals, evaluated)
            ]
        )
        return cls(half, bred, job)
