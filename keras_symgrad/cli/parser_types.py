"""Types of command-line options: converters from text for `argparse`."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from typing import TypeVar

from keras_symgrad.search.strategies import METHODS

# Those of `search.core`, whose import takes seconds.
EFFORTS = ("quick", "normal", "thorough")
MAX_SHOWN_CHARACTERS = 80


def parts(text: str) -> list[str]:
    """Split a text at commas; a part that holds a comma is in quotation marks, as in CSV.

    Args:
        text: of one line.

    Returns:
        The parts without spaces around them; none if the text is not a line of CSV.

    Example:

    >>> parts('height, "width, in m"'), parts("a\\nb")
    (['height', 'width, in m'], [])
    """
    try:
        found = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # several lines, or a field of 131,072 characters
        return []
    return [part.strip() for part in found]


def shown(text: str) -> str:
    """A text for messages: one line of at most 80 characters."""
    return repr(text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "...")


def names(text: str) -> list[str]:
    """Names separated by commas."""
    names = parts(text)
    if not names or not all(names):
        raise argparse.ArgumentTypeError(
            f"expected names with commas between them, not {shown(text)}"
        )
    return names


def methods(text: str) -> tuple[str, ...]:
    """Search methods, separated by commas."""
    methods = tuple(names(text))
    if not set(methods) <= set(METHODS):
        raise argparse.ArgumentTypeError(
            f"expected names among {', '.join(METHODS)}, with commas between, not {shown(text)}"
        )
    return methods


def delta(text: str) -> float | None:
    """A probability below a half, or "none"."""
    if text.lower() == "none":
        return None
    delta = _number(float, text)
    if not 0 < delta < 0.5:
        raise argparse.ArgumentTypeError(
            f"expected 'none' or a number in (0, 0.5), not {shown(text)}"
        )
    return delta


def smoothing(text: str) -> str | float | None:
    """A width, "auto" or "none"."""
    if text.lower() in ("auto", "none"):
        return None if text.lower() == "none" else "auto"
    return above_zero(text)


def unit(text: str) -> int | tuple[int, ...]:
    """The number of a unit, or the numbers of several."""
    units = [_number(int, part) for part in text.split(",")]
    if min(units) < 0:
        raise argparse.ArgumentTypeError(
            f"expected numbers from 0 on, such as 'K,J', not {shown(text)}"
        )
    return units[0] if len(units) == 1 else tuple(units)


def near(text: str) -> int | dict[str, float]:
    """The number of a row, or the value of each input: `age=30,"height, in m"=1.8`.

    Args:
        text: of the option.

    Returns:
        The number, or values by name.

    Example:

    >>> near("17"), near("age=30, color=red=1")
    (17, {'age': 30.0, 'color=red': 1.0})
    """
    if "=" not in text:
        return int(at_least(int, 0)(text))
    pairs = [part.rpartition("=") for part in parts(text)]
    values = {name.strip(): _number(float, value) for name, _, value in pairs}
    if not pairs or not all(name.strip() for name, _, _ in pairs) or len(values) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"expected the number of a row, or NAME=VALUE for each input with commas between them, "
            f"not {shown(text)}"
        )
    return values


def above_zero(text: str) -> float:
    """A finite number above 0."""
    number = _number(float, text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {shown(text)}")
    return number


def at_least(kind: type, lowest: int) -> Callable[[str], float]:
    """Converter to a number of a type with a lowest value."""

    def number_from(text: str) -> float:
        number = _number(kind, text)
        if not lowest <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"expected at least {lowest}, not {shown(text)}")
        return number

    return number_from


Number = TypeVar("Number", int, float)


def _number(kind: type[Number], text: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        article = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"expected {article}, not {shown(text)}") from None
