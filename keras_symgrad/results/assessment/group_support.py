"""Select groups of variables that held-out rows support.

The search tries every group that its rows suggest, because a wrong one only costs some time. A
reported group is read as a fact, so it needs more evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from keras_symgrad.engine import gradient, unit
from keras_symgrad.expressions import symbol
from keras_symgrad.gradients import GradientField
from keras_symgrad.results.assessment.level_set_rivals import length
from keras_symgrad.search.spectral import Group

# Longest function of a group, see `level_set_rivals.length`: (x3 - x4)**2 + (x5 - x6)**2 has nine
# words.
LONGEST = 12
# Mean of 1 - |cos|, 8 degrees, of the partial derivatives on held-out rows.
LARGEST_ERROR = 0.01
# Least sum of the group's shares of the gradient over the rows.
FEWEST_ROWS = 50.0
# Number of reported groups, those of smallest error first.
MOST_TOLD = 4


def supported_groups(groups: Sequence[Group], held_out: GradientField) -> tuple[Group, ...]:
    """Select the groups that held-out rows support, with their errors there.

    Args:
        groups: candidates.
        held_out: rows on which no group was found.

    Returns:
        Groups of at least two variables with a short function, whose partial derivatives agree with
        the neuron's on the held-out rows as well; those of smallest error first.

    Example:

    >>> import sympy
    >>> x = np.random.default_rng(0).uniform(1, 2, (500, 3))
    >>> a, b, c = x.T
    >>> slope = np.exp(a - b)
    >>> field = GradientField.from_gradients(
    ...     x, np.stack([slope, -slope, c], axis=1), names=["a", "b", "c"]
    ... )
    >>> a, b, c = sympy.symbols("a b c", real=True)
    >>> found = [Group(("a", "b"), e, 0.0) for e in (a - b, a + b, sympy.cos(a))]
    >>> [group.expression for group in supported_groups(found, field)]
    [a - b]
    """
    field = held_out.column_by_column()
    if field is None:
        return ()
    told = []
    for group in groups:
        if len(group.expression.free_symbols) < 2 or length(group.expression) > LONGEST:
            continue
        error, rows = _error(group, field)
        if error <= LARGEST_ERROR and rows >= FEWEST_ROWS:
            told.append(replace(group, error=error))
    return tuple(sorted(told, key=lambda group: group.error)[:MOST_TOLD])


def _error(group: Group, field: GradientField) -> tuple[float, float]:
    """Mean of 1 - |cos| of the group's partial derivatives, and the effective rows."""
    columns = [k for k, name in enumerate(field.names) if name in group.variables]
    own = field.directions[:, columns]
    slopes = gradient(group.expression, field.names, field.points)
    found = field.directions_of(slopes)[:, columns]
    weights = (own**2).sum(axis=1)
    if field.weights is not None:
        weights = weights * field.weights / field.weights.mean()
    if not weights.any() or {symbol(n) for n in group.variables} != group.expression.free_symbols:
        return np.inf, 0.0
    cosines = np.abs(np.sum(unit(own) * unit(found), axis=1))
    return float(max(weights @ (1 - cosines) / weights.sum(), 0.0)), float(weights.sum())
