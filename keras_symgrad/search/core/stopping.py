"""`Stopping`: the limits of a search, and Ctrl-C that waits for the end of a generation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from keras_symgrad.search.core.interrupts import Interrupts, deferred_interrupts


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a generation.

    Attributes:
        generation: number of generations done.
        evaluations: candidates evaluated.
        seconds: since the start.
        loss: lowest loss.
        formula: the tree with that loss, as text.
        settled: generations since the choice from the front last got better.
    """

    generation: int
    evaluations: int
    seconds: float
    loss: float
    formula: str
    settled: int


@dataclass(frozen=True)
class Stopping:
    """Limits of a search; whichever is reached first ends it.

    Args:
        time_limit: seconds, or `None`.
        generations: number, or `None`.
        evaluations: candidates, or `None`.
        target_loss: ends the search when a loss is at or below it, or `None`.
        patience: generations without a better choice from the front (`search.selection`) that
            end the search, if there were as many without as before; or `None`.

    Raises:
        ValueError: a limit is not positive, or there is none at all.

    Example:

    >>> Stopping(generations=3).reason(Progress(3, 100, 1.0, 0.5, "x1", 0))
    'generations'
    """

    time_limit: float | None = 60.0
    generations: int | None = None
    evaluations: int | None = None
    target_loss: float | None = 1e-9
    patience: int | None = 25

    def __post_init__(self) -> None:
        limits = ("time_limit", "generations", "evaluations", "patience")
        for name in limits:
            limit = getattr(self, name)
            if limit is not None and not (np.isfinite(limit) and limit > 0):
                raise ValueError(f"`{name}` must be positive or None. Received: {name}={limit}")
        if all(getattr(self, name) is None for name in limits):
            raise ValueError(
                "A search needs a limit: give `time_limit`, `generations`, `evaluations` or "
                "`patience`. Received: None for all of them"
            )

    def reason(self, progress: Progress, waited: float = 0.0) -> str | None:
        """Name of the limit that is reached, or `None`.

        Args:
            progress: where the search stands.
            waited: seconds since then.
        """
        seconds = progress.seconds + waited
        reached = {
            "target_loss": self.target_loss is not None and progress.loss <= self.target_loss,
            "patience": self.patience is not None
            and progress.settled >= max(self.patience, progress.generation / 2),
            "time_limit": self.time_limit is not None and seconds >= self.time_limit,
            "generations": self.generations is not None and progress.generation >= self.generations,
            "evaluations": self.evaluations is not None
            and progress.evaluations >= self.evaluations,
        }
        return next((name for name, is_reached in reached.items() if is_reached), None)

    def drive(
        self,
        steps: Iterable[Progress | None],
        on_step: Callable[[Progress | None], str | None] | None = None,
        start: Progress | None = None,
    ) -> str:
        """Takes steps of a search until a limit is reached or Ctrl-C is pressed.

        Args:
            steps: yields the progress after each step, and `None` while it waits for others.
            on_step: called with what each yields; may return a reason to end.
            start: where a search that goes on stands already; if a limit is reached there, no step
                is taken.

        Returns:
            Name of the limit, "exhausted" if there were no more steps, "interrupted" after Ctrl-C,
            or the reason of `on_step`.
        """
        if start is not None and (reason := self.reason(start)):
            return reason
        last, since = start, time.perf_counter()
        try:
            with deferred_interrupts() as interrupts, _searching(interrupts):
                for progress in steps:
                    if progress is not None:
                        last, since = progress, time.perf_counter()
                    reason = on_step(progress) if on_step else None
                    if interrupts.presses:
                        return "interrupted"
                    waited = time.perf_counter() - since
                    if reason := reason or (last and self.reason(last, waited)):
                        return reason
        except KeyboardInterrupt:
            return "interrupted"
        return "exhausted"

    def share(self, generation: int, evaluations: int, seconds: float) -> float:
        """How much of the nearest limit is used up, in [0, 1].

        Args:
            generation: generations done.
            evaluations: candidates evaluated.
            seconds: since the start.
        """
        used = [
            done / limit
            for done, limit in (
                (seconds, self.time_limit),
                (generation, self.generations),
                (evaluations, self.evaluations),
            )
            if limit is not None
        ]
        return min(1.0, max(used, default=0.0))


def limits_of(time_limit: float | None | Literal["auto"], stopping: Stopping | None) -> Stopping:
    """The limits that a user gave in two places.

    Args:
        time_limit: seconds, or `None`; "auto" leaves it to `stopping`, or is a minute without it.
        stopping: all limits.

    Returns:
        The limits.

    Raises:
        ValueError: both have a time limit.

    Example:

    >>> limits_of(5.0, Stopping(time_limit=None, patience=40)).time_limit
    5.0
    """
    if stopping is None:
        return Stopping() if time_limit == "auto" else Stopping(time_limit=time_limit)
    if time_limit == "auto":
        return stopping
    if stopping.time_limit is not None:
        raise ValueError(
            "`stopping` has a time limit of its own, a minute by default. Pass one of the two: "
            "`stopping=Stopping(time_limit=...)`, or `time_limit` beside "
            "`Stopping(time_limit=None, ...)`. "
            f"Received: time_limit={time_limit!r}, stopping={stopping!r}"
        )
    return replace(stopping, time_limit=time_limit)


@contextmanager
def _searching(interrupts: Interrupts) -> Iterator[None]:
    """From now on there is something to be kept."""
    interrupts.armed = interrupts.searching = True
    try:
        yield
    finally:
        interrupts.searching = False
