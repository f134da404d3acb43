"""Compile the engine in the background while the dictionary is searched."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any


class BackgroundTask:
    """Work that is done in a thread of its own as soon as it is started.

    Args:
        work: what to do; what it raises is raised by `done`.

    Example:

    >>> with BackgroundTask(lambda: print("compiled")) as compilation:
    ...     compilation.done(60)
    compiled
    True
    """

    def __init__(self, work: Callable[[], object]):
        self._work, self._thread = work, ThreadPoolExecutor(1)
        self._job: Future[Any] | None = None

    def __enter__(self) -> BackgroundTask:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody waits for work that is not needed any more.
        self._thread.shutdown(wait=False)

    def start(self) -> None:
        """Starts the work, once."""
        self._started()

    def _started(self) -> Future[Any]:
        if self._job is None:
            self._job = self._thread.submit(self._work)
        return self._job

    def done(self, seconds: float) -> bool:
        """Whether the work, started now if it was not before, is done after some seconds.

        Args:
            seconds: to wait at most.

        Returns:
            True when it is done.

        Raises:
            Exception: what the work raised.
        """
        job = self._started()
        if not wait([job], seconds).done:
            return False
        job.result()
        return True
