"""Executors of islands: threads, processes of this machine, or a given executor."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager, nullcontext
from typing import Any

PROCESSES = "processes"
# Terminals, batch systems and service managers send these to all processes of a group.
GROUP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# One worker uses one core: its libraries must not start threads for all of them.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


class Workers:
    """An executor that is replaced when its workers are lost, if possible.

    Args:
        executor: "processes" for worker processes of this machine, `None` for threads of this
            process, or any `concurrent.futures.Executor`: a Dask cluster's
            `client.get_executor()`, an `mpi4py.futures.MPIPoolExecutor`...
        count: processes or threads to start.

    Raises:
        ValueError: it is neither.

    Example:

    >>> with Workers(None, 2) as workers:
    ...     workers.submit(max, 3, 4).result()
    4
    """

    def __init__(self, executor: Executor | str | None, count: int):
        check_executor(executor)
        self._given, self.count = executor, count
        self._executor: Executor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit a call to a worker.

        Args:
            function: to call.
            arguments: of it.

        Returns:
            A future; one with a `BrokenExecutor` if the executor accepts no work, as after it was
            closed or has lost its workers. Where no process can be started, threads do the work
            from then on, with a warning.
        """
        # A search is ended by the process that started it, which needs its workers until then.
        block = _group_signals_blocked() if self._given == PROCESSES else nullcontext()
        try:
            with block:
                if self._executor is None:
                    self._executor = self._made()
                return self._executor.submit(function, *arguments)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            # No shared memory, or too many files or processes.
            if self._given == PROCESSES and isinstance(error, (OSError, NotImplementedError)):
                warnings.warn(
                    f"Worker processes cannot be started ({reason}). Threads take their place.",
                    stacklevel=2,
                )
                self._close()
                self._given = None
                return self.submit(function, *arguments)
            refused: Future[Any] = Future()
            refused.set_exception(BrokenExecutor(reason))
            return refused

    @property
    def has_threads(self) -> bool:
        """True if the workers are threads of this process."""
        return self._given is None

    def renew(self) -> bool:
        """Start new workers in place of lost ones, if this process owns them."""
        if self._given not in (PROCESSES, None):
            return False
        self._close()
        return True

    def _made(self) -> Executor:
        if self._given is None:
            return ThreadPoolExecutor(self.count)
        if not isinstance(self._given, str):
            return self._given
        from loky import ProcessPoolExecutor

        # Loky's processes do not run the user's script again, so that it needs no `__main__` guard.
        quiet = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
        return ProcessPoolExecutor(
            self.count, env=ONE_THREAD | quiet, initializer=end_with, initargs=(os.getpid(),)
        )

    def _close(self) -> None:
        executor, self._executor = self._executor, None
        if executor is None or executor is self._given:
            return
        if self._given == PROCESSES:
            # Nobody waits for an epoch that is not needed any more. Loky's executor can do that.
            processes: Any = executor
            processes.shutdown(wait=True, kill_workers=True)
        else:
            # Nor for a compilation, which a thread cannot be stopped in.
            executor.shutdown(wait=False, cancel_futures=True)


def ended_jobs(jobs: Collection[Future[Any]], seconds: float) -> list[Future[Any]]:
    """Wait until the first job has ended, and return those that have.

    `concurrent.futures.wait` alone waits for ever for a job that an executor cancelled as it was
    shut down.

    Args:
        jobs: to wait for.
        seconds: longest time to wait.

    Returns:
        The jobs that have ended or were cancelled, in their order.

    Example:

    >>> from concurrent.futures import Future
    >>> cancelled, waiting = Future(), Future()
    >>> cancelled.cancel()
    True
    >>> ended_jobs([cancelled, waiting], 0.01) == [cancelled]
    True
    """
    if not any(job.done() for job in jobs):
        wait(jobs, seconds, FIRST_COMPLETED)
    return [job for job in jobs if job.done()]


@contextmanager
def _group_signals_blocked() -> Iterator[None]:
    """Block signals to a group in this thread, and in processes and threads that the block starts.

    A signal that comes meanwhile is handled after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    numbers = {getattr(signal, name) for name in GROUP_SIGNALS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        # It would start with the first worker, and unblocks SIGINT and SIGTERM as it does.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with(parent: int) -> None:
    """End this process when the one that started it ends, even if it was killed.

    Loky's workers would otherwise wait for its next task for ever, each with some 800 MB.

    Args:
        parent: number of the process that started this one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def check_executor(executor: Any) -> None:
    """Raise unless islands can be submitted to it.

    Raises:
        ValueError: it has no `submit` and is neither "processes" nor `None`.
    """
    if executor not in (PROCESSES, None) and not callable(getattr(executor, "submit", None)):
        raise ValueError(
            '`executor` takes "processes", a `concurrent.futures.Executor` such as Dask\'s '
            "`client.get_executor()`, or None for this process. "
            f"Received: executor={executor!r}"
        )
