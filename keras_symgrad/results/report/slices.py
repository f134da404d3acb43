"""Planes through the space of the variables for pictures of network and formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.engine import gradient, unit
from keras_symgrad.files import listed_names, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_symgrad.formulas import Formula, MonotoneFit, Rule
    from keras_symgrad.neurons import Neuron
    from keras_symgrad.results.interpretation import Interpretation

# Points along each side of a plane.
GRID_POINTS_PER_SIDE = 161
# Share of the rows nearest to the decision boundary, from which the plane's point is taken.
PLANE_ROWS_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane of two variables through a point, over the range of the data.

    Attributes:
        concept: the interpretation.
        columns: of the two variables.
        point: values of all variables where they do not vary, `(variables,)`.
        axes: values of the two along the sides.
    """

    concept: Interpretation
    columns: tuple[int, int]
    point: np.ndarray
    axes: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        concept: Interpretation,
        variables: Sequence[str] | None = None,
        points_per_side: int = GRID_POINTS_PER_SIDE,
    ) -> Plane:
        """Choose the plane of two variables through a typical row.

        Args:
            concept: result of `interpret`.
            variables: names of the two; by default those with the largest share in the formula's
                gradient.
            points_per_side: points along each side.

        Raises:
            ValueError: they are not two variables of the neuron.
        """
        variables = strongest(concept)[:2] if variables is None else tuple(variables)
        if len(set(variables)) != 2 or not set(variables) <= set(concept.names):
            raise ValueError(
                f"A plane needs two of the variables: {listed_names(concept.names)}. "
                f"Received: variables={variables}"
            )
        # In the order of the data, so that the first one is the horizontal axis.
        first, second = sorted(concept.names.index(name) for name in variables)
        low, high = concept.box
        along, up = (
            np.linspace(low[column], high[column], points_per_side) for column in (first, second)
        )
        return cls(concept, (first, second), typical(concept), (along, up))

    @property
    def points(self) -> np.ndarray:
        """All points of the plane, `(points, variables)`."""
        points = np.tile(self.point, (math.prod(map(len, self.axes)), 1))
        for column, values in zip(self.columns, np.meshgrid(*self.axes)):
            points[:, column] = values.ravel()
        return points

    @property
    def others(self) -> dict[str, float]:
        """The variables of the formula that are fixed, and their values."""
        inside = {symbol.name for symbol in self.concept.best.expression.free_symbols}
        return {
            name: float(self.point[k])
            for k, name in enumerate(self.concept.names)
            if k not in self.columns and name in inside
        }

    def check(self) -> tuple[Neuron, MonotoneFit]:
        """The network and phi; raises `ValueError` where one is missing."""
        if self.concept.network is None or self.concept.phi is None:
            raise ValueError(
                "A boundary is drawn from the network as a function of the variables and from phi, "
                "but this interpretation was made from a gradient field alone or in terms of "
                "quantities. Pass the model and points to `interpret`."
            )
        return self.concept.network, self.concept.phi

    @cached_property
    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """The neuron's values and phi(formula) on the plane, positive where the decision is yes.

        For a classifier, the formula's side is its distance to the threshold: phi is flat beyond
        the rows that it was fitted to.

        Raises:
            ValueError: there is no network, or no phi.
        """
        read, phi = self.check()
        concept = self.concept
        network = np.asarray(read(self.points), dtype=float).reshape(self._shape)
        return network, self.values_of(concept.best, phi, concept.rule)

    def values_of(self, formula: Formula, phi: MonotoneFit, rule: Rule | None) -> np.ndarray:
        """phi(formula) on the plane, or the distance to a rule's threshold, positive for yes.

        Args:
            formula: any formula of the variables.
            phi: of this formula.
            rule: of this formula; `None` for a neuron that decides nothing.

        Returns:
            An array of the second variable by the first; NaN where the formula is not finite.
        """
        with np.errstate(all="ignore"):
            g = formula(self.points).reshape(self._shape)
        if rule is None:
            return np.where(np.isfinite(g), phi(g), np.nan)
        sign = 1 if rule.direction == ">" else -1
        return sign * (np.where(np.isfinite(g), g, np.nan) - rule.threshold)

    @property
    def _shape(self) -> tuple[int, int]:
        first, second = self.axes
        return len(second), len(first)

    def frame(self, axes: Axes, margin: float = 0.0) -> None:
        """Names and limits of the axes; a name between dollar signs is not a formula."""
        first, second = (self.concept.names[column] for column in self.columns)
        axes.set_xlabel(printable(first), parse_math=False)
        axes.set_ylabel(printable(second), parse_math=False)
        limits: tuple[Callable[..., object], ...] = (axes.set_xlim, axes.set_ylim)
        for limit, side in zip(limits, self.axes):
            more = margin * (side[-1] - side[0])
            if side[-1] > side[0]:
                limit(side[0] - more, side[-1] + more)


def decided(concept: Interpretation) -> bool:
    """True if the neuron is a classifier with a rule."""
    return concept.rule is not None


def strongest(concept: Interpretation) -> tuple[str, ...]:
    """The variables of the formula, ordered by their share in its gradient.

    Each is measured in units of its width. If there is only one, others follow.

    Args:
        concept: what `interpret` returned.

    Returns:
        Names of variables that vary.
    """
    width = concept.box[1] - concept.box[0]
    slopes = gradient(concept.best.expression, concept.names, concept.gradients.points)
    share = np.mean(unit(slopes * width) ** 2, axis=0)
    order = np.argsort(-share, kind="stable")
    inside = [k for k in order if share[k] > 0]
    # A formula of one variable is drawn over another one, which then changes nothing.
    inside += [k for k in order if share[k] == 0 and width[k] > 0][: max(0, 2 - len(inside))]
    return tuple(concept.names[k] for k in inside)


def typical(concept: Interpretation) -> np.ndarray:
    """The median row among those nearest to the decision boundary, `(variables,)`."""
    field = concept.gradients
    points = field.points
    if decided(concept):
        near = np.abs(field.known_values)
        points = points[near <= np.quantile(near, PLANE_ROWS_SHARE)]
    width = concept.box[1] - concept.box[0]
    off = (points - np.median(points, axis=0)) / np.where(width > 0, width, 1)
    return points[np.argmin(np.sum(off**2, axis=1))]
