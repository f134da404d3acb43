"""The progress bar of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keras_symgrad.search.stopping import Progress, Stopping


@contextmanager
def progress_bar(stopping: Stopping, *, shown: bool = True) -> Iterator[Callable[[Progress], None]]:
    """A line on standard error with generation, speed, best loss and best formula.

    Args:
        stopping: the search's limits; they tell how far it is.
        shown: whether to show it. It is never shown where standard error is no terminal.

    Yields:
        The function to call with the progress of every generation.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("searching"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    shown = shown and console.is_terminal
    with Bar(*columns, console=console, disable=not shown, transient=True) as bar:
        task = bar.add_task("", total=1.0, text="")

        def update(progress: Progress) -> None:
            speed = progress.evaluations / max(progress.seconds, 1e-9)
            text = (
                f"generation {progress.generation}, {speed:,.0f} evaluations/s, "
                f"loss {progress.loss:.1e}: {progress.formula}"
            )
            bar.update(task, completed=stopping.share(progress), text=text)

        yield update
