"""Convert scripts in the style of keras.io to executed notebooks, for `make_notebooks`.

A string that stands alone at the top of a script is a cell of text, the code between two of them is
a cell of code. The first one is the heading: `Title:`, `Description:` and so on.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode, v4

# A cell of an example may train a network.
SECONDS_A_CELL = 900
# TensorFlow's messages at the start.
START_UP = re.compile(
    r"^(WARNING: All log messages before absl|[IWE]0000 |To enable the following)"
)


def main() -> int:
    """Make the named notebooks; the exit status is 1 if one failed."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    failed = 0
    for path in map(Path, sys.argv[1:]):
        notebook = from_script(path.read_text(encoding="utf-8"), path.name)
        try:
            executed(notebook, path.parent)
            said = "written"
        except CellExecutionError as error:
            failed += 1
            said = f"failed\n{error}\nwritten up to there"
        target = path.with_suffix(".ipynb")
        nbformat.write(notebook, target)
        print(f"{path.name}: {said}: {target}", flush=True)
    return 1 if failed else 0


def from_script(text: str, name: str) -> NotebookNode:
    """The notebook of a script, not executed.

    Args:
        text: of the script.
        name: of its file. A notebook runs in the folder of the file, but has no `__file__`.

    Returns:
        A notebook of text and code by turns.
    """
    notebook = v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    for number, (kind, source) in enumerate(cells(text.replace("__file__", f'"{name}"'))):
        new = v4.new_markdown_cell if kind == "text" else v4.new_code_cell
        # Numbers in the place of random names: the same script gives the same notebook.
        notebook.cells.append(new(source, id=f"cell-{number}"))
    return notebook


def cells(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a script in their order, each "text" or "code" with its source."""
    lines = text.splitlines()
    start = 0
    for number, statement in enumerate(ast.parse(text).body):
        if not is_text(statement):
            continue
        if code := code_of(lines[start : statement.lineno - 1]):
            yield "code", code
        words = ast.literal_eval(statement.value).strip()
        yield "text", heading(words) if number == 0 else words
        start = statement.end_lineno
    if code := code_of(lines[start:]):
        yield "code", code


def is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is a string that stands alone."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def code_of(lines: list[str]) -> str:
    """Lines of code for a notebook."""
    return "\n".join(lines).strip("\n")


def heading(words: str) -> str:
    """The head of a script as that of a page."""
    entries = dict(line.split(": ", 1) for line in words.splitlines() if ": " in line)
    title = entries.pop("Title", None)
    if title is None:
        return words
    return "\n\n".join([f"# {title}", *(f"**{name}:** {text}" for name, text in entries.items())])


def executed(notebook: NotebookNode, folder: Path) -> None:
    """Run a notebook in its example's folder, and keep its output.

    Raises:
        CellExecutionError: a cell failed; the notebook holds what was shown until then.
    """
    client = NotebookClient(
        notebook,
        # Its warnings are about networks; this kernel is reached on this machine alone.
        extra_arguments=["--IPKernelApp.log_level=40"],
        kernel_name="python3",
        timeout=SECONDS_A_CELL,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    finally:
        for cell in notebook.cells:
            # When cells ran would make each notebook another one.
            cell.metadata.pop("execution", None)
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if not is_start_up(output)]


def is_start_up(output: NotebookNode) -> bool:
    """Return whether an output holds only TensorFlow's start-up lines."""
    if output.get("name") != "stderr":
        return False
    lines = [line for line in output.text.splitlines() if not START_UP.match(line)]
    output.text = "\n".join(lines)
    return not lines


if __name__ == "__main__":
    sys.exit(main())
