"""Compile the engine in a thread of its own, so that limits are checked meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any


class BackgroundTask:
    """Work in a separate thread, which begins when `done` first asks for it.

    Args:
        work: function to run; its exceptions are raised by `done`.

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
        # Work that is not needed any more must not delay the end of the process.
        self._thread.shutdown(wait=False)

    def done(self, seconds: float) -> bool:
        """Start the work if necessary, and return whether it is done after some seconds.

        Args:
            seconds: to wait at most.

        Returns:
            True when it is done.

        Raises:
            Exception: raised by the work.
        """
        if self._job is None:
            self._job = self._thread.submit(self._work)
        if not wait([self._job], seconds).done:
            return False
        self._job.result()
        return True
