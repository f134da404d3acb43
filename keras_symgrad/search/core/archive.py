"""`Archive`: the best tree at every complexity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from deap import gp

from keras_symgrad.search.core.model_selection import choose_model, scores


@dataclass(slots=True, frozen=True)
class Individual:
    """A tree with its complexity, fingerprint and loss.

    Attributes:
        tree: the tree.
        complexity: its complexity.
        fingerprint: equal for trees that evidently carry the same concept.
        loss: its loss on the search's rows.
    """

    tree: gp.PrimitiveTree
    complexity: float
    fingerprint: int
    loss: float


class Archive:
    """Best individual at each complexity.

    Example:

    >>> archive = Archive()
    >>> archive.add(Individual(gp.PrimitiveTree([]), 5, 1, 0.1))
    True
    >>> archive.add(Individual(gp.PrimitiveTree([]), 7, 2, 0.2))
    True
    >>> [individual.complexity for individual in archive.front()]
    [5]
    """

    def __init__(self) -> None:
        self._best: dict[float, Individual] = {}

    def __len__(self) -> int:
        return len(self._best)

    def __iter__(self) -> Iterator[Individual]:
        """Individuals by ascending complexity."""
        return iter(self._best[complexity] for complexity in sorted(self._best))

    def add(self, individual: Individual) -> bool:
        """Add the individual if it is the best at its complexity.

        Returns:
            Whether it was added.
        """
        if not np.isfinite(individual.loss):
            return False
        known = self._best.get(individual.complexity)
        if known is not None and known.loss <= individual.loss:
            return False
        self._best[individual.complexity] = individual
        return True

    def front(self) -> list[Individual]:
        """The Pareto front: each more complex than the one before, and better."""
        front: list[Individual] = []
        for individual in self:
            if not front or individual.loss < front[-1].loss:
                front.append(individual)
        return front

    def choice(self) -> Individual:
        """The individual that would be chosen if the search ended now."""
        front = self.front()
        return front[choose_model([i.complexity for i in front], [i.loss for i in front])]

    def score(self) -> float:
        """Score of the choice, the lower the better; infinite without a choice."""
        front = self.front()
        return float(
            scores([i.complexity for i in front], [i.loss for i in front]).min(initial=np.inf)
        )
