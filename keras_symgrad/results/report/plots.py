"""Plots of an interpretation on Matplotlib axes.

Without axes a function opens a new pyplot figure, so that `plt.show()` shows it; with axes it draws
there and changes nothing else. Matplotlib's settings are the user's: only colours are fixed here,
from a palette for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.engine import gradient
from keras_symgrad.files import listed_names
from keras_symgrad.gradients import errors
from keras_symgrad.results.assessment import angle_of, in_ranges
from keras_symgrad.results.report.region_axes import region_axes
from keras_symgrad.results.report.slices import Plane, decided
from keras_symgrad.search.core import SMALLEST_LOSS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_symgrad.formulas import Formula, MonotoneFit
    from keras_symgrad.results.interpretation import Interpretation

# From Okabe and Ito's palette, https://jfly.uni-koeln.de/color.
NETWORK = "#0072b2"
FORMULA = "#d55e00"
ACCENT = "#009e73"
GREY = "#5f6b76"
# One for each region.
REGIONS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = ("o", "^", "s", "D")
NO = "#fbeee3"
YES = "#dcebf5"
# Largest number of points and arrows drawn: more would hide each other.
MOST_POINTS = 800
MOST_ARROWS = 140
SMALLEST_ANGLE = 1e-4
# Influences that are drawn, and half as many interactions.
MOST_BARS = 10
# Color and meaning of the signs of an influence.
SIGN_COLORS = {"+": NETWORK, "-": FORMULA, "mixed": ACCENT, "none": REGIONS[3]}
SIGN_LABELS = {"+": "grows", "-": "falls", "mixed": "grows and falls", "none": "no order"}
# A legend in the line of the title, where it hides nothing.
ABOVE = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2, "borderaxespad": 0.1}


@dataclass(frozen=True)
class Heights:
    """The numbers that the formulas of a front are drawn by, above their complexity.

    Attributes:
        values: one for each row.
        best: number of the chosen row.
        quantity: their name.
        rows: that they were counted on.
        logarithmic: whether equal ratios have equal lengths.
    """

    values: list[float]
    best: int
    quantity: str
    rows: str
    logarithmic: bool

    @property
    def label(self) -> str:
        """Text of the axis."""
        return f"{self.quantity} on {self.rows}"


def front_heights(concept: Interpretation) -> Heights:
    """The losses of a front, or of approximations the fidelity that they are chosen by.

    Args:
        concept: result of `interpret`.
    """
    front = concept.front
    best = next(k for k, row in enumerate(front) if row is front.best)
    counted = [row.fidelity for row in front if row.fidelity is not None]
    if front.chosen is not None and len(counted) == len(front):
        values, metric = [one.formula for one in counted], counted[0].metric
        return Heights(values, best, metric, "held-out data rows", False)
    losses = [max(row.loss, SMALLEST_LOSS) for row in front]
    return Heights(losses, best, "loss", "held-out rows", True)


def front(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot the Pareto front: the loss of each formula by complexity, the chosen one marked.

    Approximations have their fidelity in its place: they are chosen by it.

    Args:
        concept: result of `interpret`.
        axes: to draw on; new ones by default.

    Returns:
        The axes.
    """
    axes = _new() if axes is None else axes
    best = concept.front.best
    complexities = [row.complexity for row in concept.front]
    heights = front_heights(concept)
    axes.step(complexities, heights.values, where="post", color=GREY, linewidth=1, zorder=1)
    axes.scatter(complexities, heights.values, s=28, color=GREY, zorder=2)
    place = best.complexity, heights.values[heights.best]
    axes.scatter(*place, s=90, color=FORMULA, zorder=3, label=_short(best.to_pretty()))
    axes.set(xlabel="complexity", ylabel=heights.label)
    axes.set_xlim(0, max(complexities) * 1.05 + 1)
    if not heights.logarithmic:
        _legend(axes, loc="lower right")
        return axes
    axes.set_yscale("log")
    # If the loss falls to exact zero, leave room for its marks.
    low, high = min(heights.values), max(heights.values)
    axes.set_ylim(low / 3, high * 3)
    if concept.noise_floor > low / 3:
        axes.axhline(concept.noise_floor, color=ACCENT, linestyle=":", label="noise floor")
    _legend(axes, loc="upper right")
    return axes


