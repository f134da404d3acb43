"""Callbacks of a search, in the vocabulary of Keras.

    on_search_begin(logs)   on_generation_end(generation, logs)   on_search_end(logs)

`logs` hold `loss` (the lowest so far), `formula` (the choice from the front, as a tree),
`complexity` (of the choice), `evaluations`, `seconds` and `settled` (generations since the choice
last improved); at the end also `stopped`. As soon as the formulas found are assessed on rows kept
apart they hold `matches`, the provisional verdict, and `headline`, the rule or the formula as text;
`self.search.assessment` has the rest of it, such as `best` and `rule`, during the search. The
stages of the dictionary, which come before the first generation, are generation 0. `self.search`
is the search: its `archive` has the front, and
`self.search.stop("why")` ends it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from deap import gp

from keras_symgrad.search.core import Archive, Plain, Problem, Progress

Logs = dict[str, Any]


class Assessed(Protocol):
    """Interface of an assessment of an archive, on rows that the search does not use."""

    @property
    def matches(self) -> str:
        """Class of the best formula, such as "concept"."""

    @property
    def headline(self) -> str:
        """The rule, or the formula, for people."""

    @property
    def is_settled(self) -> bool:
        """True if a longer search would change neither the match nor the formula's class."""


class Search(Protocol):
    """Interface of a search for callbacks, such as `PortfolioSearch`.

    Attributes:
        problem: what is searched for.
        stopped: the limit that ended the search; empty before.
        assessment: of the formulas found so far; `None` before the first one.
    """

    problem: Problem
    stopped: str
    assessment: Assessed | None

    @property
    def archive(self) -> Archive:
        """The best tree found at each complexity."""

    def text(self, tree: gp.PrimitiveTree) -> str:
        """A tree as a formula for people."""

    def stop(self, reason: str) -> None:
        """End the search after the present generation; `stopped` is then the reason."""

    def state(self) -> Plain | None:
        """State on which the next generations depend; `None` before the first one."""

    def restore(self, state: Plain) -> None:
        """Restore a `state`."""


