"""Columns: points with names, the order of names, and several arrays as columns of one table."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_symgrad.files.terminal import listed_names


def check_names(names: Sequence[str] | None, columns: int) -> tuple[str, ...]:
    """Check the names of variables; without names they are `x1`, `x2` and so on.

    Args:
        names: one name a column. Any text is allowed: `"petal length (cm)"` stays unchanged.
        columns: number of columns.

    Returns:
        The names as a tuple.

    Raises:
        ValueError: there are too many or too few, two are equal, or one is not a text.

    Example:

    >>> check_names(None, 3)
    ('x1', 'x2', 'x3')
    """
    if names is None:
        return tuple(f"x{k + 1}" for k in range(columns))
    if isinstance(names, str) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(
            f"`names` is a list of texts, one for each of {columns} columns, none of them empty. "
            f"Received: names={names!r}"
        )
    names = tuple(str(name) for name in names)
    if len(names) != columns:
        raise ValueError(
            f"Expected one name for each of {columns} columns. "
            f"Received {len(names)}: {listed_names(names)}"
        )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"Every name may occur once. Received twice: {listed_names(twice)}")
    return names


class Points(NamedTuple):
    """Points that were read and checked once, with the names of their columns.

    Attributes:
        values: float64, `(rows, columns)`, missing numbers as NaN.
        names: one a column, each once.
    """

    values: np.ndarray
    names: tuple[str, ...]

    def named(self, names: Sequence[str] | None) -> Points:
        """The points under other names; unchanged for `None`.

        Args:
            names: one a column; of an array of shape `(rows, steps, channels)` one a channel, so
                that `speed` gives `speed_0`, `speed_1`...

        Raises:
            ValueError: there are too many or too few, two are equal, or one is not a text.
        """
        if names is None:
            return self
        columns = self.values.shape[1]
        return self._replace(names=check_names(_of_steps(names, self.names), columns))

    def in_model_order(
        self, wanted: tuple[str, ...] | None, names: Sequence[str] | None = None
    ) -> Points:
        """Columns in the order in which a model of several inputs takes them.

        Args:
            wanted: names of the columns that the model takes, or `None` if they have none.
            names: other names of the columns, in the order of the points; see `named`.

        Returns:
            The wanted columns by their names, if all of them are present; else all columns
            unchanged, under the model's names if they have none of their own. A column that is
            found by the name it had goes to its place under its other name.

        Raises:
            ValueError: some of the wanted names are present and others are missing; `names` are
                invalid.

        Example:

        >>> Points(np.array([[1.0, 2.0, 3.0]]), ("b", "z", "a")).in_model_order(("a", "b"))
        Points(values=array([[3., 1.]]), names=('a', 'b'))
        >>> Points(np.array([[1.0, 3.0]]), ("b", "a")).in_model_order(("a", "b"), ("mass", "age"))
        Points(values=array([[3., 1.]]), names=('age', 'mass'))
        """
        x, found = named = self.named(names)
        if wanted is None or found == wanted:
            return named
        for known in (found, self.names):
            # A dictionary: pictures have tens of thousands of columns.
            place_of = {name: place for place, name in enumerate(known)}
            if all(name in place_of for name in wanted):
                places = [place_of[name] for name in wanted]
                return Points(x[:, places], tuple(found[place] for place in places))
        present = set(found)
        missing = [name for name in wanted if name not in present]
        if len(missing) < len(wanted):
            raise ValueError(
                f"The model takes the columns {listed_names(wanted)}. The data have no "
                f"{listed_names(missing)}, but: {listed_names(found)}"
            )
        unnamed = found == check_names(None, len(found)) and len(found) == len(wanted)
        return Points(x, wanted if unnamed else found)


def check_width(found: Sequence[str], wanted: int, taker: str) -> None:
    """Raise unless there are as many columns as a model or a formula takes.

    Args:
        found: names of the columns.
        wanted: how many are taken.
        taker: what takes them, for the message.

    Raises:
        ValueError: there are more or fewer; a column of answers among them is named.

    Example:

    >>> check_width(("a", "b", "y"), 2, "'net'")
    Traceback (most recent call last):
    ValueError: 'net' takes 2 columns, but the data have 3: a, b, y. 'y' looks like a column of \
