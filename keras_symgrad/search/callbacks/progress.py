"""The progress bar of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.search.callbacks.base import Callback, Logs
from keras_symgrad.search.core import Stopping

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressBar(Callback):
    """Callback that shows the answer so far, generation, speed and loss on standard error.

    Args:
        stopping: the search's limits, for the share of the work that is done.
        shown: whether to show it. It is never shown where standard error is not a terminal.
    """

    def __init__(self, stopping: Stopping = Stopping(), *, shown: bool = True):
        self.stopping, self.shown = stopping, shown
        self._bar: Progress | None = None

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Show the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        bar = self._bar = Progress(
            TextColumn("searching"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            disable=not (self.shown and console.is_terminal),
            transient=True,
        )
        self._task = bar.add_task("", total=1.0, text="")
        bar.start()

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Update the bar."""
        speed = logs["evaluations"] / max(logs["seconds"], 1e-9)
        text = f"generation {generation}"
        if "matches" in logs:
            # The answer first: a narrow terminal cuts off the rest.
            text += f", {logs['matches']} so far: {logs['headline']}"
        text += f", {speed:,.0f} evaluations/s, loss {logs['loss']:.1e}: {logs['formula']}"
        share = self.stopping.share(generation, logs["evaluations"], logs["seconds"])
        if self._bar is not None:
            self._bar.update(self._task, completed=share, text=text)

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
