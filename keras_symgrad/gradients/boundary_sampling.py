"""Sample the slab around a classifier's decision boundary.

Labels constrain a classifier near its decision boundary only. A few per cent of a network's
training points, and of fresh ones, lie there: `slab_rows` takes those, draws more from the data's
domain, and moves others onto the slab along the gradient until there are enough.

Moved points come before a second round of draws. Draws are densest where the slab is thick, which
is where the network is least certain; points that were moved cover the boundary evenly. Measured on
six networks, the mean of 1 - |cos| to the true gradients is 4 to 56 % lower for moved points.

A logit that is small far from the boundary is not a slab but a plateau: a network trained on some
wrong labels is uncertain everywhere, and its gradients there are meaningless. So rows must also lie
within the slab by their first-order distance |f| / |S grad f|, compared with a slab as steep as the
network is on the boundary itself. On networks trained with 1 to 3 % wrong labels, the mean of 1 -
|cos| to the true gradients is 0.17 to 0.39 without this selection and 3e-3 to 9e-3 with it; on six
networks without a plateau it removes 0 to 3 % of the rows.

Source of the selection by delta: Wetzel, arXiv 2401.04978, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from keras_symgrad.gradients.domain import REFERENCE_ROWS, Domain
from keras_symgrad.gradients.metric import Metric, first_order_distance
from keras_symgrad.neurons import Neuron

Sampler = Callable[[int, np.random.Generator], np.ndarray]

DRAWS_PER_ROW = 50
NEWTON_STEPS = 8
MOVING_ROUNDS = 6
# Longest Newton step, as a share of the box's width: further away the network is not linear.
LONGEST_STEP = 0.2
# A row farther than this many half thicknesses of the slab is on a plateau.
MAX_SLAB_HALF_THICKNESSES = 1.5
# The thickness is measured where the logit is below this share of its bound, or on the nearest
# rows.
NEAR_ZERO = 0.125
FEWEST_NEAR_ZERO = 20
# Data rows examined for each wanted row, because some may lie on plateaus.
DATA_ROWS_TRIED_PER_ROW = 4


@dataclass(frozen=True)
class Rows:
    """Points with the neuron's values and gradients at them.

    Args:
        points: `(rows, variables)`.
        values: the neuron's values, `(rows,)`.
        gradients: `(rows, variables)`.
        data_index: for the rows that are given data, their positions in it; these come first.
        drawn: number of rows drawn from the domain, which come next.
        moved: number of rows moved onto the slab, which come last.
        dropped: data rows left out because the value or gradient is not finite.
        plateau: data rows left out because they are far from the boundary, although the neuron is
            undecided there.
    """

    points: np.ndarray
    values: np.ndarray
    gradients: np.ndarray
    data_index: np.ndarray
    drawn: int = 0
    moved: int = 0
    dropped: int = 0
    plateau: int = 0


def slab_rows(
    neuron: Neuron,
    x: np.ndarray,
    *,
    delta: float,
    rows: int | None,
    rng: np.random.Generator,
    sampler: Sampler | None = None,
    draw: bool = True,
    move: bool = True,
    metric: Metric = "covariance",
    batch_size: int = 4096,
) -> Rows:
    """Rows with delta <= p <= 1 - delta near the boundary: from the data, drawn, or moved there.

    Points move by Newton steps on the logit f towards a level t drawn uniformly from the slab:

        x <- x + (t - f) grad f / |grad f|^2

    and are kept if they end on the slab and inside the domain.

    Args:
        neuron: a classifier's logit.
        x: data of shape `(rows, variables)`, finite.
        delta: in (0, 0.5).
        rows: number wanted; `None` takes the data's own rows only.
        rng: source of random numbers.
        sampler: `(n, rng) -> (n, variables)`, draws points of the domain; uniform on the data's
            domain by default.
        draw: whether points may be drawn.
        move: whether points may be moved.
        metric: metric of distances from the boundary.
        batch_size: rows that are differentiated at a time.

    Returns:
        `Rows`, at most `rows` of them.

    Raises:
        ValueError: no row was found; the message names a delta that would have left some.
    """
    bound = float(np.log1p(-delta) - np.log(delta))
    # Only rows that may be taken are differentiated: a few thousand of a million.
    values = neuron.values(x, batch_size)
    finite = np.isfinite(values)
    index = np.flatnonzero(finite & (np.abs(values) <= bound))
    if rows is not None and len(index) > DATA_ROWS_TRIED_PER_ROW * rows:
        index = rng.choice(index, size=DATA_ROWS_TRIED_PER_ROW * rows, replace=False)
    data = _Part(x[index], *neuron.values_and_gradients(x[index], batch_size))
    usable = np.isfinite(data.gradients).all(axis=1)
    dropped = int(np.sum(~finite) + np.sum(~usable))
    if not usable.all():
        data, index = data.cut(usable), index[usable]

    domain, draw_points = Domain(x), None
    # The gradient leads off a plane that contains the data.
    move = move and domain.plane is None
    if rows is not None and sampler is not None:
        draw_points = _checked(sampler, x.shape[1])
        domain = Domain(np.concatenate([x, draw_points(REFERENCE_ROWS, rng)]))
    slab = _Slab(neuron, bound, domain, rng, batch_size, x, metric)
    slab = slab.without_plateaus(data, draw_points, draw and rows is not None)
    near = slab.is_near(data)
    plateau = int(np.sum(~near))
    data, index = data.cut(near), index[near]
    if rows is not None and len(index) > rows:
        some = np.sort(rng.choice(len(index), size=rows, replace=False))
        data, index = data.at(some), index[some]
    wanted = 0 if rows is None else rows - len(index)

    drawn = moved = data.cut(0)
    if wanted and draw:
        drawn, away = slab.draw(wanted, 1, draw_points)
    else:
        away = data.points[:0]
    if move and wanted > drawn.rows:
        moved = slab.move(wanted - drawn.rows, x, np.flatnonzero(np.abs(values) > bound), away)
    short = wanted - drawn.rows - moved.rows
    if rows is not None and draw and short > 0:
        rounds = -(-DRAWS_PER_ROW * rows // slab.draws_per_round)
        drawn = drawn.joined(slab.draw(short, rounds, draw_points)[0])

    if not len(index) + drawn.rows + moved.rows:
        raise ValueError(_nothing_on_the_slab(neuron, delta, values[finite]))
    every = data.joined(drawn).joined(moved)
    return Rows(*every, index, drawn.rows, moved.rows, dropped, plateau)


def data_rows(
    neuron: Neuron,
    x: np.ndarray,
    *,
    rows: int | None,
    rng: np.random.Generator,
    batch_size: int = 4096,
) -> Rows:
    """A random choice of data rows, without selection by their values.

    Args:
        neuron: any neuron.
        x: data of shape `(rows, variables)`.
        rows: number wanted; `None` or more than there are takes all.
        rng: source of random numbers.
        batch_size: rows that are differentiated at a time.

    Returns:
        `Rows`, some of which may hold numbers that are not finite.
    """
    index = np.arange(len(x))
    if rows is not None and rows < len(x):
        index = np.sort(rng.choice(index, size=rows, replace=False))
    values, gradients = neuron.values_and_gradients(x[index], batch_size)
    return Rows(x[index], values, gradients, index)


class _Part(NamedTuple):
    """Some rows: points, values and gradients."""

    points: np.ndarray
    values: np.ndarray
    gradients: np.ndarray

    @property
    def rows(self) -> int:
        return len(self.points)

    def cut(self, rows: int | np.ndarray) -> _Part:
        """The first rows, or those marked True."""
        return self.at(slice(rows) if isinstance(rows, int) else rows)

    def at(self, index: np.ndarray | slice) -> _Part:
        """The rows at some positions."""
        return _Part(self.points[index], self.values[index], self.gradients[index])

    def joined(self, other: _Part) -> _Part:
        return _Part(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


@dataclass(frozen=True)
class _Slab:
    """The rows with |logit| <= bound near the boundary, and the two ways to get more of them."""

    neuron: Neuron
    bound: float
    domain: Domain
    rng: np.random.Generator
    batch_size: int
    x: np.ndarray
    metric: Metric
    reach: float = np.inf

    def without_plateaus(self, data: _Part, draw_points: Sampler | None, draw: bool) -> _Slab:
        """The slab as thick as it would be with the steepness that the network has on the boundary.

        Args:
            data: rows on the slab.
            draw_points: draws others; uniform on the domain by default.
            draw: whether others may be drawn, where the data have few.
        """
        rows = data
        if draw and data.rows < 10 * FEWEST_NEAR_ZERO:
            rows = rows.joined(self.draw(self.draws_per_round, 1, draw_points)[0])
        if not rows.rows:
            return self
        size = np.abs(rows.values)
        count = max(FEWEST_NEAR_ZERO, int(np.sum(size <= NEAR_ZERO * self.bound)))
        nearest = rows.at(np.argsort(size, kind="stable")[:count])
        at_bound = np.full(nearest.rows, self.bound)
        thickness = first_order_distance(at_bound, nearest.gradients, self.x, self.metric)
        thickness = thickness[np.isfinite(thickness)]
        if not len(thickness):
            return self
        return replace(self, reach=MAX_SLAB_HALF_THICKNESSES * float(np.median(thickness)))

    def is_near(self, part: _Part) -> np.ndarray:
        """Select the rows that lie within the slab."""
        if not np.isfinite(self.reach):
            return np.ones(part.rows, bool)
        distance = first_order_distance(part.values, part.gradients, self.x, self.metric)
        return distance <= self.reach

    @property
    def draws_per_round(self) -> int:
        return 4 * self.batch_size

    def draw(self, wanted: int, rounds: int, draw_points: Sampler | None) -> tuple[_Part, Any]:
        """Draw at most `wanted` points on the slab; and return the last rejected ones."""
        found, away = self._rows(np.zeros((0, len(self.domain.low)))), None
        for _ in range(rounds):
            if draw_points is None:
                x = self.domain.draw(self.draws_per_round, self.rng)
            else:
                x = draw_points(self.draws_per_round, self.rng)
            part = self._rows(x)
            # Points of the user's own sampler belong to the domain by definition.
            good = self._good(part, draw_points is not None)
            away, found = x[~good], found.joined(part.cut(good))
            if found.rows >= wanted:
                break
        return found.cut(wanted), away

    def move(self, wanted: int, data: np.ndarray, index: np.ndarray, away: np.ndarray) -> _Part:
        """Move at most `wanted` points onto the slab, from data at given positions or others."""
        found, starts = self._rows(data[:0]), len(index) + len(away)
        for _ in range(MOVING_ROUNDS if starts else 0):
            # Many paths end outside the domain, so twice as many are started.
            chosen = self.rng.choice(starts, 2 * wanted, replace=2 * wanted > starts)
            given = chosen < len(index)
            x = np.empty((len(chosen), data.shape[1]))
            x[given] = data[index[chosen[given]]]
            x[~given] = away[chosen[~given] - len(index)]
            level = self.rng.uniform(-self.bound, self.bound, size=len(x))
            for _ in range(NEWTON_STEPS):
                x = x + self._step(self._rows(x), level)
            part = self._rows(x)
            found = found.joined(part.cut(self._good(part)))
            if found.rows >= wanted:
                break
        return found.cut(wanted)

    def _step(self, part: _Part, level: np.ndarray) -> np.ndarray:
        units = self.domain.units
        gradient = np.where(self.domain.discrete, 0.0, part.gradients * units)
        with np.errstate(all="ignore"):
            step = ((level - part.values) / np.sum(gradient**2, axis=1))[:, None] * gradient * units
            longest = np.max(np.abs(step) / self.domain.width, axis=1, keepdims=True)
            step *= np.minimum(1.0, LONGEST_STEP / longest)
        return np.where(np.isfinite(step), step, 0.0)

    def _rows(self, x: np.ndarray) -> _Part:
        return _Part(x, *self.neuron.values_and_gradients(x, self.batch_size))

    def _good(self, part: _Part, in_domain: bool = False) -> np.ndarray:
        good = (np.abs(part.values) <= self.bound) & np.all(np.isfinite(part.gradients), axis=1)
        good[good] = self.is_near(part.cut(good))
        if not in_domain:
            good[good] = self.domain.holds(part.points[good])
        return good


def _checked(sampler: Sampler, columns: int) -> Sampler:
    def draw(rows: int, rng: np.random.Generator) -> np.ndarray:
        points = np.asarray(sampler(rows, rng), dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != columns or not np.all(np.isfinite(points)):
            raise ValueError(
                f"`sampler(n, rng)` returns finite points of shape (n, {columns}). "
                f"Received: shape {points.shape}"
            )
        return points

    return draw


def _nothing_on_the_slab(neuron: Neuron, delta: float, values: np.ndarray) -> str:
    """Error with the probabilities seen on the data, and a delta that would have left some rows."""
    seen, advice = "no finite probability", ""
    if values.size:
        low, high = expit([values.min(), values.max()])
        seen = f"probabilities from {low:.3g} to {high:.3g}"
        nearest = float(np.min(np.abs(values)))
        leaves = np.exp(-nearest) / (1 + np.exp(-nearest))
        if leaves > 1e-12:
            most = 10 ** np.floor(np.log10(leaves))
            advice = f"`ks.Sampling(delta={most:.0e})` would leave some. "
    return (
        f"No row has a probability between delta and 1 - delta: '{neuron.name}' gives {seen} on "
        f"the data. {advice}Check that the data are what the model was trained on. "
        f"Received: delta={delta:g}"
    )