answers: leave it out with `ks.Sampling(columns=['a', 'b'])`.
    """
    if len(found) == wanted:
        return
    answers = [name for name in found if looks_like_a_label(name)]
    others = [name for name in found if name not in answers]
    way_out = "Choose the model's own with `ks.Sampling(columns=...)`, in its order."
    if len(others) == wanted and len(answers) == 1:
        way_out = (
            f"'{answers[0]}' looks like a column of answers: leave it out with "
            f"`ks.Sampling(columns={others})`."
        )
    raise ValueError(
        f"{taker} takes {wanted} columns, but the data have {len(found)}: {listed_names(found)}. "
        f"{way_out}"
    )


def points_by_name(x: Any, names: Sequence[str], taker: str) -> np.ndarray:
    """Points for a function of named variables: columns by name where the data have names.

    Args:
        x: an array of shape `(rows, columns)` or one point `(columns,)`, in the order of the
            variables; or a DataFrame or a dict with a column or number for each, and others.
        names: of the variables.
        taker: what takes them, for messages.

    Returns:
        float64 points `(rows, variables)`, or `(variables,)` for one point.

    Raises:
        ValueError: a variable is missing, or an array has more or fewer columns.

    Example:

    >>> points_by_name({"b": [1, 2], "a": [3, 4]}, ("a", "b"), "The formula")
    array([[3., 1.],
           [4., 2.]])
    """
    if type(x) is np.ndarray and x.ndim == 2 and x.dtype == np.float64:
        points = x
    elif isinstance(x, Mapping) or (hasattr(x, "columns") and hasattr(x, "__getitem__")):
        found = [str(name) for name in (x if isinstance(x, Mapping) else x.columns)]
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(
                f"{taker} takes the columns {listed_names(names)}. The data have no "
                f"{listed_names(missing)}, but: {listed_names(found)}"
            )
        keys = {str(key): key for key in (x if isinstance(x, Mapping) else x.columns)}
        columns = [as_numbers(x[keys[name]], f"column '{name}'") for name in names]
        return np.stack(np.broadcast_arrays(*columns), axis=-1)
    else:
        points = as_numbers(x, "the array")
    if points.ndim not in (1, 2) or points.shape[-1] != len(names):
        raise ValueError(
            f"{taker} takes points of {len(names)} columns: {listed_names(names)}. "
            f"Received: shape {points.shape}"
        )
    return points


# Names that columns of answers have, which no model takes.
LABEL_NAME = re.compile(
    r"(?i)(y|labels?|targets?|class(es)?|outcome|output|response|y_true|species|survived|churn)"
)


def looks_like_a_label(name: str) -> bool:
    """Return whether a column is named as columns of answers usually are.

    Args:
        name: of the column.
    """
    return LABEL_NAME.fullmatch(name.strip()) is not None


def column_names(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names for the columns of an input: `age`, `pos_1` and `pos_2`, `image_0_3` for a pixel.

    Args:
        name: of the input.
        shape: of one row. The entries of a vector are counted from 1, as in `x1`; a pixel of an
            image is named by its index, without axes of length 1.

    Returns:
        As many names as a row has numbers.

    Example:

    >>> column_names("pos", (2,)), column_names("age", (1,))
    (('pos_1', 'pos_2'), ('age',))
    >>> column_names("image", (1, 2, 1))
    ('image_1', 'image_2')
    """
    shape = tuple(size for size in shape if size != 1)
    if len(shape) == 1:
        return tuple(f"{name}_{k + 1}" for k in range(shape[0]))
    return tuple("_".join(map(str, (name, *place))) for place in np.ndindex(shape))


def _of_steps(names: Sequence[str], columns: tuple[str, ...]) -> Sequence[str]:
    """Names of the columns of a series, from those of its channels; other names unchanged."""
    channels, steps = len(names), len(columns) // max(len(names), 1)
    if isinstance(names, str) or columns != column_names("x", (steps, channels)) or steps < 2:
        return names
    return [f"{name}_{step}" for step in range(steps) for name in names]


def is_list_of_inputs(source: Any) -> bool:
    """Return whether points are a list of a model's inputs of several axes each, and not rows.

    Args:
        source: what the user gave.
    """
    return isinstance(source, (list, tuple)) and any(
        getattr(member, "ndim", 0) >= 2 for member in source
    )


def side_by_side(inputs: Mapping[Any, Any]) -> tuple[np.ndarray, list[str]]:
    """Join the inputs of a model to one table.

    Args:
        inputs: arrays by name, each of shape `(rows, ...)`.

    Returns:
        float64 points of shape `(rows, columns)`, and the names of the columns.

    Raises:
        ValueError: an input holds no numbers, or the inputs have different numbers of rows.
    """
    parts: list[np.ndarray] = []
    names: list[str] = []
    for key, array in inputs.items():
        part = as_numbers(array, f"input '{key}'")
        if part.ndim == 0:
            raise ValueError(f"Expected one row or more. Input '{key}' is a single number.")
        names.extend(column_names(str(key), part.shape[1:]))
        parts.append(part.reshape(len(part), math.prod(part.shape[1:])))
    rows = {key: len(part) for key, part in zip(inputs, parts)}
    if len(set(rows.values())) != 1:
        listed = ", ".join(f"'{key}' has {count}" for key, count in rows.items())
        raise ValueError(f"Expected inputs of equally many rows. Received: {listed or 'none'}")
    return np.concatenate(parts, axis=1), names


def as_numbers(array: Any, origin: str) -> np.ndarray:
    """Convert an array-like object to float64.

    Args:
        array: of real numbers.
        origin: source of the array, for the error.

    Returns:
        The array.

    Raises:
        ValueError: it holds no real numbers, or rows of different lengths.
    """
    if isinstance(array, np.ma.MaskedArray) and array.dtype.kind in "fiub":
        # A masked number is missing, whatever its value.
        return np.ma.filled(array.astype(np.float64), np.nan)
    if hasattr(array, "toarray"):
        # A sparse matrix of SciPy.
        array = array.toarray()
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"Expected rows of equal length. Received from {origin}: {error}"
        ) from error
    if array.dtype.kind in "mM":
        raise ValueError(
            "Turn dates into a number with a unit first, such as days since the first one: "
            "`(dates - dates.min()) / np.timedelta64(1, 'D')`. "
            f"Received from {origin}: dtype {array.dtype}"
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(
            "Expected real numbers (a float or integer dtype). "
            f"Received from {origin}: dtype {array.dtype}"
        )
    return array.astype(np.float64)
