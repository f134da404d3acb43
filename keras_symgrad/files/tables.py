"""Read points and their names from arrays, dicts of them, DataFrames and files.

All other modules receive the result of this one: a float64 array of shape `(rows, columns)` and one
name for each column.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_symgrad.files.columns import (
    Points,
    as_numbers,
    check_names,
    is_list_of_inputs,
    side_by_side,
)
from keras_symgrad.files.frames import as_frame, inputs_of_dataset, is_dataset
from keras_symgrad.files.table_files import ArrayTable, FrameTable, Table, read_table_file
from keras_symgrad.files.terminal import listed_names

Columns = Sequence[str] | Sequence[int]


def read_points(source: Any, columns: Columns | None = None) -> Points:
    """Read points and the names of their columns.

    Columns that hold no numbers (texts, dates, numbers of rows) are left out, and a warning says
    which. Columns are chosen first: what is not among `columns` is not read.

    Args:
        source: an array of shape `(rows, columns)` or of images, a DataFrame of pandas or polars, a
            table of PyArrow, an xarray, a `tf.data.Dataset`, a dict or list of arrays (the inputs
            of a model, side by side), or the path of a file: `.csv`, `.tsv` or `.txt` (with or
            without a header, compressed or not), `.npz` (key `x`, the only table in it, or
            `file.npz:key`), `.npy`, `.parquet`, `.feather`, `.xlsx`; `-` is standard input.
            `Points` were read before, and come back as they are.
        columns: names or numbers of the columns to take, in this order; all of numbers if `None`.

    Returns:
        float64 points of shape `(rows, columns)`, missing numbers as NaN, and the names; `x1`, `x2`
        and so on where the source has none, `x_0_3` for a pixel. An input named `pos` of two
        columns gives `pos_1` and `pos_2`.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: there are no rows, a row is too short or too long, a chosen column holds no
            numbers or does not exist, or numbers can be read in two ways.

    Example:

    >>> points = read_points([[1, 2], [3, 4]], columns=["x2"])
    >>> points.values.tolist(), points.names
    ([[2.0], [4.0]], ('x2',))
    >>> read_points({"age": np.array([30, 40]), "pos": np.zeros((2, 2))})[1]
    ('age', 'pos_1', 'pos_2')
    """
    if isinstance(source, Points):
        if columns is None:
            return source
        source = dict(zip(source.names, source.values.T))
    if is_dataset(source):
        source = inputs_of_dataset(source)
    if isinstance(source, (str, os.PathLike)):
        table, origin = read_table_file(source)
    else:
        table, origin = _table_of(source)
    names = tuple(table.names or check_names(None, table.width))
    chosen = None
    if columns is None:
        check_names(names, table.width)
    else:
        given = [columns] if isinstance(columns, (str, int, np.integer)) else columns
        chosen = [names[_position(column, names, origin)] for column in given]
        if twice := [name for name in chosen if names.count(name) > 1]:
            raise ValueError(f"Every name may occur once in {origin}. Received twice: {twice[0]}")
        check_names(chosen, len(chosen))
    x, found = table.numbers(names, chosen, origin)
    if len(x) == 0:
        raise ValueError(f"Expected at least one row of points. Received none from {origin}.")
    return Points(np.ascontiguousarray(x), tuple(found))


def _table_of(source: Any) -> tuple[Table, str]:
    frame = as_frame(source)
    if frame is not None:
        return FrameTable(frame), "the DataFrame"
    if isinstance(source, Mapping):
        x, names, origin = *side_by_side(source), "the dict"
    elif is_list_of_inputs(source):
        x, origin = side_by_side(dict(enumerate(source)))[0], "the list of arrays"
        names = None
    else:
        x, names, origin = as_numbers(source, "the array"), None, "the array"
    return ArrayTable.of(x, names, origin), origin


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


def _position(column: str | int, names: tuple[str, ...], origin: str) -> int:
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, (int, np.integer)) and 0 <= column < len(names):
        return int(column)
    near = difflib.get_close_matches(column, names, 1) if isinstance(column, str) else []
    hint = f" Is it '{near[0]}'?" if near else ""
    raise ValueError(
        f"Expected columns of {origin}, which has: {listed_names(names)}.{hint} "
        f"Received: {column!r}"
    )
