"""`Checkpoint`: save a search to a file and resume it.

The file is JSON, written completely or not at all. Its parts:

    format      "keras-symgrad search"
    version     1
    versions    of Python and the packages that wrote it
    problem     operators (name: expression), names, methods, signed, loss, seed, settings,
                complexity, knowledge
    rows        points, directions, weights and frame that are searched on, as lists
    state       seconds, evaluated, settling, collector (the archive) and the islands; null before
                the first generation

An island has its generation, its archive, the sets of features with their weights and the trees
(demes, loss cache, pending offspring), and the random numbers of both. A tree is a list in prefix
order: operators by name, variables by column, constants as numbers with a point.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_symgrad.files import check_writable, write_text
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.callbacks.base import Callback, Logs, Search
from keras_symgrad.search.core import Plain, Problem, as_plain, versions

SEARCH_FORMAT = "keras-symgrad search"
SEARCH_VERSION = 1
# Rows that are read again from a network may differ by rounding.
ROW_TOLERANCE = 1e-3
FIELD_ARRAYS = ("points", "directions", "weights", "frame")
TRIED_AGAIN = "It is tried again after each generation; the search goes on."
LOST = "The end of the search is not kept."


class Checkpoint(Callback):
    """Callback that saves the search to a file, from which `interpret(..., resume=)` goes on.

    A write that fails, as on a full disk, warns and is tried again after each generation and at
    the end; it costs neither the search nor the file that was there.

    Args:
        filepath: of the file.
        every: seconds between two writes; 0 for every generation. The file is also written at the
            end, unless Ctrl-C was pressed twice.

    Attributes:
        failure: why the last write failed; `None` after one that did not.

    Raises:
        ValueError: nothing can be written there.
    """

    def __init__(self, filepath: str | os.PathLike[str], every: float = 30.0):
        check_writable(filepath, "The search")
        if not every >= 0:
            raise ValueError(f"`every` is a number of seconds, at least 0. Received: {every=}")
        self.filepath, self.every = Path(filepath), every
        self.failure: str | None = None
        self._last = 0.0

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Write the search if it is time."""
        if self.failure or time.monotonic() - self._last >= self.every:
            self._write()
            self._last = time.monotonic()

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Write the final state of the search."""
        self._write(is_last=True)

    def _write(self, is_last: bool = False) -> None:
        before, self.failure = self.failure, None
        try:
            state = self.search.state()
            # The dictionary has no state, but the file must exist to resume from.
            if state is not None or not self.filepath.exists():
                save_search(self.filepath, self.search.problem, state)
        except Exception as error:
            self.failure = str(error) if isinstance(error, ValueError) else _line(error)
            if is_last or self.failure != before:
                warnings.warn(f"{self.failure} {LOST if is_last else TRIED_AGAIN}", stacklevel=2)


def save_search(path: str | os.PathLike[str], problem: Problem, state: Plain | None) -> Path:
    """Write a search to a file.

    Args:
        path: of the file.
        problem: problem of the search.
        state: of the search, from `PortfolioSearch.state`.

    Returns:
        The path.

    Raises:
        ValueError: nothing can be written there; an existing file stays unchanged.
    """
    rows = {name: getattr(problem.gradients, name) for name in FIELD_ARRAYS}
    content = {
        "format": SEARCH_FORMAT,
        "version": SEARCH_VERSION,
        "versions": versions(),
        "problem": _described(problem),
        "rows": {name: None if array is None else array.tolist() for name, array in rows.items()},
        "state": state,
    }
    return write_text(path, json.dumps(content, allow_nan=False), "The search")


class SavedSearch:
    """A saved search, read from a file.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is not a search, or one of another version.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no search to resume at: {self.path}")
        try:
            content = json.loads(self.path.read_text("utf-8"), parse_constant=_refuse)
            found = content["format"], content["version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._error(f"it is no file of `Checkpoint` ({_line(error)})") from error
        if found != (SEARCH_FORMAT, SEARCH_VERSION):
            raise self._error(
                f"it is of format {found[0]!r:.60}, version {found[1]!r:.20}; this release reads "
                f"{SEARCH_FORMAT!r}, version {SEARCH_VERSION}"
            )
        self._content = content

    def field(self, field: GradientField) -> GradientField:
        """Return the rows of the search.

        Args:
            field: the rows as they are read now.

        Returns:
            The same rows with all digits that they had.

        Raises:
            ValueError: the rows differ.
        """
        kept: dict[str, Any] = {}
        for name in FIELD_ARRAYS:
            now, then = getattr(field, name), self._array(name)
            if now is None or then is None:
                same = now is then
            else:
                same = now.shape == then.shape and np.allclose(
                    now, then, rtol=ROW_TOLERANCE, atol=ROW_TOLERANCE
                )
            if not same:
                raise self._error(
                    f"it was searching on other rows: their {name} are not those of this model, "
                    "data and seed. Pass what the search was started with"
                )
            kept[name] = then
        return replace(field, **kept)

    def restore(self, search: Search) -> None:
        """Restore a search to the saved state.

        Args:
            search: for the same problem.

        Raises:
            ValueError: the problem differs, or the file is damaged.
        """
        then, now = self._content.get("problem"), _described(search.problem)
        if not isinstance(then, dict):
            raise self._error("it is damaged: it has no `problem`")
        different = [name for name in now if then.get(name) != now[name]]
        if different:
            name = different[0]
            raise self._error(
                f"it was started with other {', '.join(different)}. Pass the same. Then: "
                f"{str(then.get(name)):.120}. Now: {str(now[name]):.120}"
            )
        try:
            if self._content["state"] is not None:
                search.restore(self._content["state"])
        except (KeyError, TypeError, IndexError, OverflowError, AttributeError) as error:
            raise self._error(f"it is damaged ({_line(error)})") from error
        except ValueError as error:
            raise self._error(_line(error)) from error

    def _array(self, name: str) -> np.ndarray | None:
        try:
            array = self._content["rows"][name]
            array = None if array is None else np.array(array, float)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._error(f"it is damaged: its {name} are no numbers") from error
        if array is not None and not np.isfinite(array).all():
            raise self._error(f"it is damaged: its {name} are not finite")
        return array

    def _error(self, why: str) -> ValueError:
        return ValueError(f"The search in {self.path} cannot be resumed: {why}.")


def _described(problem: Problem) -> dict[str, Any]:
    """Properties that must be equal for a search to go on, as read back from JSON."""
    operators = problem.alphabet.operators
    described = {
        "operators": {operator.name: str(operator.expression) for operator in operators},
        "names": problem.alphabet.names,
        "methods": problem.methods,
        "signed": problem.signed,
        "loss": str(problem.gradients.loss),
        "seed": problem.seed,
        # A setting that is not given is left out: files from before it was there lack it.
        "settings": {k: v for k, v in asdict(problem.settings).items() if v is not None},
        "complexity": as_plain(problem.complexity),
        "knowledge": problem.knowledge and problem.knowledge.described,
    }
    return json.loads(json.dumps(described))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
