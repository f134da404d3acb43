"""Settings of a genetic search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GeneticSettings:
    """How the genetic search breeds.

    Args:
        demes: separate populations; an even number, at least 2.
        population: individuals in a deme.
        offspring: bred by a deme in a generation; they replace its oldest.
        tournament: individuals that compete to be a parent.
        crossover: share of offspring with two parents.
        parsimony: how strongly crowded complexities are handicapped in tournaments, which
            keeps a spread of complexities alive.
        migrants: members of each deme that are replaced by the archive's, ...
        migration: ... every so many generations.
        patience: generations without a better choice after which a deme starts anew.
        known: largest number of known forms, as a share of the offspring, that are bred again and
            join the deme with the loss they are known to have.
        memory: known forms that are remembered, the last ones.
        max_complexity: more complex trees are not bred.
        max_nodes: nor trees with more nodes.
        refined: largest share of evaluated offspring whose constants are refined.
        rounds: of constant refinement.
    """

    demes: int = 8
    population: int = 128
    offspring: int = 128
    tournament: int = 8
    crossover: float = 0.25
    parsimony: float = 20.0
    migrants: int = 6
    migration: int = 10
    patience: int = 30
    known: float = 0.5
    memory: int = 100_000
    max_complexity: float = 30
    max_nodes: int = 40
    refined: float = 0.08
    rounds: int = 4

    @classmethod
    def of_population(cls, population: int, **others: Any) -> GeneticSettings:
        """Settings for so many individuals in all demes together.

        Args:
            population: how many, a few more where the demes do not divide them.
            **others: further settings.

        Returns:
            The settings.

        Example:

        >>> GeneticSettings.of_population(4096).population
        512
        """
        size = -(-population // cls.demes)
        return cls(population=size, offspring=size, **others)
