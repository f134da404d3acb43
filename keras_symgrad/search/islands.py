"""Islands on any executor: threads, processes, a Dask cluster, MPI.

The islands stand in a ring. An epoch takes one island some generations further, and begins with
the archive that its neighbour had an epoch before:

    island i, epoch e   <-   island i, epoch e - 1   and   island i - 1, epoch e - 1

There is no barrier: an island waits for one neighbour and for nobody else. What an epoch gives is
decided by what it is given, so the same seed gives the same archives whoever works on them and in
whatever order they come back. What a lost worker was doing is done again by another one.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import lru_cache
from itertools import count

from keras_symgrad.search.collector import Collector
from keras_symgrad.search.executors import Workers
from keras_symgrad.search.instruments import Instruments
from keras_symgrad.search.island import Island
from keras_symgrad.search.plain import Plain
from keras_symgrad.search.problem import Problem

# Generations of an epoch: some seconds, of which taking an island to plain data and back are a
# twentieth.
EPOCH = 10
# How often an epoch that failed is tried again.
RETRIES = 3
# A worker that has done nothing for so many epochs is spoken of at the end.
SILENCE = 3
# Ctrl-C is looked for so often, in seconds.
PATIENCE = 0.5
_MAKING = threading.Lock()


class WorkersLostError(RuntimeError):
    """Nobody is left to work on islands."""


class Islands:
    """A ring of islands that workers take further, epoch by epoch.

    Args:
        problem: of all of them.
        workers: who works on them.
        epoch: generations of an epoch.

    Attributes:
        repeated: epochs that were done again because a worker was lost.
    """

    def __init__(self, problem: Problem, workers: Workers, epoch: int = EPOCH):
        self.problem, self.workers, self.epoch = problem, workers, epoch
        self.repeated = 0
        # The last epoch of each worker.
        self._heard_of: dict[str, int] = {}
        self._epoch = 0
        self._token = uuid.uuid4().hex
        # States by island and epoch, as long as somebody needs them.
        self._states: dict[tuple[int, int], Plain] = {}
        self._count = 0
        self._running: dict[Future, tuple[int, int]] = {}
        self._failures: dict[tuple[int, int], int] = {}

    def warm_up(self, count: int) -> None:
        """Lets so many workers import and compile what they need."""
        for _ in range(count):
            self.workers.submit(prepare, self._token, self.problem)

    def epochs(self, states: Sequence[Plain]) -> Iterator[list[Plain] | None]:
        """One epoch after the other, for ever.

        Args:
            states: where the islands start, one each.

        Yields:
            The states of all islands after each; `None` now and then while they are awaited.

        Raises:
            WorkersLostError: an epoch failed again and again, or nobody is left to work.
        """
        self._states = {(island, 0): state for island, state in enumerate(states)}
        self._count = len(states)
        try:
            for epoch in count(1):
                self._epoch = epoch
                ring = [(island, epoch) for island in range(self._count)]
                while not all(place in self._states for place in ring):
                    self._submit()
                    if not self._collect():
                        yield None
                yield [self._states[place] for place in ring]
                for island in range(self._count):
                    del self._states[island, epoch - 1]
        finally:
            for job in self._running:
                job.cancel()
            self._running.clear()

    @property
    def silent(self) -> list[str]:
        """Workers that have taken part, but not in the last epochs: they may be lost."""
        return [name for name, last in self._heard_of.items() if last < self._epoch - SILENCE]

    def _submit(self) -> None:
        """Hands out all epochs whose island and whose neighbour are there."""
        started = {*self._states, *self._running.values()}
        for island, epoch in list(self._states):
            neighbour = ((island - 1) % self._count, epoch)
            if (island, epoch + 1) not in started and neighbour in self._states:
                self._start((island, epoch + 1))

    def _start(self, place: tuple[int, int]) -> None:
        island, epoch = place
        state = self._states[island, epoch - 1]
        migrants = self._states[(island - 1) % self._count, epoch - 1]["collector"]["archive"]
        job = self.workers.submit(
            advance, self._token, self.problem, state, migrants, island, self.epoch
        )
        self._running[job] = place

    def _collect(self) -> bool:
        """Takes what is done, starts again what failed, and tells whether there was anything."""
        done, _ = wait(self._running, PATIENCE, FIRST_COMPLETED)
        for job in done:
            place = self._running.pop(job, None)
            if place is None:
                continue
            error = None if job.cancelled() else job.exception()
            if error is None and not job.cancelled():
                worker, self._states[place] = job.result()
                self._heard_of[worker] = place[1]
            else:
                self._repeat(place, error)
        return bool(done)

    def _repeat(self, place: tuple[int, int], error: BaseException | None) -> None:
        failures = self._failures[place] = self._failures.get(place, 0) + 1
        line = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if failures > RETRIES:
            raise WorkersLostError(f"An epoch failed {failures} times, at last with {line}.")
        self.repeated += 1
        warnings.warn(
            f"An epoch of island {place[0]} was lost with its worker and is repeated: {line}",
            stacklevel=2,
        )
        if isinstance(error, BrokenExecutor):
            # Whatever else was running there is lost with it.
            lost = [place, *self._running.values()]
            self._running.clear()
            if not self.workers.renew():
                raise WorkersLostError(f"The executor has lost its workers: {line}.")
            for other in lost:
                self._start(other)
        else:
            self._start(place)


def prepare(token: str, problem: Problem) -> None:
    """Compiles the engine's programs, in a worker."""
    _instruments(token, problem).engine.compile()


def advance(
    token: str,
    problem: Problem,
    state: Plain,
    migrants: Sequence[list],
    index: int,
    generations: int,
) -> tuple[str, Plain]:
    """Takes an island some generations further, in a worker.

    Args:
        token: of the search; what belongs to it is made once in each worker.
        problem: that is worked on.
        state: of the island.
        migrants: individuals of its neighbour.
        index: number of the island.
        generations: how many.

    Returns:
        The name of the worker, by machine and process, and the new state.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    instruments = _instruments(token, problem)
    island = Island(instruments, Collector(instruments), index)
    island.restore(state)
    island.collector.receive(migrants)
    last = island.generation + generations
    steps = island.generations()
    for generation in steps:
        if generation == last:
            after = island.state()
            steps.close()
            return worker, after
    return worker, island.state()


@lru_cache(maxsize=2)
def _instruments_of(token: str) -> list[Instruments]:
    return []


def _instruments(token: str, problem: Problem) -> Instruments:
    """The instruments of a search, which are made at its first epoch in this process."""
    with _MAKING:
        made = _instruments_of(token)
        if not made:
            made.append(Instruments(problem))
        return made[0]
