"""When a search ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a generation.

    Attributes:
        generation: number of generations done.
        evaluations: candidates evaluated.
        seconds: since the start.
        loss: lowest loss.
        formula: the tree with that loss, as text.
        settled: generations since the front last moved.
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
        target_loss: ends the search when a loss is at or below it.
        patience: generations without a move of the front, or `None`. The front moves when its
            loss at some complexity falls by a tenth or more.

    Raises:
        ValueError: a limit is not positive, or there is none at all.

    Example:

    >>> Stopping(time_limit=None, generations=3).reason(Progress(3, 100, 1.0, 0.5, "x1", 0))
    'generations'
    """

    time_limit: float | None = 60.0
    generations: int | None = None
    evaluations: int | None = None
    target_loss: float = 1e-9
    patience: int | None = None

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

    def reason(self, progress: Progress) -> str | None:
        """Name of the limit that is reached, or `None`."""
        reached = {
            "target_loss": progress.loss <= self.target_loss,
            "patience": self.patience is not None and progress.settled >= self.patience,
            "time_limit": self.time_limit is not None and progress.seconds >= self.time_limit,
            "generations": self.generations is not None
            and progress.generation >= self.generations,
            "evaluations": self.evaluations is not None
            and progress.evaluations >= self.evaluations,
        }
        return next((name for name, is_reached in reached.items() if is_reached), None)
