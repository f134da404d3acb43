"""The portfolio of search strategies with one archive.

Each way of searching finds what the others do not: a dictionary the sums of short features, in a
second; evolved features longer ones; evolved trees what is no sum under any phi. They share the
archive and the limits. While the engine's programs are compiled, which takes XLA some seconds and
Python none, the dictionary is searched; afterwards features and trees evolve on an island, or on
many that are spread over an executor.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from typing import Any

from deap import gp
from threadpoolctl import threadpool_limits

from keras_symgrad.expressions import Alphabet, Complexity
from keras_symgrad.expressions.formats import NO_UNITS, to_pretty
from keras_symgrad.gradients import GradientField, OwnUnits
from keras_symgrad.search.callbacks import Callback, CallbackList
from keras_symgrad.search.core import (
    METHODS,
    Archive,
    GeneticSettings,
    Plain,
    PriorKnowledge,
    Problem,
    Progress,
    StagnationCounter,
    Stopping,
    number,
    whole,
)
from keras_symgrad.search.islands import (
    BackgroundTask,
    Collector,
    Epoch,
    Evaluators,
    Island,
    IslandRing,
    Workers,
    WorkersLostError,
    check_executor,
    initial_trees,
)
from keras_symgrad.search.spectral import Candidate, Separability

# Limits and Ctrl-C are looked for so often while the engine is compiled, in seconds.
LIMIT_POLL_SECONDS = 0.1


class PortfolioSearch:
    """Searches a gradient field for formulas in several ways at once.

    Args:
        alphabet: operators and variables of the formulas.
        field: the rows to search on.
        complexity: of trees.
        settings: how trees are bred.
        methods: which ways to search: "dictionary", "features" and "trees".
        signed: whether the opposite direction counts as different.
        seed: of all random choices.
        workers: threads that evaluate trees; with an `executor`, how many work on islands.
        executor: who works on islands: `None` for this process, "processes" for worker processes,
            or any `concurrent.futures.Executor`.
        islands: how many evolve side by side; one in this process, as many as workers with an
            executor. What is found depends on it, and not on who works on them.
        knowledge: rules that formulas keep and guesses to start from; none by default.
        units: of the variables' own that the field is in, for formulas to be shown in the user's.

    Attributes:
        problem: what is searched for.
        evaluations: candidates evaluated.
        stopped: the limit that ended the search.
        repeated: epochs that were done again because a worker was lost.

    Raises:
        ValueError: a method is unknown, or there is none; the executor is none.

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
        methods: Sequence[str] = METHODS,
        signed: bool = False,
        seed: int = 0,
        workers: int = 2,
        executor: Executor | str | None = None,
        islands: int | None = None,
        knowledge: PriorKnowledge | None = None,
        units: OwnUnits | None = None,
    ):
        check_executor(executor)
        self.problem = Problem(
            alphabet, field, complexity or Complexity(), settings, methods, signed, seed, knowledge
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
        self._instruments = Evaluators(self.problem, workers)
        self._collector = Collector(self._instruments)
        self._island: Island | None = None
        # Islands elsewhere, and those of a search that was kept.
        self._ring: list[Epoch] = []

    @property
    def archive(self) -> Archive:
        """The best tree found at each complexity."""
        return self._collector.archive

    @property
    def structure(self) -> Separability:
        """What the gradients show without a search: ignored variables and groups."""
        return self._instruments.spectral.structure

    def text(self, tree: gp.PrimitiveTree) -> str:
        """A tree of the search as text for people, in the user's units."""
        units = NO_UNITS if self.units is None else self.units.units
        return to_pretty(tree, operators=self.problem.alphabet.operators, units=units)

    def stop(self, reason: str) -> None:
        """Ends the search after the present generation; for callbacks.

        Args:
            reason: what `stopped` will say.
        """
        self._asked = reason

    def run(self, stopping: Stopping = Stopping(), callbacks: Sequence[Callback] = ()) -> Archive:
        """Searches until a limit is reached, a callback stops it or Ctrl-C is pressed.

        Args:
            stopping: the limits.
            callbacks: told about the beginning, every generation and the end.

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

        # Its matrices are small: threads of the linear algebra wait for each other, and for the
        # engine's, longer than they work.
        with (
            threadpool_limits(1, user_api="blas"),
            self._instruments,
            closing(self._steps()) as steps,
        ):
            told.on_search_begin()
            try:
                self.stopped = stopping.drive(steps, on_step, self._kept)
            finally:
                # It can still be kept here: afterwards its last offspring are taken in.
                told.on_search_end()
            if self._here and self._ring:
                # It was kept after its last generation, and nothing was left to do.
                self._restored().take_in()
        return self.archive

    def state(self) -> Plain | None:
        """All that the next generations depend on, as plain data.

        Returns:
            The state; `None` before the first generation, as long as only the dictionary was
            searched, which takes seconds.
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
        """Takes over a `state`: `run` then goes on from there, without the dictionary.

        Args:
            state: of a search for the same problem.

        Raises:
            ValueError: it has another number of islands, or is no state of this problem.
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
        # Of formulas that fit alike it has those that came first, which the islands do not know.
        self._collector.restore(state["collector"])
        self._ring = [Epoch.of(island) for island in ring]
        self.evaluations = self._evaluated + sum(epoch.evaluations for epoch in self._ring)

    def _new_island(self, index: int) -> Island:
        """An island with an archive of its own."""
        return Island(self._instruments, Collector(self._instruments), index)

    @property
    def _here(self) -> bool:
        """Whether one island evolves in this process."""
        return self.executor is None and self.islands == 1

    @property
    def _kept(self) -> Progress | None:
        """Where a search that was kept stands; it may have reached its limits."""
        if not self._ring:
            return None
        generation = self._ring[0].generation
        return self._progress(generation)

    @property
    def _passed(self) -> float:
        return self._seconds + time.perf_counter() - self._start

    def _steps(self) -> Generator[Progress | None, None, None]:
        """Guesses, stages of the dictionary, then generations."""
        if not self._ring and (guesses := initial_trees(self.problem)):
            measure = self._instruments.measure
            self._keep([Candidate(None, tree, measure(tree)) for tree in guesses])
            yield self._now(0)
        if self._here:
            with BackgroundTask(self._compile) as compilation:
                if not self._ring:
                    yield from self._dictionary(compilation.start)
                if self.problem.methods != ("dictionary",):
                    yield from self._until(compilation)
                    yield from self._generations()
        else:
            with Workers(self.executor, self.workers) as workers:
                islands = IslandRing(self.problem, workers)
                if not self._ring:
                    yield from self._dictionary(lambda: islands.warm_up(self.islands))
                if self.problem.methods != ("dictionary",):
                    yield from self._epochs(islands)

    def _compile(self) -> None:
        self._instruments.engine.compile()

    def _dictionary(self, make_ready: Callable[[], None]) -> Iterator[Progress | None]:
        """Stages of the dictionary; what follows is made ready beside the thorough ones."""
        problem, spectral = self.problem, self._instruments.spectral
        if "dictionary" not in problem.methods:
            return
        yield from self._staged(spectral.quick_stages())
        # Where the quick stages find a perfect match, nothing is compiled.
        if problem.methods != ("dictionary",):
            make_ready()
        yield from self._staged(spectral.thorough_stages())
        yield from self._collector.shorten(spectral.found)
        yield self._now(0)

    def _staged(self, stages: Iterator[list[Candidate] | None]) -> Iterator[Progress | None]:
        try:
            for stage in stages:
                if stage is not None:
                    self._keep(stage)
                    yield self._now(0)
                elif len(self.archive):
                    yield None
        finally:
            # Of a stage that a limit ended, what it had found.
            self._keep(self._instruments.spectral.end_stage())

    def _until(self, compilation: BackgroundTask) -> Iterator[None]:
        """Waits for the engine; as soon as there is a formula, a limit may end the search."""
        while not compilation.done(LIMIT_POLL_SECONDS):
            if len(self.archive):
                yield None

    def _keep(self, found: Sequence[Any]) -> None:
        self._evaluated += len(found)
        self.evaluations = self._evaluated
        self._collector.keep(found)

    def _generations(self) -> Iterator[Progress]:
        """Generations of one island in this process."""
        island = self._restored() if self._ring else Island(self._instruments, self._collector)
        with closing(island.generations()) as generations:
            for generation in generations:
                self.evaluations = self._evaluated + island.evaluations
                # Only between two generations there is something whole to keep.
                self._island = island
                yield self._now(generation)
                self._island = None
        self.evaluations = self._evaluated + island.evaluations

    def _restored(self) -> Island:
        """The one island of this process, as it was kept."""
        island = Island(self._instruments, self._collector)
        island.restore(json.loads(self._ring.pop().state))
        return island

    def _epochs(self, islands: IslandRing) -> Iterator[Progress | None]:
        """Epochs of many islands, by the workers of an executor."""
        if not self._ring:
            self._ring = [
                Epoch.of(Island(self._instruments, self._collector, index))
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
                # Dask, for one, does again what a lost worker did and says nothing.
                warnings.warn(
                    f"Not heard of any more: {', '.join(silent)} (machine:process). What a worker "
                    "does not bring to an end is done again by another one.",
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
            self.stop("workers_lost")
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
