"""A canary: records code, writes, connections and imports while a file is only being read.

Python calls a hook for every such act (PEP 578), in any thread and through any library. A hook
cannot be removed, so it is inactive while nothing is read.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

# By the beginning of the event's name, see Python's "Audit events table".
FORBIDDEN = (
    *("exec", "marshal.", "pickle.", "code.__new__", "ctypes.dlopen"),
    *("os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "pty.", "subprocess."),
    *("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "imaplib.", "webbrowser.", "winreg."),
    *("os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown"),
    *("os.truncate", "os.putenv", "os.unsetenv", "os.kill", "shutil."),
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Files that libraries read about themselves and the machine.
PYTHON = tuple(
    str(Path(place).resolve())
    for place in {*sysconfig.get_paths().values(), *sys.path, sys.base_prefix, "/proc", "/sys"}
    if place
)


class Canary:
    """Recorder of forbidden acts while it is active.

    Args:
        folder: where files may be read; nothing may be written there either.
        scratch: where files may be written and removed, if anywhere.
    """

    def __init__(self, folder: Path, scratch: Path | None = None):
        self._readable = (*PYTHON, str(folder.resolve()))
        self._writable = str(scratch.resolve()) if scratch else None
        self._awake, self._has_watched = False, False
        self._ran: set = set()
        self.acts: list[str] = []
        sys.addaudithook(self._heard)

    @contextmanager
    def watching(self) -> Iterator[list[str]]:
        """The acts in its block."""
        self.acts = []
        self._awake = self._has_watched = True
        try:
            yield self.acts
        finally:
            self._awake = False

    def _heard(self, event: str, details: tuple) -> None:
        if not self._awake:
            if event == "exec" and not self._has_watched:
                self._ran.add(_body(details[0]))
            return
        if event == "import":
            name = str(details[0])
            # An imported package may load its deferred modules.
            if name.partition(".")[0] not in sys.modules:
                self.acts.append(f"import {name}")
        elif event == "open":
            self._opened(*details[:3])
        elif event in ("exec", "marshal.loads") and _is_of_a_library(details[0]):
            return
        elif event == "exec" and _body(details[0]) in self._ran:
            # Code that ran before the first input: an operator's code, for example, made for every
            # search.
            return
        elif event.startswith(FORBIDDEN) and not self._own(event, details):
            self.acts.append(f"{event} {str(details)[:200]}")

    def _opened(self, path: object, mode: str | None, flags: int) -> None:
        if isinstance(path, int):
            return
        place = os.path.realpath(os.fsdecode(path))
        if self._writable and place.startswith(self._writable):
            return
        if set(mode or "") & set("wax+") or flags & WRITING:
            self.acts.append(f"open for writing {place}")
        elif not place.startswith(self._readable):
            self.acts.append(f"open {place}")

    def _own(self, event: str, details: tuple) -> bool:
        """Return whether it is the removal of the scratch folder."""
        if self._writable is None or not event.startswith(("os.r", "shutil.")):
            return False
        place = os.fsdecode(details[0])
        if event in ("os.remove", "os.rmdir") and details[1] != -1:
            # A path in an open folder.
            place = os.path.join(os.readlink(f"/proc/self/fd/{details[1]}"), place)
        return os.path.realpath(place).startswith(self._writable)


def _body(code: object) -> object:
    """The compiled content of code, independent of its stated file."""
    if not isinstance(code, CodeType):
        return repr(code)
    return code.co_code, code.co_names, tuple(map(_body, code.co_consts))


def _is_of_a_library(code: object) -> bool:
    """Return whether code belongs to an imported module, or to SymPy's monomial products.

    The latter depends on the number of their variables alone. A module may make code as well, as
    SymPy's units do, which are loaded when they are needed first.
    """
    frame = sys._getframe(2)
    if frame.f_code.co_filename.endswith("sympy/polys/monomials.py"):
        return True
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return getattr(code, "co_filename", "<string>").startswith(PYTHON)
