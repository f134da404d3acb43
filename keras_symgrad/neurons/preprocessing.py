"""`Preprocessing`: standardization of the inputs outside of a model, as an affine map of columns.

    z = (x - offset) / scale

With it a network is asked at points in the units of the table, and formulas are in these. The map
is computed in float64, so that a column around 1e6 keeps its digits until it is standardized, and
gradients follow from the chain rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from keras_symgrad.files import listed_names
from keras_symgrad.neurons.class_logits import ClassLogits
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.neurons.quantities import Quantities

EXPECTED = (
    "`preprocessing` is a fitted `StandardScaler`, `MinMaxScaler`, `RobustScaler` or "
    "`MaxAbsScaler` of scikit-learn; a pair (means, widths) with a number for each column; or "
    "{name: (mean, width)} for some of the columns, as of a `ColumnTransformer`. "
)
# Rows, in widths, at which a scaler's own `transform` is compared with the affine map: the last
# ones show one that clips.
PROBES = np.array([-3.0, -0.5, 0.0, 1.0, 2.5, 1e6, -1e6])
SAME = 1e-6


@dataclass(frozen=True)
class Preprocessing:
    """The map (x - offset) / scale of columns.

    Args:
        offsets: numbers that are subtracted, one for each column.
        scales: positive numbers that are divided by.
        names: of the columns; `None` for all columns of the data in their order. Columns of the
            data that are not among the names stay as they are if `partial`.
        partial: whether other columns are allowed.

    Example:

    >>> Preprocessing.of(([1.0, 0.0], [2.0, 1.0])).of_columns(("a", "b"))
    (array([1., 0.]), array([2., 1.]))
    >>> Preprocessing.of({"b": (5, 10)}).of_columns(("a", "b"))
    (array([0., 5.]), array([ 1., 10.]))
    """

    offsets: tuple[float, ...]
    scales: tuple[float, ...]
    names: tuple[str, ...] | None = None
    partial: bool = False

    @classmethod
    def of(cls, given: Any) -> Preprocessing:
        """Make it of a scaler, of means and widths, or of means and widths by name.

        Args:
            given: see `EXPECTED`; `{"mean": [...], "scale": [...]}` is a pair as well.

        Raises:
            ValueError: it is something else, is not fitted, does more than an affine map, or a
                number is not finite or a width not positive.
        """
        if isinstance(given, Preprocessing):
            return given
        if isinstance(given, Mapping):
            if set(given) == {"mean", "scale"}:
                return cls._checked(given["mean"], given["scale"], given)
            pairs = [_pair(pair, given) for pair in given.values()]
            means, widths = ([pair[k] for pair in pairs] for k in (0, 1))
            return cls._checked(means, widths, given, tuple(map(str, given)), partial=True)
        if hasattr(given, "transform"):
            return cls._of_scaler(given)
        return cls._checked(*_pair(given, given), given)

    @classmethod
    def _checked(
        cls,
        offsets: Any,
        scales: Any,
        given: Any,
        names: tuple[str, ...] | None = None,
        partial: bool = False,
    ) -> Preprocessing:
        try:
            numbers = [np.asarray(one, np.float64).reshape(-1) for one in (offsets, scales)]
        except (TypeError, ValueError):
            raise ValueError(f"{EXPECTED}Received: preprocessing={given!r}") from None
        means, widths = numbers
        if len(means) != len(widths) or not len(means):
            raise ValueError(f"{EXPECTED}Received: {len(means)} means and {len(widths)} widths")
        if not np.isfinite(means).all() or not ((widths > 0) & np.isfinite(widths)).all():
            k = int(np.argmin(np.isfinite(means) & (widths > 0) & np.isfinite(widths)))
            where = f"column {k}" if names is None else repr(names[k])
            raise ValueError(
                f"{EXPECTED}Means are finite and widths positive. "
                f"Received: mean {means[k]:g} and width {widths[k]:g} for {where}"
            )
        return cls(tuple(means.tolist()), tuple(widths.tolist()), names, partial)

    @classmethod
    def _of_scaler(cls, scaler: Any) -> Preprocessing:
        name = type(scaler).__name__
        read = next((read for own, read in _SCALERS.items() if hasattr(scaler, own)), None)
        if read is None:
            fit = "It is not fitted. " if name in _SCALER_NAMES else ""
            raise ValueError(f"{EXPECTED}{fit}Received: preprocessing={name}")
        offsets, scales = (np.atleast_1d(np.asarray(one, np.float64)) for one in read(scaler))
        columns = max(len(offsets), len(scales), int(getattr(scaler, "n_features_in_", 1)))
        offsets, scales = (np.broadcast_to(one, columns) for one in (offsets, scales))
        names = getattr(scaler, "feature_names_in_", None)
        own = None if names is None else tuple(map(str, names))
        found = cls._checked(offsets, scales, name, own)
        x = offsets + PROBES[:, None] * scales
        transformed = _transformed(scaler, x, names)
        # Rounding of x / scale - offset / scale, where the offset is many widths.
        rounding = 8 * np.finfo(float).eps * np.abs(x) / scales
        near = SAME * (1 + np.abs(found(x))) + rounding
        same = transformed.shape == x.shape and bool(np.all(np.abs(transformed - found(x)) <= near))
        if not same:
            raise ValueError(
                f"{EXPECTED}The map is to be (x - offset) / scale, without limits. "
                f"Received: preprocessing={name}, whose `transform` does more"
            )
        return found

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The map of points that have its columns alone, `(rows, columns)`."""
        return (np.asarray(x, np.float64) - self.offsets) / self.scales

    def of_columns(self, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Offsets and scales of the columns of data, `(columns,)` each.

        Args:
            columns: names of the columns.

        Raises:
            ValueError: there are more or fewer columns, or others.
        """
        offsets, scales = np.array(self.offsets), np.array(self.scales)
        if self.names is None:
            if len(offsets) != len(columns):
                raise ValueError(
                    f"`preprocessing` has a mean and a width for each of the {len(columns)} "
                    f"columns that the network takes: {listed_names(tuple(columns))}. "
                    f"Received: {len(offsets)}"
                )
            return offsets, scales
        unknown = [name for name in self.names if name not in columns]
        missing = [] if self.partial else [name for name in columns if name not in self.names]
        if unknown or missing:
            what = f"others, {listed_names(unknown)}" if unknown else "no " + listed_names(missing)
            raise ValueError(
                "`preprocessing` is of the columns that the network takes: "
                f"{listed_names(tuple(columns))}. Received: {what}"
            )
        places = {name: k for k, name in enumerate(self.names)}
        every = [
            (offsets[places[name]], scales[places[name]]) if name in places else (0.0, 1.0)
            for name in columns
        ]
        both = np.array(every, np.float64)
        return both[:, 0], both[:, 1]

    def check_order(self, columns: Sequence[str]) -> None:
        """Raise if a scaler had the columns in another order, which is that of the network.

        Args:
            columns: names of the columns of the data, for a network without names of its own.

        Raises:
            ValueError: the columns are the same in another order.
        """
        if self.partial or self.names is None or tuple(columns) == self.names:
            return
        if set(columns) == set(self.names):
            raise ValueError(
                "`preprocessing` was fitted to the columns in another order, and the network takes "
                f"them in that one: choose it with `ks.Sampling(columns={list(self.names)})`. If "
                "the network takes them as they are here, pass {name: (mean, width)}. "
                f"Received: {listed_names(tuple(columns))}"
            )

    def neuron(self, neuron: Neuron, columns: Sequence[str]) -> Neuron:
        """The neuron as a function of points in the table's units.

        Args:
            neuron: that takes preprocessed points.
            columns: names of the columns.

        Example:

        >>> square = Neuron("square", lambda x: x[:, 0] ** 2, inputs=1)
        >>> table = Preprocessing.of(([1e6], [2.0])).neuron(square, ["pressure"])
        >>> table.values_and_gradients(np.array([[1e6 + 6]]))
        (array([9.]), array([[3.]]))
        """
        through = self._through(columns)
        function, dtype = neuron.function, neuron.dtype
        return replace(
            neuron,
            function=lambda x: function(tf.cast(through(x), dtype)),
            dtype="float64",
            source=None,
        )

    def scores(self, scores: ClassLogits, columns: Sequence[str]) -> ClassLogits:
        """The scores of classes as functions of points in the table's units.

        Args:
            scores: that take preprocessed points.
            columns: names of the columns.
        """
        through = self._through(columns)
        function, dtype = scores.function, scores.dtype
        return replace(
            scores, function=lambda x: function(tf.cast(through(x), dtype)), dtype="float64"
        )

    def quantities(self, quantities: Quantities, columns: Sequence[str]) -> Quantities:
        """Quantities of preprocessed points as functions of points in the table's units.

        Args:
            quantities: that take preprocessed points.
            columns: names of the columns.
        """
        through = self._through(columns)
        shape = () if quantities.shape is None else quantities.shape

        def function(x: tf.Tensor) -> tf.Tensor:
            z = tf.cast(through(x), quantities.dtype)
            return quantities.function(tf.reshape(z, (-1, *shape)) if shape else z)

        return Quantities(function, quantities.names, dtype="float64")

    def _through(self, columns: Sequence[str]) -> Callable[[tf.Tensor], tf.Tensor]:
        offsets, scales = self.of_columns(columns)
        return lambda x: (tf.cast(x, tf.float64) - offsets) / scales

    def to_dict(self) -> dict[str, Any]:
        """The map as plain data that `of` takes."""
        if self.names is None:
            return {"mean": list(self.offsets), "scale": list(self.scales)}
        return {n: [o, s] for n, o, s in zip(self.names, self.offsets, self.scales)}


def _pair(given: Any, whole: Any) -> tuple[Any, Any]:
    is_sequence = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, (str, bytes))
    if not is_sequence or len(given) != 2:
        raise ValueError(f"{EXPECTED}Received: preprocessing={whole!r}")
    return given[0], given[1]


def _or(value: Any, default: float) -> Any:
    """A fitted attribute, or its default where the scaler leaves that part out."""
    return default if value is None else value


def _transformed(scaler: Any, x: np.ndarray, names: Iterable[str] | None) -> np.ndarray:
    if names is not None:
        import pandas

        x = pandas.DataFrame(x, columns=list(names))
    return np.asarray(scaler.transform(x), np.float64)


# Offset and scale by the fitted attribute that only this scaler has.
_SCALERS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "data_min_": lambda s: (-np.asarray(s.min_) / s.scale_, 1 / np.asarray(s.scale_)),
    "max_abs_": lambda s: (0.0, s.scale_),
    "center_": lambda s: (_or(s.center_, 0.0), _or(s.scale_, 1.0)),
    "var_": lambda s: (s.mean_ if s.with_mean else 0.0, _or(s.scale_, 1.0)),
}
_SCALER_NAMES = ("StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler")
