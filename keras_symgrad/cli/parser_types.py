"""Types of command-line options: converters from text for `argparse`."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from typing import TypeVar

# Those of `search.portfolio`, whose import takes seconds.
METHOD_NAMES = ("dictionary", "features", "trees")
EFFORTS = ("quick", "normal", "thorough")


def names(text: str) -> list[str]:
    """Names separated by commas."""
    # A name that holds a comma can be put in quotation marks, as in a CSV file.
    try:
        names = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # several lines
        names = []
    names = [name.strip() for name in names]
    if not names or not all(names):
        raise argparse.ArgumentTypeError(f"expected names with commas between them, not {text!r}")
    return names


def methods(text: str) -> tuple[str, ...]:
    """Search methods, separated by commas."""
    methods = tuple(names(text))
    if not set(methods) <= set(METHOD_NAMES):
        raise argparse.ArgumentTypeError(
            f"expected names among {', '.join(METHOD_NAMES)}, with commas between, not {text!r}"
        )
    return methods


def delta(text: str) -> float | None:
    """A probability below a half, or "none"."""
    if text.lower() == "none":
        return None
    delta = _number(float, text)
    if not 0 < delta < 0.5:
        raise argparse.ArgumentTypeError(f"expected 'none' or a number in (0, 0.5), not {text!r}")
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
        raise argparse.ArgumentTypeError(f"expected numbers from 0 on, such as 'K,J', not {text!r}")
    return units[0] if len(units) == 1 else tuple(units)


def above_zero(text: str) -> float:
    """A finite number above 0."""
    number = _number(float, text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return number


def at_least(kind: type, lowest: int) -> Callable[[str], float]:
    """Converter to a number of a type with a lowest value."""

    def number_from(text: str) -> float:
        number = _number(kind, text)
        if not lowest <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"expected at least {lowest}, not {text!r}")
        return number

    return number_from


Number = TypeVar("Number", int, float)


def _number(kind: type[Number], text: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        article = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"expected {article}, not {text!r}") from None
