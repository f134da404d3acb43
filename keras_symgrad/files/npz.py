"""Read numbers and texts from `.npz` and `.npy` files, never pickled objects."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from keras_symgrad.files.checks import check_archive


def read_arrays(path: Path | BytesIO, wanted: Sequence[str]) -> dict[str, np.ndarray | None]:
    """Read arrays from a file.

    Args:
        path: of an `.npz` file, or of an `.npy` file, whose array is the first one that is wanted;
            or the content of an `.npz` file.
        wanted: keys of the arrays that are read.

    Returns:
        Arrays by key, for all keys of the file; `None` for an array that is not wanted.

    Raises:
        ValueError: the file is damaged, holds pickled objects (which would run code), or far more
            than its size.
    """
    try:
        # NumPy warns about old files and about dtypes that it repairs.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(path, Path) and path.suffix.lower() == ".npy":
                found = {wanted[0]: np.load(path, allow_pickle=False)}
            else:
                check_archive(path)
                with np.load(path, allow_pickle=False) as archive:
                    found = {key: archive[key] if key in wanted else None for key in archive.files}
        if others := [key for key, array in found.items() if isinstance(array, bytes)]:
            raise ValueError(f"No array, but bytes: {others[0]!r:.80}")
        for array in found.values():
            if array is not None:
                _check_texts(array)
        return found
    # On damaged files NumPy, its header parser and the archive reader raise many exceptions.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        place = f" in {path}" if isinstance(path, Path) else ""
        raise ValueError(f"The arrays{place} could not be read. {reason}") from error


def _check_texts(array: np.ndarray) -> None:
    """Raise for texts with invalid characters: NumPy makes strings of them that crash Python."""
    if array.dtype.kind == "V":
        raise ValueError(f"It holds records, not an array of numbers or texts: {array.dtype!s:.80}")
    if array.dtype.kind == "U" and array.nbytes:
        native = array.astype(array.dtype.newbyteorder("="))
        if np.frombuffer(native.tobytes(), np.uint32).max() > sys.maxunicode:
            raise ValueError("A text of it holds what is no character.")
