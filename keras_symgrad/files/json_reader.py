"""Read untrusted JSON: each value is requested by name and kind."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

Read = TypeVar("Read")

# Result files are read into memory as a whole.
LARGEST_FILE = 64 * 2**20


class Record:
    """A JSON object whose values are read by name and kind, with errors for missing ones.

    Args:
        content: of the record.
        place: position of the record in its file, for errors: `front[3]`.

    Raises:
        ValueError: `content` is not a mapping; and in each method, the value is missing or of
            another kind.

    Example:

    >>> record = Record({"name": "x", "rows": [{"loss": 0.5}, {"loss": "low"}]})
    >>> record.text("name"), [row.number("loss") for row in record.records("rows")]
    Traceback (most recent call last):
    ValueError: Expected a number at `rows[1].loss`. Received: 'low'
    """

    def __init__(self, content: Any, place: str = ""):
        if not isinstance(content, Mapping):
            raise ValueError(
                f"Expected names with values at `{place}`. Received: {_short(content)}"
            )
        self._content, self._place = content, place

    @classmethod
    def of(cls, content: Record | Mapping[str, Any]) -> Record:
        """A record of some content; one that is a record already stays as it is."""
        return content if isinstance(content, Record) else cls(content)

    def __contains__(self, name: str) -> bool:
        return self._content.get(name) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all values."""
        return tuple(self._content)

    def refused(self, name: str, expected: str) -> ValueError:
        """An error that states what was expected in place of a value."""
        received = _short(self._content[name]) if name in self._content else "nothing"
        return ValueError(f"Expected {expected} at `{self._at(name)}`. Received: {received}")

    def text(self, name: str) -> str:
        """A text."""
        value = self._content.get(name)
        if not isinstance(value, str):
            raise self.refused(name, "a text")
        return value

    def one_of(self, name: str, options: tuple[str, ...]) -> str:
        """One of several texts."""
        value = self._content.get(name)
        if not isinstance(value, str) or value not in options:
            raise self.refused(name, f"one of {', '.join(map(repr, options))}")
        return value

    def number(self, name: str, missing: float | None = None) -> float:
        """A finite float, or `missing` for `null`, which stands for a number that is not finite."""
        return self._number(name, self._content.get(name), missing)

    def whole(self, name: str, lowest: int = 0) -> int:
        """A whole number of at least `lowest`, and within 64 bits."""
        value = self._content.get(name)
        if type(value) is not int or not lowest <= value < 2**63:
            raise self.refused(name, f"a whole number of at least {lowest}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._content.get(name)
        if not isinstance(value, bool):
            raise self.refused(name, "true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts in order."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self.refused(name, "a list of texts")
        return tuple(values)

    def numbers(self, name: str, missing: float | None = None) -> list[float]:
        """Floats in order, as `number` reads them."""
        return [self._number(name, value, missing) for value in self._list(name)]

    def rows(self, name: str, width: int) -> list[list[float]]:
        """Rows of finite floats, each of the same width."""
        rows = self._list(name)
        if not all(isinstance(row, list) and len(row) == width for row in rows):
            raise self.refused(name, f"rows of {width} numbers")
        return [[self._number(name, value) for value in row] for row in rows]

    def record(self, name: str) -> Record:
        """Names with values."""
        return Record(self._content.get(name), self._at(name))

    def records(self, name: str) -> Iterator[Record]:
        """Records in order."""
        for index, content in enumerate(self._list(name)):
            yield Record(content, f"{self._at(name)}[{index}]")

    def records_if_any(self, name: str) -> Iterator[Record]:
        """Records in order; an earlier version may have written none, or `null`."""
        return self.records(name) if name in self else iter(())

    def maybe(self, name: str, read: Callable[[Record], Read]) -> Read | None:
        """Read a record with a function, or return `None` if it is missing or `null`."""
        return read(self.record(name)) if name in self else None

    def plain(self, name: str) -> Any:
        """The value unchanged, `None` if it is missing."""
        return self._content.get(name)

    def by_name(self, name: str, kind: type | tuple[type, ...]) -> dict[str, Any]:
        """Values of one kind by names of the file's own."""
        values = self.record(name)._content
        # In Python true and false are numbers.
        is_kind = kind is object or not any(isinstance(v, bool) for v in values.values())
        if not is_kind or not all(isinstance(value, kind) for value in values.values()):
            raise self.refused(name, "names with values of one kind")
        return dict(values)

    def numbers_by_name(self, name: str, missing: float | None = None) -> dict[str, float]:
        """Floats by names of the file's own, as `number` reads them."""
        values = self.record(name)
        return {each: values.number(each, missing) for each in values.names}

    def _list(self, name: str) -> list[Any]:
        value = self._content.get(name)
        if not isinstance(value, list):
            raise self.refused(name, "a list")
        return value

    def _number(self, name: str, value: Any, missing: float | None = None) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            # Python's own JSON accepts numbers that are not finite, and integers of any size.
            if abs(value) <= sys.float_info.max:
                return float(value)
        elif value is not None or name not in self._content:
            raise ValueError(f"Expected a number at `{self._at(name)}`. Received: {_short(value)}")
        if missing is None:
            raise self.refused(name, "a finite number")
        return missing

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def check_is_file(path: str | os.PathLike[str], what: str) -> None:
    """Raise unless there is a file.

    Args:
        path: of the file.
        what: description of the expected file, for the error message.

    Raises:
        FileNotFoundError: there is no file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected {what}. There is no file at: {path}")


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """Plain data from a JSON file.

    Args:
        path: of the file.
        what: description of the expected file, for the error message.

    Returns:
        Plain data.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: the file is larger than 64 MB or not JSON.
    """
    path = Path(path)
    check_is_file(path, what)
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(
            f"Expected {what}, of {LARGEST_FILE >> 20} MB at most. Received: {path} of "
            f"{path.stat().st_size >> 20} MB"
        )
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError(f"Expected {what}. {path} is nested too deeply.") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"Expected {what}. {path} is no JSON: {error}") from None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # an integer with too many digits
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."
