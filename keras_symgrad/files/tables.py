"""Read points and their names from arrays, dicts of them, DataFrames and files.

All other modules receive the result of this one: a float64 array of shape `(rows, columns)` and one
name for each column.
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_symgrad.files.columns import (
    as_numbers,
    check_names,
    column_names,
    is_list_of_inputs,
    side_by_side,
)
from keras_symgrad.files.npz import read_arrays

Columns = Sequence[str] | Sequence[int]
# Spellings of a missing number in spreadsheets and pandas.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def read_points(source: Any, columns: Columns | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read points and the names of their columns.

    Args:
        source: an array of shape `(rows, columns)` or of images, a DataFrame, a dict or list of
            arrays (the inputs of a model, side by side), or the path of a `.csv` file (with or
            without a header), an `.npz` file (key `x`, and `names` if it has them) or an `.npy`
            file.
        columns: names or numbers of the columns to take, in this order; all of them if `None`.

    Returns:
        float64 points of shape `(rows, columns)`, missing numbers as NaN, and the names; `x1`, `x2`
        and so on where the source has none, `x_0_3` for a pixel. An input named `pos` of two
        columns gives `pos_1` and `pos_2`.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: there are no rows, a row is too short or too long, a cell is not a number, or a
            column does not exist.

    Example:

    >>> read_points([[1, 2], [3, 4]], columns=["x2"])
    (array([[2.],
           [4.]]), ('x2',))
    >>> read_points({"age": np.array([30, 40]), "pos": np.zeros((2, 2))})[1]
    ('age', 'pos_1', 'pos_2')
    """
    if isinstance(source, (str, os.PathLike)):
        x, names, origin = _read_file(Path(source))
    elif hasattr(source, "columns") and hasattr(source, "to_numpy"):
        x, names, origin = (_read_frame(source), [str(c) for c in source.columns], "the DataFrame")
    elif isinstance(source, Mapping):
        x, names, origin = *side_by_side(source), "the dict"
    elif is_list_of_inputs(source):
        inputs = dict(enumerate(source))
        x, names, origin = side_by_side(inputs)[0], None, "the list of arrays"
    else:
        x, names, origin = as_numbers(source, "the array"), None, "the array"
    if x.ndim > 2 and x.size:
        # Images: a name for each pixel.
        x, names = x.reshape(len(x), -1), column_names("x", x.shape[1:])
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            "Expected points of shape (rows, columns). "
            f"Received from {origin}: shape {x.shape}. One column is `x[:, None]`, one point `[x]`."
        )
    names = check_names(names, x.shape[1])
    if columns is not None:
        chosen = [_position(column, names, origin) for column in columns]
        x, names = x[:, chosen], tuple(names[k] for k in chosen)
        check_names(names, len(names))
    if len(x) == 0:
        raise ValueError(f"Expected at least one row of points. Received none from {origin}.")
    return np.ascontiguousarray(x), names


def check_weights(weights: np.ndarray | None, rows: int) -> np.ndarray | None:
    """Check the weights of rows.

    Args:
        weights: one number a row, or `None`.
        rows: number of rows.

    Returns:
        float64 weights of shape `(rows,)`, or `None`.

    Raises:
        ValueError: there are too many or too few, one is negative or not finite, or all are zero.
    """
    if weights is None:
        return None
    weights = np.asarray(weights, dtype=np.float64).reshape(-1)
    valid = len(weights) == rows and np.all(np.isfinite(weights)) and np.all(weights >= 0)
    if not valid or not weights.any():
        raise ValueError(
            f"`weights` has one finite number for each of {rows} rows, none of them negative and "
            f"not all of them zero. Received: {weights.size} weights"
        )
    return weights


def finite_rows(x: np.ndarray) -> np.ndarray:
    """Select the rows that hold finite numbers only; warn about the others.

    Args:
        x: points of shape `(rows, columns)`.

    Returns:
        Booleans of shape `(rows,)`, at least one of them True.

    Raises:
        ValueError: no row is finite.
    """
    finite = np.all(np.isfinite(x), axis=1)
    dropped = int(np.sum(~finite))
    if dropped == len(x):
        raise ValueError(
            f"Expected rows of finite numbers, but each of the {len(x)} rows holds NaN or infinity."
        )
    if dropped:
        warnings.warn(
            f"{dropped} of {len(x)} rows hold NaN or infinity and are left out.", stacklevel=3
        )
    return finite


def _read_file(path: Path) -> tuple[np.ndarray, list[str] | None, str]:
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of points. There is no file at: {path}")
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv", ".txt"):
        return *_read_csv(path), str(path)
    if ending not in (".npz", ".npy"):
        raise ValueError(f"Expected points in a `.csv`, `.npz` or `.npy` file. Received: {path}")
    keys = read_arrays(path, ("x", "names"))
    if "x" not in keys:
        raise ValueError(
            f"Expected points under the key `x`, as `np.savez(path, x=points)` writes. {path} has "
            f"the keys: {', '.join(keys) or 'none'}"
        )
    found = keys.get("names")
    names = None if found is None else [str(name) for name in found.ravel()]
    return as_numbers(keys["x"], str(path)), names, str(path)


def _read_csv(path: Path) -> tuple[np.ndarray, list[str] | None]:
    try:
        # The byte-order mark that spreadsheets write is not part of the first name.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"Expected a text file in UTF-8 with one point a line: {path}") from None
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    # A name in quotation marks may contain any separator.
    delimiter = max(",;\t", key=re.sub('"[^"]*"', "", first).count)
    numbered = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv.reader(lines, delimiter=delimiter), start=1)
        if any(cell.strip() for cell in row)
    ]
    if not numbered:
        raise ValueError(f"Expected at least one row of points. The file is empty: {path}")
    names = None
    if any(_number(cell) is None for cell in numbered[0][1]):
        names = numbered.pop(0)[1]
    width = len(names) if names else len(numbered[0][1])
    points = np.empty((len(numbered), width))
    for k, (number, row) in enumerate(numbered):
        if len(row) != width:
            raise ValueError(
                f"Expected {width} columns in every row. Line {number} of {path} has {len(row)}."
            )
        for column, cell in enumerate(row):
            value = _number(cell)
            if value is None:
                name = names[column] if names else f"x{column + 1}"
                raise ValueError(
                    f"Expected a number in column '{name}', line {number} of {path}. "
                    f"Received: {cell!r}. Leave out a column of texts with "
                    "`ks.Sampling(columns=...)`."
                )
            points[k, column] = value
    return points, names


def _read_frame(frame: Any) -> np.ndarray:
    columns = []
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position].to_numpy()
        try:
            columns.append(np.asarray(column, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Expected numbers in every column. Column '{name}' of the DataFrame holds others: "
                f"{error}. Leave it out with `ks.Sampling(columns=...)`."
            ) from error
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _position(column: str | int, names: tuple[str, ...], origin: str) -> int:
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, (int, np.integer)) and 0 <= column < len(names):
        return int(column)
    raise ValueError(
        f"Expected columns of {origin}, which has: {', '.join(names)}. Received: {column!r}"
    )


def _number(cell: str) -> float | None:
    if cell.lower() in MISSING:
        return np.nan
    try:
        # `float` reads "1_000" as a thousand; in a data file it is a text.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
