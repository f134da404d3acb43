"""The progress bar of a search."""

from __future__ import annotations

from keras_symgrad.search.callbacks.base import Callback, Logs
from keras_symgrad.search.core import Stopping


class ProgressBar(Callback):
    """A line on standard error with the answer so far, generation, speed, loss and formula.

    Args:
        stopping: the search's limits; they tell how far it is.
        shown: whether to show it. It is never shown where standard error is no terminal.
    """

    def __init__(self, stopping: Stopping = Stopping(), *, shown: bool = True):
        self.stopping, self.shown = stopping, shown
        self._bar = None

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Shows the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("searching"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            disable=not (self.shown and console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, text="")
        self._bar.start()

    def on_generation_end(self, generation: int, logs: Logs | None = None) -> None:
        """Moves the bar."""
        speed = logs["evaluations"] / max(logs["seconds"], 1e-9)
        text = (
            f"generation {generation}, {speed:,.0f} evaluations/s, "
            f"loss {logs['loss']:.1e}: {logs['formula']}"
        )
        if "matches" in logs:
            text = f"{logs['matches']} so far: {logs['headline']}; {text}"
        share = self.stopping.share(generation, logs["evaluations"], logs["seconds"])
        self._bar.update(self._task, completed=share, text=text)

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
