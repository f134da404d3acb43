"""Escape untrusted text for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def printable(text: str) -> str:
    r"""A text whose control characters and marks of direction are written out.

    A terminal obeys escape sequences, which could hide or forge what is printed; other characters
    turn the direction of writing around, or are seen nowhere.

    Args:
        text: of one or more lines.

    Returns:
        The text with an escape such as `\x1b` for what is neither visible, a space nor an end of
        line.

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
    names = list(map(str, names))
    text = ", ".join(printable(name).replace("\n", r"\n") for name in names[:most])
    return f"{text} and {len(names) - most:,} more" if len(names) > most else text


def _is_shown(character: str) -> bool:
    if character.isprintable() or character == "\n":
        return True
    return unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
