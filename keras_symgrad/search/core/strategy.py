"""`Strategy`: a way to search for formulas, as a value."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar


class Strategy(ABC):
    """A way to search for formulas.

    A strategy holds its options and no state of a search: it is sent to other processes with the
    problem. Derive from `StagedStrategy` or `EvolvedStrategy`, which say what it must do.

    Attributes:
        name: for users and files.
        is_quick: True if it takes seconds, so that `effort="quick"` searches with it alone.
    """

    name: ClassVar[str]
    is_quick: ClassVar[bool] = False
