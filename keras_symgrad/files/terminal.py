"""Escape untrusted text for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def printable(text: str) -> str:
    r"""Escape the control characters and marks of direction of a text.

    A terminal executes escape sequences, which could hide or forge output; other characters reverse
    the direction of writing, or are invisible.

    Args:
        text: of one or more lines.

    Returns:
        The text with an escape such as `\x1b` for characters that are neither visible, nor spaces,
        nor line ends.

    Example:

    >>> print(printable("größe\x1b[2J\n2"))
    größe\x1b[2J
    2
    """
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else _escaped(c) for c in text)


def listed_names(names: Iterable[object], most: int = 20) -> str:
    r"""Names for a message: in one line, however strange they are and however many.

    Args:
        names: of columns, layers and the like.
        most: how many are written out.

    Returns:
        The names with commas between them.

    Example:

    >>> listed_names(["a\nb", "c", "d"], most=2)
    'a\\nb, c and 1 more'
    """
    texts = list(map(str, names))
    listed = ", ".join(printable(text).replace("\n", r"\n") for text in texts[:most])
    return f"{listed} and {len(texts) - most:,} more" if len(texts) > most else listed


def _is_shown(character: str) -> bool:
    if character.isprintable() or character == "\n":
        return True
    return unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
