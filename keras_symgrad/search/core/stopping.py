"""`Stopping`, `Effort` and `Ending`: limits of a search, how far it goes, and why it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np

from keras_symgrad.search.core.interrupts import Interrupts, deferred_interrupts

if TYPE_CHECKING:
    from keras_symgrad.search.islands import Strategy

Step = TypeVar("Step", bound="Progress | None")


class Ending(StrEnum):
    """Reason for the end of a search. A callback may give a reason of its own, as plain text.

    >>> Ending("settled").text
    'until the answer was settled'
    """

    TIME_LIMIT = "time_limit"
    GENERATIONS = "generations"
    EVALUATIONS = "evaluations"
    PATIENCE = "patience"
    TARGET_LOSS = "target_loss"
    SETTLED = "settled"
    SWITCH = "switch"
    QUICK = "quick"
    EXHAUSTED = "exhausted"
    INTERRUPTED = "interrupted"
    WORKERS_LOST = "workers_lost"

    @property
    def text(self) -> str:
        """The end of a sentence that begins with the search."""
        return _TEXTS[self]

    @classmethod
    def of(cls, reason: str) -> Ending | str:
        """An ending of this list, or the reason of a callback as it is."""
        return cls(reason) if reason in list(cls) else reason


_TEXTS = {
    Ending.TIME_LIMIT: "until the time limit, unfinished",
    Ending.GENERATIONS: "until the limit of generations",
    Ending.EVALUATIONS: "until the limit of evaluations",
    Ending.PATIENCE: "until the choice had not improved for long",
    Ending.TARGET_LOSS: "until a perfect match",
    Ending.SETTLED: "until the answer was settled",
    Ending.SWITCH: "until a switch between two formulas was evident",
    Ending.QUICK: "through the dictionary alone",
    Ending.EXHAUSTED: "until everything had been tried",
    Ending.INTERRUPTED: "until Ctrl-C",
    Ending.WORKERS_LOST: "until its workers were lost, unfinished",
}


Effort = Literal["quick", "normal", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)


def check_effort(effort: str, strategies: Sequence[Strategy]) -> None:
    """Raise unless an effort can be made with some ways to search.

    Args:
        effort: "quick" for the dictionary alone, "normal" until the answer is settled, "thorough"
            until a limit is reached.
        strategies: ways to search.

    Raises:
        ValueError: the effort is unknown, or "quick" without a quick strategy.
    """
    if effort not in EFFORTS:
        raise ValueError(
            f"`effort` is one of {', '.join(map(repr, EFFORTS))}. Received: effort={effort!r}"
        )
    names = tuple(strategy.name for strategy in strategies)
    if effort == "quick" and not any(strategy.is_quick for strategy in strategies):
        raise ValueError(
            '`effort="quick"` searches the dictionary alone, which is not among `methods`. Add '
            f'"dictionary", or ask for "normal". Received: methods={names!r}'
        )


@dataclass(frozen=True)
class Progress:
    """Progress of a search after a generation.

    Attributes:
        generation: number of generations done.
        evaluations: candidates evaluated.
        seconds: since the start.
        loss: lowest loss.
        formula: the tree with that loss, as text.
        settled: generations since the choice from the front last improved.
    """

    generation: int
    evaluations: int
    seconds: float
    loss: float
    formula: str
    settled: int


@dataclass(frozen=True)
class Stopping:
    """Limits of a search; the first one reached ends it.

    Args:
        time_limit: seconds, or `None`.
        generations: number, or `None`.
        evaluations: candidates, or `None`.
        target_loss: ends the search when a loss is at or below it, or `None`.
        patience: generations without a better choice from the front (`search.selection`) that end
            the search, if they are at least half of all; or `None`.

    Raises:
        ValueError: a limit is not positive, or there is no limit.

    Example:

    >>> Stopping(generations=3).reason(Progress(3, 100, 1.0, 0.5, "x1", 0))
    'generations'
    """

    time_limit: float | None = 60.0
    generations: int | None = None
    evaluations: int | None = None
    target_loss: float | None = 1e-11
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
            progress: progress of the search.
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
        steps: Iterable[Step],
        on_step: Callable[[Step], str | None] | None = None,
        start: Progress | None = None,
    ) -> str:
        """Take steps of a search until a limit is reached or Ctrl-C is pressed.

        Args:
            steps: yields the progress after each step, and `None` while it waits for other
                processes.
            on_step: called with each yielded value; may return a reason to end.
            start: progress of a resumed search; if it has reached a limit already, no step is
                taken.

        Returns:
            Name of the limit, "exhausted" if there were no more steps, "interrupted" after Ctrl-C,
            or the reason of `on_step`.
        """
        if start is not None:
            with deferred_interrupts() as interrupts:
                # What the search had found before is kept, though no step is taken.
                interrupts.armed = True
            if reason := self.reason(start):
                return reason
        last, since = start, time.perf_counter()
        try:
            with deferred_interrupts() as interrupts, _searching(interrupts):
                for progress in steps:
                    if progress is not None:
                        last, since = progress, time.perf_counter()
                    reason = on_step(progress) if on_step else None
                    if interrupts.presses:
                        return Ending.INTERRUPTED.value
                    waited = time.perf_counter() - since
                    if reason := reason or (last and self.reason(last, waited)):
                        return reason
        except KeyboardInterrupt:
            return Ending.INTERRUPTED.value
        return Ending.EXHAUSTED.value

    def share(self, generation: int, evaluations: int, seconds: float) -> float:
        """Used share of the nearest limit, in [0, 1].

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
    """Combine the limits that a user gave in two places.

    Args:
        time_limit: seconds, or `None`; "auto" uses that of `stopping`, or a minute without it.
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
    """Mark that there is something to keep from now on."""
    interrupts.armed = interrupts.searching = True
    try:
        yield
    finally:
        interrupts.searching = False
