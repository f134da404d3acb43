"""The threshold of a classifier in values of its concept, with its interval."""

from __future__ import annotations

import math

import numpy as np
import sympy

from keras_symgrad.formulas.constants.profiles import intervals
from keras_symgrad.formulas.constants.regions import squared_pulls
from keras_symgrad.formulas.constants.uncertainty import Constant
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.core import ConstantFit

# Share of the rows, those nearest to the decision boundary, from which the threshold is read.
NEAR_THRESHOLD_SHARE = 0.3


def threshold_interval(
    expression: sympy.Expr,
    field: GradientField,
    threshold: float,
    *,
    signed: bool = False,
    seed: int = 0,
) -> Constant:
    """The threshold of a rule with its 95 % interval.

    A formula that has exactly the network's boundary is constant along it. With f the logits of
    the rows nearest to the boundary, c is read off

        g = c + b f + e

    and its error is that of sums of e over regions of neighbouring rows, as for constants. The
    threshold depends on the formula's constants: at each end of the interval of each float c is
    read again, and these changes are added in squares.

    Args:
        expression: g; its floats are uncertain, its whole numbers and fractions are not.
        field: rows of the fit, with the classifier's logits as values.
        threshold: c.
        signed: whether the opposite direction counts as different.
        seed: of the choice of regions.

    Returns:
        A `Constant`; open if one of the formula's constants is, or where too few rows are near.

    Example: a boundary that is nearly an ellipse.

    >>> x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    >>> logit = x[:, 0] ** 2 + 2 * x[:, 1] ** 2 - 1 + 0.05 * np.sin(5 * x[:, 0])
    >>> field = GradientField.from_gradients(x, x * [2, 4], values=logit)
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> found = threshold_interval(x1**2 + 2 * x2**2, field, 1.0)
    >>> found.holds(1.0), found.holds(1.1)
    (True, False)
    """
    fit = ConstantFit(expression, field, signed=signed)
    logits = fit.field.known_values
    near = np.abs(logits) <= np.quantile(np.abs(logits), NEAR_THRESHOLD_SHARE)
    near = np.flatnonzero(near & np.isfinite(fit.values(fit.start)))
    if np.unique(logits[near]).size < 2:
        return Constant(threshold)
    design = np.stack([np.ones(len(near)), logits[near] / np.abs(logits[near]).max()], axis=1)
    inverse = np.linalg.inv(design.T @ design)

    def line(constants: np.ndarray) -> np.ndarray:
        return inverse @ (design.T @ fit.values(constants)[near])

    # The formula as it is shown, not as it fits best.
    own = line(fit.start)
    errors = fit.values(fit.start)[near] - design @ own
    pulls = design * errors[:, None]
    found = squared_pulls(fit.field.points[near], errors[:, None], pulls, seed)
    if found is None:
        return Constant(threshold)
    below = above = (inverse @ found[0] @ inverse)[0, 0]
    if len(fit.start):
        ends = intervals(fit, seed=seed).ends
        moved = np.array([[line(constants)[0] for constants in side] for side in ends]) - own[0]
        if not np.isfinite(moved).all():
            return Constant(threshold)
        # The lower end of a constant may belong to the higher threshold.
        below += (np.clip(-moved, 0, None).max(axis=0) ** 2).sum()
        above += (np.clip(moved, 0, None).max(axis=0) ** 2).sum()
    return Constant(threshold, threshold - math.sqrt(below), threshold + math.sqrt(above))
