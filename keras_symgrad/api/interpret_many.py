"""Interpret many neurons of many models over one executor: `interpret_many`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import replace
from typing import Any

from keras_symgrad.api.arguments import check_options
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.load_interpretation import interpretation_from
from keras_symgrad.results import Interpretation
from keras_symgrad.search import Search
from keras_symgrad.search.callbacks import open_display
from keras_symgrad.search.core import deferred_interrupts
from keras_symgrad.search.islands import PROCESSES, Workers, ended_jobs

# A job whose worker was lost this many times is assumed to be the cause.
MOST_LOSSES = 3
# Interval of checks for Ctrl-C.
INTERRUPT_POLL_SECONDS = 0.5
# Arguments that a job cannot have: it is one of many and has no terminal.
_NOT_OF_A_JOB = ("callbacks", "verbose")
# The same of its `search`.
_NOT_OF_A_SEARCH = ("executor", "islands", "workers", "resume")


def interpret_many(
    jobs: Sequence[Mapping[str, Any]],
    *,
    executor: Executor | str | None = PROCESSES,
    workers: int | None = None,
    verbose: bool = True,
    **shared: Any,
) -> list[Interpretation | Exception]:
    """Interpret many neurons, one at a time on each worker.

    Args:
        jobs: arguments of `interpret`, one mapping for each neuron, such as
            `{"model": "net.keras", "x": "points.csv", "layer": "latent", "unit": 3}`. Use a path
            with processes or other machines: the model is then not sent to them.
        executor: "processes" for `workers` processes of this machine, `None` for this process, or
            any `concurrent.futures.Executor`, such as Dask's `client.get_executor()`.
        workers: processes or threads; by default one for each core of the machine.
        verbose: whether to show progress, as a bar on a terminal or in a notebook, or in lines.
        **shared: further arguments of `interpret` for all jobs.

    Returns:
        The result of `interpret` for each job, in order, as `load_interpretation` would read it
        from a file: without network and gradients, which `plot` and `report` need. A job that
        failed has its exception in its place; the other results are kept. After Ctrl-C the jobs
        that had not ended have a `CancelledError`; those in threads of this process end their
        search and have what it found.

    Raises:
        ValueError: a job has arguments that `interpret` does not take, or no model.

    Example:

    >>> import keras_symgrad as ks, numpy as np
    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> fields = [ks.GradientField.from_gradients(x, x * [2, c]) for c in (2, 4)]
    >>> jobs = [{"model": field} for field in fields]
    >>> found = interpret_many(jobs, executor=None, operators="polynomial", verbose=False)
    >>> [concept.headline for concept in found]
    ['x1**2 + x2**2', 'x1**2 + 2*x2**2']
    """
    # As for one search, and refused as there.
    count = Search(executor=executor, workers=workers).threads
    calls = [{**shared, **job} for job in jobs]
    for number, call in enumerate(calls):
        _check(call, number)
    unfinished = CancelledError("Ctrl-C was pressed before it had ended.")
    results: list[Any] = [unfinished] * len(calls)
    with Workers(executor, count) as pool, open_display(verbose) as display:
        display.update(f"interpreting, 0 of {len(calls)} done", 0.0)
        for done, (number, result) in enumerate(_results(calls, pool), 1):
            results[number] = result
            display.update(f"interpreting, {done} of {len(calls)} done", done / len(calls))
    return [result if isinstance(result, Exception) else _read(result) for result in results]


def _read(text: str) -> Interpretation:
    """The result that a worker sent."""
    found = interpretation_from(json.loads(text))
    if not isinstance(found, Interpretation):
        raise TypeError(f"Expected the result of `interpret`. Received: {type(found).__name__}")
    return found


def _results(calls: Sequence[dict[str, Any]], pool: Workers) -> Iterator[tuple[int, Any]]:
    """Numbers of jobs and their results, in the order in which they end."""
    losses = [0] * len(calls)
    with deferred_interrupts() as interrupts:
        # Searches in threads see the press themselves, and nothing else ends them.
        interrupts.armed |= pool.has_threads
        waiting = {pool.submit(_plain_result, call): k for k, call in enumerate(calls)}
        # Threads may have taken the place of processes.
        interrupts.armed |= pool.has_threads
        while waiting:
            done = ended_jobs(waiting, INTERRUPT_POLL_SECONDS)
            lost = []
            for future in done:
                number, error = waiting.pop(future), _error(future)
                if isinstance(error, BrokenExecutor):
                    lost.append((number, error))
                else:
                    interrupts.armed = True
                    yield number, error or future.result()
            if interrupts.presses:
                waiting = {
                    future: number
                    for future, number in waiting.items()
                    if pool.has_threads and not future.cancel()
                }
                continue
            if not lost:
                continue
            # When a worker process is lost, all jobs that were running or queued there are lost.
            lost += [(number, lost[0][1]) for number in waiting.values()]
            waiting.clear()
            renewed = pool.renew()
            for number, error in lost:
                losses[number] += 1
                if renewed and losses[number] < MOST_LOSSES:
                    waiting[pool.submit(_plain_result, calls[number])] = number
                else:
                    yield number, error


def _error(future: Future[Any]) -> BaseException | None:
    if future.cancelled():
        return CancelledError("Its executor has cancelled it.")
    error = future.exception()
    if isinstance(error, KeyboardInterrupt):
        return CancelledError("Ctrl-C was pressed before it had found anything.")
    return error


def _plain_result(call: Mapping[str, Any]) -> str:
    """Result of a job as a worker sends it back: the text of the file that `save` writes."""
    search = replace(call.get("search", Search()), workers=1)
    return json.dumps(interpret(**{**call, "search": search}, verbose=False).to_dict())


def _check(call: Mapping[str, Any], number: int) -> None:
    taken = set(inspect.signature(interpret).parameters) - set(_NOT_OF_A_JOB)
    if unknown := [name for name in call if name not in taken]:
        raise ValueError(
            f"Job {number} has arguments that `interpret` does not take here: "
            f"{', '.join(unknown)}. Received: {', '.join(call)}"
        )
    search, default = call.get("search", Search()), Search()
    check_options(search=search)
    if own := [n for n in _NOT_OF_A_SEARCH if getattr(search, n) != getattr(default, n)]:
        raise ValueError(
            f"Job {number} has options of `search` that belong to `interpret_many`: "
            f"{', '.join(own)}. Received: search={search!r}"
        )
    if "model" not in call:
        raise ValueError(f"Job {number} has no `model`. Received: {', '.join(call) or 'nothing'}")