def phi(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot phi with the rows that it was fitted to and the threshold.

    Args:
        concept: result of `interpret`, for a neuron with values.
        axes: to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: the gradients have no values, so there is no phi.
    """
    g, f, few, phi, axes = _values(concept, axes)
    # A quotient has a few huge values, which would compress all others into a line.
    low, high = np.quantile(g, (0.005, 0.995))
    grid = np.linspace(low, high, 400)
    axes.scatter(g[few], f[few], s=6, color=NETWORK, alpha=0.35, linewidths=0, label="rows")
    axes.plot(grid, phi(grid), color=FORMULA, linewidth=2, label="phi")
    margin = 0.03 * (high - low or 1)
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel("value of the formula")
    if concept.rule:
        written = f"threshold {concept.rule.threshold:#.3g}"
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.axvline(concept.rule.threshold, color="black", linestyle="--", label=written)
    _legend(axes, loc="best")
    return axes


def parity(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot the neuron's value against phi(formula); an exact formula lies on the diagonal.

    Args:
        concept: result of `interpret`, for a neuron with values.
        axes: to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: the gradients have no values, so there is no phi.
    """
    g, f, few, phi, axes = _values(concept, axes)
    ends = [f.min(), f.max()]
    axes.plot(ends, ends, color=GREY, linewidth=1, zorder=1)
    axes.scatter(phi(g[few]), f[few], s=6, color=NETWORK, alpha=0.35, linewidths=0)
    axes.set_xlabel("phi(formula)")
    axes.set_title(f"R² = {phi.r2:.4f}", loc="right", fontsize="medium")
    return axes


def angles(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot a histogram of the angles between formula's and network's gradients on held-out rows.

    Args:
        concept: result of `interpret`.
        axes: to draw on; new ones by default.

    Returns:
        The axes.
    """
    axes = _new() if axes is None else axes
    found = held_out_angles(concept)
    lowest = 10 ** np.floor(np.log10(found.min()))
    bins = np.geomspace(lowest, 90, 40).tolist()
    axes.hist(found, bins=bins, color=NETWORK, edgecolor="white", linewidth=0.4)
    for share, style in ((0.5, "-"), (0.95, "--")):
        angle = np.quantile(found, share)
        label = f"{100 * share:g} % below {angle:.2g}°"
        axes.axvline(angle, color=FORMULA, linestyle=style, label=label)
    axes.set(xscale="log", xlabel="angle between gradients (degrees)", ylabel="held-out rows")
    _legend(axes, loc="best")
    return axes


def directions(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot the directions of the gradients of network and formula, for two variables, as arrows.

    Args:
        concept: result of `interpret`, for a neuron of two variables.
        axes: to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: there are more variables, or several neurons.
    """
    field = concept.gradients
    if not has_arrows(concept):
        raise ValueError(
            "Arrows are drawn of one neuron of two variables; `angles` compares gradients of any "
            f"number. Received: variables {listed_names(concept.names)}"
        )
    axes = _new() if axes is None else axes
    field = field.subset(MOST_ARROWS)
    own = field.directions_of(gradient(concept.best.expression, field.names, field.points))
    # f and -f carry the same concept: the formula's sign may be the opposite.
    own = own * (1 if np.sum(own * field.directions) >= 0 else -1)
    size: dict[str, Any] = {"scale": 16, "pivot": "tail", "units": "width"}
    axes.quiver(*field.points.T, *field.directions.T, color=NETWORK, width=0.01, alpha=0.5, **size)
    axes.quiver(*field.points.T, *own.T, color=FORMULA, width=0.003, **size)
    axes.plot([], [], color=NETWORK, linewidth=5, alpha=0.5, label="network")
    axes.plot([], [], color=FORMULA, linewidth=1.5, label="formula")
    Plane.of(concept).frame(axes, margin=0.08)
    _legend(axes, **ABOVE)
    return axes


def boundary(
    concept: Interpretation,
    axes: Sequence[Axes] | None = None,
    variables: Sequence[str] | None = None,
) -> Sequence[Axes]:
    """Plot the decisions of network and formula in the plane of two variables, side by side.

    For more variables it is a slice: the others have the values of a typical row near the decision
    boundary. For a neuron that is not a classifier, levels of its value and of phi(formula).

    Args:
        concept: result of `interpret`, with its network.
        axes: two to draw on, for network and formula; new ones by default.
        variables: names of the two; by default those with the largest share in the formula's
            gradient.

    Returns:
        The two axes.

    Raises:
        ValueError: there is no network or no phi, a name is unknown, or there is one variable only.
    """
    plane = Plane.of(concept, variables)
    plane.check()
    if axes is None:
        from matplotlib import pyplot

        _, axes = pyplot.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    for side, panel in enumerate(axes):
        boundary_side(plane, side, panel)
    return axes


def boundary_side(plane: Plane, side: int, axes: Axes) -> Axes:
    """Plot one side of `boundary`.

    Args:
        plane: plane to draw.
        side: 0 for the network, 1 for the formula.
        axes: to draw on.

    Returns:
        The axes.
    """
    both = plane.values
    plane.frame(axes)
    axes.set_title(("network", "formula")[side], loc="left", fontsize="medium")
    if not decided(plane.concept):
        low, high = np.nanquantile(both[0], (0.01, 0.99))
        levels = np.linspace(low, high if high > low else low + 1, 12)
        axes.contourf(*plane.axes, both[side], levels=levels, cmap="cividis", extend="both")
        return axes
    axes.contourf(*plane.axes, np.sign(both[side]), levels=[-2, 0, 2], colors=[NO, YES])
    _line(axes, plane, both[side], (NETWORK, FORMULA)[side], "-")
    if side == 0:
        for color, label in ((YES, "says yes"), (NO, "says no")):
            axes.fill_between([], [], [], color=color, label=label)
    else:
        # The network's line again, beside the formula's.
        _line(axes, plane, both[0], NETWORK, ":")
        for color, style, label in ((FORMULA, "-", "formula"), (NETWORK, ":", "network")):
            axes.plot([], [], color=color, linestyle=style, linewidth=2, label=label)
    _legend(axes, **ABOVE)
    return axes


def held_out_angles(concept: Interpretation, formula: Formula | None = None) -> np.ndarray:
    """Angles in degrees between the gradients of formula and network, for each held-out row.

    Args:
        concept: result of `interpret`.
        formula: of the same variables; by default the best one.
    """
    _, held_out = concept.gradients.split(seed=concept.seed)
    off = errors((concept.best if formula is None else formula).expression, held_out)
    return np.maximum(angle_of(off), SMALLEST_ANGLE)


def has_arrows(concept: Interpretation) -> bool:
    """Return whether `directions` can be drawn: one neuron of two variables."""
    return concept.gradients.directions.shape[1:] == (2,) and len(concept.names) == 2


def regions(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot which region each row is in, over the two inputs that matter most to the conditions.

    Args:
        concept: result of `interpret`, for a neuron with regions.
        axes: to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: it has no regions.
    """
    if concept.regions is None:
        raise ValueError(f"'{concept.neuron}' has no regions: they were not looked for.")
    axes = _new() if axes is None else axes
    points = concept.gradients.points[:MOST_POINTS]
    one, other = region_axes(concept, points)
    number = concept.regions.number_of(points)
    for k, region in enumerate(concept.regions):
        x, y = one.values[number == k], other.values[number == k]
        color, marker = REGIONS[k % len(REGIONS)], MARKERS[k % len(MARKERS)]
        label = _short(str(region.where))
        axes.scatter(x, y, s=14, c=color, marker=marker, alpha=0.7, linewidths=0, label=label)
    axes.set_xlabel(one.name, parse_math=False)
    axes.set_ylabel(other.name, parse_math=False)
    for axis, drawn in ((axes.xaxis, one), (axes.yaxis, other)):
        if drawn.levels:
            places, texts = zip(*drawn.levels)
            axis.set_ticks(places, [_short(text) for text in texts], parse_math=False)
    _legend(axes, loc="best")
    return axes


def influence(concept: Interpretation, axes: Axes | None = None) -> Axes:
    """Plot the influence of the inputs with its sign, and their interactions, as bars.

    Args:
        concept: result of `interpret`.
        axes: to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: the result has no influences.
    """
    if not concept.influence:
        raise ValueError(
            "This result has no influences: the file is of an earlier version. Interpret again."
        )
    axes = _new() if axes is None else axes
    bars = [
        (one.name, one.share, SIGN_COLORS[one.sign], SIGN_LABELS[one.sign])
        for one in in_ranges(concept.influence)[:MOST_BARS]
    ]
    bars += [
        (f"{one.first} and {one.second}", one.share, GREY, "pairs, of all interactions")
        for one in concept.interactions[: MOST_BARS // 2]
    ]
    told: set[str] = set()
    for place, (_, share, color, label) in enumerate(bars):
        # A name that begins with an underscore has no entry in the legend.
        own = label if label not in told else "_"
        told.add(label)
        axes.barh(place, 100 * share, color=color, label=own)
    axes.set_yticks(range(len(bars)), [_short(name) for name, *_ in bars], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("share (%)")
    axes.set_xlim(0, 100 * max(share for _, share, *_ in bars) * 1.05 + 1)
    axes.tick_params("y", labelsize=8)
    _legend(axes, **ABOVE)
    return axes


def _new() -> Axes:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(5, 4), layout="constrained")[1]


def _values(
    concept: Interpretation, axes: Axes | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, MonotoneFit, Axes]:
    """Finite values of formula and neuron, which rows to show, phi, and the axes."""
    field = concept.gradients
    if concept.phi is None:
        raise ValueError(
            "phi needs the neuron's values, but these gradients came without. Pass `values=` to "
            "`GradientField.from_gradients`."
        )
    axes = _new() if axes is None else axes
    axes.set_ylabel("logit of the network" if decided(concept) else "value of the neuron")
    g = concept.best(field.points)
    finite = np.isfinite(g) & np.isfinite(field.known_values)
    g, f = g[finite], field.known_values[finite]
    return g, f, np.random.default_rng(0).permutation(len(g))[:MOST_POINTS], concept.phi, axes


def _line(axes: Axes, plane: Plane, values: np.ndarray, color: str, style: str) -> None:
    # Matplotlib warns about a level outside the values.
    if np.nanmin(values) < 0 < np.nanmax(values):
        axes.contour(*plane.axes, values, levels=[0], colors=color, linestyles=style, linewidths=2)


def _legend(axes: Axes, **kwargs: Any) -> None:
    # A name between dollar signs is a name, not a formula.
    for text in axes.legend(framealpha=0.85, fontsize="small", **kwargs).get_texts():
        text.set_parse_math(False)


def _short(text: str, length: int = 36) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
