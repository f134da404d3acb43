"""`Reading`: the gradient field of a neuron, with the points that are kept for testing."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np

from keras_symgrad.engine import Loss, as_span
from keras_symgrad.files import Columns, Points, finite_rows
from keras_symgrad.gradients.ensemble import mean_neuron
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.metric import Metric, check_metric
from keras_symgrad.gradients.own_units import OwnUnits
from keras_symgrad.gradients.piecewise_linear import is_piecewise_constant
from keras_symgrad.gradients.row_selection import RowOptions, check_delta
from keras_symgrad.gradients.smoothing import averaged, choose_width, smoothed
from keras_symgrad.gradients.symmetrization import projected, symmetrized
from keras_symgrad.gradients.tangent_space import Tangent, can_be_drawn, check_tangent, enough
from keras_symgrad.neurons import Neuron, Preprocessing, Quantities
from keras_symgrad.priors import Symmetry


@dataclass(frozen=True, eq=False)
class Sampling:
    """Options of `interpret` for the rows that gradients are read at.

    Args:
        columns: names or numbers of the columns of `x` that the model takes; all by default.
        delta: rows of a classifier are read where its probability is within [delta, 1 - delta];
            `None` reads all.
        rows: number of rows to read, at least 2.
        sampler: `(n, rng) -> (n, inputs)`, draws unlabelled points.
        draw: whether unlabelled points may be added to the data.
        move: whether points may be moved to the decision boundary.
        metric: in which directions compare: "covariance" weighs steps as the data take them, so
            that units, correlated columns and one-hot columns make no difference; "columns" takes
            each column by itself, as published losses do; or a covariance matrix of your own.
        tangent: the surface that the data lie on: "auto" finds a linear one (a fixed trace, an
            antisymmetric matrix), "local" any other; vectors of its tangent space, or a function
            that returns them at points; `None` for none. Gradients are compared along it only,
            because the data do not determine them across it.
        in_terms_of: the layer whose units the formula is to be written in, or `Quantities` of
            your own, instead of the inputs.
        smoothing: width of the neighbourhood that gradients are averaged over, in standard
            deviations of the data. "auto" averages those of ReLU networks and others whose
            gradients jump, over a width that it chooses; `None` averages none.
        preprocessing: the standardization of the columns outside of the model: a fitted
            `StandardScaler`, `MinMaxScaler`, `RobustScaler` or `MaxAbsScaler` of scikit-learn,
            (means, widths), or {name: (mean, width)}. Then `x` and formulas are in the units of
            the table, and the network receives (x - mean) / width.

    Raises:
        ValueError: an option is out of its range.

    Example:

    >>> Sampling(rows=500, delta=0.1).rows
    500
    """

    columns: Columns | None = None
    delta: float | None = 1e-2
    rows: int = 2000
    sampler: Callable[[int, np.random.Generator], np.ndarray] | None = None
    draw: bool = True
    move: bool = True
    metric: Metric = "covariance"
    tangent: Tangent = "auto"
    in_terms_of: str | Quantities | None = None
    smoothing: str | float | None = "auto"
    preprocessing: Preprocessing | Mapping[str, Any] | Sequence[Any] | Any = None

    def __post_init__(self) -> None:
        whole = isinstance(self.rows, (int, np.integer)) and not isinstance(self.rows, bool)
        if not whole or self.rows < 2:
            raise ValueError(
                f"`rows` must be a whole number of at least 2. Received: rows={self.rows!r}"
            )
        check_delta(self.delta)
        check_smoothing(self.smoothing)
        check_tangent(self.tangent)
        object.__setattr__(self, "metric", check_metric(self.metric))
        if self.preprocessing is not None:
            object.__setattr__(self, "preprocessing", Preprocessing.of(self.preprocessing))

    def in_table_units(self, neurons: Sequence[Neuron], names: Sequence[str]) -> list[Neuron]:
        """The neurons as functions of points in the units of the table.

        Args:
            neurons: of the model.
            names: of the columns.
        """
        through = self.column_map
        if through is None:
            return list(neurons)
        if neurons[0].names is None:
            through.check_order(names)
        return [through.neuron(n, names) for n in neurons]

    def quantities_of_table(
        self, quantities: Quantities | None, names: Sequence[str]
    ) -> Quantities | None:
        """Quantities of the inputs as functions of points in the units of the table.

        Args:
            quantities: that take points as the model does; `None` for the inputs themselves.
            names: of the columns.
        """
        through = self.column_map
        if quantities is None or through is None:
            return quantities
        return through.quantities(quantities, names)

    @property
    def column_map(self) -> Preprocessing | None:
        """The standardization outside of the model."""
        return self.preprocessing if isinstance(self.preprocessing, Preprocessing) else None

    @property
    def draws_points(self) -> bool:
        """True if points may be drawn for tests of a formula as well."""
        return self.draw and (can_be_drawn(self.tangent) or self.sampler is not None)


def _no_points() -> np.ndarray:
    return np.zeros((0, 0))


@dataclass(frozen=True)
class Reading:
    """Gradient field of a network, or one that was read before, with the points for tests.

    Attributes:
        field: the gradients that are explained.
        raw: the same as they were read, before anything known of them was used.
        neuron: that was read; `None` for gradients from elsewhere.
        shown: points that the field may be from, `(rows, inputs)`; none for gradients from
            elsewhere.
        test_points: points kept apart, for the rule to be tested on.
        in_terms_of: quantities that formulas are in, in the place of the inputs.
        flat: rows that had no gradient.
        units: that the field is in, where they are not the user's; `raw` and points are in theirs.
    """

    field: GradientField
    raw: GradientField
    neuron: Neuron | None = None
    shown: np.ndarray = dataclasses.field(default_factory=_no_points)
    test_points: np.ndarray = dataclasses.field(default_factory=_no_points)
    in_terms_of: Quantities | None = None
    flat: int = 0
    units: OwnUnits | None = None

    @classmethod
    def of_field(cls, field: GradientField) -> Reading:
        """Make the reading of a field that was read before."""
        return cls(field, field)

    @classmethod
    def of_networks(
        cls,
        neurons: Sequence[Neuron],
        points: Points,
        sampling: Sampling,
        *,
        symmetries: Sequence[Symmetry] = (),
        seed: int = 0,
    ) -> Reading:
        """Read one neuron, or those of several networks for the same task.

        Args:
            neurons: of networks that were trained apart for the same task, or one.
            points: a fifth of the rows is kept apart.
            sampling: the rows to read; `in_terms_of` is `None` or `Quantities`.
            symmetries: that the concept is known to have.
            seed: of all random choices.

        Returns:
            The reading.
        """
        in_terms_of = sampling.in_terms_of
        if isinstance(in_terms_of, str):
            raise ValueError(
                "Expected `Quantities`, such as `Quantities.of(model, layer)`. "
                f"Received: in_terms_of={in_terms_of!r}"
            )
        shown, test_points = split(points.values, seed)
        neuron, field = read(
            neurons,
            points._replace(values=shown),
            smoothing=sampling.smoothing,
            symmetries=symmetries,
            delta=sampling.delta,
            rows=sampling.rows,
            sampler=sampling.sampler,
            draw=sampling.draw,
            move=sampling.move,
            metric=sampling.metric,
            tangent=sampling.tangent,
            in_terms_of=in_terms_of,
            seed=seed,
        )
        return cls(field, field, neuron, shown, test_points, in_terms_of)

    def prepared(self, symmetries: Sequence[Symmetry], loss: Loss) -> Reading:
        """Apply prior knowledge of the concept, and keep only rows with a gradient.

        Args:
            symmetries: of the concept; the part of the gradients that breaks them is removed.
            loss: how much a difference of directions counts.

        Returns:
            A new reading.

        Raises:
            ValueError: fewer than two rows have a gradient.
        """
        field = projected(self.field, symmetries) if symmetries else self.field
        # A row without a gradient contributes no direction, but would raise the floor of every
        # loss.
        steep = as_span(field.directions).any(axis=(1, 2))
        flat = int(np.sum(~steep))
        if flat:
            field = field.take(np.flatnonzero(steep))
        if field.rows < 2:
            raise ValueError(
                "Two rows with a gradient are needed at least: one to fit formulas on and one to "
                "measure them on. Pass more points, or allow them with `ks.Sampling(draw=True)`. "
                f"Received: {field.rows} row"
            )
        return replace(self, field=replace(field, loss=loss), flat=flat)

    def in_units(self, units: OwnUnits) -> Reading:
        """The reading for formulas in rescaled variables."""
        return replace(self, field=units.field(self.field, self.dtype), units=units)

    @property
    def dtype(self) -> str:
        """Dtype in which the network received the points of the field; float64 for quantities."""
        return "float64" if self.network is None else self.network.dtype

    @property
    def is_classifier(self) -> bool:
        """True if the neuron is a classifier."""
        return self.neuron is not None and bool(self.neuron.is_classifier)

    @property
    def network(self) -> Neuron | None:
        """The neuron as a function of the variables, if it is one.

        Quantities are known at the rows only, and the network is not a function of them.
        """
        return self.neuron if self.in_terms_of is None else None

    @property
    def domain(self) -> np.ndarray:
        """Points of the variables, from the whole region where the formula is to hold."""
        return self.field.points if self.network is None else self.in_variables(self.shown)

    @property
    def data(self) -> np.ndarray:
        """The finite rows of the data with which a network was read, `(rows, inputs)`."""
        given = [self.shown] if self.shown is self.test_points else [self.shown, self.test_points]
        return np.concatenate([rows[finite_rows(rows)] for rows in given])

    @property
    def every_point(self) -> np.ndarray:
        """All points of the variables that were read or given, `(points, variables)`, finite."""
        points = self.field.points
        return points if self.network is None else np.concatenate([points, self.data])

    def in_variables(self, points: np.ndarray) -> np.ndarray:
        """The variables of formulas at points of the inputs."""
        points = points if self.in_terms_of is None else self.in_terms_of.values(points)
        return points if self.units is None else self.units.points(points)


def check_smoothing(smoothing: str | float | None) -> None:
    """Raise unless it is "auto", `None` or a positive width."""
    is_width = isinstance(smoothing, (int, float)) and smoothing > 0
    if not (smoothing is None or smoothing == "auto" or is_width):
        raise ValueError(
            '`smoothing` is "auto", a positive width in standard deviations of the data, or None. '
            f"Received: smoothing={smoothing!r}"
        )


def read(
    neurons: Sequence[Neuron],
    points: Points,
    *,
    smoothing: str | float | None = None,
    symmetries: Sequence[Symmetry] = (),
    **options: Unpack[RowOptions],
) -> tuple[Neuron, GradientField]:
    """The neuron that decides and the field to explain, of one network or of several.

    Args:
        neurons: of networks that were trained separately for the same task, or one.
        points: in which the field is read.
        smoothing: width that gradients are averaged over; "auto" averages those that jump.
        symmetries: the field is that of the mean over the images of points.
        **options: of `GradientField.from_neuron`.

    Returns:
        The neuron, or the mean of all, and the field. Only the field is averaged.
    """
    usable = finite_rows(points.values)
    finite = points.values if usable.all() else points.values[usable]
    neurons = [neuron.settle(finite) for neuron in neurons]
    # A part of the rows is enough for the covariance of the data and the signs of networks.
    finite = enough(finite)
    width = smoothing_width(neurons[0], finite, smoothing)
    in_terms_of = options.get("in_terms_of")
    seen = neurons
    # Symmetries refer to the inputs, not to quantities of them.
    if symmetries and in_terms_of is None:
        seen = [symmetrized(n, finite, points.names, symmetries) for n in neurons]
    if len(neurons) == 1:
        neuron = seen[0]
        if width is None or in_terms_of is not None:
            smooth = neuron if width is None else smoothed(neuron, finite, width)
            return neurons[0], GradientField.from_neuron(smooth, points, **options)
        # The rows are chosen by the raw neuron, so that only the chosen ones need to be averaged.
        return neurons[0], averaged(
            GradientField.from_neuron(neuron, points, **options), neuron, finite, width
        )
    smooth = seen if width is None else [smoothed(n, finite, width) for n in seen]
    return mean_neuron(neurons, finite), GradientField.from_neurons(smooth, points, **options)


def smoothing_width(neuron: Neuron, x: np.ndarray, smoothing: str | float | None) -> float | None:
    """Choose the width over which a neuron's gradients are averaged.

    Args:
        neuron: its gradients may jump.
        x: points of shape `(rows, inputs)`.
        smoothing: a width; "auto" chooses one for gradients that jump, `None` warns about them.

    Returns:
        The width in standard deviations of the data, or `None` for raw gradients.
    """
    if smoothing not in (None, "auto"):
        return float(smoothing)
    if not is_piecewise_constant(neuron, x):
        return None
    if smoothing == "auto":
        return choose_width(neuron, x)
    warnings.warn(
        f"The gradient of '{neuron.name}' jumps from piece to piece, as that of ReLU networks "
        'does. `ks.Sampling(smoothing="auto")` averages it over a small neighbourhood.',
        stacklevel=4,
    )
    return None


def split(points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split points in those where gradients may be read, and a fifth for testing the rule.

    Args:
        points: `(rows, inputs)`; rows that hold NaN stay among the first.
        seed: of the choice.

    Returns:
        Two arrays of points; the same one twice if there are fewer than ten points.
    """
    order = np.random.default_rng(seed).permutation(len(points))
    finite = np.flatnonzero(np.isfinite(points).all(axis=1)[order])
    if len(finite) < 10:
        return points, points
    # Rows that hold NaN stay with the others, where they are counted.
    kept = finite[: len(finite) // 5]
    return points[np.delete(order, kept)], points[order[kept]]
