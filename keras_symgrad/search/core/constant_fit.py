"""Least-squares fit of the constants of one formula in float64.

The search refines constants of thousands of trees in float32; the constants of the few reported
formulas are fitted here, with exact derivatives of the SymPy expression.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from keras_symgrad.engine import in_frame, nearest, unit
from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import differentiate, numpy_function
from keras_symgrad.gradients import GradientField

# Number of randomly chosen rows on which constants are fitted: more rows do not improve them,
# because a network's constants are less exact.
FIT_ROWS = 20_000
# Rounds of reweighting rows for losses that are not squared, and the relative decrease of the loss
# below which they end.
MAX_REWEIGHTINGS = 20
RELATIVE_CONVERGENCE = 1e-4


class ConstantFit:
    """The constants of an expression as parameters of its loss on a gradient field.

    Attributes:
        parameters: SymPy symbols for the constants, which ascend.
        start: constants of the expression, `(constants,)`.
        field: rows of the fit.

    Args:
        expression: its floats are the constants; whole numbers and fractions are not.
        field: unit gradients to match; on 20,000 rows if there are more.
        signed: whether the opposite direction counts as different.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> field = GradientField.from_gradients(x, gradients=x * [2, 4])
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> fit = ConstantFit(x1**2 + 1.7 * x2**2, field)
    >>> fit.expression(fit.refined(fit.start))
    x1**2 + 2.0*x2**2
    """

    def __init__(self, expression: sympy.Expr, field: GradientField, *, signed: bool = False):
        floats = sorted(expression.atoms(sympy.Float), key=float)
        self.parameters = [sympy.Symbol(f"constant{k}", real=True) for k in range(len(floats))]
        self.start = np.array([float(value) for value in floats])
        self._form = expression.xreplace(dict(zip(floats, self.parameters)))
        field = field.subset(FIT_ROWS)
        occurring = [symbol(name) in expression.free_symbols for name in field.names]
        # A formula moves only along the axes of its own variables, which may be few of many.
        self._points = field.points[:, occurring]
        frame = np.eye(field.variables) if field.frame is None else field.frame
        self._frame = frame[..., occurring]
        variables = [symbol(n) for n, occurs in zip(field.names, occurring) if occurs]
        self._value_and_gradient = numpy_function(
            [self._form, *(differentiate(self._form, variable) for variable in variables)],
            [*variables, *self.parameters],
        )
        self.field, self._signed = field, signed
        weights = np.ones(field.rows) if field.weights is None else field.weights
        self._rows = weights / weights.sum()

    def expression(self, constants: np.ndarray | list[Any]) -> sympy.Expr:
        """The expression with these constants, numbers or SymPy numbers."""
        numbers = [c if isinstance(c, sympy.Expr) else sympy.Float(float(c)) for c in constants]
        return self._form.xreplace(dict(zip(self.parameters, numbers)))

    def values(self, constants: np.ndarray) -> np.ndarray:
        """Values of the expression at the rows, `(rows,)`."""
        return self._numbers(constants)[:, 0]

    def loss(self, constants: np.ndarray) -> float:
        """The field's loss of the unit gradients; infinite if a row has no finite value."""
        distances = self._distances(self._apart(constants))
        if not np.isfinite(distances).all():
            return np.inf
        return self.field.loss.average(distances, self._rows) / self.field.axes

    def mean(self, constants: np.ndarray) -> float:
        """The mean of rho, divided by the axes: its slope is twice that of `residual`."""
        distances = self._distances(self._apart(constants))
        return float(self._rows @ self.field.loss.of(distances)) / self.field.axes

    def refined(
        self,
        constants: np.ndarray,
        moved: np.ndarray | None = None,
        *,
        precision: float = 1e-14,
    ) -> np.ndarray:
        """Find the constants at the nearest minimum of the loss.

        Args:
            constants: to start from.
            moved: mask of the constants that may move; all by default.
            precision: relative, of the loss.

        Returns:
            Constants whose loss is not higher.
        """
        from scipy.optimize import least_squares

        moved = np.ones(len(constants), bool) if moved is None else moved
        if not moved.any() or not np.isfinite(self.loss(constants)):
            return constants
        result = constants.copy()

        def moved_residual(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
            result[moved] = values
            residual = self.residual(result, weights)
            # A step into a region without values is a bad step, not an error.
            return np.nan_to_num(residual, nan=1.0, posinf=1.0, neginf=1.0).ravel()

        best, least = constants, self.loss(constants)
        for _ in range(1 if self.field.loss.is_squared else MAX_REWEIGHTINGS):
            fit = least_squares(
                moved_residual,
                best[moved],
                args=(self.weights(best),),
                x_scale="jac",
                ftol=precision,
                xtol=max(precision, 1e-12),
                gtol=1e-14,
                max_nfev=30,
            )
            result[moved] = fit.x
            before, loss = least, self.loss(result)
            if loss <= least:
                best, least = result.copy(), loss
            if loss >= (1 - RELATIVE_CONVERGENCE) * before:
                break
        return best

    def weights(self, constants: np.ndarray) -> np.ndarray:
        """Weights of the rows with which squares have the slope of the field's loss, `(rows,)`."""
        return self._rows * self.field.loss.weights(self._distances(self._apart(constants)))

    def residual(self, constants: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Residuals of the unit gradients, `(rows, axes)`.

        Args:
            constants: values of the constants.
            weights: of the rows; by default those of the loss at these constants. For the squared
                loss the squares then add up to the loss.
        """
        apart = self._apart(constants)
        if weights is None:
            weights = self._rows * self.field.loss.weights(self._distances(apart))
        return np.sqrt(weights / self.field.axes)[:, None] * apart

    def _numbers(self, constants: np.ndarray) -> np.ndarray:
        """Values and partial derivatives at the rows, `(rows, 1 + variables)`."""
        columns = np.broadcast_to(constants, (self.field.rows, len(constants)))
        return self._value_and_gradient(np.concatenate([self._points, columns], axis=1))

    @staticmethod
    def _distances(apart: np.ndarray) -> np.ndarray:
        return (apart**2).sum(axis=1)

    def _apart(self, constants: np.ndarray) -> np.ndarray:
        """Differences of the unit gradients, `(rows, axes)`, for the better sign."""
        field = self.field
        numbers = self._numbers(constants)
        # The logarithm of a negative number has a gradient, but no value.
        if not np.isfinite(numbers).all():
            return np.full((field.rows, field.axes), np.inf)
        candidate = unit(in_frame(numbers[:, 1:], self._frame))
        target = nearest(field.directions, candidate)
        apart = candidate - target
        if self._signed:
            return apart
        return min(
            apart,
            candidate + target,
            key=lambda way: float(self._rows @ field.loss.of(self._distances(way))),
        )
