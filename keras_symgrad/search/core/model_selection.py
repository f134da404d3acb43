"""Model selection: choose one formula of a Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# A step up in complexity must lower the log-loss by this much for each unit to count. The truth is
# reached by a drop of a nat or more a unit; later rows fit the network's own errors at a tenth of a
# nat a unit.
NATS_PER_UNIT = 0.4
# As long as a formula misses by more than this (1 - |cos|), some structure is still unexplained,
# and a longer formula needs a smaller gain.
POOR_FIT = 1e-2
NATS_PER_UNIT_OF_POOR_FIT = 0.05
# The error (1 - |cos|) below which formulas of a classifier are equally good. Labels do not fix its
# gradients better: on 40 networks the truth's own error was between 4e-6 and 6e-3.
FINEST_OF_LABELS = 5e-6
# Losses below this are rounding errors and count as equal.
SMALLEST_LOSS = 1e-10


def scores(
    complexities: Sequence[float],
    losses: Sequence[float],
    floor: float = SMALLEST_LOSS,
    nats: float = NATS_PER_UNIT,
) -> np.ndarray:
    """Log-loss plus the price of complexity; the lowest score is the choice."""
    losses = np.maximum(np.asarray(losses, float), max(floor, SMALLEST_LOSS))
    return np.log(losses) + nats * np.asarray(complexities, float)


def choose_model(
    complexities: Sequence[float],
    losses: Sequence[float],
    floor: float = SMALLEST_LOSS,
    poor: float = np.inf,
) -> int:
    """Choose the row after the last steep drop of log-loss.

    On the lower hull of the front, in the plane of complexity and log-loss, it is the last corner
    that is reached by a slope steeper than 0.4 a unit of complexity: rows beyond it, near the
    floor, gain too little.

        argmin of log(loss) + 0.4 complexity

    Where the row so chosen fits poorly, 0.05 a unit is enough: noise limits the gain of longer
    formulas as well as of the true one, but too simple a formula does not.

    Args:
        complexities: of the rows.
        losses: of the rows.
        floor: losses below it are noise and count as equal, so that the simplest of these rows
            is the best of them.
        poor: losses above it count as a poor fit.

    Returns:
        An index.

    Raises:
        ValueError: there are no rows.

    Example: a published front, where the truth is the third row of five.

    >>> choose_model([5, 9, 14, 16, 18], [5.0e-2, 2.6e-2, 3.7e-4, 2.5e-4, 1.9e-4])
    2

    The same with noise that hides all differences beyond the first step.

    >>> choose_model([5, 9, 14, 16, 18], [5.0e-2, 2.6e-2, 3.7e-4, 2.5e-4, 1.9e-4], floor=2e-2)
    0

    Reference: Wetzel, arXiv 2401.04978, table of fronts.
    """
    if len(losses) == 0:
        raise ValueError("There is no row to choose from.")
    choice = int(np.argmin(scores(complexities, losses, floor)))
    if losses[choice] > poor:
        choice = int(np.argmin(scores(complexities, losses, floor, NATS_PER_UNIT_OF_POOR_FIT)))
    return choice
