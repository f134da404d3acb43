"""`LossCache`: losses by fingerprint, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_symgrad.search.core import array_from_text, array_to_text


class LossCache:
    """Cache of complexity and loss by fingerprint, for the latest forms.

    It uses two tables: when the younger one is full it becomes the older one, and the older one is
    dropped. A dropped form may be evaluated again, which only costs time.

    Args:
        capacity: forms in each of the two tables.

    Example:

    >>> known = LossCache(capacity=2)
    >>> for fingerprint in (1, 2, 3, 4, 5):
    ...     known[fingerprint] = 7, 0.5
    >>> known[1], known[4]
    ((inf, inf), (7, 0.5))
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._younger: dict[int, tuple[float, float]] = {}
        self._older: dict[int, tuple[float, float]] = {}

    def __getitem__(self, fingerprint: int) -> tuple[float, float]:
        """Complexity and loss of a form; infinite for an unknown one."""
        found = self._younger.get(fingerprint) or self._older.get(fingerprint)
        return found or (np.inf, np.inf)

    def __setitem__(self, fingerprint: int, measured: tuple[float, float]) -> None:
        if len(self._younger) >= self.capacity and fingerprint not in self._younger:
            self._older, self._younger = self._younger, {}
        self._younger[fingerprint] = measured

    def forget(self, fingerprint: int) -> None:
        """Remove a form."""
        self._younger.pop(fingerprint, None)
        self._older.pop(fingerprint, None)

    def state(self) -> list[Any]:
        """Both tables as plain data: fingerprints, complexities and losses of each as texts."""
        return [
            [
                array_to_text(np.fromiter(table, np.int64, len(table))),
                *(
                    array_to_text(np.array([measured[k] for measured in table.values()], float))
                    for k in (0, 1)
                ),
            ]
            for table in (self._younger, self._older)
        ]

    def restore(self, state: list[Any]) -> None:
        """Restore the tables of `state`."""
        self._younger, self._older = map(_table, state)


def _table(texts: list[str]) -> dict[int, tuple[float, float]]:
    keys, weights, losses = map(array_from_text, texts, (np.int64, float, float))
    if not len(keys) == len(weights) == len(losses) or np.isnan([*weights, *losses]).any():
        raise ValueError("Known forms and what is known of them do not belong together.")
    return dict(zip(keys.tolist(), zip(weights.tolist(), losses.tolist())))
