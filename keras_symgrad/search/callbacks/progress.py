"""The progress of a search: the answer so far, while it goes on."""

from __future__ import annotations

from contextlib import ExitStack

from keras_symgrad.search.callbacks.base import Callback, Logs
from keras_symgrad.search.callbacks.progress_display import ProgressDisplay, open_display
from keras_symgrad.search.core import Stopping


class ProgressBar(Callback):
    """Callback that shows the answer so far, generation, speed and loss while a search goes on.

    On a terminal and in a notebook it is a bar, which is removed at the end; anywhere else, as in a
    log file, a few lines on standard error.

    Args:
        stopping: the search's limits, for the share of the work that is done.
        shown: whether to show it.
    """

    def __init__(self, stopping: Stopping = Stopping(), *, shown: bool = True):
        self.stopping, self.shown = stopping, shown
        self._display, self._shown = ProgressDisplay(), ExitStack()

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Show the bar."""
        self._display = self._shown.enter_context(open_display(self.shown))

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Update the bar."""
        speed = logs["evaluations"] / max(logs["seconds"], 1e-9)
        text = f"searching, generation {generation}"
        if "matches" in logs:
            # The answer first: a narrow terminal cuts off the rest.
            text += f", {logs['matches']} so far: {logs['headline']}"
        text += f", {speed:,.0f} evaluations/s, loss {logs['loss']:.1e}: {logs['formula']}"
        share = self.stopping.share(generation, logs["evaluations"], logs["seconds"])
        self._display.update(text, share)

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Remove the bar."""
        self._shown.close()
