"""Compare two results by concept: `compare_interpretations`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.engine import gradient, in_frame, orthonormal_span, unit
from keras_symgrad.files import listed_names, read_points
from keras_symgrad.gradients import tangent_frame
from keras_symgrad.results.assessment import SAME_CLASS

if TYPE_CHECKING:
    from keras_symgrad.results import ClassInterpretation, Interpretation, JointInterpretation

COMPARED_POINTS = 5000
# Two planes count as equal if no direction of one leaves the other by more than this.
SAME_PLANE = 1e-2


@dataclass(frozen=True)
class Agreement:
    """Agreement of two results.

    Attributes:
        distance: mean of 1 - |cos| between the gradients of their formulas.
        same: whether they are one concept: the distance is below 0.002.
        decisions: share of the points on which their rules decide alike; `None` if one has no rule.
        points: number of points that both were compared on.

    Example:

    >>> print(Agreement(distance=3e-5, same=True, decisions=0.998, points=5000))
    the same concept: 1 - |cos| = 3.0e-05 on 5,000 points; their rules decide alike on 99.8 %
    """

    distance: float
    same: bool
    decisions: float | None
    points: int

    def __str__(self) -> str:
        verdict = "the same concept" if self.same else "different concepts"
        text = f"{verdict}: 1 - |cos| = {self.distance:.1e} on {self.points:,} points"
        if self.decisions is None:
            return text
        return f"{text}; their rules decide alike on {100 * self.decisions:.1f} %"


def compare_interpretations(
    one: Interpretation | ClassInterpretation | JointInterpretation,
    other: Interpretation | ClassInterpretation | JointInterpretation,
    x: Any = None,
    *,
    seed: int = 0,
) -> Agreement:
    """Return whether two results found the same concept, independent of how it is written.

    Two functions carry the same concept when their gradients are parallel:

        distance = mean(1 - |<u, v>| / (|u| |v|)),   u, v the gradients of the formulas

    Gradients are compared at uniform points of the box that both results' data have in common,
    along the plane that the data lie in, if they lie in one.

    Args:
        one: what `interpret` or `load_interpretation` returned.
        other: another result, in the same variables in any order.
        x: points to compare at instead, as in `interpret`. Data on a curved surface need them.
        seed: of the points.

    Returns:
        An `Agreement`.

    Raises:
        ValueError: the results cannot be compared: other variables, boxes without common points,
            different surfaces; or one of them is not the result of a single neuron.

    Example:

    >>> import keras_symgrad as ks
    >>> x = np.random.default_rng(0).uniform(1, 2, (500, 2))
    >>> fields = [ks.GradientField.from_gradients(x, slope) for slope in (x, -x * [1, 1.5])]
    >>> found = [ks.interpret(f, operators="polynomial", verbose=False) for f in fields]
    >>> [compare_interpretations(found[0], result).same for result in found]
    [True, False]
    """
    one, other = _of_one_neuron(one), _of_one_neuron(other)
    if set(one.names) != set(other.names):
        raise ValueError(
            "Results are compared in the same variables. Received: "
            f"{listed_names(one.names)} and {listed_names(other.names)}"
        )
    names = one.names
    points, frame = _of_the_box(one, other, seed) if x is None else _given(x, one)
    slopes = [
        unit(in_frame(gradient(result.best.expression, names, points), frame))
        for result in (one, other)
    ]
    # Points where either gradient is missing or not finite are not compared.
    both = slopes[0].any(axis=1) & slopes[1].any(axis=1)
    if not both.any():
        raise ValueError("The formulas have no point in common where both have a gradient.")
    cosine = np.minimum(np.abs(np.sum(slopes[0] * slopes[1], axis=1)[both]), 1)
    distance = float(np.mean(1 - cosine))
    decisions = None
    if one.rule and other.rule:
        alike = one.rule.decides(points) == other.rule.decides(points[:, _order(one, other)])
        decisions = float(np.mean(alike))
    return Agreement(distance, distance < SAME_CLASS, decisions, int(both.sum()))


def _of_one_neuron(
    result: Interpretation | ClassInterpretation | JointInterpretation,
) -> Interpretation:
    """The result, if it can be compared."""
    from keras_symgrad.results import Interpretation

    if not isinstance(result, Interpretation):
        raise ValueError(
            "Results of one neuron are compared. For several classes take one of `pairs`, for "
            f"neurons together one of `concepts`. Received: {type(result).__name__}"
        )
    if result.given:
        raise ValueError(
            "A concept that was looked for along the level sets of others is one of many: any "
            "function of it and them does as well, so that it cannot be compared alone."
        )
    return result


def _order(one: Interpretation, other: Interpretation) -> list[int]:
    """The columns of the other result among those of the first one."""
    return [one.names.index(name) for name in other.names]


def _given(x: Any, one: Interpretation) -> tuple[np.ndarray, np.ndarray | None]:
    points, found = read_points(x).in_model_order(one.names)
    if points.shape[1] != len(one.names):
        raise ValueError(
            f"Expected points of the columns {listed_names(one.names)}. "
            f"Received: {listed_names(found)}"
        )
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError("Expected at least one row of finite numbers to compare at.")
    surface = "local" if one.surface.curved else "auto"
    return points, tangent_frame(points, points, surface)


def _of_the_box(
    one: Interpretation, other: Interpretation, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Points of the common box, and the plane that they lie in."""
    if one.surface.curved or other.surface.curved:
        raise ValueError(
            "The data lie on a curved surface, which is not in the results. Pass points of it: "
            "`compare_interpretations(one, other, x)`."
        )
    order = np.argsort(_order(one, other))
    low = np.maximum(one.box[0], other.box[0][order])
    high = np.minimum(one.box[1], other.box[1][order])
    if (low > high).any():
        apart = ", ".join(name for name, empty in zip(one.names, low > high) if empty)
        raise ValueError(
            f"The data of the results have no values in common of {apart}. Pass points to compare "
            "them at: `compare_interpretations(one, other, x)`."
        )
    points = np.random.default_rng(seed).uniform(low, high, (COMPARED_POINTS, len(low)))
    planes = [result.surface.plane for result in (one, other)]
    if planes[1] is not None:
        planes[1] = planes[1][:, order]
    # A plane has a centre.
    centre = one.surface.centre
    if centre is None:
        if other.surface.centre is None:
            return points, None
        centre = other.surface.centre[order]
    frames = [np.eye(len(low)) if p is None else orthonormal_span(p)[1] for p in planes]
    first, second = (frame.T @ frame for frame in frames)
    if np.abs(first - second).max() > SAME_PLANE:
        raise ValueError(
            "The data of the results lie in different planes. Pass points to compare them at: "
            "`compare_interpretations(one, other, x)`."
        )
    return centre + (points - centre) @ first, frames[0]
