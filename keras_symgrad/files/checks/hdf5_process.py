"""The program that reads an HDF5 file in the checking process, which may hang or crash.

    python -P hdf5_process.py PATH SECONDS BYTES

It imports nothing of the package, reads every attribute and array of the file, or of those in a
`.keras` archive, and writes a line on standard error if that fails.
"""

from __future__ import annotations

import io
import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import h5py

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class _Refused(Exception):
    """The file is valid, but refused."""


@contextmanager
def _files(path: str) -> Iterator[Iterator[h5py.File]]:
    """The HDF5 files to read: one, or those in an archive, one after the other."""
    # By the first bytes, as the file is read later: before Keras 2.12 a `.keras` file was an
    # HDF5 file, and an archive may stand behind any.
    with open(path, "rb") as content:
        is_hdf5 = content.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    if is_hdf5 or not zipfile.is_zipfile(path):
        with h5py.File(path) as file:
            yield iter((file,))
        return
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith((".h5", ".hdf5"))]
        yield (h5py.File(io.BytesIO(archive.read(name))) for name in members)


def _read_all(file: h5py.File, most: int) -> None:
    left = most

    def read(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal left
        for key in item.attrs:
            item.attrs[key]
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise _Refused(f"It takes an array from another file: {name!r:.80}.")
            left -= item.nbytes
            if left < 0:
                raise _Refused(f"Its content would take more than {most >> 20:,} MB.")
            item[()]
        elif isinstance(item, h5py.Group):
            for key in item:
                if isinstance(item.get(key, getlink=True), h5py.ExternalLink):
                    raise _Refused(f"It takes a part from another file: {key!r:.80}.")

    read("/", file)
    file.visititems(read)


def main(path: str, seconds: str, most: str) -> None:
    """Read a file; exit with a message if it cannot be read."""
    if hasattr(signal, "setitimer"):
        # The signal ends the process in any code. Imports before it do not count.
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
    try:
        with _files(path) as files:
            for file in files:
                _read_all(file, int(most))
    except _Refused as refused:
        sys.exit(str(refused))
    except Exception as error:  # from zip files, decompressors and h5py
        sys.exit(f"It is damaged ({' '.join(str(error).split())[:200]}).")


if __name__ == "__main__":
    main(*sys.argv[1:])
