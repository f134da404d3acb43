"""Profile likelihood intervals of the constants of a formula.

The profile of a constant is the least loss that the formula has with that constant held, all
others refitted:

    P_k(c) = min over the others of L(c_1, .., c_k = c, .., c_n),    P_k(best) = L

The interval is the set around the best fit where it stays below a limit. The profile includes
kinks, flat valleys and constants that move together; a linearised error does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_symgrad.formulas.constants.regions import squared_pulls
from keras_symgrad.search.core import ConstantFit

# Squared error of directions that are computed from float32 gradients.
FLOAT32_DIRECTION_ERROR = 1e-14
# The slope of a loss that is not squared may jump with every row. Its curvature is taken over one
# standard error, which in turn is refined with the curvature, this many times.
WIDENED = 3
# Growth of a step along the profile.
SLOWEST = 1.3
FASTEST = 3.0
# The profile is followed to this many times the size of the constant, or of its first step.
REACH = 30.0
# Beyond the crossing of the limit the profile is checked at these multiples of the distance: it may
# come back.
AHEAD = (1.5, 3.0)
# The crossing is located to this share of its distance, or after this many refinements.
CLOSE = 0.02
CROSSINGS = 8
# A profile that falls below the best fit by this share has found a better fit.
MIN_RELATIVE_IMPROVEMENT = 1e-3
RESTARTS = 3
# Relative precision of the losses along a profile.
PRECISION = 1e-5


@dataclass(frozen=True)
class Intervals:
    """Intervals of a formula's constants, with the best fit.

    Attributes:
        best: constants of the least loss that was found.
        low: lower ends of the intervals, minus infinity where the profile does not rise.
        high: upper ends, infinity where it does not rise.
        limits: of the profile of each constant, in the units of `ConstantFit.mean`.
        ends: all constants at the lower and at the upper end of each interval,
            `(2, constants, constants)`; NaN where the interval is open.
    """

    best: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limits: np.ndarray
    ends: np.ndarray

    @classmethod
    def open(cls, best: np.ndarray) -> Intervals:
        """Infinite intervals, of constants that are not determined."""
        ends = np.full(len(best), np.inf)
        return cls(best, -ends, ends, ends, np.full((2, len(best), len(best)), np.nan))


def intervals(fit: ConstantFit, *, seed: int = 0) -> Intervals:
    """95 % intervals of the constants of a formula by the profile of its loss.

    The limit of a profile is the loss where a parabola in its place has the half-width that the
    sandwich gives. With J the derivatives of the normalized residuals r by the constants, H = J'J
    and S the squared pulls of regions of neighbouring rows (`regions.squared_pulls`):

        V = H^-1 S H^-1
        P_k(c) < L + max(V_kk / (H^-1)_kk, m)

    The minimum m is the change of the loss that chance allows for residuals with as many
    independent values as the field: a smaller change is not significant, however flat or kinked the
    loss is at the best fit. For another loss, rows have its weights, and H is replaced by its
    second differences over the half-widths.

    Args:
        fit: of the formula.
        seed: of the choice of regions.

    Returns:
        `Intervals`. All are open if there are fewer regions than constants.

    Example: the loss rises on either side of 2, and only as fast as the noise allows.

    >>> import sympy
    >>> from keras_symgrad import GradientField
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 2))
    >>> field = GradientField.from_gradients(x, x * [2, 4] + rng.normal(0, 0.05, x.shape))
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> found = intervals(ConstantFit(x1**2 + 1.5 * x2**2, field))
    >>> found.low.round(2), found.best.round(2), found.high.round(2)
    (array([1.97]), array([2.]), array([2.03]))

    Reference: Kent, Biometrika 69 (1982) 19.
    """
    best = fit.refined(fit.start)
    for _ in range(RESTARTS):
        profiles = _Profiles(fit, best, seed)
        try:
            return profiles.intervals()
        except _Better as found:
            best = fit.refined(found.constants)
    # A point from which a profile still descends is not the best fit.
    return Intervals.open(best)


class _Better(Exception):
    """A profile has found constants of a lower loss than the best ones."""

    def __init__(self, constants: np.ndarray):
        super().__init__()
        self.constants = constants


class _Profiles:
    def __init__(self, fit: ConstantFit, best: np.ndarray, seed: int):
        self.fit, self.best, self.seed = fit, best, seed
        self.least = fit.mean(best)

    def intervals(self) -> Intervals:
        count = len(self.best)
        found = self._rises() if np.isfinite(self.least) else None
        if found is None:
            return Intervals.open(self.best)
        rises, steps = found
        limits = self.least + rises
        low, high = (
            [self._end(k, way, limits[k], steps[k]) for k in range(count)] for way in (-1.0, 1.0)
        )
        return Intervals(
            self.best,
            np.array([value for value, _ in low]),
            np.array([value for value, _ in high]),
            limits,
            np.array([[constants for _, constants in side] for side in (low, high)]),
        )

    def _rises(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Allowed rise of each profile, and the half-width where the profile is a parabola."""
        fit, best = self.fit, self.best
        weights = fit.weights(best)
        residual = fit.residual(best, weights)
        jacobian = self._jacobian(weights)
        # Constants of very different sizes are scaled.
        size = np.sqrt((jacobian**2).sum(axis=(0, 1)))
        size = np.where(size > 0, size, 1.0)
        jacobian = jacobian / size
        pulls = np.einsum("rvi,rv->ri", jacobian, residual)
        found = squared_pulls(fit.field.points, residual, pulls, self.seed)
        if found is None:
            return None
        squares, fewest = found

        def scaled(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            inverse = np.linalg.pinv(hessian, rcond=1e-12, hermitian=True)
            across = np.maximum(np.diag(inverse), 1e-300)
            rises = (
                np.maximum(np.diag(inverse @ squares @ inverse) / across, fewest)
                + FLOAT32_DIRECTION_ERROR
            )
            return rises, np.maximum(np.sqrt(rises * across) / size, self._smallest)

        rises, steps = scaled(np.einsum("rvi,rvj->ij", jacobian, jacobian))
        for _ in range(0 if fit.field.loss.is_squared else WIDENED):
            curvature = self._curvature(steps) / np.outer(size, size)
            if np.linalg.eigvalsh(curvature)[0] <= 0:
                break
            rises, steps = scaled(curvature)
        return rises, steps

    @property
    def _smallest(self) -> np.ndarray:
        """Steps for numerical derivatives."""
        return 1e-6 * np.maximum(np.abs(self.best), 1e-3)

    def _jacobian(self, weights: np.ndarray) -> np.ndarray:
        fit, best = self.fit, self.best
        slopes = []
        for step in np.diag(self._smallest):
            ways = (fit.residual(constants, weights) for constants in (best + step, best - step))
            slopes.append(np.subtract(*ways) / (2 * step.sum()))
        return np.nan_to_num(np.stack(slopes, axis=-1), nan=0.0, posinf=0.0, neginf=0.0)

    def _curvature(self, steps: np.ndarray) -> np.ndarray:
        """Half the second differences of the mean of rho, over steps that smooth its kinks."""
        best = self.best
        corners = [
            [best + i * one + j * other for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            for one in np.diag(steps)
            for other in np.diag(steps)
        ]
        means = np.array([[self.fit.mean(corner) for corner in four] for four in corners])
        differences = (means @ [1, -1, -1, 1]).reshape(len(steps), -1)
        return differences / (8 * np.outer(steps, steps))

    def _end(self, k: int, way: float, limit: float, step: float) -> tuple[float, np.ndarray]:
        """Last crossing of the limit by a constant's profile, and all constants there.

        The value is infinite if there is no crossing.
        """
        furthest = REACH * max(abs(self.best[k]), step)
        inside, constants, before = 0.0, self.best, None
        distance = 0.9 * step
        while distance < furthest:
            trial = self._refitted(k, way * distance, constants, before)
            loss = self._loss(trial)
            if loss <= limit:
                before, constants, inside = constants, trial, distance
                rise = max(loss - self.least, 1e-30)
                expected = 1.02 * distance * np.sqrt((limit - self.least) / rise)
                distance = float(np.clip(expected, SLOWEST * distance, FASTEST * distance))
                continue
            back = self._back_inside(k, way * distance, limit, constants)
            if back is None:
                crossing = self._crossing(k, way, limit, (inside, constants), (distance, loss))
                return self.best[k] + way * crossing, constants
            before, constants = None, back
            inside = abs(back[k] - self.best[k])
            distance = SLOWEST * inside
        return way * np.inf, np.full(len(self.best), np.nan)

    def _back_inside(
        self, k: int, distance: float, limit: float, constants: np.ndarray
    ) -> np.ndarray | None:
        """Constants further out where the profile is below its limit again, if there are any."""
        for factor in AHEAD:
            trial = self._refitted(k, factor * distance, constants, None)
            if self._loss(trial) <= limit:
                return trial
        return None

    def _crossing(
        self,
        k: int,
        way: float,
        limit: float,
        within: tuple[float, np.ndarray],
        beyond: tuple[float, float],
    ) -> float:
        """The distance at which the profile crosses the limit, between two bounds."""
        (near, constants), (far, above) = within, beyond
        below = self._loss(constants)
        for _ in range(CROSSINGS):
            if far - near < CLOSE * far:
                break
            # The root of the rise is a straight line where the profile is a parabola.
            low, middle, high = (
                np.sqrt(max(loss - self.least, 0.0)) for loss in (below, limit, above)
            )
            share = (middle - low) / (high - low) if np.isfinite(high) and high > low else 0.5
            # A profile with a step is bisected.
            distance = near + (share if 0.1 < share < 0.9 else 0.5) * (far - near)
            trial = self._refitted(k, way * distance, constants, None)
            loss = self._loss(trial)
            if loss <= limit:
                near, below, constants = distance, loss, trial
            else:
                far, above = distance, loss
        return far

    def _refitted(
        self, k: int, distance: float, constants: np.ndarray, before: np.ndarray | None
    ) -> np.ndarray:
        """Constants with the k-th one at a fixed distance from the best, the others refitted."""
        trial = constants.copy()
        value = self.best[k] + distance
        if before is not None and constants[k] != before[k]:
            # The other constants are extrapolated.
            ahead = (value - constants[k]) / (constants[k] - before[k])
            moved = constants + ahead * (constants - before)
            moved[k] = value
            trial[k] = value
            if self.fit.mean(moved) < self.fit.mean(trial):
                trial = moved
        trial[k] = value
        others = np.arange(len(trial)) != k
        return self.fit.refined(trial, others, precision=PRECISION)

    def _loss(self, constants: np.ndarray) -> float:
        loss = self.fit.mean(constants)
        if np.isfinite(loss) and loss < self.least - max(
            MIN_RELATIVE_IMPROVEMENT * self.least, FLOAT32_DIRECTION_ERROR
        ):
            raise _Better(constants)
        return loss if np.isfinite(loss) else np.inf
