"""Evidence that a neuron switches from one formula to another, and is not a single one.

A single formula that the search has not found yet can be approximated by one formula on either side
of a threshold, and where it is steep it looks like a switch. What tells them apart was measured at
128 networks of 32 such formulas and at 16 of switches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_symgrad.gradients import GradientField
from keras_symgrad.results.regions.growth import EXPLAINED_ERROR
from keras_symgrad.results.regions.parts import Part

# Share of the held-out rows of a part's core that its formula explains, and that the other one may.
# Measured: 0.91 to 0.995 and 0 to 0.05 for switches.
MIN_EXPLAINED = 0.9
MAX_EXPLAINED_BY_OTHER = 0.2
# Difference between the values of the two formulas at the switch, in spreads of the values: where a
# formula has a kink, or is smooth, there is little.
MIN_JUMP = 0.5
# R2 of the values over all rows. Measured: 0.97 to 0.996 for switches, 0.85 to 0.88 for a pair of
# formulas with a pole at the threshold, in the place of arctan(8*c).
MIN_R2 = 0.97
# Largest distance of a value from its formula, as a share of the difference between the two
# formulas, and largest share of rows beyond it. Measured: 0.02 to 0.045 for switches, 0.04 to
# 0.05 for a*tanh(10*c) + b**2, for which a longer search had a single formula, and more for less
# steep ones. Networks of tanh(20*c) are like switches.
AT_FORMULA = 0.15
MAX_BETWEEN = 0.035


def is_switch(parts: Sequence[Part], train: GradientField, held_out: GradientField) -> bool:
    """Return whether a network has one formula or the other at nearly every row.

    Args:
        parts: two, which cover all points.
        train: rows that formulas were fitted to, with values.
        held_out: the other rows.
    """
    near = np.stack([1 - part.cosines(held_out) for part in parts]) <= EXPLAINED_ERROR
    for own, other, part in zip(near, near[::-1], parts):
        core = part.core.holds(held_out.points, held_out.names)
        if own[core].mean() < MIN_EXPLAINED or other[core].mean() > MAX_EXPLAINED_BY_OTHER:
            return False
    names = train.names
    points = np.concatenate([train.points, held_out.points])
    values = np.concatenate([train.known_values, held_out.known_values])
    first, second = (part.assessment.predict(points) for part in parts)
    is_first = parts[0].where.holds(points, names)
    own, other = np.where(is_first, [first, second], [second, first])
    if not np.mean((values - own) ** 2) <= (1 - MIN_R2) * values.var():
        return False
    jump = np.abs(own - other) / values.std()
    at_switch = ~(parts[0].core.holds(points, names) | parts[1].core.holds(points, names))
    if not at_switch.any() or not np.median(jump[at_switch]) >= MIN_JUMP:
        return False
    far = jump >= MIN_JUMP
    between = np.abs(values - own)[far] > AT_FORMULA * np.abs(own - other)[far]
    return bool(between.mean() <= MAX_BETWEEN)
