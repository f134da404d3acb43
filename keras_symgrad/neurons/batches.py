"""Evaluate rows in batches of few sizes.

TensorFlow's oneDNN kernels compile a matrix product for each number of rows that they meet and keep
it for the life of the process: about two megabytes for a network whose last batches have a new size
in each search. A last batch is therefore filled up to a power of two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Filling up so few rows costs nothing that could be measured.
SMALLEST = 64


def in_batches(x: np.ndarray, batch_size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Parts of an array for a function whose rows do not see each other.

    Args:
        x: of shape `(rows, ...)`.
        batch_size: most rows of a part.

    Yields:
        The part's rows as a slice, and the batch to call the function with. The last batch repeats
        its last row until it has `batch_size` rows or a power of two: of what the function returns
        the first `slice.stop - slice.start` rows count.

    Example:

    >>> [(rows, batch.shape) for rows, batch in in_batches(np.ones((5000, 2)), 4096)]
    [(slice(0, 4096, None), (4096, 2)), (slice(4096, 5000, None), (1024, 2))]
    """
    for start in range(0, len(x), batch_size):
        rows = slice(start, min(start + batch_size, len(x)))
        count = rows.stop - rows.start
        filled = min(batch_size, max(SMALLEST, 1 << (count - 1).bit_length()))
        batch = x[rows]
        if filled > count:
            batch = np.concatenate([batch, np.repeat(batch[-1:], filled - count, axis=0)])
        yield rows, batch
