"""Memory: what an interpretation takes, and how many rows fit into a block of it."""

from __future__ import annotations

# Bytes of the temporary arrays that a computation on a block of rows may take.
BLOCK_BYTES = 256 * 2**20
# Arrays of the shape of the rows that such a computation holds at once, float64: values,
# gradients, their coordinates, unit gradients and the difference to the target's, twice.
ARRAYS = 8
FEWEST_ROWS = 1024


def block_rows(columns: int, limit: int = BLOCK_BYTES) -> int:
    """Rows that are computed with at a time.

    Args:
        columns: numbers in a row of the field's directions.
        limit: bytes of temporary arrays.

    Returns:
        A number of rows, at least 1,024.

    Example:

    >>> block_rows(2), block_rows(100)
    (2097152, 41943)
    """
    return max(FEWEST_ROWS, limit // (8 * ARRAYS * columns))