class Callback:
    """Base class of all callbacks; override the methods of interest.

    Attributes:
        search: the search that calls it.

    Example:

    >>> class StopAtHalf(Callback):
    ...     def on_generation_end(self, generation, logs):
    ...         if logs["loss"] < 0.5:
    ...             self.search.stop("half")
    """

    search: Search

    def set_search(self, search: Search) -> None:
        """Called with the search before it begins."""
        self.search = search

    def on_search_begin(self, logs: Logs) -> None:
        """Called before the search begins. An exception here ends the search."""

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Called after every generation, and with an executor after every epoch of generations.

        Args:
            generation: number of generations; 0 after a stage of the dictionary.
            logs: progress of the search.
        """

    def on_search_end(self, logs: Logs) -> None:
        """Called at the end, for any reason."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_search_begin: `(logs)`.
        on_generation_end: `(generation, logs)`.
        on_search_end: `(logs)`.

    Example:

    >>> printing = LambdaCallback(
    ...     on_generation_end=lambda generation, logs: print(generation, logs["loss"])
    ... )
    >>> printing.on_generation_end(3, {"loss": 0.1})
    3 0.1
    """

    def __init__(
        self,
        on_search_begin: Callable[[Logs], None] | None = None,
        on_generation_end: Callable[[int, Logs], None] | None = None,
        on_search_end: Callable[[Logs], None] | None = None,
    ):
        given = {
            "on_search_begin": on_search_begin,
            "on_generation_end": on_generation_end,
            "on_search_end": on_search_end,
        }
        for name, function in given.items():
            if function is not None:
                setattr(self, name, function)


class EarlyStopping(Callback):
    """Callback that ends a search without improvement, or one that is good enough.

    Args:
        patience: generations without a better choice from the front, or `None`.
        target_loss: mean squared difference of unit gradients that is good enough, or `None`.

    Raises:
        ValueError: a limit is negative, or all are missing.

    Example:

    >>> EarlyStopping(patience=0)
    Traceback (most recent call last):
    ValueError: `patience` must be positive or None. Received: patience=0
    """

    def __init__(self, patience: int | None = 25, target_loss: float | None = None):
        _check_limits(patience=patience, target_loss=target_loss)
        self.patience, self.target_loss = patience, target_loss

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """End the search if it is good enough or has stagnated."""
        if self.target_loss is not None and logs["loss"] <= self.target_loss:
            self.search.stop("target_loss")
        elif self.patience is not None and logs["settled"] >= self.patience:
            self.search.stop("patience")


class TimeLimit(Callback):
    """Callback that ends a search after a time, including time before it was resumed.

    Args:
        seconds: the limit.

    Raises:
        ValueError: the limit is not positive.
    """

    def __init__(self, seconds: float):
        _check_limits(seconds=seconds)
        self.seconds = seconds

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """End the search if its time is over."""
        if logs["seconds"] >= self.seconds:
            self.search.stop("time_limit")


class CallbackList:
    """List of callbacks that are called together.

    A callback that raises is not called again, and a warning gives the reason: it must not end the
    search. Only exceptions before the search begins are raised here.

    Args:
        callbacks: the callbacks.
        search: the search that calls them.

    Raises:
        ValueError: one of them is not a callback.
    """

    def __init__(self, callbacks: Sequence[Callback], search: Search):
        self._search = search
        self._callbacks = check_callbacks(callbacks)
        self._logs: Logs = {}
        for callback in self._callbacks:
            callback.set_search(search)

    def on_search_begin(self) -> None:
        """Call `on_search_begin` of all callbacks."""
        for callback in self._callbacks:
            callback.on_search_begin({})

    def on_generation_end(self, progress: Progress) -> None:
        """Call `on_generation_end` of all callbacks."""
        self._logs = asdict(progress)
        generation = self._logs.pop("generation")
        if len(self._search.archive):
            self._logs["complexity"] = self._search.archive.choice().complexity
        if (found := self._search.assessment) is not None:
            self._logs |= {"matches": str(found.matches), "headline": found.headline}
        self._tell("on_generation_end", generation, self._logs)

    def on_search_end(self) -> None:
        """Call `on_search_end` of all callbacks."""
        self._tell("on_search_end", self._logs | {"stopped": self._search.stopped})

    def _tell(self, what: str, *arguments: Any) -> None:
        for callback in list(self._callbacks):
            try:
                getattr(callback, what)(*arguments)
            except Exception as error:
                self._callbacks.remove(callback)
                warnings.warn(
                    f"The callback {type(callback).__name__} raised {type(error).__name__} in "
                    f"`{what}` and is left out from now on; the search goes on: {error}",
                    stacklevel=2,
                )


def check_callbacks(callbacks: Sequence[Callback]) -> list[Callback]:
    """Check callbacks.

    Args:
        callbacks: the callbacks.

    Returns:
        A list of them.

    Raises:
        ValueError: one of them is not a callback.
    """
    if isinstance(callbacks, Callback):
        return [callbacks]
    wrong = [one for one in callbacks if not isinstance(one, Callback)]
    if wrong:
        raise ValueError(
            "`callbacks` takes callbacks of `keras_symgrad.callbacks` and classes derived from "
            "its `Callback`; those of `keras.callbacks` are for training. "
            f"Received: {', '.join(type(one).__name__ for one in wrong)}"
        )
    return list(callbacks)


def _check_limits(**limits: float | None) -> None:
    for name, limit in limits.items():
        if limit is not None and not limit > 0:
            raise ValueError(f"`{name}` must be positive or None. Received: {name}={limit}")
    if all(limit is None for limit in limits.values()):
        raise ValueError(f"One of these is needed: {', '.join(limits)}. Received: None")
