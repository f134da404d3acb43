"""Least squares of a h(g) + d from many starts at once, by variable projection.

For given inner constants of h, the best factor a and offset d are those of a straight line. Only
the inner constants are searched for, by steps of Levenberg and Marquardt, for all starts side by
side in one array. The derivatives are those of Kaufman: the part of a dh that neither the factor
nor the offset can take up.

Golub and Pereyra, "Separable nonlinear least squares: the variable projection method and its
applications", Inverse Problems 19 (2003); Kaufman, "A variable projection method for solving
separable nonlinear least squares problems", BIT 15 (1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from keras_symgrad.expressions.codegen import differentiate, numpy_function

# A step that lowers no loss by more than this share is the last one.
LEAST_GAIN = 1e-4
# Damping at the start, the factors after a good and a bad step, and the largest one.
DAMPING = 1e-3
AFTER_A_GOOD_STEP = 0.2
AFTER_A_BAD_STEP = 8.0
MAX_DAMPING = 1e8
# Largest sum of squares of a curve, and smallest range of its values relative to the largest one.
MAX_SQUARE = 1e100
SMALLEST_RANGE = 1e-6


@dataclass(frozen=True)
class Line:
    """The straight lines f = a h + d for several curves h.

    Attributes:
        factor: a, `(starts,)`.
        offset: d, `(starts,)`.
        loss: share of the variance of f that is left, `(starts,)`; infinite for a curve that is
            nearly constant or not finite everywhere.
    """

    factor: np.ndarray
    offset: np.ndarray
    loss: np.ndarray


class ProjectedFit:
    """Fit of the inner constants of a form h, with the best factor and offset for each.

    Args:
        form: in `g` and the parameters.
        variable: g.
        parameters: inner constants, in their order; there may be none.
        g: `(rows,)`.
        f: `(rows,)`, not all the same.

    Example:

    >>> g, b = sympy.symbols("g b", real=True)
    >>> x = np.linspace(-1, 2, 50)
    >>> fit = ProjectedFit(sympy.exp(b * g), g, [b], x, 3 * np.exp(0.7 * x) - 1)
    >>> constants = fit.descended(np.array([[0.1], [-0.1]]), steps=20)
    >>> line = fit.line(constants)
    >>> constants[0].round(4), line.factor[0].round(4), line.offset[0].round(4)
    (array([0.7]), np.float64(3.0), np.float64(-1.0))
    """

    def __init__(
        self,
        form: sympy.Expr,
        variable: sympy.Symbol,
        parameters: Sequence[sympy.Symbol],
        g: np.ndarray,
        f: np.ndarray,
    ):
        self.g, self.mean = g, f.mean()
        # Its mean is 0, and the sum of its squares is 1.
        self.size = np.linalg.norm(f - self.mean)
        self.target = (f - self.mean) / self.size
        partials = [differentiate(form, name) for name in parameters]
        self._code = numpy_function([form, *partials], [variable, *parameters])

    def line(self, constants: np.ndarray) -> Line:
        """The best factor and offset for inner constants `(starts, parameters)`."""
        curves = self._curves(constants)[..., 0]
        with np.errstate(all="ignore"):
            factor, _, _, loss = self._projected(curves)
            offset = self.mean - factor * self.size * curves.mean(axis=1)
        return Line(factor * self.size, offset, loss)

    def descended(self, constants: np.ndarray, steps: int) -> np.ndarray:
        """The constants after steps downhill from each start.

        Args:
            constants: starts, `(starts, parameters)`.
            steps: largest number of steps.

        Returns:
            Constants of the same shape, none with a higher loss than its start.
        """
        constants = constants.astype(float).copy()
        if not constants.size:
            return constants
        damping = np.full(len(constants), DAMPING)
        slopes, residual, loss = self._linearized(constants)
        for _ in range(steps):
            square = np.einsum("skn,sln->skl", slopes, slopes)
            diagonal = np.einsum("skk->sk", square)
            damped = (
                square
                + np.eye(square.shape[1])
                * (
                    damping[:, None] * diagonal
                    + 1e-12 * diagonal.max(axis=1, keepdims=True)
                    + 1e-300
                )[:, None, :]
            )
            pulled = np.einsum("skn,sn->sk", slopes, residual)
            moved = constants + np.linalg.solve(damped, pulled[..., None])[..., 0]
            found = self._linearized(moved)
            better = found[2] < loss
            gain = np.zeros_like(loss)
            gain[better] = 1 - found[2][better] / loss[better]
            for old, new in zip((constants, slopes, residual, loss), (moved, *found)):
                old[better] = new[better]
            damping = damping * np.where(better, AFTER_A_GOOD_STEP, AFTER_A_BAD_STEP)
            under_way = np.where(better, gain > LEAST_GAIN, damping < MAX_DAMPING)
            if not under_way.any():
                break
        return constants

    def _curves(self, constants: np.ndarray) -> np.ndarray:
        """h and its derivatives in the constants, `(starts, rows, 1 + parameters)`."""
        starts, count = constants.shape
        columns = np.empty((starts, len(self.g), 1 + count))
        columns[..., 0], columns[..., 1:] = self.g, constants[:, None]
        return self._code(columns.reshape(-1, 1 + count)).reshape(starts, len(self.g), 1 + count)

    def _projected(
        self, curves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Factors, centred curves, what the lines leave of the target, and losses."""
        centred = curves - curves.mean(axis=1, keepdims=True)
        square = (centred**2).sum(axis=1)
        # Farther out, squares of factors and slopes overflow.
        usable = (square > 1 / MAX_SQUARE) & (square < MAX_SQUARE)
        # Small differences of large values are a limit of the form, such as a straight line.
        usable &= np.ptp(curves, axis=1) > SMALLEST_RANGE * np.abs(curves).max(axis=1)
        factor = np.where(usable, centred @ self.target / square, 0.0)
        left = self.target - factor[:, None] * np.where(usable[:, None], centred, 0.0)
        return factor, centred, left, np.where(usable, (left**2).sum(axis=1), np.inf)

    def _linearized(self, constants: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slopes of the fit in the constants, `(starts, parameters, rows)`, residuals, losses."""
        with np.errstate(all="ignore"):
            curves = self._curves(constants)
            factor, centred, left, loss = self._projected(curves[..., 0])
            slopes = np.moveaxis(curves[..., 1:], -1, 1) * factor[:, None, None]
            slopes -= slopes.mean(axis=2, keepdims=True)
            length = np.linalg.norm(centred, axis=1)[:, None] + 1e-300
            unit = centred / length
            slopes -= np.einsum("skn,sn->sk", slopes, unit)[..., None] * unit[:, None]
        # A start that is not finite goes nowhere.
        broken = ~np.isfinite(slopes).all(axis=(1, 2)) | ~np.isfinite(loss)
        slopes[broken], loss[broken] = 0, np.inf
        return slopes, np.where(broken[:, None], 0, left), loss
