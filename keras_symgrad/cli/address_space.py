"""Warn of a limit of the process's address space below what TensorFlow and SciPy need."""

from __future__ import annotations

import warnings

# TensorFlow maps 1.5 GB, and SciPy, a search and a report the rest (measured on two cores; each
# further core takes some more). Where SciPy's OpenBLAS cannot map its memory, it tries for ever.
MIN_ADDRESS_SPACE_BYTES = 2_500_000_000


def warn_of_small_address_space() -> None:
    """Warn if `ulimit -v` leaves the process less than the libraries need.

    To be called before they are imported, as the import may never end.

    Example:

    >>> warn_of_small_address_space()
    """
    try:
        import resource
    except ImportError:  # on Windows, which has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < MIN_ADDRESS_SPACE_BYTES:
        warnings.warn(
            f"The address space of this process is limited to {limit / 1e9:.1f} GB (`ulimit -v`). "
            f"TensorFlow and SciPy need {MIN_ADDRESS_SPACE_BYTES / 1e9:.1f} GB: with less their "
            "import fails or never ends.",
            stacklevel=2,
        )
