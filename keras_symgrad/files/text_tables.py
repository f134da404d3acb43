"""Tables in text files: delimiter, header, rows of units, and each cell as it stands there.

The meaning of a first row, and rows that are no points, are decided by what stands below.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.files.number_texts import Marks, marks_of, numbers_of, shortened

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = "\t;,|"
# Lines that the delimiter is looked for in.
SAMPLE_LINES = 20
# Rows below the first that say what their column holds.
SAMPLE_ROWS = 50
# Share of numbers in a column of numbers, whatever else stands in it.
MOSTLY = 0.9


@dataclass(frozen=True)
class TextTable:
    """The cells of a text file.

    Args:
        cells: of text, with the names of the columns.
        marks: what commas in numbers mean.
        lines: the line of the file that each row stands in.
        has_names: whether the file itself names its columns.
    """

    cells: pd.DataFrame
    marks: Marks
    lines: list[int]
    has_names: bool


def read_text_table(text: str, origin: str) -> TextTable:
    """The table in a text.

    A warning says when a row of units is left out, or when a first row of whole numbers might be a
    header and is read as points.

    Args:
        text: of the file.
        origin: where it comes from, for messages.

    Returns:
        Its cells.

    Raises:
        ValueError: there are no rows, or one has more or fewer cells than the first.
    """
    numbered = [(k, line) for k, line in enumerate(text.split("\n"), start=1)]
    numbered = [(k, line.rstrip("\r")) for k, line in numbered if line.strip(" \t\r,;")]
    remarks = []
    while numbered and numbered[0][1].lstrip().startswith("#"):
        remarks.append(numbered.pop(0)[1].lstrip("# \t"))
    if not numbered:
        raise ValueError(f"Expected at least one row of points. The file is empty: {origin}")
    delimiter = _delimiter([line for _, line in numbered])
    rows, lines = _rows(text, delimiter, origin, numbered[0][0])
    names = rows[0]
    table = np.array([[shortened(cell) for cell in row] for row in rows], dtype=str)
    data = table if len(table) == 1 else table[1:]
    marks = marks_of((cell for cell in data.ravel() if "," in cell), delimiter)
    header: list[str] | None = None
    if _is_header(table, marks, origin):
        header, table, lines = names, table[1:], lines[1:]
    elif remarks and len(written := _split(remarks[-1], delimiter)) == table.shape[1]:
        # `np.savetxt(header=...)` writes the names as a remark.
        if numbers_of(np.array([shortened(name) for name in written]))[1].all():
            header = written
    if header is not None and len(table) > 1 and _is_of_units(table, marks):
        warnings.warn(
            f"Line {lines[0]} of {origin} was left out, a row of units: "
            f"{', '.join(cell.strip() for cell in table[0] if cell.strip())}.",
            stacklevel=4,
        )
        table, lines = table[1:], lines[1:]
    return _named(table, header, marks, lines)


def _named(
    table: np.ndarray, header: list[str] | None, marks: Marks, lines: list[int]
) -> TextTable:
    import pandas as pd

    if header is None:
        names = [f"x{k + 1}" for k in range(table.shape[1])]
    else:
        # pandas writes its index without a name.
        names = [name.strip() or f"Unnamed: {k}" for k, name in enumerate(header)]
    return TextTable(pd.DataFrame(table, columns=names), marks, lines, header is not None)


def _delimiter(lines: list[str]) -> str:
    """The delimiter: it occurs equally often in every line, and not inside numbers."""
    sample = [re.sub('"[^"]*"', "", line) for line in lines[:SAMPLE_LINES]]
    for delimiter in DELIMITERS:
        counts = {line.count(delimiter) for line in sample}
        if len(counts) == 1 and counts != {0}:
            return delimiter
    present = [delimiter for delimiter in DELIMITERS if delimiter in sample[0]]
    if present:
        return max(present, key=sample[0].count)
    by_spaces = {len(line.split()) for line in sample}
    return " " if len(by_spaces) == 1 and by_spaces != {1} and '"' not in lines[0] else ","


def _rows(text: str, delimiter: str, origin: str, first: int) -> tuple[list[list[str]], list[int]]:
    """All cells as texts, and the lines of the rows."""
    body = text.split("\n", first - 1)[-1] if first > 1 else text
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            cells = [cell for cell in row if cell.strip()]
            if not cells:
                continue
            rows.append(cells if delimiter == " " else row)
            lines.append(reader.line_num + first - 1)
            if len(rows[-1]) != len(rows[0]):
                raise ValueError(
                    f"Expected {len(rows[0])} columns in every row. Line {lines[-1]} of {origin} "
                    f"has {len(rows[-1])}."
                )
    except csv.Error as error:
        raise ValueError(f"Expected a table in {origin}. {error}") from None
    if not rows:
        raise ValueError(f"Expected at least one row of points. The file is empty: {origin}")
    return rows, lines


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # a field beyond the limit
        return []


def _is_header(table: np.ndarray, marks: Marks, origin: str) -> bool:
    """Return whether the first row has the columns' names, judged by it and the rows below."""
    first, below = table[0], table[1 : 1 + SAMPLE_ROWS]
    values, is_text = numbers_of(first, marks)
    if not len(below):
        return bool(is_text.any())
    is_number_below = np.array([_mostly_numbers(column, marks) for column in below.T])
    if is_text.any():
        if is_number_below[is_text].any() or is_text.all():
            return True
        # Texts above texts: names, unless what stands beside them are numbers like those below.
        repeated = any(first[k] in below[:, k] for k in np.flatnonzero(is_text))
        beside = ~is_text & np.isfinite(values)
        return not repeated and (not beside.any() or _is_of_whole_numbers(first[beside]))
    if not np.isfinite(values).all() or not _is_of_whole_numbers(first):
        return False
    if len(set(first)) < len(first):
        return False
    data = np.array([numbers_of(column, marks)[0] for column in below.T])
    has_fractions = [bool(np.any(np.isfinite(row) & (row != np.round(row)))) for row in data]
    if all(has_fractions):
        return True
    steps = np.diff(values)
    if len(values) > 1 and (steps == 1).all():
        warnings.warn(
            f"The first row of {origin} ({', '.join(first[:4])}{', ...' if len(first) > 4 else ''})"
            " was read as a point. If it is a header, write names that are not numbers.",
            stacklevel=5,
        )
    return False


def _is_of_whole_numbers(cells: np.ndarray) -> bool:
    return all(re.fullmatch(r"\s*\d+\s*", cell) for cell in cells)


def _mostly_numbers(cells: np.ndarray, marks: Marks) -> bool:
    values, wrong = numbers_of(cells, marks)
    given = np.isfinite(values) | wrong
    return bool(given.any()) and float(np.mean(~wrong[given])) >= MOSTLY / 2


def _is_of_units(table: np.ndarray, marks: Marks) -> bool:
    """Return whether the row below the names has units: no numbers where all other rows have."""
    first, below = table[0], table[1 : 1 + SAMPLE_ROWS]
    in_numbers = np.array(
        [not numbers_of(column, marks)[1].any() for column in below.T], dtype=bool
    )
    _, is_text = numbers_of(first, marks)
    empty = np.array([not cell.strip() or cell.strip() in "-1" for cell in first])
    return bool(is_text[in_numbers].any() and (is_text | empty)[in_numbers].all())
