"""Errors and losses of formulas on a gradient field."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from keras_symgrad.engine import gradient, nearest
from keras_symgrad.gradients.field import GradientField

# A mean difference between rows is significant at this many standard errors.
CERTAIN_STANDARD_ERRORS = 2.0
# Fewest rows for a standard error.
MIN_ROWS_FOR_STANDARD_ERROR = 10


def errors(expression: sympy.Expr, field: GradientField) -> np.ndarray:
    """1 - |cos| between the gradients of an expression and a field.

    Args:
        expression: in the field's variables.
        field: unit gradients.

    Returns:
        A number in [0, 1] for each row, `(rows,)`; 1 where either has no gradient.
    """
    found = []
    for block, directions in _blocks(expression, field):
        target = nearest(block.directions, directions)
        found.append(1 - np.minimum(np.abs(np.sum(directions * target, axis=1)), 1))
    return np.concatenate(found)


def losses(expression: sympy.Expr, field: GradientField, signed: bool = False) -> np.ndarray:
    """Contribution of each row of a field to the loss.

    For the squared loss it is the mean squared difference of the row's unit gradients, and the mean
    of all rows is the loss. For other losses the mean of all rows orders formulas as the loss does.

    Args:
        expression: in the field's variables.
        field: unit gradients with their weights.
        signed: whether the opposite direction counts as different.

    Returns:
        Losses of shape `(rows,)`.
    """
    signs = (1,) if signed else (1, -1)
    found = []
    for block, directions in _blocks(expression, field):
        target = nearest(block.directions, directions)
        found.append([np.sum((target - sign * directions) ** 2, axis=1) for sign in signs])
    weights = np.ones(field.rows) if field.weights is None else field.weights
    ways = weights / weights.mean() * field.loss.of(np.concatenate(found, axis=1))
    return min(ways, key=lambda way: float(way.mean())) / field.axes


def exceeds(other: np.ndarray, own: np.ndarray) -> bool:
    """Return whether losses on the same rows are significantly greater on average.

    Rows are paired: an error that a row causes for both formulas cancels.

        mean(d) > 2 std(d) / sqrt(rows),    d = other - own

    Args:
        other: losses of one formula, `(rows,)`.
        own: losses of another one on the same rows.

    Returns:
        The result of the test. With fewer than ten rows the means alone are compared.

    Example:

    >>> hard = np.random.default_rng(0).exponential(size=50)
    >>> exceeds(hard + 0.01, hard), exceeds(hard[::-1], hard)
    (True, False)
    """
    difference = other - own
    rows = len(difference)
    doubt = (
        CERTAIN_STANDARD_ERRORS * np.std(difference, ddof=1) / np.sqrt(rows)
        if rows >= MIN_ROWS_FOR_STANDARD_ERROR
        else 0.0
    )
    return bool(difference.mean() > doubt)


def _blocks(
    expression: sympy.Expr, field: GradientField
) -> Iterator[tuple[GradientField, np.ndarray]]:
    """Blocks of rows, with the directions of the expression's gradients there."""
    for block in field.blocks():
        yield block, block.directions_of(gradient(expression, field.names, block.points))
