"""Answers on standard output: the Pareto front as a table, the rule and the remarks below it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from keras_symgrad.cli.commands import in_lines
from keras_symgrad.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_symgrad.results import Interpretation


def in_one_line(concept: Interpretation) -> str:
    """Rule of a classifier, or formula of another neuron, in one line; of regions all of them."""
    rule = None if concept.is_divided else concept.shown_rule
    return printable(concept.headline if rule is None else rule.text)


def show_several(answer: Any, quiet: bool) -> None:
    """Print the formulas of several neurons."""
    lines = in_lines(answer) if quiet else str(answer).splitlines()
    print("\n".join(map(printable, lines)))


def show(concept: Interpretation) -> None:
    """Print the Pareto front as a table, and the evidence for the best formula below it."""
    from rich.table import Table
    from rich.text import Text

    from keras_symgrad.results import searched, statements_of

    console = _console()
    variables = ", ".join(concept.names)
    heading = printable(f"\nWhat {concept.neuron} computes of {variables}\n")
    console.print(Text(heading), soft_wrap=True)

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("complexity", justify="right")
    table.add_column("loss", justify="right")
    if concept.front.has_fidelity:
        table.add_column("fidelity", justify="right")
    table.add_column("formula", overflow="fold")
    best = concept.front.best
    for row in concept.front:
        cells = [f"{row.complexity:g}", f"{row.loss:.2e}", row.to_pretty()]
        if concept.front.has_fidelity:
            cells.insert(2, row.fidelity.shown if row.fidelity else "")
        is_best = row is best
        table.add_row(
            "best" if is_best else "", *map(Text, cells), style="bold green" if is_best else None
        )
    console.print(table)

    summary = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    summary.add_column(style="bold")
    summary.add_column(overflow="fold")
    search = f"{searched([concept])}, seed {concept.seed}"
    for name, text in (*statements_of(concept), ("search", search)):
        summary.add_row(name, Text(printable(text)))
    console.print()
    console.print(summary)


def _console() -> Console:
    from rich.console import Console

    # A character that the terminal cannot show must not cost the result.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    # In a file or a pipe, lines are not wrapped.
    return console if console.is_terminal else Console(highlight=False, width=10_000)
