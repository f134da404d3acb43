"""Write files atomically, with the heading of result files."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

# Version of result files. It is increased when older programs cannot read a file; version 0 are
# files from before there were versions.
RESULT_FORMAT = "keras-symgrad result"
RESULT_VERSION = 2
# Their entries stand for devices and open files, whatever kind of file they lead to.
DEVICE_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")


def heading(kind: str) -> dict[str, Any]:
    """The first entries of a result file: format, version and kind.

    Args:
        kind: "neuron", "classes" or "joint".

    Returns:
        Plain data.

    Example:

    >>> heading("neuron")
    {'format': 'keras-symgrad result', 'version': 2, 'kind': 'neuron'}
    """
    return {"format": RESULT_FORMAT, "version": RESULT_VERSION, "kind": kind}


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a new file that takes the path's place when the block ends, and never before.

    The new file has a random name in the same folder and is made anew (`O_EXCL`), so that neither
    links that lie there nor other writers of the same path are in the way. A device or a pipe, as
    `/dev/stdout` may be, is written to and not replaced.

    Args:
        path: of the file.

    Yields:
        A file for bytes.

    Raises:
        OSError: nothing can be written there; nothing half-written is left behind.
    """
    _refuse_folder(path)
    if _is_device(path):
        # What was printed there before is kept.
        with open(path, "ab") as device:
            yield device
        return
    part = path.with_name(f".keras-symgrad-{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            # Only then is it known whether the disk had room.
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write_text(path: str | os.PathLike[str], text: str, what: str) -> Path:
    """Write a text file; an existing file is replaced only by a complete one.

    Args:
        path: of the file.
        text: its content.
        what: description of the file, for the error message.

    Returns:
        The path.

    Raises:
        ValueError: nothing can be written there; nothing half-written is left behind.
    """
    path = Path(path)
    try:
        with replacing(path) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise unwritable(path, what, error) from error
    return path


def write_json(path: str | os.PathLike[str], content: dict[str, Any], what: str) -> Path:
    """Write plain data as JSON, as `write_text` does.

    Numbers that are not finite, which JSON cannot represent, become `null`.

    Args:
        path: of the file.
        content: plain data.
        what: description of the file, for the error message.

    Returns:
        The path.

    Raises:
        ValueError: nothing can be written there; nothing half-written is left behind.
    """
    return write_text(path, json_text(content) + "\n", what)


def json_text(content: dict[str, Any]) -> str:
    """Plain data as JSON, as `write_json` writes it.

    >>> print(json_text({"loss": float("inf"), "rows": (1, 2.5)}))
    {
      "loss": null,
      "rows": [
        1,
        2.5
      ]
    }
    """
    return json.dumps(_finite(content), indent=2, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {name: _finite(part) for name, part in content.items()}
    return [_finite(part) for part in content] if isinstance(content, (list, tuple)) else content


def check_writable(path: str | os.PathLike[str], what: str) -> None:
    """Raise unless a file can be written, before the long work that makes its content.

    Args:
        path: of the file.
        what: description of the file, for the error message.

    Raises:
        ValueError: its folder is missing or not writable, or a folder has its name.
    """
    path = Path(path)
    try:
        _refuse_folder(path)
        if _is_device(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise unwritable(path, what, error) from error


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _is_device(path: Path) -> bool:
    is_other = path.exists() and not path.is_file()
    return is_other or os.path.dirname(os.path.abspath(path)) in DEVICE_FOLDERS


def unwritable(path: Path, what: str, error: OSError) -> ValueError:
    """The error for a file that cannot be written.

    Args:
        path: of the file.
        what: it would be.
        error: of the system.
    """
    return ValueError(
        f"{what} cannot be written to {path}: {error.strerror or error}. "
        "Choose a folder that exists, that you may write to and that has room."
    )
