"""`Neighbourhood`: a row that was interpreted, and how far from it the formula holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_symgrad.files import Record
from keras_symgrad.gradients import Domain
from keras_symgrad.neurons import Neuron
from keras_symgrad.results.neighbourhood.boundary_point import BoundaryPoint, nearest_boundary
from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid
from keras_symgrad.results.neighbourhood.radius import (
    TOLERANCE,
    Function,
    Nearness,
    holding,
    spread_of,
)

# Largest number of inputs of the row that are listed.
MAX_NAMED = 8
# Data rows that the network's spread is counted on.
MAX_ROWS = 10_000


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The row that a formula was looked for around, and how far from it the formula holds.

    Within `radius` the values phi(formula) are within 5 % of the network's spread on 95 % of all
    points: on more than 96 % of 4,000 points drawn uniformly within it, twice, and at the row
    itself. The spread is the range of nine tenths of the network's values over the data or within
    the radius, whichever is smaller. Distances are in widths of the data: `distances` has them.

    Attributes:
        around: the row, and the steps of one width of the data.
        sought: radius that the formula was sought in, and largest one that was tried.
        spread: of the network's values over the data.
        value: of the network at the row.
        formula_value: phi(formula) at the row.
        nearness: the radius, the share of fresh points within the tolerance, and the tolerance;
            `None` for a row of the front chosen by hand where the network is not at hand.
        boundary: nearest point of a classifier's decision boundary that was found; `None` where
            none was, and for other neurons.
        is_classifier: whether the neuron is a classifier.
        farthest: number of the row of the front that was taken instead of the search's choice,
            because it holds farther; `None` where the search's choice was taken.
        in_data: whether the row is in the domain of the data; outside of it the network was not
            trained.
    """

    around: Ellipsoid
    sought: float
    spread: float
    value: float
    formula_value: float
    nearness: Nearness | None
    boundary: BoundaryPoint | None
    is_classifier: bool
    farthest: int | None = None
    in_data: bool = True

    @classmethod
    def of(cls, neuron: Neuron, around: Ellipsoid, sought: float, x: np.ndarray) -> Neighbourhood:
        """The neighbourhood of a row, before there is a formula.

        Args:
            neuron: any.
            around: the row and its steps.
            sought: radius that a formula is sought in.
            x: the data, `(rows, inputs)`, finite.
        """
        value = float(neuron.values(around.row[None])[0])
        boundary = nearest_boundary(neuron, around, x) if neuron.is_classifier else None
        return cls(
            around,
            sought,
            spread_of(neuron.values(x[:MAX_ROWS])),
            value,
            np.nan,
            None,
            boundary,
            bool(neuron.is_classifier),
            in_data=bool(Domain(x).holds(around.row[None])[0]),
        )

    def of_formula(self, formula: Function, neuron: Neuron | None, seed: int = 0) -> Neighbourhood:
        """The neighbourhood with the radius to which a formula holds.

        Args:
            formula: values phi(formula) at points.
            neuron: whose values they are to be; without it there is no radius.
            seed: of the points drawn.
        """
        value = float(formula(self.row[None])[0])
        nearness = None
        if neuron is not None:
            nearness = holding(self.around, neuron.values, formula, self.spread, self.sought, seed)
        return replace(self, formula_value=value, nearness=nearness)

    @property
    def row(self) -> np.ndarray:
        """The row, `(inputs,)`."""
        return self.around.row

    @property
    def radius(self) -> float | None:
        """Distance from the row, in widths of the data, to which the formula holds; 0 for none.

        `None` where it was not measured.
        """
        return None if self.nearness is None else self.nearness.radius

    @property
    def fixed(self) -> tuple[str, ...]:
        """Inputs that stay as they are in the row: those of few values, and constant ones."""
        return tuple(n for n, moves in zip(self.around.names, self.around.moving) if not moves)

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Distances of points from the row in widths of the data; see `Ellipsoid.distances`."""
        return self.around.distances(points)

    def draw(self, rows: int, seed: int = 0, radius: float | None = None) -> np.ndarray:
        """Points drawn uniformly within the radius.

        Args:
            rows: number of points.
            seed: of the draws.
            radius: another one, in widths of the data.

        Returns:
            `(rows, inputs)`.
        """
        own = self.radius if radius is None else radius
        if own is None:
            raise ValueError(
                "The radius of this formula was not measured. Pass one in widths of the data: "
                "`draw(rows, radius=0.5)`. Received: radius=None"
            )
        return self.around.draw(own, rows, np.random.default_rng(seed))

    @property
    def remarks(self) -> Iterator[tuple[str, str]]:
        """Statements about the neighbourhood, as names and texts for people."""
        names = self.around.names
        listed = [f"{n} = {value:.4g}" for n, value in zip(names[:MAX_NAMED], self.row)]
        more = len(names) - len(listed)
        what = "logit" if self.is_classifier else "value"
        yield (
            "near",
            f"{', '.join(listed)}{f'; {more} more inputs' if more else ''} ({what} of the network "
            f"{self.value:.4g}, of the formula {self.formula_value:.4g})",
        )
        if not self.in_data:
            yield "outside", "the row is outside of the data, where the network was not trained"
        yield "radius", self._radius
        if self.fixed:
            told = ", ".join(self.fixed[:MAX_NAMED])
            more = len(self.fixed) - MAX_NAMED
            yield "stay as in the row", told + (f"; {more} more" if more > 0 else "")
        if self.boundary is not None:
            yield "nearest boundary", self.boundary.text(names)
        elif self.is_classifier:
            yield "nearest boundary", "no way from the row to another decision was found"

    @property
    def _radius(self) -> str:
        if self.nearness is None:
            return "not measured for a row of the front chosen by hand, without the network"
        near = f"within {100 * TOLERANCE:g} % of the network's spread"
        share = f"on {100 * self.nearness.share:.1f} % of {self.nearness.points:,} fresh points"
        if not self.nearness.radius:
            at_row = "" if self.nearness.at_row else ", and not at the row itself"
            return (
                f"none: the formula's values are {near} {share}{at_row}, in the smallest radius "
                "that was tried"
            )
        # Rounded down: it is a promise.
        radius = self.nearness.radius
        digits = 2 - int(np.floor(np.log10(radius)))
        shown = np.floor(radius * 10.0**digits) / 10.0**digits
        looked = " (none larger was tried)" if radius >= self.sought else ""
        return f"{shown:.3g} widths of the data{looked}: {near} {share} inside"

    def to_dict(self) -> dict[str, Any]:
        """The neighbourhood as plain data."""
        return {
            **self.around.to_dict(),
            "sought": self.sought,
            "spread": self.spread,
            "value": self.value,
            "formula_value": self.formula_value,
            "radius": self.radius,
            "nearness": None if self.nearness is None else vars(self.nearness),
            "is_classifier": self.is_classifier,
            "farthest": self.farthest,
            "in_data": self.in_data,
            "boundary": self.boundary.to_dict() if self.boundary else None,
        }

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], names: tuple[str, ...]
    ) -> Neighbourhood:
        """Read a neighbourhood from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the inputs.

        Raises:
            ValueError: they are not a neighbourhood.
        """
        record = Record.of(content)
        return cls(
            Ellipsoid.from_dict(record, names),
            record.number("sought"),
            record.number("spread"),
            record.number("value", np.nan),
            record.number("formula_value", np.nan),
            record.maybe("nearness", _nearness),
            record.maybe("boundary", lambda one: BoundaryPoint.from_dict(one, len(names))),
            record.flag("is_classifier"),
            record.whole("farthest") if "farthest" in record else None,
            "in_data" not in record or record.flag("in_data"),
        )


def _nearness(record: Record) -> Nearness:
    radius, share, tolerance = map(record.number, ("radius", "share", "tolerance"))
    return Nearness(radius, share, tolerance, record.whole("points"), record.flag("at_row"))
