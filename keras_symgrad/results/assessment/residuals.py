"""Separate noise from structure in the residuals of a formula.

Noise at one row is independent of the neighbouring rows; structure that a formula misses is a
function of the point, and can be predicted from its neighbours.
"""

from __future__ import annotations

import numpy as np
import sympy

from keras_symgrad.engine import gradient, nearest
from keras_symgrad.formulas import ParetoFront
from keras_symgrad.gradients import GradientField

# Rows used for neighbours: an eigenvalue problem of this size takes 0.1 s.
MOST_ROWS = 600
# Widths of the kernel in standard deviations of the rows, and ridges added to its diagonal.
WIDTHS = (0.7, 2.0, 6.0)
RIDGES = (1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0)
# A gain of prediction is significant at this many standard errors.
CERTAIN = 3.0
# A formula with a larger predictable share of its residuals misses structure.
STRUCTURED = 0.2


def residuals(expression: sympy.Expr, field: GradientField) -> np.ndarray:
    """Residuals of unit gradients after those of an expression, with the better sign of each row.

    Args:
        expression: in the field's variables.
        field: unit gradients.

    Returns:
        Differences `(rows, axes)`; zero where they are parallel.
    """
    found = field.directions_of(gradient(expression, field.names, field.points))
    target = nearest(field.directions, found)
    sign = np.where(np.sum(found * target, axis=1) < 0, -1.0, 1.0)
    return target - sign[:, None] * found


def predictable(left: np.ndarray, points: np.ndarray) -> float:
    """Share of residuals that the residuals of other rows predict.

    Each row is predicted from all others by kernel ridge regression on the points, with the best
    width and ridge:

        1 - sum |r - r_predicted|^2 / sum |r|^2

    Args:
        left: residuals, `(rows, axes)`.
        points: `(rows, variables)`.

    Returns:
        A number in [0, 1]: 0 if the prediction is no better than chance, near 1 for a smooth
        function of the point.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 3))
    >>> predictable(np.sin(3 * x[:, :1]) * x[:, 1:], x) > 0.95
    True
    >>> predictable(rng.normal(size=(500, 2)), x)
    0.0
    """
    size = np.sum(left**2, axis=1)
    rows = np.flatnonzero(np.isfinite(size))[:MOST_ROWS]
    left, points, size = left[rows], points[rows], size[rows]
    if len(rows) < 10 or not size.any():
        return 0.0
    scale = points.std(axis=0)
    z = (points - points.mean(axis=0))[:, scale > 0] / scale[scale > 0]
    squares = np.sum(z**2, axis=1)
    distance = np.maximum(squares[:, None] + squares - 2 * z @ z.T, 0) / max(z.shape[1], 1)
    best = size
    for width in WIDTHS:
        spectrum, axes = np.linalg.eigh(np.exp(-distance / (2 * width**2)))
        across = axes.T @ left
        for ridge in RIDGES:
            shrunk = ridge / (np.maximum(spectrum, 0) + ridge)
            # The error at a row of the fit without it follows from the fit to all rows.
            own = np.maximum((axes**2) @ shrunk, 1e-12)
            missed = np.sum(((axes * shrunk) @ across / own[:, None]) ** 2, axis=1)
            if missed.sum() < best.sum():
                best = missed
    gain = size - best
    if gain.mean() <= CERTAIN * gain.std(ddof=1) / np.sqrt(len(gain)):
        return 0.0
    return float(gain.sum() / size.sum())


def without_structure(front: ParetoFront, field: GradientField) -> ParetoFront:
    """Exclude formulas that miss structure, where the formula of lowest loss leaves only noise.

    A network's own errors are smooth, and a longer formula may fit them, so that it must be better
    by far. Independent noise is fitted by no short formula: structure in residuals is the truth's.

    Args:
        front: the formulas.
        field: unit gradients.

    Returns:
        The front, without trust in formulas that are no longer than one whose residuals are
        predictable by a fifth, if it would be the best; unchanged if residuals of the formula of
        lowest loss are predictable.
    """
    trusted = list(filter(front.agrees_with_network, front))
    if front.best is trusted[-1] or _share(trusted[-1].expression, field) > 0:
        return front
    found = front
    while found.best is not trusted[-1] and _share(found.best.expression, field) > STRUCTURED:
        trusted = [row for row in trusted if row.complexity > found.best.complexity]
        found = ParetoFront(front, front.floor, trusted)
    return found


def _share(expression: sympy.Expr, field: GradientField) -> float:
    return predictable(residuals(expression, field), field.points)
