"""Kinds of columns of a table: those of numbers are points, all others are left out or refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files.number_texts import Marks, numbers_of, shortened
from keras_symgrad.files.terminal import listed_names

if TYPE_CHECKING:
    import pandas as pd

TEXTS, SPOILED, DATES, DURATIONS, IDS, EMPTY, COMPLEX = (
    "texts",
    "numbers and texts",
    "dates",
    "durations",
    "numbers of rows",
    "empty",
    "complex numbers",
)
# What to do with a column of a kind that is not a number.
WAYS_OUT = {
    DATES: "Turn dates into a number with a unit first, such as days since the first one: "
    "`(table['{name}'] - table['{name}'].min()).dt.days`.",
    DURATIONS: "Turn durations into a number with a unit first, such as seconds: "
    "`table['{name}'].dt.total_seconds()`.",
}
TRUE = frozenset(("true", "yes", "t", "y"))
FALSE = frozenset(("false", "no", "f", "n"))
ID_NAME = re.compile(
    r"(?i)(unnamed: ?\d+|(row_?|sample_?|record_?)?(id|uuid|guid|index|idx)|\w+_id)?"
)
# Share of cells that look like a date, from which a column of texts is one of dates.
MOSTLY = 0.9
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
# Share of cells that are numbers, from which other cells are mistakes.
SPOILED_FROM = 0.5
LIKE_A_NUMBER = re.compile(r"\s*[+-]?[\d_.,' ]*\d[\d_.,' ]*%?\s*").fullmatch


def numbers(
    table: pd.DataFrame,
    columns: Sequence[str] | None,
    origin: str,
    marks: Marks = Marks.POINT,
    lines: Sequence[int] | None = None,
) -> tuple[np.ndarray, list[str]]:
    """The columns of a table that hold numbers.

    Args:
        table: of any kinds of columns, with texts as names.
        columns: names of those to take, in this order; by default all that hold numbers, and a
            warning says which others there are.
        origin: where the table comes from, for messages.
        marks: what commas in its texts mean.
        lines: the line of the file that each row stands in.

    Returns:
        float64 points `(rows, columns)`, missing numbers as NaN, and the names.

    Raises:
        ValueError: a column that was asked for holds no numbers, or none does.
    """
    chosen = [str(name) for name in table.columns] if columns is None else list(columns)
    positions = {str(name): k for k, name in enumerate(table.columns)}
    found: dict[str, np.ndarray] = {}
    others: dict[str, str] = {}
    for name in chosen:
        column = table.iloc[:, positions[name]]
        values, kind, wrong = _read(column, marks)
        if kind is None and columns is None and _is_id(name, column, values):
            kind = IDS
        if kind is not None and (columns is not None or kind == SPOILED):
            raise ValueError(_refusal(name, kind, column, wrong, origin, lines))
        if kind is None:
            found[name] = values
        else:
            others[name] = kind
    if not found and set(others.values()) == {EMPTY}:
        found = {name: np.full(len(table), np.nan) for name in chosen}
        others = {}
    listed = listed_names(f"'{name}' ({kind})" for name, kind in others.items())
    if not found and len(chosen):
        raise ValueError(f"Expected columns of numbers. {origin} has none: {listed}")
    if others:
        warnings.warn(
            f"Left out of {origin}: {listed}. Choose the model's own columns with "
            "`ks.Sampling(columns=...)`.",
            stacklevel=4,
        )
    points = np.stack(list(found.values()), axis=1) if found else np.zeros((len(table), 0))
    return points, list(found)


def _read(column: pd.Series, marks: Marks) -> tuple[np.ndarray, str | None, np.ndarray | None]:
    """Numbers of a column, or what it holds instead, and which cells do."""
    import pandas as pd

    types = pd.api.types
    nothing = np.full(len(column), np.nan)
    dtype = column.dtype
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return nothing, DATES, None
    if types.is_timedelta64_dtype(dtype):
        return nothing, DURATIONS, None
    if types.is_complex_dtype(dtype):
        return nothing, COMPLEX, None
    if isinstance(dtype, pd.CategoricalDtype):
        return _read(column.astype(column.cat.categories.dtype), marks)
    if types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        is_empty = len(values) > 0 and bool(np.isnan(values).all())
        return values, EMPTY if is_empty else None, None
    return _of_objects(column, marks)


def _of_objects(
    column: pd.Series, marks: Marks
) -> tuple[np.ndarray, str | None, np.ndarray | None]:
    import datetime

    import pandas as pd

    missing = pd.isna(column).to_numpy(dtype=bool)
    objects = column.to_numpy(dtype=object)
    some = objects[~missing]
    if any(isinstance(one, (datetime.date, datetime.time)) for one in some):
        return np.full(len(column), np.nan), DATES, None
    if any(isinstance(one, datetime.timedelta) for one in some):
        return np.full(len(column), np.nan), DURATIONS, None
    cells = np.array(
        ["" if gone else shortened(str(one)) for one, gone in zip(objects, missing)], dtype=str
    )
    values, wrong = numbers_of(cells, marks)
    if not wrong.any():
        is_empty = len(cells) > 0 and bool(np.isnan(values).all())
        return values, EMPTY if is_empty else None, None
    lower = np.char.lower(np.char.strip(cells))
    given = lower != ""
    if np.isin(lower[given], list(TRUE | FALSE)).all():
        values = np.where(given, np.isin(lower, list(TRUE)).astype(float), np.nan)
        return values, None, None
    dates = [DATE.fullmatch(cell.strip()) is not None for cell in cells[given]]
    if np.mean(dates) > MOSTLY:
        return values, DATES, wrong
    # A column of numbers that one cell spoils must not go unseen.
    is_spoiled = np.mean(~wrong[given]) >= SPOILED_FROM or any(map(LIKE_A_NUMBER, cells[wrong]))
    return values, SPOILED if is_spoiled else TEXTS, wrong


def _is_id(name: str, column: pd.Series, values: np.ndarray) -> bool:
    """Return whether a column only numbers the rows."""
    whole = np.isfinite(values).all() and bool((values == np.round(values)).all())
    if not whole or len(values) < 2 or ID_NAME.fullmatch(name.strip()) is None:
        return False
    return len(np.unique(values)) == len(values)


def _refusal(
    name: str,
    kind: str,
    column: pd.Series,
    wrong: np.ndarray | None,
    origin: str,
    lines: Sequence[int] | None,
) -> str:
    name = listed_names([name])
    if kind in WAYS_OUT:
        return f"Column '{name}' of {origin} holds {kind}. {WAYS_OUT[kind].format(name=name)}"
    if kind == EMPTY:
        return f"Column '{name}' of {origin} holds no number at all."
    row = int(np.flatnonzero(wrong)[0]) if wrong is not None and wrong.any() else 0
    cell: Any = column.iloc[row]
    if lines is None:
        return (
            f"Expected numbers in every column. Column '{name}' of {origin} holds {kind}. Leave it "
            f"out with `ks.Sampling(columns=...)`. Received: {cell!r:.80}"
        )
    return (
        f"Expected a number in column '{name}', line {lines[row]} of {origin}. Received: "
        f"{str(cell)!r:.80}. Leave out a column of {kind} with `ks.Sampling(columns=...)`."
    )
