"""Ring of islands on any executor: threads, processes, a Dask cluster, MPI.

The islands form a ring. An epoch runs some generations of one island, and begins with the archive
that its neighbour had an epoch before:

    island i, epoch e   <-   island i, epoch e - 1   and   island i - 1, epoch e - 1

There is no barrier: an island waits only for one neighbour. The result of an epoch depends only on
its input, so the same seed gives the same archives with any workers and any order of results. The
unfinished epoch of a lost worker is repeated by another one.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

from keras_symgrad.search.core import Problem
from keras_symgrad.search.islands.collector import Collector
from keras_symgrad.search.islands.evaluators import Evaluators
from keras_symgrad.search.islands.executors import Workers, ended_jobs
from keras_symgrad.search.islands.island import Island

# Generations of an epoch: some seconds, of which converting an island to plain data and back is a
# twentieth.
EPOCH = 10
# Number of attempts for an epoch that fails.
RETRIES = 3
# A worker without a result for this many epochs is reported at the end.
SILENCE = 3
# Interval of checks for Ctrl-C, in seconds.
INTERRUPT_POLL_SECONDS = 0.5
_MAKING = threading.Lock()
# Tokens of finished searches: threads of this process stop working on their epochs.
_OVER: set[str] = set()


class WorkersLostError(RuntimeError):
    """There are no workers left."""


@dataclass(frozen=True)
class Epoch:
    """An island after an epoch.

    Attributes:
        generation: number of generations done.
        evaluations: candidates evaluated by this island.
        archive: its individuals, as plain data.
        state: its full state as text, which only the next worker decodes.
        worker: machine and process of the last worker.
    """

    generation: int
    evaluations: int
    archive: list[Any]
    state: str
    worker: str = ""

    @classmethod
    def of(cls, island: Island, worker: str = "") -> Epoch:
        """The present state of the island as an epoch."""
        state = island.state()
        archive = state["collector"]["archive"]
        text = json.dumps(state, allow_nan=False)
        return cls(island.generation, island.evaluations, archive, text, worker)


class IslandRing:
    """A ring of islands whose epochs are computed by workers.

    Args:
        problem: common problem of the islands.
        workers: executor of the epochs.
        epoch: generations of an epoch.

    Attributes:
        repeated: number of epochs that were repeated because a worker was lost.
    """

    def __init__(self, problem: Problem, workers: Workers, epoch: int = EPOCH):
        self.problem, self.workers, self.epoch = problem, workers, epoch
        self.repeated = 0
        # Number of the last epoch of each worker.
        self._heard_of: dict[str, int] = {}
        self._epoch = 0
        self._token = uuid.uuid4().hex
        # By island and number of the epoch, as long as they are needed.
        self._epochs: dict[tuple[int, int], Epoch] = {}
        self._count = 0
        self._running: dict[Future[Any], tuple[int, int]] = {}
        self._failures: dict[tuple[int, int], int] = {}

    def epochs(self, start: Sequence[Epoch]) -> Generator[list[Epoch] | None, None, None]:
        """Run epochs, without end.

        Args:
            start: initial state of each island.

        Yields:
            All islands after each epoch; `None` at intervals while waiting.

        Raises:
            WorkersLostError: an epoch failed repeatedly, or no workers are left.
        """
        self._epochs = {(island, 0): epoch for island, epoch in enumerate(start)}
        self._count = len(start)
        try:
            for epoch in count(1):
                self._epoch = epoch
                ring = [(island, epoch) for island in range(self._count)]
                while not all(place in self._epochs for place in ring):
                    self._submit()
                    if not self._collect():
                        yield None
                yield [self._epochs[place] for place in ring]
                for island in range(self._count):
                    del self._epochs[island, epoch - 1]
        finally:
            _OVER.add(self._token)
            for job in self._running:
                job.cancel()
            self._running.clear()

    @property
    def silent(self) -> list[str]:
        """Workers that took part, but not in the last epochs: they may be lost."""
        return [name for name, last in self._heard_of.items() if last < self._epoch - SILENCE]

    def _submit(self) -> None:
        """Submit all epochs whose island and neighbour are ready."""
        started = {*self._epochs, *self._running.values()}
        for island, epoch in list(self._epochs):
            neighbour = ((island - 1) % self._count, epoch)
            if (island, epoch + 1) not in started and neighbour in self._epochs:
                self._start((island, epoch + 1))

    def _start(self, place: tuple[int, int]) -> None:
        island, epoch = place
        state = self._epochs[island, epoch - 1].state
        migrants = self._epochs[(island - 1) % self._count, epoch - 1].archive
        job = self.workers.submit(
            advance, self._token, self.problem, state, migrants, island, self.epoch
        )
        self._running[job] = place

    def _collect(self) -> bool:
        """Collect results, resubmit failures, and return whether there was a result."""
        done = ended_jobs(self._running, INTERRUPT_POLL_SECONDS)
        for job in done:
            place = self._running.pop(job, None)
            if place is None:
                continue
            error = None if job.cancelled() else job.exception()
            if error is None and not job.cancelled():
                self._epochs[place] = job.result()
                self._heard_of[job.result().worker] = place[1]
            else:
                self._repeat(place, error)
        return bool(done)

    def _repeat(self, place: tuple[int, int], error: BaseException | None) -> None:
        failures = self._failures[place] = self._failures.get(place, 0) + 1
        line = "it was cancelled" if error is None else f"{type(error).__name__}: {error}"
        line = " ".join(line.split())[:200].rstrip(".")
        if failures > RETRIES:
            raise WorkersLostError(f"An epoch failed {failures} times, at last with: {line}.")
        lost = [place]
        if isinstance(error, BrokenExecutor):
            # Everything else that was running there is lost with it, and cannot be cancelled.
            lost += self._running.values()
            self._running.clear()
            if not self.workers.renew():
                raise WorkersLostError(f"The executor has lost its workers: {line}.")
        self.repeated += 1
        warnings.warn(
            f"An epoch of island {place[0]} was lost with its worker and is repeated: {line}",
            stacklevel=2,
        )
        for other in lost:
            self._start(other)


def advance(
    token: str,
    problem: Problem,
    state: str,
    migrants: Sequence[list[Any]],
    index: int,
    generations: int,
) -> Epoch:
    """Run some generations of an island, in a worker.

    Args:
        token: of the search; its evaluators are made once in each worker.
        problem: problem of the islands.
        state: of the island, as text.
        migrants: individuals of its neighbour.
        index: number of the island.
        generations: how many.

    Returns:
        The island after these generations, or after fewer if the search is over, which threads of
        the process that searched see.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    instruments = _instruments(token, problem)
    island = Island(instruments, Collector(instruments), index)
    island.restore(json.loads(state))
    island.collector.receive(migrants)
    last = island.generation + generations
    steps = island.generations()
    for generation in steps:
        if generation == last or token in _OVER:
            after = Epoch.of(island, worker)
            steps.close()
            return after
    return Epoch.of(island, worker)


@lru_cache(maxsize=2)
def _instruments_of(token: str) -> list[Evaluators]:
    return []


def _instruments(token: str, problem: Problem) -> Evaluators:
    """The evaluators of a search, made at its first epoch in this process."""
    with _MAKING:
        made = _instruments_of(token)
        if not made:
            made.append(Evaluators(problem))
        return made[0]
