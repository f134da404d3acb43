"""The largest distance from a row within which a formula reproduces a network's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid

Function = Callable[[np.ndarray], np.ndarray]

# A value is near within this share of the network's spread, the range of nine tenths of its values.
TOLERANCE = 0.05
SPREAD = 0.05, 0.95
# Share of the points on which a formula that holds is near.
SHARE = 0.95
# Probability with which the share of all points is above `SHARE`, given that of the points drawn.
CONFIDENCE = 0.999
# Points drawn for each radius that is tried.
POINTS = 4000
# Radii that are tried, from the largest one down, each by this factor smaller; then halvings of the
# interval between the last one that failed and the first one that did not.
FACTOR = 2**-0.5
RADII = 16
HALVINGS = 5
# A radius is confirmed on as many sets of points that were not used to find it; until then it
# shrinks by this factor.
CONFIRMATIONS = 2
SHRINKING = 0.9


@dataclass(frozen=True)
class Nearness:
    """How near a formula's values are to a network's on fresh points within a radius.

    Attributes:
        radius: in widths of the data; 0 where the formula holds within no radius that was tried.
        share: share of the points on which the values are within the tolerance.
        tolerance: largest difference of a near value, in the network's unit.
        points: number of points.
        at_row: whether the value at the row itself is.
    """

    radius: float
    share: float
    tolerance: float
    points: int
    at_row: bool = True


def spread_of(values: np.ndarray) -> float:
    """The range of nine tenths of values.

    Args:
        values: `(rows,)`, those that are not finite are left out.

    Example:

    >>> spread_of(np.linspace(0.0, 1.0, 101)).__round__(3)
    0.9
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0
    low, high = np.quantile(finite, SPREAD)
    return float(high - low)


def fewest_near(points: int) -> float:
    """The least share of points that are near from which `SHARE` of all points are, nearly surely.

    Args:
        points: that were drawn.

    Returns:
        The share whose lower Clopper-Pearson bound is `SHARE`; above 1 for too few points.

    Example:

    >>> round(fewest_near(4000), 3)
    0.961
    """
    from scipy.stats import beta

    near = np.arange(points + 1)
    lowest = np.nan_to_num(beta.ppf(1 - CONFIDENCE, near, points - near + 1))
    enough = np.flatnonzero(lowest >= SHARE)
    return float(enough[0] / points) if len(enough) else 1.1


def nearness(
    around: Ellipsoid,
    radius: float,
    network: Function,
    formula: Function,
    spread: float,
    rng: np.random.Generator,
    points: int = POINTS,
) -> Nearness:
    """Compare a formula with a network on points drawn within a radius of a row.

        |formula(x) - network(x)| <= 0.05 min(spread, spread of the network within the radius)

    Args:
        around: the row and its steps.
        radius: in widths of the data.
        network: values at points.
        formula: values that are to be the network's; not finite counts as not near.
        spread: of the network over the data.
        rng: source of random numbers.
        points: number of points.

    Returns:
        The share of the points that are near.
    """
    x = np.concatenate([around.row[None], around.draw(radius, points, rng)])
    values = network(x)
    tolerance = TOLERANCE * min(spread, spread_of(values))
    with np.errstate(all="ignore"):
        near = np.abs(formula(x) - values) <= tolerance
    return Nearness(radius, float(np.mean(near[1:])), tolerance, points, bool(near[0]))


def holding(
    around: Ellipsoid,
    network: Function,
    formula: Function,
    spread: float,
    largest: float,
    seed: int = 0,
    points: int = POINTS,
) -> Nearness:
    """Find the largest radius within which a formula reproduces a network's values.

    Radii are tried from the largest one down, on fresh points each; the first that passes is
    refined by bisection, and shrunk until other points confirm it.

    Args:
        around: the row and its steps.
        network: values at points.
        formula: values that are to be the network's.
        spread: of the network over the data.
        largest: radius that is tried first; nothing is said beyond it.
        seed: of the points.
        points: number of points for each radius.

    Returns:
        The radius, and the share of fresh points within it; a radius of 0 where none passes.

    Example:

    >>> around = Ellipsoid(np.zeros(1), np.eye(1), ("x",))
    >>> found = holding(around, lambda x: np.sin(x[:, 0]), lambda x: x[:, 0], 1.8, 2.0)
    >>> 0.5 < found.radius < 1.0, found.share > 0.95
    (True, True)
    """
    rng = np.random.default_rng([seed, 11])

    enough = fewest_near(points)

    def tried(radius: float) -> Nearness:
        return nearness(around, radius, network, formula, spread, rng, points)

    def holds(found: Nearness) -> bool:
        return found.share >= enough and found.at_row

    above, radius = largest, largest
    for _ in range(RADII):
        found = tried(radius)
        if holds(found):
            break
        above, radius = radius, radius * FACTOR
    else:
        return replace(found, radius=0.0)
    for _ in range(HALVINGS if above > radius else 0):
        middle = (above + radius) / 2
        if holds(tried(middle)):
            radius = middle
        else:
            above = middle
    for _ in range(RADII):
        confirmed = [tried(radius) for _ in range(CONFIRMATIONS)]
        found = min(confirmed, key=lambda one: one.share)
        if all(map(holds, confirmed)):
            return found
        radius *= SHRINKING
    return replace(found, radius=0.0)
