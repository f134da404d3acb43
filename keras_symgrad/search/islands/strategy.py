"""`Strategy`: a way to search, in stages that end or in generations that do not.

This module imports nothing at run time: the command line lists strategies before TensorFlow starts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from deap import gp

    from keras_symgrad.search.core import Plain
    from keras_symgrad.search.islands.collector import Collector
    from keras_symgrad.search.islands.evaluators import Evaluators
    from keras_symgrad.search.spectral import Candidate


class Strategy(ABC):
    """A way to search for formulas.

    A strategy holds its options and no state of a search: it is sent to other processes with the
    problem. Derive from `StagedStrategy` or `EvolvedStrategy`, which define what it must do.

    Attributes:
        name: for users and files.
        is_quick: True if it takes seconds, so that `effort="quick"` searches with it alone.
    """

    name: ClassVar[str]
    is_quick: ClassVar[bool] = False


class StagedSearch(Protocol):
    """A search in stages, such as `SpectralSearch`.

    Attributes:
        found: the candidates of all stages so far.
    """

    found: list[Candidate]

    @property
    def blocks(self) -> Sequence[gp.PrimitiveTree]:
        """Subtrees of which other strategies may make formulas."""

    def stages(self) -> Iterator[list[Candidate] | None]:
        """Run the stages; `None` in between, so that a limit can end one, and its candidates."""

    def end_stage(self) -> list[Candidate]:
        """End the present stage, complete or not, and return its candidates."""


class StagedStrategy(Strategy):
    """A strategy that comes to an end before anything evolves.

    The archive is assessed after each of its stages.
    """

    is_quick: ClassVar[bool] = True

    @abstractmethod
    def search(self, evaluators: Evaluators) -> StagedSearch:
        """Prepare the search.

        Args:
            evaluators: of the problem.
        """


class Evolution(Protocol):
    """A search in generations, without end, such as `GeneticSearch`."""

    @property
    def evaluations(self) -> int:
        """Number of candidates evaluated."""

    def generations(self) -> Generator[object, None, None]:
        """Run one generation after the other, each on request."""

    def take_in(self) -> None:
        """Let what is still being evaluated join, as when `generations` is closed."""

    def state(self) -> Plain:
        """State on which the next generations depend, as plain data."""

    def restore(self, state: Plain) -> None:
        """Restore a `state`."""


class EvolvedStrategy(Strategy):
    """A strategy that takes part in every generation of an island.

    Attributes:
        turn: place among the strategies of a generation; the lowest is the first.
        uses_engine: True if it evaluates trees with the engine, whose program is compiled first.
    """

    turn: ClassVar[int] = 2
    uses_engine: ClassVar[bool] = True

    @abstractmethod
    def evolution(
        self, evaluators: Evaluators, collector: Collector, seed: int
    ) -> Evolution | None:
        """Prepare the evolution on one island.

        Args:
            evaluators: of the problem; `evaluators.staged` are the searches in stages.
            collector: takes the candidates found.
            seed: of the island.

        Returns:
            The evolution; `None` if it cannot find formulas that keep the rules of the problem.
        """
