"""Values of a network at data rows, and their differences along steps that the data take.

The difference of two data rows is a step whose mean square is twice the covariance C = S S of the
data, so that the mean square of what two functions differ by along short steps v = h (x' - x),

    E (f(x + v) - f(x) - g(x + v) + g(x))^2  ~  2 h^2 E |S (grad f - grad g)|^2

is the distance of their gradients in the covariance metric, averaged along a step: no derivative is
needed, ReLU networks are smoothed, and no point leaves the convex hull of the data. Columns of few
values stay as they are, or change to those of the other row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Steps in all, at least; rows that are fewer take several each.
MIN_STEPS = 2000
# Length of a step, as a share of the way to another row.
STEP_LENGTH = 0.5
# How much slopes count beside values.
SLOPE_WEIGHT = 0.7


@dataclass(frozen=True, eq=False)
class FitRows:
    """Target of the fit of a sum of basis functions.

    Attributes:
        points: data rows first, then the ends of all steps, `(rows + steps, variables)`.
        values: of the network there, `(rows + steps,)`.
        rows: number of data rows.
        owner: the data row that each step begins at, `(steps,)`.
    """

    points: np.ndarray
    values: np.ndarray
    rows: int
    owner: np.ndarray

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        values: np.ndarray,
        network: Callable[[np.ndarray], np.ndarray] | None,
        discrete: np.ndarray,
        seed: int = 0,
    ) -> FitRows:
        """The rows with steps from them.

        Args:
            points: data `(rows, variables)`, finite.
            values: of the network at the points.
            network: `(points) -> (values,)`; `None` where only the values are known.
            discrete: whether each variable has few values, `(variables,)`.
            seed: of the steps.

        Returns:
            The rows; without steps where there is no network.
        """
        rows = len(points)
        if network is None or rows < 3:
            return cls(points, values, rows, np.zeros(0, int))
        rng = np.random.default_rng([seed, 7])
        owner = np.tile(np.arange(rows), max(1, -(-MIN_STEPS // rows)))
        start = points[owner]
        other = points[rng.integers(0, rows, len(owner))]
        ends = start + STEP_LENGTH * (other - start)
        ends[:, discrete] = start[:, discrete]
        if discrete.any():
            # A change of category is a step as well.
            swaps = rng.random(len(owner)) < discrete.mean()
            ends[swaps] = start[swaps]
            ends[np.ix_(swaps, discrete)] = other[np.ix_(swaps, discrete)]
        found = np.asarray(network(ends), float)
        fits = np.isfinite(found)
        return cls(
            np.concatenate([points, ends[fits]]),
            np.concatenate([values, found[fits]]),
            rows,
            owner[fits],
        )

    @property
    def owners(self) -> np.ndarray:
        """The data row that each point belongs to, `(rows + steps,)`."""
        return np.concatenate([np.arange(self.rows), self.owner])

    def equations(self, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Rows of a least-squares problem: centred values, and differences along steps.

        Values and differences weigh by the mean squares of the target's.

        Args:
            columns: functions at all points, `(rows + steps, functions)`.
            target: at all points, `(rows + steps,)`.

        Returns:
            `(rows + steps, functions)`.
        """
        at, differences = self._parts(target)
        steps = max(len(differences), 1)
        spread, slope = np.sqrt(np.mean(at**2)) or 1.0, np.sqrt((differences**2).sum() / steps)
        slope = slope or 1.0
        at, differences = self._parts(columns)
        return np.concatenate(
            [
                at / (spread * np.sqrt(self.rows)),
                differences * (np.sqrt(SLOPE_WEIGHT / steps) / slope),
            ]
        )

    def _parts(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at, ends = columns[: self.rows], columns[self.rows :]
        return at - at.mean(axis=0), ends - at[self.owner]
