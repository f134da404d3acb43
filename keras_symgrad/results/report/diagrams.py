"""Small diagrams as inline SVG, in the colours of the page that they are in.

They need no Matplotlib, take a few kilobytes each, and are alike in reports and notebooks. Colours
and widths of lines come from the style `explorer.css`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.files import printable

if TYPE_CHECKING:
    from markupsafe import Markup

# Size in units of the picture; a page scales it to the width of its column.
WIDTH = 440
HEIGHT = 300
# Room for the numbers and names of the axes, in the same units.
LEFT = 64
RIGHT = 14
TOP = 14
BOTTOM = 46
# Side of the square around a point of the front that can be clicked.
TARGET = 28
# Largest number of numbers along an axis.
MOST_TICKS = 6
# Values beyond it are drawn there, so that differences stay finite.
LARGEST = 1e150
# Places beyond it, in units of the picture, cannot be seen.
FARTHEST = 1e4
# Between numbers along an axis, so that powers of ten stay above zero.
SMALLEST_STEP = 1e-300
# Characters of a name beside an axis.
MOST_CHARACTERS = 36


@dataclass(frozen=True)
class Scale:
    """The map from values to places along one side of a diagram.

    Attributes:
        low: value at the beginning.
        high: value at the end, greater than `low`.
        start: place of `low`, in units of the picture.
        end: place of `high`.
        logarithmic: whether equal ratios have equal lengths; then both values are positive.

    Example:

    >>> Scale(0.0, 10.0, 0.0, 100.0)(np.array([2.5]))
    array([25.])
    >>> Scale(0.01, 100.0, 0.0, 100.0, logarithmic=True).ticks
    [0.01, 0.1, 1.0, 10.0, 100.0]
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def along(cls, values: np.ndarray, *, logarithmic: bool = False) -> Scale:
        """The horizontal scale of values."""
        return cls(*_limits(values), LEFT, WIDTH - RIGHT, logarithmic)

    @classmethod
    def up(cls, values: np.ndarray, *, logarithmic: bool = False) -> Scale:
        """The vertical scale of values."""
        return cls(*_limits(values), HEIGHT - BOTTOM, TOP, logarithmic)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Places of values, in units of the picture."""
        low, high = self.low, self.high
        values = np.clip(values, -10 * LARGEST, 10 * LARGEST)
        if self.logarithmic:
            values, low, high = np.log(values), math.log(low), math.log(high)
        places = self.start + (self.end - self.start) * ((values - low) / (high - low))
        return np.clip(places, -FARTHEST, FARTHEST)

    @property
    def ticks(self) -> list[float]:
        """Round values between the ends."""
        if self.logarithmic:
            first, last = (
                math.ceil(math.log10(self.low) - 1e-9),
                math.floor(math.log10(self.high) + 1e-9),
            )
            step = max(1, math.ceil((last - first + 1) / MOST_TICKS))
            decades = [10.0**power for power in range(first, last + 1, step)]
            return decades or [float(f"{math.sqrt(self.low * self.high):.1e}")]
        rough = max((self.high - self.low) / MOST_TICKS, SMALLEST_STEP)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * k for k in range(first, last + 1)]


def front_diagram(
    complexities: Sequence[float],
    heights: Sequence[float],
    best: int,
    group: str,
    floor: float | None,
    name: str,
    description: str,
) -> Markup:
    """The loss or fidelity of each formula by its complexity; a click on a point chooses its row.

    Args:
        complexities: of the formulas, ascending.
        heights: losses of the formulas, positive, or numbers on a linear scale.
        best: number of the chosen one.
        group: name of the radio buttons of the rows, whose ids are `group-0`, `group-1`...
        floor: losses below it are noise; `None` for a linear scale.
        name: of the vertical axis.
        description: the diagram in words.

    Returns:
        An `<svg>` element.
    """
    x = Scale.along(np.array([0.0, 1.05 * max(complexities)]))
    low, high = min(heights), max(heights)
    if floor is None:
        y = Scale.up(np.array(heights))
    else:
        y = Scale.up(np.array([low / 2, high * 2]), logarithmic=True)
    across, up = x(np.array(complexities)), y(np.array(heights))
    corners = [(across[0], up[0])]
    for k in range(1, len(across)):
        corners += [(across[k], up[k - 1]), (across[k], up[k])]
    parts = [_axes(x, y, "complexity", name)]
    if floor is not None and y.low < floor < y.high:
        (height,) = y(np.array([floor]))
        parts.append(_path([np.array([[LEFT, height], [WIDTH - RIGHT, height]])], "floor"))
    parts.append(_path([np.array(corners)], "steps"))
    for k, (column, row) in enumerate(zip(across, up)):
        kind = "dot best" if k == best else "dot"
        corner = f'x="{column - TARGET / 2:.1f}" y="{row - TARGET / 2:.1f}"'
        parts += [
            f'<circle class="{kind}" data-row="{k}" cx="{column:.1f}" cy="{row:.1f}" r="4.5"/>',
            # A label needs no script to press the button of its row.
            f'<foreignObject {corner} width="{TARGET}" height="{TARGET}">'
            f'<label class="target" for="{group}-{k}"></label></foreignObject>',
        ]
    return _svg(parts, description)


def phi_diagram(
    g: np.ndarray,
    f: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    threshold: float | None,
    names: tuple[str, str],
    description: str,
) -> Markup:
    """The neuron's values against those of a formula, with phi and the threshold.

    Args:
        g: values of the formula, `(rows,)`, finite.
        f: values of the neuron, `(rows,)`.
        curve: values along phi: of the formula, ascending, and of phi there.
        threshold: value of the formula where the decision changes.
        names: of the two axes.
        description: the diagram in words.

    Returns:
        An `<svg>` element.
    """
    x, y = Scale.along(curve[0]), Scale.up(np.concatenate([f, curve[1]]))
    inside = (g >= x.low) & (g <= x.high)
    places = np.column_stack([x(g[inside]), y(f[inside])])
    # Round ends make points of lines without length: one element for all of them.
    dots = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in places)
    parts = [_axes(x, y, *names), f'<path class="rows" d="{dots}"/>']
    if threshold is not None and x.low <= threshold <= x.high:
        (place,) = x(np.array([threshold]))
        parts.append(_path([np.array([[place, TOP], [place, HEIGHT - BOTTOM]])], "threshold"))
    parts.append(_path([np.column_stack([x(curve[0]), y(curve[1])])], "formula"))
    return _svg(parts, description)


def level_diagram(
    axes: tuple[np.ndarray, np.ndarray],
    network: np.ndarray,
    formula: np.ndarray,
    levels: Sequence[float],
    names: tuple[str, str],
    description: str,
) -> Markup:
    """Level lines of a network and of a formula over a plane.

    Args:
        axes: values of the two variables, ascending.
        network: values on the grid, `(second, first)`.
        formula: of the same shape; NaN where it has none.
        levels: values whose lines are drawn; the first one also bounds the area shaded, where the
            network is above it, if it is the only one.
        names: of the two variables.
        description: the diagram in words.

    Returns:
        An `<svg>` element.
    """
    x, y = (make(values) for make, values in zip((Scale.along, Scale.up), axes))

    def placed(lines: Iterable[np.ndarray]) -> list[np.ndarray]:
        return [np.column_stack([x(line[:, 0]), y(line[:, 1])]) for line in lines]

    parts = []
    if len(levels) == 1:
        parts.append(_path(placed(_above(axes, network, levels[0])), "yes", closed=True))
    parts.append(_axes(x, y, *names))
    # The dotted line of the network lies on the formula's, so that both can be seen.
    for values, kind in ((formula, "formula"), (network, "network")):
        parts.append(_path(placed(_lines(axes, values, levels)), kind))
    return _svg(parts, description)


def _limits(values: np.ndarray) -> tuple[float, float]:
    values = np.clip(values, -LARGEST, LARGEST)
    low, high = float(np.min(values)), float(np.max(values))
    if high - low > SMALLEST_STEP:
        return low, high
    room = abs(low) / 2 or 1.0
    return low - room, high + room


def _lines(
    axes: tuple[np.ndarray, np.ndarray], values: np.ndarray, levels: Sequence[float]
) -> list[np.ndarray]:
    """Level lines as arrays of points, `(points, 2)`."""
    known = values[np.isfinite(values)]
    inside = [level for level in levels if known.size and known.min() < level < known.max()]
    if not inside:
        return []
    from matplotlib.figure import Figure

    drawn = Figure().add_subplot().contour(*axes, np.ma.masked_invalid(values), levels=inside)
    return [line for lines in drawn.allsegs for line in lines if len(line) > 1]


def _above(
    axes: tuple[np.ndarray, np.ndarray], values: np.ndarray, level: float
) -> list[np.ndarray]:
    """Borders of the area where values are above a level, holes among them."""
    known = values[np.isfinite(values)]
    top = float(known.max()) if known.size else level
    if top <= level:
        return []
    from matplotlib.figure import Figure

    drawn = (
        Figure()
        .add_subplot()
        .contourf(*axes, np.ma.masked_invalid(values), levels=[level, top + abs(top) + 1])
    )
    polygons = [p for path in drawn.get_paths() for p in path.to_polygons(closed_only=True)]
    return [one for one in map(np.asarray, polygons) if len(one) > 2]


def _path(lines: Iterable[np.ndarray], kind: str, closed: bool = False) -> str:
    drawn = []
    for line in lines:
        points = "L".join(f"{a:.1f} {b:.1f}" for a, b in line)
        drawn.append(f"M{points}{'Z' if closed else ''}")
    return f'<path class="{kind}" d="{"".join(drawn)}"/>' if drawn else ""


def _axes(x: Scale, y: Scale, across: str, up: str) -> str:
    """The frame, its numbers and the names of the axes."""
    parts = [
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{HEIGHT - TOP - BOTTOM}"/>'
    ]
    floor, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    for value, place in zip(x.ticks, x(np.array(x.ticks))):
        parts.append(
            f'<text x="{place:.1f}" y="{floor + 17}" text-anchor="middle">{_number(value)}</text>'
        )
    for value, place in zip(y.ticks, y(np.array(y.ticks))):
        parts.append(
            f'<text x="{LEFT - 7}" y="{place + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    center = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<text x="{center}" y="{HEIGHT - 9}" text-anchor="middle">{_name(across)}</text>',
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{_name(up)}</text>",
    ]
    return "".join(parts)


def _number(value: float) -> str:
    mantissa, _, exponent = f"{value:.3g}".replace("-", "−").partition("e")
    if not exponent:
        return mantissa
    digits = exponent.lstrip("+−").lstrip("0")
    sign = "−" if exponent.startswith("−") else ""
    power = f'10<tspan dy="-5" font-size="9">{sign}{digits}</tspan>'
    return power if mantissa == "1" else f"{mantissa}·{power}"


def _name(text: str) -> str:
    from markupsafe import escape

    text = printable(text)
    short = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    return str(escape(short))


def _svg(parts: Iterable[str], description: str) -> Markup:
    from markupsafe import Markup, escape

    return Markup(
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(printable(description))}">{"".join(parts)}</svg>'
    )
