"""`Reading`: the gradient field of a neuron, with the points that are kept for testing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_symgrad.engine import Loss, as_span
from keras_symgrad.files import finite_rows
from keras_symgrad.gradients.ensemble import mean_neuron
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.own_units import OwnUnits
from keras_symgrad.gradients.piecewise_linear import is_piecewise_constant
from keras_symgrad.gradients.smoothing import averaged, choose_width, smoothed
from keras_symgrad.gradients.symmetrization import projected, symmetrized
from keras_symgrad.gradients.tangent_space import enough
from keras_symgrad.neurons import Neuron, Quantities
from keras_symgrad.priors import Symmetry


@dataclass(frozen=True)
class Reading:
    """What was read of a network, or a field of gradients that was read before.

    Attributes:
        field: the gradients that are explained.
        raw: the same as they were read, before anything known of them was used.
        neuron: that was read; `None` for gradients from elsewhere.
        shown: points that the field may be from, `(rows, inputs)`.
        unseen: points kept apart, for the rule to be tested on.
        in_terms_of: quantities that formulas are in, in the place of the inputs.
        flat: rows that had no gradient.
        units: that the field is in, where they are not the user's; `raw` and points are in theirs.
    """

    field: GradientField
    raw: GradientField
    neuron: Neuron | None = None
    shown: np.ndarray | None = None
    test_points: np.ndarray | None = None
    in_terms_of: Quantities | None = None
    flat: int = 0
    units: OwnUnits | None = None

    @classmethod
    def of_field(cls, field: GradientField) -> Reading:
        """Of a field that was read before."""
        return cls(field, field)

    @classmethod
    def of_networks(
        cls,
        neurons: Sequence[Neuron],
        points: np.ndarray,
        *,
        in_terms_of: Quantities | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Reading:
        """Of a neuron, or of several networks' neurons for the same task.

        Args:
            neurons: of networks that were trained apart for the same task, or one.
            points: of shape `(rows, inputs)`; a fifth is kept apart.
            in_terms_of: quantities that formulas are in, in the place of the inputs.
            seed: of all random choices.
            **options: of `read`.

        Returns:
            The reading.
        """
        shown, test_points = split(points, seed)
        neuron, field = read(neurons, shown, in_terms_of=in_terms_of, seed=seed, **options)
        return cls(field, field, neuron, shown, test_points, in_terms_of)

    def prepared(self, symmetries: Sequence[Symmetry], loss: Loss) -> Reading:
        """The reading with what is known of the concept, and rows with a gradient only.

        Args:
            symmetries: that the concept has; the part of the gradients that breaks them goes.
            loss: how much a difference of directions counts.

        Returns:
            A new reading.

        Raises:
            ValueError: fewer than two rows have a gradient.
        """
        field = projected(self.field, symmetries) if symmetries else self.field
        # A row without a gradient asks for nothing, but would lift the floor of every loss.
        steep = as_span(field.directions).any(axis=(1, 2))
        flat = int(np.sum(~steep))
        if flat:
            field = field.take(np.flatnonzero(steep))
        if field.rows < 2:
            raise ValueError(
                "Two rows with a gradient are needed at least: one to fit formulas on and one to "
                "measure them on. Pass more points, or allow them with `draw=True`. "
                f"Received: {field.rows} row"
            )
        return replace(self, field=replace(field, loss=loss), flat=flat)

    def in_units(self, units: OwnUnits) -> Reading:
        """The reading for formulas in units of the variables' own."""
        return replace(self, field=units.field(self.field, self.dtype), units=units)

    @property
    def dtype(self) -> str:
        """In which the network saw the points of the field; quantities it did not see."""
        return "float64" if self.network is None else self.network.dtype

    @property
    def is_classifier(self) -> bool:
        """Whether a neuron was read that decides something."""
        return self.neuron is not None and self.neuron.is_classifier

    @property
    def network(self) -> Neuron | None:
        """The neuron as a function of the variables, if it is one.

        Quantities are known at the rows alone, and the network is no function of them.
        """
        return self.neuron if self.in_terms_of is None else None

    @property
    def domain(self) -> np.ndarray:
        """Points of the variables, from everywhere that the formula is to hold."""
        return self.field.points if self.network is None else self.in_variables(self.shown)

    @property
    def data(self) -> np.ndarray:
        """The finite rows of the data that a network was read with, `(rows, inputs)`."""
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
    """Raises unless it is "auto", `None` or a positive width."""
    is_width = isinstance(smoothing, (int, float)) and smoothing > 0
    if not (smoothing is None or smoothing == "auto" or is_width):
        raise ValueError(
            '`smoothing` is "auto", a positive width in standard deviations of the data, or None. '
            f"Received: smoothing={smoothing!r}"
        )


