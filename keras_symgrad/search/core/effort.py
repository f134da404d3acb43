"""How far a search goes: "quick", "normal" or "thorough"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

Effort = Literal["quick", "normal", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)


def check_effort(effort: str, methods: Sequence[str]) -> None:
    """Raises unless an effort can be made with some ways to search.

    Args:
        effort: "quick" for the dictionary alone, "normal" until the answer is settled, "thorough"
            until a limit is reached.
        methods: ways to search.

    Raises:
        ValueError: the effort is unknown, or "quick" without a dictionary.

    Example:

    >>> check_effort("quick", ("dictionary", "trees"))
    """
    if effort not in EFFORTS:
        raise ValueError(
            f"`effort` is one of {', '.join(map(repr, EFFORTS))}. Received: effort={effort!r}"
        )
    if effort == "quick" and "dictionary" not in methods:
        raise ValueError(
            '`effort="quick"` searches the dictionary alone, which is not among `methods`. Add '
            f'"dictionary", or ask for "normal". Received: methods={tuple(methods)!r}'
        )
