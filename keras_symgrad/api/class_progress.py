"""Progress of the interpretation of several classes: what is read now, and the answers so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.search.callbacks import Callback, ProgressDisplay

if TYPE_CHECKING:
    from keras_symgrad.search.callbacks import Logs


class ClassProgress(Callback):
    """Callback of each pair's search that shows the answer so far beside the pair.

    Args:
        display: of the progress of all pairs.
    """

    def __init__(self, display: ProgressDisplay):
        self._display = display
        self._title = ""
        self._share: float | None = None

    def begins(self, title: str, number: int = 0, total: int | None = None) -> None:
        """Show what is read now.

        Args:
            title: of it.
            number: of parts that are done.
            total: number of parts.
        """
        self._title, self._share = title, number / total if total else None
        self._display.update(title, self._share)

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Show the answer so far beside what is read."""
        if "headline" in logs:
            text = f"{self._title}: {logs['matches']} so far: {logs['headline']}"
            self._display.update(text, self._share)

    def shows(self, line: str) -> None:
        """Show a line that stays."""
        self._display.keep(line)
