"""Settings of a genetic search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GeneticSettings:
    """Settings of the genetic search's demes and variation.

    Args:
        demes: separate populations; an even number, at least 2.
        population: individuals in a deme.
        offspring: bred by a deme in a generation; they replace its oldest members.
        tournament: individuals that compete to become a parent.
        crossover: share of offspring with two parents.
        parsimony: weight of the penalty for frequent complexities in tournaments, which keeps a
            spread of complexities.
        migrants: members of each deme that are replaced by the archive's ...
        migration: ... at this interval of generations.
        patience: generations without a better choice after which a deme is restarted.
        known: largest number of known forms, as a share of the offspring, that are bred again and
            join the deme with their cached loss.
        memory: size of the loss cache, which keeps the latest forms.
        max_complexity: more complex trees are rejected.
        max_nodes: trees with more nodes are rejected.
        refined: largest share of evaluated offspring whose constants are refined.
        rounds: of constant refinement.
        optimizer: configuration of a Keras optimizer that refines constants in the place of
            Levenberg-Marquardt.

    Example:

    >>> settings = GeneticSettings(demes=4, population=64)
    >>> settings.demes * settings.population, settings.max_complexity
    (256, 30)
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
    optimizer: Mapping[str, Any] | None = None

    @classmethod
    def of_population(cls, population: int, **others: Any) -> GeneticSettings:
        """Make settings for a total number of individuals in all demes.

        Args:
            population: total number, rounded up to a multiple of the demes.
            **others: further settings.

        Returns:
            The settings.

        Example:

        >>> GeneticSettings.of_population(4096).population
        512
        """
        size = -(-population // cls.demes)
        return cls(population=size, offspring=size, **others)
