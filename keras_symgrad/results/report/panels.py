"""The panels of a report: which plots an interpretation has, with their captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.results.assessment import described, described_interactions, in_ranges
from keras_symgrad.results.report import plots
from keras_symgrad.results.report.region_axes import region_axes
from keras_symgrad.results.report.slices import Plane, decided, strongest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from keras_symgrad.results.interpretation import Interpretation

# Largest number of variables whose planes are drawn, each with each.
MOST_SLICED = 3


@dataclass(frozen=True)
class Panel:
    """A picture on one axes.

    Attributes:
        title: a few words.
        text: description of the picture, for people who do not see it.
        draw: function that draws it on axes.
    """

    title: str
    text: str
    draw: Callable[[Axes], object]


def front(concept: Interpretation) -> Panel:
    """The Pareto front."""
    first, best = concept.front[0], concept.front.best
    heights = plots.front_heights(concept)
    scale = ", on a logarithmic scale" if heights.logarithmic else ""
    low, high = (heights.values[k] for k in (0, heights.best))
    text = (
        f"The {heights.quantity} against complexity{scale}: from {low:.3g} at complexity "
        f"{first.complexity:g} to {high:.3g} at complexity {best.complexity:g}, where the chosen "
        f"formula is. {len(concept.front)} formulas in all."
    )
    return Panel("Pareto front", text, lambda axes: plots.front(concept, axes))


def values(concept: Interpretation) -> list[Panel]:
    """phi and the values that it explains, if the neuron's values are known."""
    if concept.phi is None:
        return []
    text = (
        f"The {_value(concept)} against the value of the formula, with the monotone curve phi, "
        f"which {'rises' if concept.phi.rising else 'falls'} and explains "
        f"{percent(concept.phi.r2)} of the variance."
    )
    if concept.rule:
        text += f" It crosses zero where the formula is {concept.rule.threshold:.3g}."
    parity = f"The {_value(concept)} against phi of the formula: R squared is {concept.phi.r2:.4f}."
    return [
        Panel("phi", text, lambda axes: plots.phi(concept, axes)),
        Panel("values", parity, lambda axes: plots.parity(concept, axes)),
    ]


def gradients(concept: Interpretation) -> list[Panel]:
    """Angles between the gradients, and arrows where there are two variables."""
    found = plots.held_out_angles(concept)
    text = (
        f"Histogram of the angle between the gradients of formula and network on {len(found)} "
        f"held-out rows: half of them are below {np.median(found):.2g} degrees, 95 % below "
        f"{np.quantile(found, 0.95):.2g} degrees."
    )
    panels = [Panel("angles", text, lambda axes: plots.angles(concept, axes))]
    if plots.has_arrows(concept):
        text = "Arrows in the plane of the two variables: gradients of the network and the formula."
        panels.append(Panel("directions", text, lambda axes: plots.directions(concept, axes)))
    return panels


def influence(concept: Interpretation) -> list[Panel]:
    """The influence of the inputs and their interactions, if they are known."""
    if not concept.influence:
        return []
    text = f"Bars of the influence of the inputs: {described(concept.influence)}."
    if concept.interactions:
        text += f" Interactions: {described_interactions(concept.interactions)}."
    return [Panel("influence", text, lambda axes: plots.influence(concept, axes))]


def influence_figure(concept: Interpretation) -> Figure:
    """Draw the influence of the inputs and their interactions in a figure of their own.

    Args:
        concept: result of `interpret`.
    """
    from matplotlib.figure import Figure

    bars = min(len(in_ranges(concept.influence)), plots.MOST_BARS) + len(concept.interactions)
    figure = Figure(figsize=(6.0, 1.6 + 0.32 * bars), layout="constrained")
    plots.influence(concept, figure.add_subplot())
    return figure


def regions(concept: Interpretation) -> list[Panel]:
    """Picture of the rows by their region, where there are several."""
    if concept.regions is None or not concept.is_divided:
        return []
    points = concept.gradients.points[: plots.MOST_POINTS]
    one, other = (axis.name for axis in region_axes(concept, points))
    shares = "; ".join(
        f"{percent(region.share)} of the rows where {region.where}" for region in concept.regions
    )
    text = f"Rows of the data over {one} and {other}, by their region: {shares}."
    return [Panel("regions", text, lambda axes: plots.regions(concept, axes))]


def has_planes(concept: Interpretation) -> bool:
    """Return whether network and formula can be drawn in planes, which data on a surface lack."""
    known = concept.network and concept.phi and concept.gradients.fills_space
    return bool(known) and len(strongest(concept)) > 1


def planes(concept: Interpretation) -> Iterator[Plane]:
    """The planes of the strongest variables, each with each; none if they cannot be drawn."""
    if has_planes(concept):
        for pair in combinations(strongest(concept)[:MOST_SLICED], 2):
            yield Plane.of(concept, pair)


def agreement(network: np.ndarray, formula: np.ndarray, *, decides: bool) -> str:
    """Agreement of network and formula on a plane, in words.

    Args:
        network: values on the plane.
        formula: of the same shape; positive where it says yes, if decisions are compared.
        decides: whether decisions are compared, and not values.
    """
    if decides:
        alike = np.mean((network > 0) == (formula > 0))
        return f"They decide alike on {percent(alike)} of this plane."
    finite = np.isfinite(formula) & np.isfinite(network)
    if not finite.any() or np.ptp(network[finite]) == 0:
        return "There is nothing to compare on this plane."
    off = np.sqrt(np.mean((network - formula)[finite] ** 2)) / np.ptp(network[finite])
    return f"They differ by {percent(off)} of the range of values on this plane (root mean square)."


def percent(share: float) -> str:
    """A share for people, on one line."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def overview(concept: Interpretation) -> Figure:
    """Draw all panels in one figure.

    Args:
        concept: result of `interpret`.

    Returns:
        A figure, open in pyplot only where there are windows to show it: a notebook would show it
        twice.
    """
    from matplotlib import pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    panels = [*regions(concept), front(concept), *values(concept)[:1], *gradients(concept)]
    if len(panels) == 3:
        panels += values(concept)[1:]
    sides = 2 if has_planes(concept) else 0
    count = len(panels) + sides
    columns = 3 if count > 4 else min(count, 2)
    rows = -(-count // columns)
    figure = pyplot.figure(figsize=(4.4 * columns, 3.7 * rows), layout="constrained")
    if pyplot.get_backend().lower() not in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        pyplot.close(figure)
    places = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    for panel, axes in zip(panels, places):
        panel.draw(axes)
        axes.set_title(panel.title, loc="left", fontsize="medium")
    if sides:
        plots.boundary(concept, places[-2:])
    return figure


def _value(concept: Interpretation) -> str:
    return "network's logit" if decided(concept) else "neuron's value"
