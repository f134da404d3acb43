"""The portfolio of search strategies with one archive.

Each way of searching finds what the others do not: a dictionary the sums of short features, in a
second; evolved features longer ones; evolved trees what is no sum under any phi. They share the
archive and the limits. The dictionary comes first. After each of its stages what was found is
assessed on rows kept apart, and where that settles the answer nothing is compiled and nothing
bred; otherwise features and trees evolve on an island, or on many that are spread over an executor.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from deap import gp
from threadpoolctl import threadpool_limits

from keras_symgrad.expressions import Alphabet, Complexity
from keras_symgrad.expressions.formats import NO_UNITS, to_pretty
from keras_symgrad.gradients import GradientField, OwnUnits
from keras_symgrad.search.callbacks import Assessed, Callback, CallbackList
from keras_symgrad.search.core import (
    Archive,
    Effort,
    Ending,
    GeneticSettings,
    Plain,
    PriorKnowledge,
    Problem,
    Progress,
    StagnationCounter,
    Stopping,
    check_effort,
    number,
    whole,
)
from keras_symgrad.search.islands import (
    BackgroundTask,
    Collector,
    Epoch,
    Evaluators,
    EvolvedStrategy,
    Island,
    IslandRing,
    StagedSearch,
    Strategy,
    Workers,
    WorkersLostError,
    check_executor,
    initial_trees,
)
from keras_symgrad.search.spectral import Candidate, Separability
from keras_symgrad.search.strategies import METHODS, strategies_of

# Interval of checks for limits and Ctrl-C during compilation, in seconds.
LIMIT_POLL_SECONDS = 0.1


class PortfolioSearch:
    """Search of a gradient field for formulas by several strategies.

    Args:
        alphabet: operators and variables of the formulas.
        field: the rows to search on.
        complexity: of trees.
        settings: settings of the genetic search.
        methods: strategies, by name ("dictionary", "features", "trees") or as objects.
        signed: whether the opposite direction counts as different.
        seed: of all random choices.
        workers: threads that evaluate trees; with an `executor`, how many work on islands.
        executor: who works on islands: `None` for this process, "processes" for worker processes,
            or any `concurrent.futures.Executor`.
        islands: how many evolve side by side; one in this process, as many as workers with an
            executor. What is found depends on it, and not on who works on them.
        knowledge: rules that formulas keep and guesses to start from; none by default.
        units: of the variables' own that the field is in, for formulas to be shown in the user's.
        effort: "quick" for the dictionary alone; "normal" to end when `assess` says that the answer
            is settled; "thorough" to go on until a limit is reached.
        assess: judges an archive on rows that the search does not see; nothing does by default.

    Attributes:
        assessment: of what was found so far; `None` before the first formula, or without `assess`.
        problem: what is searched for.
        evaluations: candidates evaluated.
        stopped: the limit that ended the search.
        repeated: number of epochs that were repeated because a worker was lost.

    Raises:
        ValueError: `methods` is empty or has an unknown name; the executor is invalid.

    Example:

    >>> import numpy as np
    >>> from keras_symgrad import OperatorSet
    >>> x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    >>> field = GradientField.from_gradients(x, 2 * x * [1, 3])
    >>> search = PortfolioSearch(Alphabet(OperatorSet("polynomial"), field.names), field)
    >>> search.run(Stopping(time_limit=60)).choice().loss < 1e-9, search.stopped
    (True, 'target_loss')
    """

    def __init__(
        self,
        alphabet: Alphabet,
        field: GradientField,
        complexity: Complexity | None = None,
        settings: GeneticSettings = GeneticSettings(),
        *,
        methods: str | Strategy | Sequence[str | Strategy] = METHODS,
        signed: bool = False,
        seed: int = 0,
        workers: int = 2,
        executor: Executor | str | None = None,
        islands: int | None = None,
        knowledge: PriorKnowledge | None = None,
        units: OwnUnits | None = None,
        effort: Effort = "normal",
        assess: Callable[[Archive], Assessed] | None = None,
    ):
        check_executor(executor)
        strategies = strategies_of(methods)
        check_effort(effort, strategies)
        self.effort, self._assess = effort, assess
        self.assessment: Assessed | None = None
        complexity = complexity or Complexity()
        self.problem = Problem(
            alphabet, field, complexity, settings, strategies, signed, seed, knowledge
        )
        self.workers, self.executor, self.units = workers, executor, units
        self.islands = islands or (1 if executor is None else workers)
        self.evaluations = 0
        self.repeated = 0
        self.stopped = ""
        self._asked: str | None = None
        self._settling = StagnationCounter()
        self._start = 0.0
        # Seconds and candidates before the islands, and of an earlier run.
        self._seconds, self._evaluated = 0.0, 0
        self._evaluators = Evaluators(self.problem, workers)
        self._collector = Collector(self._evaluators)
        self._island: Island | None = None
        # Islands in other processes, and those of a resumed search.
        self._ring: list[Epoch] = []

    @property
    def archive(self) -> Archive:
        """The best tree found at each complexity."""
        return self._collector.archive

    @property
    def structure(self) -> Separability:
        """Structure that the gradients show without a search: ignored variables and groups."""
        return self._evaluators.spectral.structure

    def text(self, tree: gp.PrimitiveTree) -> str:
        """A tree of the search as text for people, in the user's units."""
        units = NO_UNITS if self.units is None else self.units.units
        return to_pretty(tree, operators=self.problem.alphabet.operators, units=units)

    def stop(self, reason: str) -> None:
        """End the search after the present generation; for callbacks.

        Args:
            reason: value for `stopped`.
        """
        self._asked = reason

    def run(self, stopping: Stopping = Stopping(), callbacks: Sequence[Callback] = ()) -> Archive:
        """Search until a limit is reached, a callback stops it or Ctrl-C is pressed.

        Args:
            stopping: the limits.
            callbacks: called at the beginning, after every generation and at the end.

        Returns:
            The archive.
        """
        told = CallbackList(callbacks, self)
        self._start = time.perf_counter()
        self._asked = None

        def on_step(progress: Progress | None) -> str | None:
            if progress is not None:
                told.on_generation_end(progress)
            return self._asked

        # Its matrices are small: threads of the linear algebra would wait for each other, and for
        # the engine's, longer than they compute.
        with (
            threadpool_limits(1, user_api="blas"),
            self._evaluators,
            closing(self._steps()) as steps,
        ):
            told.on_search_begin()
            try:
                self.stopped = stopping.drive(steps, on_step, self._kept)
            finally:
                # It can still be saved here: afterwards its last offspring join.
                told.on_search_end()
            if self._here and self._ring:
                # It was saved after its last generation, and no work was left.
                self._restored().take_in()
        return self.archive

    def state(self) -> Plain | None:
        """State on which the next generations depend, as plain data.

        Returns:
            The state; `None` before the first generation, after stages of seconds.
        """
        islands = [json.loads(epoch.state) for epoch in self._ring]
        if self._island:
            islands = [self._island.state()]
        if not islands:
            return None
        return {
            "seconds": self._passed,
            "evaluated": self._evaluated,
            "settling": self._settling.state(),
            "collector": self._collector.state(),
            "islands": islands,
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state`: `run` then continues from there, without its stages.

        Args:
            state: of a search for the same problem.

        Raises:
            ValueError: it has another number of islands, or is not a state of this problem.
        """
        islands = list(state["islands"])
        if len(islands) != self.islands:
            raise ValueError(
                f"The search that was kept has {len(islands)} islands, this one {self.islands}. "
                f"Pass `islands={len(islands)}`."
            )
        ring = [self._new_island(index) for index in range(self.islands)]
        for island, kept in zip(ring, islands):
            island.restore(kept)
        self._seconds, self._evaluated = number(state["seconds"]), whole(state["evaluated"])
        self._settling.restore(state["settling"])
        # Among formulas with equal losses it holds the first ones, which the islands do not have.
        self._collector.restore(state["collector"])
        self._ring = [Epoch.of(island) for island in ring]
        self.evaluations = self._evaluated + sum(epoch.evaluations for epoch in self._ring)

    def _new_island(self, index: int) -> Island:
        """An island with a separate archive."""
        return Island(self._evaluators, Collector(self._evaluators), index)

    @property
    def _here(self) -> bool:
        """True if one island evolves in this process."""
        return self.executor is None and self.islands == 1

    @property
    def _kept(self) -> Progress | None:
        """Progress of a saved search; it may have reached its limits.

        `None` before the first formula, up to which no limit ends a search.
        """
        if not self._ring or not len(self.archive):
            return None
        generation = self._ring[0].generation
        return self._progress(generation)

    @property
    def _passed(self) -> float:
        return self._seconds + time.perf_counter() - self._start

    def _steps(self) -> Generator[Progress | None, None, None]:
        """Guesses, searches in stages, then generations."""
        if not self._ring and (guesses := initial_trees(self.problem)):
            measure = self._evaluators.measure
            self._keep([Candidate(None, tree, measure(tree)) for tree in guesses])
            yield self._now(0)
        if not self._ring:
            for search in self._evaluators.staged:
                yield from self._staged(search)
        evolved = [one for one in self.problem.strategies if isinstance(one, EvolvedStrategy)]
        if not evolved:
            return
        if self.effort == "quick":
            self.stop("quick")
            yield self._now(0)
        elif self._here and any(strategy.uses_engine for strategy in evolved):
            with BackgroundTask(self._evaluators.engine.compile) as compilation:
                yield from self._until(compilation)
                yield from self._generations()
        elif self._here:
            yield from self._generations()
        else:
            with Workers(self.executor, self.workers) as workers:
                yield from self._epochs(IslandRing(self.problem, workers))

    def _staged(self, search: StagedSearch) -> Iterator[Progress | None]:
        """Stages of a search, and the shortest spelling of what they have found."""
        stages = 0
        try:
            for stage in search.stages():
                if stage is not None:
                    self._keep(stage)
                    yield self._assessed(0)
                    stages += 1
                    # What is settled needs no other spelling, and most is after the first stages.
                    if stages > 1:
                        front = self.archive.front()
                        yield from self._collector.shorten(search.found)
                        if self.archive.front() != front:
                            yield self._assessed(0)
                elif len(self.archive):
                    yield None
        finally:
            # If a limit ended a stage, its results so far.
            self._keep(search.end_stage())
        yield from self._collector.shorten(search.found)
        yield self._assessed(0)

    def _assessed(self, generation: int) -> Progress:
        """The progress, after what was found is assessed; a settled answer ends the search."""
        progress = self._now(generation)
        if self._assess is not None and len(self.archive):
            with suppress(ValueError):  # no formula is finite on the rows kept apart
                self.assessment = self._assess(self.archive)
                if self.effort != "thorough" and self.assessment.is_settled:
                    self.stop("settled")
        return progress

    def _until(self, compilation: BackgroundTask) -> Iterator[None]:
        """Wait for the engine; as soon as there is a formula, a limit may end the search."""
        while not compilation.done(LIMIT_POLL_SECONDS):
            if len(self.archive):
                yield None

    def _keep(self, found: Sequence[Any]) -> None:
        self._evaluated += len(found)
        self.evaluations = self._evaluated
        self._collector.keep(found)

    def _generations(self) -> Iterator[Progress]:
        """Run generations of one island in this process."""
        island = self._restored() if self._ring else Island(self._evaluators, self._collector)
        with closing(island.generations()) as generations:
            for generation in generations:
                self.evaluations = self._evaluated + island.evaluations
                # Only between two generations is the state complete.
                self._island = island
                yield self._now(generation)
                self._island = None
        self.evaluations = self._evaluated + island.evaluations

    def _restored(self) -> Island:
        """The one island of this process, as saved."""
        island = Island(self._evaluators, self._collector)
        island.restore(json.loads(self._ring.pop().state))
        return island

    def _epochs(self, islands: IslandRing) -> Iterator[Progress | None]:
        """Run epochs of several islands, on the workers of an executor."""
        if not self._ring:
            self._ring = [
                Epoch.of(Island(self._evaluators, self._collector, index))
                for index in range(self.islands)
            ]
        try:
            with closing(islands.epochs(self._ring)) as epochs:
                for ring in self._while_there_are_workers(epochs):
                    if ring is not None:
                        self._take_in(ring)
                        self.repeated = islands.repeated
                        yield self._now(ring[0].generation)
                    else:
                        yield None
        finally:
            if silent := islands.silent:
                # Dask, for example, repeats the work of a lost worker without a message.
                warnings.warn(
                    f"Lost contact with workers: {', '.join(silent)} (machine:process). Their "
                    "unfinished epochs were resubmitted.",
                    stacklevel=2,
                )

    def _take_in(self, ring: list[Epoch]) -> None:
        self._ring = ring
        for epoch in ring:
            self._collector.receive(epoch.archive)
        self.evaluations = self._evaluated + sum(epoch.evaluations for epoch in ring)

    def _while_there_are_workers(self, epochs: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from epochs
        except WorkersLostError as error:
            warnings.warn(f"{error} The search ends with what was found.", stacklevel=2)
            self.stop(Ending.WORKERS_LOST)
            yield None

    def _now(self, generation: int) -> Progress:
        """The progress, after new formulas of the front were tried with whole numbers."""
        self._collector.round()
        return self._progress(generation)

    def _progress(self, generation: int) -> Progress:
        settling, archive = self._settling, self.archive
        progress = settling.progress(archive, generation, self.evaluations, self._passed)
        if self.units is None or not len(archive):
            return progress
        return replace(progress, formula=self.text(archive.choice().tree))
