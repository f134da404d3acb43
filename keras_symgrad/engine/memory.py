"""Memory: estimate what an interpretation takes, size blocks of rows, return free heap memory.

The estimate counts everything that grows: the rows of data, the rows that are read, their
variables, the population, and the constants that are refined at once. What does not fit is
computed in blocks of rows. `scripts/benchmarks/benchmark_scale.py` compares the estimate with the
measured memory.

The GNU C library keeps memory that a thread freed for the next thread that uses the same heap, and
a search starts threads. The kept memory varies by some hundred megabytes from search to search and
looks like a leak, so it is returned to the operating system.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

# Resident memory before an interpretation: Python, TensorFlow, Keras, SymPy and a small model.
PROCESS_BYTES = 800 * 10**6
# The engine's programs and the memory that XLA takes to compile them.
COMPILED_PROGRAMS_BYTES = 600 * 10**6
# Bytes of the temporary arrays that a computation on a block of rows may take.
MAX_BLOCK_BYTES = 256 * 10**6
# Arrays of the shape of the rows that such a computation holds at the same time.
ARRAYS_PER_BLOCK = 8
MIN_BLOCK_ROWS = 1024
# Rows of data that determine their shape, see `tangent.enough`.
ENOUGH = 50_000
# Copies of the data: the user's own, the checked one, and the shuffled one.
COPIES_OF_DATA = 3
# Arrays of the rows that are read: points and directions, as read and as training and held-out
# rows, and one temporary.
COPIES_OF_ROWS = 5
# A tree of some 15 nodes with its constants, in the population or among the offspring.
BYTES_PER_INDIVIDUAL = 2500
# An entry of the loss cache: fingerprint, complexity and loss in a dictionary.
BYTES_PER_CACHED_LOSS = 250
# Padded instructions of a tree during evaluation.
BYTES_PER_TAPE = 1500
# Slots of the interpreter: values and the adjoints of two arguments.
INTERPRETER_SLOTS = 3 * 320
# Rows used by the search, and bytes of a float in the engine.
ESTIMATED_SEARCH_ROWS = 512
BYTES_PER_FLOAT = 4


def estimate(
    rows: int,
    variables: int,
    *,
    given: int | None = None,
    population: int = 1024,
    known: int = 100_000,
    lanes: int = 4,
    workers: int = 2,
) -> int:
    """Estimate an upper bound of the memory of a process that interprets one neuron, in bytes.

        P + 8 v (3 N + 5 R) + min(B, 8 * 8 v max(R, min(N, 50,000)))
          + (2500 + 1500) p + 250 k + 4 * 512 * 3840 (1 + c) w

    with P for the process and its compiled programs, N rows given and R read of v variables, B the
    largest block, p individuals, k cached losses, c constants refined at once and w threads.

    Args:
        rows: rows read.
        variables: columns.
        given: rows of data; as many as are read by default.
        population: individuals.
        known: entries of the loss cache.
        lanes: constants of a tree that are refined at once.
        workers: threads.

    Returns:
        Bytes of resident memory.

    Example: the default of 2,000 rows, and a million of a hundred variables.

    >>> f"{estimate(2000, 2) / 1e9:.1f} GB", f"{estimate(1_000_000, 100) / 1e9:.1f} GB"
    ('1.4 GB', '8.1 GB')
    """
    given = rows if given is None else given
    number = 8
    data = COPIES_OF_DATA * given * variables * number
    field = COPIES_OF_ROWS * rows * variables * number
    block = min(
        MAX_BLOCK_BYTES, ARRAYS_PER_BLOCK * max(rows, min(given, ENOUGH)) * variables * number
    )
    bred = population * (BYTES_PER_INDIVIDUAL + BYTES_PER_TAPE) + known * BYTES_PER_CACHED_LOSS
    engine = BYTES_PER_FLOAT * ESTIMATED_SEARCH_ROWS * INTERPRETER_SLOTS * (1 + lanes) * workers
    return PROCESS_BYTES + COMPILED_PROGRAMS_BYTES + data + field + block + bred + engine


def block_rows(columns: int, limit: int = MAX_BLOCK_BYTES) -> int:
    """Number of rows in a block of a computation.

    Args:
        columns: numbers in a row of the field's directions.
        limit: bytes of temporary arrays.

    Returns:
        A number of rows, at least 1,024.

    Example:

    >>> block_rows(2), block_rows(100)
    (2000000, 40000)
    """
    return max(MIN_BLOCK_ROWS, limit // (8 * ARRAYS_PER_BLOCK * columns))


Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def trims(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Wrap a function so that the C library's free memory is returned after each call.

    Args:
        function: a function that needs much memory for a while.

    Returns:
        The same function. Where the C library has no such call (it is not GNU's), nothing more
        happens.

    Example:

    >>> @trims
    ... def total(n):
    ...     return sum(list(range(n)))
    >>> total(10)
    45
    """

    @wraps(function)
    def trimmed(*args: Arguments.args, **options: Arguments.kwargs) -> Returned:
        try:
            return function(*args, **options)
        finally:
            _trim()

    return trimmed


def _trim() -> None:
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not available on musl, macOS, Windows
        return
