"""`StagnationCounter`: generations since the choice last improved."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_symgrad.search.core.archive import Archive
from keras_symgrad.search.core.serialization import number_from_plain, number_to_plain, whole
from keras_symgrad.search.core.stopping import Progress

# Half a tenth of a nat: a smaller gain is the last digit of a constant.
MIN_GAIN_NATS = 0.05


class StagnationCounter:
    """Counter of the generations since the choice from an archive last improved.

    Example:

    >>> settling = StagnationCounter()
    >>> [settling.progress(Archive(), generation, 0, 0.0).settled for generation in (1, 2, 3)]
    [1, 2, 3]
    """

    def __init__(self) -> None:
        self._best_score = np.inf
        self._since = 0

    def progress(
        self, archive: Archive, generation: int, evaluations: int, seconds: float
    ) -> Progress:
        """Update the counter after a generation and return the progress.

        Args:
            archive: archive of the search.
            generation: number of generations done.
            evaluations: candidates evaluated.
            seconds: since the start.
        """
        score = archive.score()
        if score < self._best_score - MIN_GAIN_NATS:
            self._best_score, self._since = score, generation
        loss, formula = np.inf, ""
        if len(archive):
            loss, formula = archive.front()[-1].loss, str(archive.choice().tree)
        return Progress(generation, evaluations, seconds, loss, formula, generation - self._since)

    def state(self) -> list[Any]:
        """Best score and its generation, as plain data."""
        return [number_to_plain(self._best_score), self._since]

    def restore(self, state: list[Any]) -> None:
        """Restore a `state`."""
        best, since = state
        self._best_score, self._since = number_from_plain(best), whole(since)
