"""Parse numbers in text tables: decimal commas, thousands separators, missing values.

`1,234` is a thousand with one convention and one and a quarter with the other. All cells of a file
decide together which one holds; an ambiguous file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

import numpy as np

# Spellings of a missing number in spreadsheets and pandas.
MISSING = frozenset(
    ("", "na", "n/a", "nan", "null", "none", "-", "--", "?", "#n/a", "<na>", "nat", "missing")
)
# Separators of thousands: spaces of any width and apostrophes.
_SPACES = "\u00a0\u202f\u2009 '\u2019"
_SIGNED = r"[+-]?"
_GROUPED_BY_SPACE = re.compile(rf"{_SIGNED}\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?:[.,]\d+)?")
_COMMA = re.compile(rf"{_SIGNED}\d+,\d+(?:[eE]{_SIGNED}\d+)?|{_SIGNED},\d+")
_COMMA_AFTER_POINTS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:\.\d{{3}})+,\d+")
_COMMA_GROUPS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:,\d{{3}})+(\.\d*)?")
_POINT_GROUPS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:\.\d{{3}})+")
# Characters kept of a cell that holds no number.
MAX_TEXT = 80


def shortened(cell: str) -> str:
    """Shorten a long text, because NumPy pads all texts of an array to the longest one.

    Args:
        cell: text of a table's cell.

    Returns:
        The cell unchanged if it is short; a long number rounded to a double; any other text cut
        off.

    Example:

    >>> shortened("0." + 100 * "3"), len(shortened(200 * "x"))
    ('0.3333333333333333', 81)
    """
    if len(cell) <= MAX_TEXT:
        return cell
    try:
        return cell.strip()[:MAX_TEXT] + "…" if "_" in cell else repr(float(cell))
    except ValueError:
        return cell.strip()[:MAX_TEXT] + "…"


class Marks(Enum):
    """Meaning of commas in numbers."""

    POINT = "a decimal point, and no thousands"
    DECIMAL_COMMA = "a decimal comma"
    THOUSANDS_COMMA = "commas between thousands"


def marks_of(cells: Iterable[str], delimiter: str) -> Marks:
    """Infer the meaning of commas in the numbers of a file.

    Args:
        cells: all cells of the file.
        delimiter: separator of cells. If it is a comma, a comma inside a cell groups thousands.

    Returns:
        The meaning that fits all cells.

    Raises:
        ValueError: two cells contradict each other, or the file is ambiguous.

    Example:

    >>> marks_of(["1,5", "2"], ";"), marks_of(["1,234.5"], ";")
    (<Marks.DECIMAL_COMMA: 'a decimal comma'>, <Marks.THOUSANDS_COMMA: 'commas between thousands'>)
    """
    decimal = thousands = either = None
    for cell in cells:
        if "," not in cell:
            continue
        text = cell.strip()
        grouped = _COMMA_GROUPS.fullmatch(text)
        if grouped and (grouped[1] is not None or text.count(",") > 1):
            thousands = thousands or text
        elif grouped and not text.lstrip("+-").startswith("0"):
            either = either or text
        elif _COMMA.fullmatch(text) or _COMMA_AFTER_POINTS.fullmatch(text):
            decimal = decimal or text
        elif _GROUPED_BY_SPACE.fullmatch(text):
            decimal = decimal or text
    if decimal and thousands:
        raise ValueError(
            f"In '{decimal}' the comma is a decimal one, and in '{thousands}' it groups thousands. "
            "Write all numbers in one way."
        )
    if either and not decimal and not thousands:
        if delimiter == ",":
            return Marks.THOUSANDS_COMMA
        raise ValueError(
            f"The comma in '{either}' may group thousands or be a decimal comma, and no other cell "
            "decides which. Write numbers with a decimal point and without groups."
        )
    if decimal:
        return Marks.DECIMAL_COMMA
    return Marks.THOUSANDS_COMMA if thousands else Marks.POINT


def numbers_of(cells: np.ndarray, marks: Marks = Marks.POINT) -> tuple[np.ndarray, np.ndarray]:
    """Convert cells of text to numbers.

    Args:
        cells: texts, `(rows,)`.
        marks: meaning of commas.

    Returns:
        float64 numbers, NaN for missing ones, and a mask of the cells that are not numbers, both
        `(rows,)`.

    Example:

    >>> numbers_of(np.array(["1.5", "NA", "red"]))
    (array([1.5, nan, nan]), array([False, False,  True]))
    """
    cells = np.char.strip(cells.astype(str))
    missing = np.isin(np.char.lower(cells), list(MISSING))
    values = np.full(len(cells), np.nan)
    # `float` reads "1_000" as a thousand, which in a data file is a text.
    wrong = ~missing & (np.char.find(cells, "_") >= 0)
    some = ~missing & ~wrong
    try:
        if marks is not Marks.POINT:
            raise ValueError
        values[some] = cells[some].astype(np.float64)
    except ValueError:
        for row in np.flatnonzero(some):
            number = _number(str(cells[row]), marks)
            wrong[row] = number is None
            values[row] = np.nan if number is None else number
    return values, wrong


def _number(text: str, marks: Marks) -> float | None:
    if _GROUPED_BY_SPACE.fullmatch(text):
        text = re.sub(f"[{_SPACES}]", "", text)
    if marks is Marks.DECIMAL_COMMA:
        if _POINT_GROUPS.fullmatch(text) or _COMMA_AFTER_POINTS.fullmatch(text):
            text = text.replace(".", "")
        elif "." in text and "," in text:
            return None
        text = text.replace(",", ".")
    elif marks is Marks.THOUSANDS_COMMA and _COMMA_GROUPS.fullmatch(text):
        text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        return None
