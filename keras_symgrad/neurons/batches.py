"""Evaluate rows in batches of few sizes.

TensorFlow's oneDNN kernels compile a matrix product for each number of rows and keep it for the
life of the process: about two megabytes for a network whose last batches have a new size in each
search. A last batch is therefore padded to a power of two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Padding this few rows has no measurable cost.
SMALLEST = 64


def in_batches(x: np.ndarray, batch_size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Split an array for a function that processes each row independently.

    Args:
        x: of shape `(rows, ...)`.
        batch_size: largest number of rows of a part.

    Yields:
        The part's rows as a slice, and the batch to call the function with. The last batch repeats
        its last row until it has `batch_size` rows or a power of two: only the first
        `slice.stop - slice.start` rows of the result count.

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
