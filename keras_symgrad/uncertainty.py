"""How well a network fixes the constants of a formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from keras_symgrad.constants import FIT_ROWS, ConstantFit
from keras_symgrad.expressions.text import to_pretty
from keras_symgrad.gradients import GradientField

CONFIDENCE = 0.95
# Neighbouring rows share the network's errors: not rows but regions are drawn independently.
REGIONS, ROWS_PER_REGION = 30, 10
# The slope of a loss that is no square may jump with every row. Its curvature is that over a
# standard error, which is known the better the more often it is used for itself.
WIDENED = 3


@dataclass(frozen=True)
class Constant:
    """A constant of the fitted formula, and the number that it is shown as.

    Attributes:
        value: of the best fit.
        error: half the width of its 95 % interval; infinite if the rows do not fix it.
        shown: the simple number in its place in the formula, or `None` if it is shown as it is.
    """

    value: float
    error: float
    shown: sympy.Expr | None = None

    def __str__(self) -> str:
        if not np.isfinite(self.error):
            return f"{self.value:.3g} +- inf"
        # As many decimals as the error's first two digits have.
        decimals = min(max(1 - int(np.floor(np.log10(max(self.error, 1e-9)))), 0), 9)
        text = f"{self.value:.{decimals}f} +- {self.error:.{decimals}f}"
        return text if self.shown is None else f"{text} (shown as {to_pretty(self.shown)})"

    def to_dict(self) -> dict:
        """Value, error and what it is shown as, as plain data."""
        shown = None if self.shown is None else str(self.shown)
        return {"value": self.value, "error": self.error, "shown": shown}


def constants(
    expression: sympy.Expr, field: GradientField, *, signed: bool = False, seed: int = 0
) -> tuple[Constant, ...]:
    """The constants of a fitted formula with 95 % intervals.

    With r the normalized residuals of the unit gradients, J their derivatives by the constants
    and sums over regions R of neighbouring rows, the covariance is the sandwich

        (J'J)^-1  sum_R (J_R' r_R) (J_R' r_R)'  (J'J)^-1

    which holds for rows of different noise, and for errors that neighbours have in common. It
    knows the scatter of this network's errors. It does not know an error that is the same
    everywhere: that takes several networks. Of another loss, rows weigh as they do in it, and J'J
    is replaced by its second differences over steps of a standard error.

    Args:
        expression: its numbers are the constants, simple ones too, but not its exponents. They
            are fitted here.
        field: rows that it was fitted on.
        signed: whether the opposite direction counts as different.
        seed: of the choice of regions.

    Returns:
        Constants by ascending value.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 2))
    >>> noisy = x * [2, 4] + rng.normal(0, 0.05, x.shape)
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> field = GradientField.from_gradients(x, noisy)
    >>> print(*constants(x1**2 + 2 * x2**2, field))
    1.998 +- 0.032 (shown as 2)

    Reference: White, Econometrica 48 (1980) 817; Liang and Zeger, Biometrika 73 (1986) 13.
    """
    shown: dict[float, sympy.Expr] = {}
    field = field.subset(FIT_ROWS)
    fit = ConstantFit(_released(expression, shown), field, signed=signed)
    if not len(fit.start):
        return ()
    best = fit.refined(fit.start)
    errors = _errors(fit, best, field, seed)
    simple = [shown.get(float(start)) for start in fit.start]
    return tuple(Constant(float(v), float(e), s) for v, e, s in zip(best, errors, simple))


# Stands in a sum for the term that was taken out of it.
_REST = sympy.Dummy("rest", real=True)


def _released(
    expression: sympy.Expr, shown: dict[float, sympy.Expr], scaled: bool = True
) -> sympy.Expr:
    """The expression with floats for its numbers; `shown` receives those that were simple.

    Where a factor around a sum does not change the concept (`scaled`), the sum keeps its smallest
    coefficient: all of them together have no values of their own.
    """
    if not expression.free_symbols or expression.is_Symbol:
        return expression
    if expression.is_Pow and expression.exp.is_number:
        return sympy.Pow(_released(expression.base, shown, scaled), expression.exp)
    if not (expression.is_Add or expression.is_Mul):
        return expression.func(*(_released(part, shown, False) for part in expression.args))
    if expression.is_Add and scaled:
        terms = [term for term in expression.args if term.free_symbols]
        split = [term.as_independent(*term.free_symbols, as_Add=False) for term in terms]
        kept = min(range(len(terms)), key=lambda k: abs(float(split[k][0])))
        coefficient, rest = split[kept]
        others = _released(sympy.Add(expression - terms[kept], _REST), shown, False) - _REST
        return coefficient * _released(rest, shown, False) + others
    parts = [_released(part, shown, scaled) for part in expression.args if not part.is_number]
    number = expression.func(*(part for part in expression.args if part.is_number))
    # A factor of -1 is a sign.
    if number != expression.func.identity and not (expression.is_Mul and number == -1):
        value = float(number)
        if not number.has(sympy.Float):
            shown[value] = number
        number = sympy.Float(value, 17)
    return expression.func(number, *parts)


def _errors(fit: ConstantFit, best: np.ndarray, field: GradientField, seed: int) -> np.ndarray:
    from scipy.stats import t

    regions = min(REGIONS, field.rows // ROWS_PER_REGION)
    count = len(best)
    unknown = np.full(count, np.inf)
    if regions <= count:
        return unknown
    steps = 1e-6 * np.maximum(np.abs(best), 1e-3)
    weights = fit.weights(best)
    residual = fit.residual(best, weights)
    slopes = []
    for step in np.diag(steps):
        ways = (fit.residual(constants, weights) for constants in (best + step, best - step))
        slopes.append(np.subtract(*ways) / (2 * step.sum()))
    jacobian = np.stack(slopes, axis=-1)
    if not np.isfinite(jacobian).all():
        return unknown
    # Constants of very different sizes are measured in units of their own.
    size = np.sqrt((jacobian**2).sum(axis=(0, 1)))
    if not (size > 0).all():
        return unknown
    jacobian = jacobian / size
    hessian = np.einsum("rvi,rvj->ij", jacobian, jacobian)
    if np.linalg.cond(hessian) > 1e12:
        return unknown
    label = _regions(field, regions, seed)
    pulls = np.zeros((regions, count))
    np.add.at(pulls, label, np.einsum("rvi,rv->ri", jacobian, residual))
    meat = pulls.T @ pulls * regions / (regions - count)

    def deviations(bread: np.ndarray) -> np.ndarray:
        # A constant that is known nearly exactly may have a variance of -0 by rounding.
        return np.sqrt(np.maximum(np.diag(bread @ meat @ bread), 0)) / size

    deviation = deviations(np.linalg.inv(hessian))
    for _ in range(0 if field.loss.is_squared else WIDENED):
        steps = np.maximum(deviation, steps)
        hessian = _curvature(fit, best, steps) / np.outer(size, size)
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            return unknown
        deviation = deviations(np.linalg.inv(hessian))
    return t.ppf((1 + CONFIDENCE) / 2, regions - count) * deviation


def _curvature(fit: ConstantFit, best: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Half the second differences of the mean of rho, over steps that smooth its kinks."""
    corners = [
        [best + i * one + j * other for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
        for one in np.diag(steps)
        for other in np.diag(steps)
    ]
    means = np.array([[fit.mean(corner) for corner in four] for four in corners])
    differences = (means @ [1, -1, -1, 1]).reshape(len(steps), -1)
    return differences / (8 * np.outer(steps, steps))


def _regions(field: GradientField, regions: int, seed: int) -> np.ndarray:
    """Number of the region of each row, by the nearest of randomly chosen rows."""
    from scipy.spatial import cKDTree

    width = np.ptp(field.points, axis=0)
    points = field.points / np.where(width > 0, width, 1.0)
    centres = np.random.default_rng(seed).choice(field.rows, regions, replace=False)
    return cKDTree(points[centres]).query(points)[1]
