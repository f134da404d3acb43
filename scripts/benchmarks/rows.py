"""Rows of benchmark results: in a JSON file as soon as they are measured, and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_symgrad.files import write_json


def write_rows(path: Path | None, rows: Sequence[dict]) -> None:
    """Write all rows so far, so that a stopped benchmark loses none."""
    if path is not None:
        write_json(path, {"rows": list(rows)}, "The rows")


def print_rows(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], below: Iterable[str] = ()
) -> None:
    """Print a table and lines below it."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*row)
    console = Console(width=200)
    console.print(table)
    for line in below:
        console.print(line, highlight=False)
