"""Numbers as people and spreadsheets write them: decimal commas, thousands, gaps.

`1,234` may be a thousand or one and a quarter. What a file means is decided by all of its cells
together; a file that leaves it open is refused rather than guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

import numpy as np

# How spreadsheets and pandas write a number that is not there.
MISSING = frozenset(
    ("", "na", "n/a", "nan", "null", "none", "-", "--", "?", "#n/a", "<na>", "nat", "missing")
)
# Groups of thousands with a point, a comma, an apostrophe or a space of any width between them.
_SPACES = "\u00a0\u202f\u2009 '\u2019"
_SIGNED = r"[+-]?"
_GROUPED_BY_SPACE = re.compile(rf"{_SIGNED}\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?:[.,]\d+)?")
_COMMA = re.compile(rf"{_SIGNED}\d+,\d+(?:[eE]{_SIGNED}\d+)?|{_SIGNED},\d+")
_COMMA_AFTER_POINTS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:\.\d{{3}})+,\d+")
_COMMA_GROUPS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:,\d{{3}})+(\.\d*)?")
_POINT_GROUPS = re.compile(rf"{_SIGNED}\d{{1,3}}(?:\.\d{{3}})+")


# Characters of a cell that are kept where it holds no number.
MAX_TEXT = 80


def shortened(cell: str) -> str:
    """Shorten a long text, so that an array of cells takes no more than its numbers need.

    Args:
        cell: of a table.

    Returns:
        The cell unchanged if it is short; a long number with the digits of a double; of any other
        text the beginning.

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
    """What a comma in a number means."""

    POINT = "a decimal point, and no thousands"
    DECIMAL_COMMA = "a decimal comma"
    THOUSANDS_COMMA = "commas between thousands"


def marks_of(cells: Iterable[str], delimiter: str) -> Marks:
    """What commas in the numbers of a file mean.

    Args:
        cells: all of its cells.
        delimiter: between cells. Where it is a comma, one inside of a cell groups thousands.

    Returns:
        The meaning that fits all cells.

    Raises:
        ValueError: two cells contradict each other, or none tells which it is.

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
            f"'{either}' may be a thousand and more, or a number with a decimal comma, and no "
            "other cell tells. Write numbers with a decimal point and without groups."
        )
    if decimal:
        return Marks.DECIMAL_COMMA
    return Marks.THOUSANDS_COMMA if thousands else Marks.POINT


def numbers_of(cells: np.ndarray, marks: Marks = Marks.POINT) -> tuple[np.ndarray, np.ndarray]:
    """The numbers in cells of text.

    Args:
        cells: texts, `(rows,)`.
        marks: what commas mean.

    Returns:
        float64 numbers, NaN for what is missing, and which cells hold something else, `(rows,)`
        both.

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
