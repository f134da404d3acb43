"""Safety checks for untrusted zip archives: `.npz` and `.keras` files."""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

# Content up to this size is read whatever the archive's size. Larger content may be a hundred times
# its archive: an archive of zeros is a thousand times smaller than its content and could fill any
# memory.
HARMLESS_BYTES = 2**30
MAX_ZIP_RATIO = 100
MOST_MEMBERS = 10_000
# Longest name of a file on most systems.
MOST_NAME_BYTES = 255


def check_archive(path: str | os.PathLike[str] | BytesIO) -> None:
    """Raise unless an archive is safe to unpack, by its directory alone; nothing is unpacked.

    Args:
        path: of the file, or its content.

    Raises:
        ValueError: it is not an archive, is damaged or encrypted, holds more than 10,000 files, one
            outside its own folder or whose name cannot be unpacked, or content far larger than
            itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"It is no archive, or is damaged ({error}).") from None
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"It holds {len(members):,} files, and at most {MOST_MEMBERS:,} are read.")
    files, folders = set[PurePosixPath](), set[PurePosixPath]()
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"It holds a file outside its own folder: {member.filename!r:.80}.")
        if member.flag_bits & 1:
            raise ValueError(f"It holds an encrypted file: {member.filename!r:.80}.")
        # Keras unpacks all files, and leaves those behind that it had unpacked before one failed.
        if any(len(part.encode(errors="surrogatepass")) > MOST_NAME_BYTES for part in name.parts):
            raise ValueError(f"It holds a file with a name too long: {member.filename!r:.80}.")
        folders.update(name.parents if not member.is_dir() else (name, *name.parents))
        if not member.is_dir():
            files.add(name)
    if both := sorted(map(str, files & folders)):
        raise ValueError(f"It holds a file and a folder of the same name: {both[0]!r:.80}.")
    unpacked = sum(member.file_size for member in members)
    size = len(path.getbuffer()) if isinstance(path, BytesIO) else Path(path).stat().st_size
    if unpacked > max(HARMLESS_BYTES, MAX_ZIP_RATIO * size):
        raise ValueError(
            f"Its content would take {unpacked >> 20:,} MB, more than {MAX_ZIP_RATIO} times the "
            "file. Unpack it yourself if you trust it."
        )
