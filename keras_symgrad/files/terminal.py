"""Escape untrusted text for the terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Escape the control characters of a text.

    A terminal executes escape sequences, which could hide or forge output; other characters reverse
    the direction of writing.

    Args:
        text: of one or more lines.

    Returns:
        The text with an escape such as `\x1b` for characters that are neither printable nor line
        ends.

    Example:

    >>> print(printable("größe\x1b[2J\n2"))
    größe\x1b[2J
    2
    """
    if all(character.isprintable() or character == "\n" for character in text):
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
