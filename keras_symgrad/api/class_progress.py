"""Progress of the interpretation of several classes: a bar, and what was found so far above it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keras_symgrad.files import printable
from keras_symgrad.search.callbacks import Callback

if TYPE_CHECKING:
    from rich.progress import Progress

    from keras_symgrad.search.callbacks import Logs


class ClassProgress(Callback):
    """A bar on standard error, where this is a terminal; a callback of each pair's search as well.

    Args:
        bar: of rich.
    """

    def __init__(self, bar: Progress):
        self._bar = bar
        self._task = bar.add_task("", total=None, text="")

    def begins(self, title: str, number: int = 0, total: int | None = None) -> None:
        """Show what is read now.

        Args:
            title: of it.
            number: of parts that are done.
            total: number of parts.
        """
        self._title = title
        self._bar.update(self._task, completed=number, total=total, text=printable(title))

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Show the answer so far beside what is read."""
        if "headline" in logs:
            text = f"{self._title}: {logs['matches']} so far: {logs['headline']}"
            self._bar.update(self._task, text=printable(text))

    def shows(self, line: str) -> None:
        """Show a line that stays above the bar."""
        self._bar.console.print(printable(line), markup=False, highlight=False)


@contextmanager
def class_progress(shown: bool) -> Iterator[ClassProgress]:
    """Show progress within the block.

    Args:
        shown: whether to show it; never where standard error is not a terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown = shown and console.is_terminal
    columns = TextColumn("{task.fields[text]}", markup=False)
    with Progress(
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        columns,
        console=console if shown else Console(quiet=True),
        disable=not shown,
        transient=True,
    ) as bar:
        yield ClassProgress(bar)
