"""Displays of progress: a bar on a terminal or in a notebook, lines of text anywhere else."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keras_symgrad.files import printable

# A notebook gets at most one update in this time.
SECONDS_BETWEEN_UPDATES = 0.25
# Where there is no terminal, the second line is written after this time, and each one after twice
# the time of the one before: a log of a night has a dozen lines.
SECONDS_TO_SECOND_LINE = 10.0


class ProgressDisplay:
    """A display that shows nothing, and the interface of those that do."""

    def update(self, text: str, share: float | None = None) -> None:
        """Show a text, and the share of the work that is done, from 0 to 1, if it is known."""

    def keep(self, line: str) -> None:
        """Show a line that stays when the progress is over."""

    def close(self) -> None:
        """Remove what does not stay."""


class TerminalBar(ProgressDisplay):
    """A bar on the last line of a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, text="")
        self._bar.start()

    def update(self, text: str, share: float | None = None) -> None:
        """Draw the bar anew."""
        total = None if share is None else 1.0
        self._bar.update(self._task, completed=share or 0.0, total=total, text=printable(text))

    def keep(self, line: str) -> None:
        """Write a line above the bar."""
        self._bar.console.print(printable(line), markup=False, highlight=False)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class NotebookBar(ProgressDisplay):
    """A bar below a notebook's cell, empty at the end; lines that stay follow it.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        from IPython.display import display

        self._clock, self._start, self._last = clock, clock(), -SECONDS_BETWEEN_UPDATES
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def update(self, text: str, share: float | None = None) -> None:
        """Draw the bar anew, unless that was done a moment ago."""
        seconds = self._clock() - self._start
        if seconds - self._last < SECONDS_BETWEEN_UPDATES:
            return
        self._last = seconds
        text = f"{seconds:.0f} s: {printable(text)}"
        value = "" if share is None else f' value="{share:.3f}"'
        bar = f"<progress{value}></progress> <span>{html.escape(text)}</span>"
        self._handle.update({"text/plain": text, "text/html": bar}, raw=True)

    def keep(self, line: str) -> None:
        """Write a line below the bar."""
        from IPython.display import display

        display({"text/plain": printable(line)}, raw=True)

    def close(self) -> None:
        """Remove the bar."""
        self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


class ProgressLines(ProgressDisplay):
    """Lines of text on standard error, ever fewer: the first answer, then after 10, 20, 40 s.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._start, self._next = clock, clock(), 0.0

    def update(self, text: str, share: float | None = None) -> None:
        """Write a line, if it is time."""
        seconds = self._clock() - self._start
        if seconds >= self._next:
            self._next = max(2 * seconds, SECONDS_TO_SECOND_LINE)
            self.keep(f"{seconds:.0f} s: {text}")

    def keep(self, line: str) -> None:
        """Write a line."""
        print(printable(line), file=sys.stderr, flush=True)


@contextmanager
def open_display(shown: bool) -> Iterator[ProgressDisplay]:
    """Show progress within the block, in the way that suits where the code runs.

    Args:
        shown: whether to show it; never where there is no standard error.
    """
    display = _suitable() if shown else ProgressDisplay()
    try:
        yield display
    finally:
        display.close()


def _suitable() -> ProgressDisplay:
    # IPython is loaded where there is a notebook, and not imported to find out.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):
        return NotebookBar()
    if sys.stderr is None:
        return ProgressDisplay()
    return TerminalBar() if sys.stderr.isatty() else ProgressLines()
