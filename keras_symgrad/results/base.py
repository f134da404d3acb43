"""`Result`: saving and reporting, common to all results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from keras_symgrad.files import Record, check_writable, write_json, write_text

# Makes the code that repeats the call of a result: of its kind and of the record of its file.
CallOf = Callable[[str, Record], str]


def without_call(kind: str, record: Record) -> str:
    """No code: a result that is read without the functions that make one."""
    return ""


def provenance(record: Record) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and versions of a result of several neurons; version 0 has neither."""
    if "settings" not in record:
        return {}, {}
    return record.by_name("settings", object), record.by_name("versions", str)


class Result:
    """Base class of results with a file, as plain data, and a report page.

    Attributes:
        what: description of the result, for error messages.
    """

    what: ClassVar[str] = "The interpretation"

    def __eq__(self, other: object) -> bool:
        """Return whether two results are equal, apart from their timings."""
        if type(other) is not type(self):
            return NotImplemented
        return _text_of(self) == _text_of(other)

    def __hash__(self) -> int:
        return hash(_text_of(self))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        raise NotImplementedError

    def _page(self) -> str:
        """The result as HTML."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as JSON, which `load_interpretation` reads.

        The gradients and the network are not in the file; `gradients.save(path)` saves the
        gradients.

        Args:
            path: of the file.

        Returns:
            The path.

        Raises:
            ValueError: nothing can be written there; nothing half-written is left behind.
        """
        return write_json(path, self.to_dict(), self.what)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as one HTML page that needs no other file and no network access.

        Args:
            path: of the file.

        Returns:
            The path.

        Raises:
            ValueError: nothing can be written there; nothing half-written is left behind.
        """
        check_writable(path, "The report")
        return write_text(path, self._page(), "The report")


def _text_of(result: Result) -> str:
    """Content of a result as text, in which NaN equals NaN."""
    return json.dumps(_without_timings(result.to_dict()), sort_keys=True)


def _without_timings(content: Any) -> Any:
    """The same with floats for all numbers: 7 and 7.0 are one complexity."""
    if isinstance(content, int) and not isinstance(content, bool):
        return float(content)
    if isinstance(content, list):
        return [_without_timings(one) for one in content]
    if isinstance(content, dict):
        return {key: _without_timings(one) for key, one in content.items() if key != "timings"}
    return content
