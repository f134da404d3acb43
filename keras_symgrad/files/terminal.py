"""Escape untrusted text for the terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A text whose control characters are written out.

    A terminal obeys escape sequences, which could hide or forge what is printed; others turn the
    direction of writing around.

    Args:
        text: of one or more lines.

    Returns:
        The text with an escape such as `\x1b` for what is neither printable nor an end of line.

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
