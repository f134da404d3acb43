"""Read tables from files by their endings; columns are chosen before cells become numbers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from keras_symgrad.files.checks import HARMLESS_BYTES, MAX_ZIP_RATIO, check_archive
from keras_symgrad.files.column_kinds import numbers
from keras_symgrad.files.columns import as_numbers, column_names
from keras_symgrad.files.npz import read_arrays
from keras_symgrad.files.number_texts import Marks
from keras_symgrad.files.text_tables import read_text_table

if TYPE_CHECKING:
    import pandas as pd

STANDARD_INPUT = "-"
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".data", ".tab")
COMPRESSED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# Readers of pandas, and what they need to be installed.
READERS = {
    ".parquet": ("read_parquet", "pyarrow"),
    ".feather": ("read_feather", "pyarrow"),
    ".arrow": ("read_feather", "pyarrow"),
    ".xlsx": ("read_excel", "openpyxl"),
    ".xls": ("read_excel", "xlrd"),
    ".ods": ("read_excel", "odfpy"),
}
KNOWN = "a `.csv`, `.npz` or `.npy` file (or `.tsv`, `.csv.gz`, `.parquet`, `.feather`, `.xlsx`)"


class Table(Protocol):
    """Columns whose cells were not converted to numbers yet."""

    @property
    def names(self) -> Sequence[str] | None:
        """Names of the columns, if they have any."""

    @property
    def width(self) -> int:
        """Number of columns."""

    def numbers(
        self, names: Sequence[str], columns: Sequence[str] | None, origin: str
    ) -> tuple[np.ndarray, list[str]]:
        """Points `(rows, columns)` of the chosen columns, and their names."""


@dataclass(frozen=True)
class ArrayTable:
    """An array of numbers as a table.

    Args:
        x: of shape `(rows, columns)`.
        names: of the columns, if they have any.
    """

    x: np.ndarray
    names: Sequence[str] | None

    @classmethod
    def of(cls, x: np.ndarray, names: Sequence[str] | None, origin: str) -> ArrayTable:
        """Make the table of an array, or of images with one column for each pixel."""
        if x.ndim > 2 and x.size:
            x, names = x.reshape(len(x), -1), column_names("x", x.shape[1:])
        if x.ndim != 2 or x.shape[1] == 0:
            raise ValueError(
                "Expected points of shape (rows, columns). Received from "
                f"{origin}: shape {x.shape}. One column is `x[:, None]`, one point `[x]`."
            )
        return cls(x, names)

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.x.shape[1]

    def numbers(
        self, names: Sequence[str], columns: Sequence[str] | None, origin: str
    ) -> tuple[np.ndarray, list[str]]:
        """Return the chosen columns unchanged."""
        chosen = list(names) if columns is None else list(columns)
        return self.x[:, [list(names).index(name) for name in chosen]], chosen


@dataclass(frozen=True)
class FrameTable:
    """A pandas table with columns of numbers, texts and dates.

    Args:
        frame: pandas table.
        marks: meaning of commas in its texts.
        lines: line of the file, for each row.
        has_names: whether its columns have names of their own.
    """

    frame: pd.DataFrame
    marks: Marks = Marks.POINT
    lines: Sequence[int] | None = None
    has_names: bool = True

    @property
    def names(self) -> Sequence[str] | None:
        """Names of the columns, if they have any."""
        return [str(name) for name in self.frame.columns] if self.has_names else None

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.frame.shape[1]

    def numbers(
        self, names: Sequence[str], columns: Sequence[str] | None, origin: str
    ) -> tuple[np.ndarray, list[str]]:
        """Convert the chosen columns; by default those that hold numbers."""
        frame = self.frame.set_axis(list(names), axis=1)
        return numbers(frame, columns, origin, self.marks, self.lines)


def read_table_file(source: str | os.PathLike[str]) -> tuple[Table, str]:
    """Read the table in a file.

    Args:
        source: path; `-` for standard input, `file.npz:key` for one array of several.

    Returns:
        The table, and the path for messages.

    Raises:
        FileNotFoundError: nothing is at the path.
        ValueError: its ending is unknown, its reader is not installed, or it is damaged.
    """
    if os.fspath(source) == STANDARD_INPUT:
        content = _decoded(sys.stdin.buffer.read(), "standard input")
        return _text_table(content, "standard input"), "standard input"
    path, key = Path(source), None
    if not path.exists() and ":" in path.name:
        whole, _, key = os.fspath(source).rpartition(":")
        path = Path(whole)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of points. There is no file at: {source}")
    endings = [ending.lower() for ending in path.suffixes[-2:]] or [""]
    if endings[-1] in READERS:
        return FrameTable(_frame(path, *READERS[endings[-1]])), str(path)
    if endings[-1] in (".npz", ".npy"):
        return _arrays(path, key), str(path)
    if endings[-1] == ".zip" or (endings[-1] in COMPRESSED and endings[0] in TEXT_ENDINGS):
        return _text_table(_unpacked(path, endings[-1]), str(path)), str(path)
    if endings[-1] in TEXT_ENDINGS:
        return _text_table(_decoded(path.read_bytes(), str(path)), str(path)), str(path)
    raise ValueError(f"Expected points in {KNOWN}. Received: {path}")


def _text_table(text: str, origin: str) -> FrameTable:
    found = read_text_table(text, origin)
    return FrameTable(found.cells, found.marks, found.lines, found.has_names)


def _decoded(content: bytes, origin: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        # The byte-order mark that spreadsheets write is not part of the first name.
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError(
            f"Expected a text file in UTF-8 with one point a line: {origin}. A spreadsheet writes "
            "it as 'CSV UTF-8'."
        ) from None
    if "\0" in text:
        raise ValueError(f"Expected a text file in UTF-8 with one point a line: {origin}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(path: Path, ending: str) -> str:
    """Decompress a text file; raises if the text is far larger than the file."""
    most = max(HARMLESS_BYTES, MAX_ZIP_RATIO * path.stat().st_size)
    try:
        if ending == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.namelist() if m.lower().endswith(TEXT_ENDINGS)]
                if len(members) != 1:
                    raise ValueError(f"It holds {len(members)} tables, where one is expected.")
                with archive.open(members[0]) as file:
                    content = _up_to(file, most)
        else:
            with COMPRESSED[ending](path, "rb") as file:
                content = _up_to(file, most)
    except Exception as error:  # of three libraries
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} could not be unpacked. {reason}") from None
    return _decoded(content, str(path))


def _up_to(file: IO[bytes], most: int) -> bytes:
    content = io.BytesIO()
    while part := file.read(2**20):
        content.write(part)
        if content.tell() > most:
            raise ValueError(f"Its content takes more than {most >> 20:,} MB.")
    return content.getvalue()


def _frame(path: Path, reader: str, package: str) -> pd.DataFrame:
    import pandas as pd

    try:
        _check_size(path)
        frame = getattr(pd, reader)(path)
    except ImportError:
        raise ValueError(
            f"A `{path.suffix}` file needs another package to be read: `pip install {package}`. "
            f"Received: {path}"
        ) from None
    except Exception as error:  # of the readers of several libraries
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"Expected a table in {path}. {reason}") from None
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _check_size(path: Path) -> None:
    """Raise for a compressed table whose content is far larger than its file."""
    ending = path.suffix.lower()
    if ending in (".xlsx", ".ods"):
        check_archive(path)
    elif ending == ".parquet":
        from pyarrow import parquet

        metadata = parquet.read_metadata(path)
        # Cells of 8 bytes: a column of equal numbers takes no room in the file.
        content = metadata.num_rows * metadata.num_columns * 8
        content += sum(
            metadata.row_group(k).total_byte_size for k in range(metadata.num_row_groups)
        )
        _check_content(content, path)
    elif ending in (".feather", ".arrow"):
        from keras_symgrad.files.arrow_sizes import unpacked_bytes

        _check_content(unpacked_bytes(path), path)
    else:
        # An `.xls` sheet is not compressed, and has at most 65,536 rows of 256 cells.
        _check_content(path.stat().st_size, path)


def _check_content(content: int, path: Path) -> None:
    if content > max(HARMLESS_BYTES, MAX_ZIP_RATIO * path.stat().st_size):
        raise ValueError(f"Its content would take {content >> 20:,} MB.")


def _arrays(path: Path, key: str | None) -> Table:
    wanted = key or "x"
    keys = read_arrays(path, (wanted, "names"))
    if wanted not in keys and key is None:
        keys = read_arrays(path, tuple(keys))
        return _only_table(keys, path)
    if wanted not in keys:
        raise ValueError(
            f"Expected one of the keys of {path}: {', '.join(keys) or 'none'}. Received: {key!r}"
        )
    found = keys.get("names")
    names = None if found is None else [str(name) for name in found.ravel()]
    return ArrayTable.of(as_numbers(keys[wanted], str(path)), names, str(path))


def _only_table(keys: dict[str, Any], path: Path) -> Table:
    """Return the only array of several axes, or all arrays of one axis as columns."""
    arrays = {key: a for key, a in keys.items() if a is not None and a.dtype.kind in "fiub"}
    tables = [key for key, array in arrays.items() if array.ndim > 1]
    if len(tables) == 1:
        return ArrayTable.of(as_numbers(arrays[tables[0]], str(path)), None, str(path))
    flat = {key: array for key, array in arrays.items() if array.ndim == 1}
    if not tables and flat and len({len(array) for array in flat.values()}) == 1:
        columns = np.stack([as_numbers(array, str(path)) for array in flat.values()], axis=1)
        return ArrayTable.of(columns, list(flat), str(path))
    listed = ", ".join(keys) or "none"
    example = f" Choose one as `{path}:{tables[0]}`." if tables else ""
    raise ValueError(
        f"Expected points under the key `x`, as `np.savez(path, x=points)` writes. {path} has the "
        f"keys: {listed}.{example}"
    )