def read(
    neurons: Sequence[Neuron],
    x: np.ndarray,
    *,
    smoothing: str | float | None = None,
    symmetries: Sequence[Symmetry] = (),
    **options,
) -> tuple[Neuron, GradientField]:
    """The neuron that decides and the field that is explained, of one network or of several.

    Args:
        neurons: of networks that were trained apart for the same task, or one.
        x: points of shape `(rows, inputs)`.
        smoothing: width that gradients are averaged over; "auto" averages those that jump.
        symmetries: the field is that of the mean over the images of points.
        **options: of `GradientField.from_neuron`.

    Returns:
        The neuron, or the mean of all, and the field. It is the field alone that is averaged.
    """
    finite = finite_rows(x)
    finite = x if finite.all() else x[finite]
    neurons = [neuron.settle(finite) for neuron in neurons]
    # The shape of the data, and which way networks rise, show in some of the rows.
    finite = enough(finite)
    width = smoothing_width(neurons[0], finite, smoothing)
    in_terms_of = options.get("in_terms_of")
    seen = neurons
    # Quantities have symmetries of their own, of which the network knows nothing.
    if symmetries and in_terms_of is None:
        seen = [symmetrized(n, finite, options["names"], symmetries) for n in neurons]
    if len(neurons) == 1:
        neuron = seen[0]
        if width is None or in_terms_of is not None:
            smooth = neuron if width is None else smoothed(neuron, finite, width)
            return neurons[0], GradientField.from_neuron(smooth, x, **options)
        # The rows are chosen by the raw neuron, so that only they need to be averaged at.
        return neurons[0], averaged(
            GradientField.from_neuron(neuron, x, **options), neuron, finite, width
        )
    smooth = seen if width is None else [smoothed(n, finite, width) for n in seen]
    return mean_neuron(neurons, finite), GradientField.from_neurons(smooth, x, **options)


def smoothing_width(neuron: Neuron, x: np.ndarray, smoothing: str | float | None) -> float | None:
    """The width to average a neuron's gradients over.

    Args:
        neuron: whose gradients may jump.
        x: points of shape `(rows, inputs)`.
        smoothing: a width; "auto" chooses one for gradients that jump, `None` warns of them.

    Returns:
        The width in standard deviations of the data, or `None` for gradients as they are.
    """
    if smoothing not in (None, "auto"):
        return float(smoothing)
    if not is_piecewise_constant(neuron, x):
        return None
    if smoothing == "auto":
        return choose_width(neuron, x)
    warnings.warn(
        f"The gradient of '{neuron.name}' jumps from piece to piece, as that of ReLU networks "
        'does. `smoothing="auto"` averages it over a small neighbourhood.',
        stacklevel=4,
    )
    return None


def split(points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that gradients may be read at, and a fifth that only the rule is tested on.

    Args:
        points: `(rows, inputs)`; rows that hold NaN stay among the first.
        seed: of the choice.

    Returns:
        Two arrays of points, the same one twice if there are fewer than ten.
    """
    order = np.random.default_rng(seed).permutation(len(points))
    finite = np.flatnonzero(np.isfinite(points).all(axis=1)[order])
    if len(finite) < 10:
        return points, points
    # Rows that hold NaN stay with the others, where they are counted.
    kept = finite[: len(finite) // 5]
    return points[np.delete(order, kept)], points[order[kept]]
