"""Detect columns of few values and blocks of one-hot columns."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

# A column of more distinct values is read as a continuous one.
MAX_LEVELS = 12
# Rows for each distinct value: in ten rows every column has few values.
MIN_ROWS_PER_LEVEL = 10
# A column with more distinct values among the first rows is not examined further.
FIRST_ROWS = 5000
# Columns that are tried before the search for one block is given up.
MAX_TRIALS = 10_000
# Characters between the name of a category and that of a level: `color_red`, `color=red`.
SEPARATORS = "_=.:-/ |["
# Levels that are listed for a block without a common name.
MAX_NAMED_LEVELS = 4


def few_values(x: np.ndarray) -> dict[int, tuple[float, ...]]:
    """Find the columns that take only a few distinct values, such as 0 and 1.

    Args:
        x: data of shape `(rows, columns)`, finite.

    Returns:
        Ascending values by the column's number: at least two, at most 12 and at most one for each
        ten rows.

    Example:

    >>> x = np.stack([np.arange(40.0), np.arange(40) % 2, np.zeros(40)], axis=1)
    >>> few_values(x)
    {1: (0.0, 1.0)}
    """
    most = min(MAX_LEVELS, len(x) // MIN_ROWS_PER_LEVEL)
    found = {}
    for column, values in enumerate(x.T):
        # Sorting a million rows would take long, and the first rows of most columns are enough.
        if len(np.unique(values[:FIRST_ROWS])) <= most:
            distinct = np.unique(values)
            if 2 <= len(distinct) <= most:
                found[column] = tuple(map(float, distinct))
    return found


def one_hot_blocks(x: np.ndarray) -> list[tuple[int, ...]]:
    """Find columns of zeros and ones of which exactly one is 1 in every row.

    Args:
        x: data of shape `(rows, columns)`, finite.

    Returns:
        Column numbers of each block, at least two in a block, no column in two blocks.

    Example:

    >>> color = np.eye(3)[np.arange(30) % 3]
    >>> one_hot_blocks(np.column_stack([np.arange(30.0), color, np.arange(30) % 4 == 0]))
    [(1, 2, 3)]
    """
    binary = [k for k, values in few_values(x).items() if values == (0.0, 1.0)]
    # As masks of the rows that differ: a million rows have few combinations of levels.
    patterns = np.zeros((0, 0), bool)
    if len(binary) > 1:
        patterns = np.unique(x[:, binary].astype(bool), axis=0)
    masks = {
        k: frozenset(np.flatnonzero(column).tolist())
        for k, column in zip(binary, np.transpose(patterns))
    }
    rows, blocks = frozenset(range(len(patterns))), []
    while masks:
        first = next(iter(masks))
        block = _cover(first, masks, rows)
        for column in block or (first,):
            del masks[column]
        if block:
            blocks.append(tuple(sorted(block)))
    return blocks


def _cover(
    first: int, masks: dict[int, frozenset[int]], rows: frozenset[int]
) -> tuple[int, ...] | None:
    """Columns that together with the first one hold exactly one 1 in every row."""
    trials = 0

    def grown(chosen: tuple[int, ...], left: frozenset[int]) -> tuple[int, ...] | None:
        nonlocal trials
        if not left:
            return chosen
        row = min(left)
        # Encoders write the levels of one category side by side.
        for column in sorted(masks, key=lambda k: abs(k - chosen[-1])):
            if row in masks[column] and masks[column] <= left:
                trials += 1
                if trials > MAX_TRIALS:
                    return None
                found = grown((*chosen, column), left - masks[column])
                if found:
                    return found
        return None

    return grown((first,), rows - masks[first]) if masks[first] < rows else None


def block_name(names: Sequence[str]) -> str:
    """The name of a one-hot block: the common beginning of its levels' names, or all of them.

    Args:
        names: of the block's columns.

    Returns:
        The common beginning up to a separator; without one the names of the levels.

    Example:

    >>> block_name(["color_red", "color_blue"]), block_name(["red", "blue"])
    ('color', 'red/blue')
    """
    prefix = os.path.commonprefix(list(names))
    end = max(prefix.rfind(separator) for separator in SEPARATORS)
    common = prefix[:end].rstrip(SEPARATORS) if end > 0 else ""
    if common:
        return common
    more = "/..." if len(names) > MAX_NAMED_LEVELS else ""
    return "/".join(names[:MAX_NAMED_LEVELS]) + more


def level_names(names: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The common name of a one-hot block's columns, and what is left of each.

    Args:
        names: of the block's columns.

    Returns:
        Name and levels; `None` where the columns have no name in common, or a level has none.

    Example:

    >>> level_names(["color_red", "color_blue"])
    ('color', ('red', 'blue'))
    >>> level_names(["red", "blue"]) is None
    True
    """
    block = block_name(names)
    if not all(name.startswith(block) for name in names):
        return None
    levels = tuple(name[len(block) :].strip(SEPARATORS + "])") for name in names)
    return (block, levels) if all(levels) else None
