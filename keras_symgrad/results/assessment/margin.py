"""`Margin`: by how much a formula is more than what "concept" or "boundary" asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Degrees that a network's gradients may be off a formula that a longer search does not change.
# One that fits as well is then at most twice that apart, which is about the same concept.
SETTLED_ANGLE = 1.8
# Degrees that are rounding of float32, for gradients that come from elsewhere.
EXACT_ANGLE = 0.002
# The same for a boundary: the limit of a concept. The rest is the thickness of the slab, which a
# longer search does not change.
SETTLED_BOUNDARY_ANGLE = 2.5
# Shares that must be explained of values, and of decisions beyond what a constant explains.
SETTLED_VALUES = 0.985
SETTLED_DECISIONS = 0.95
# Nats of error that each unit of complexity must gain over every simpler row of the front.
SETTLED_NATS = 0.5
# The same for a boundary. Measured on 22 networks whose answer was one: no simpler row agreed with
# the five networks of E; 0.6 nats had a formula that the search replaced later.
SETTLED_BOUNDARY_NATS = 1.0
# Nats of error and length by which a rival must be worse. Measured on networks of smooth
# activations, eight seeds: 1.1 to 4.5 for x1**2 + 2*x2**2 and others that made the labels; at most
# -0.3 and 0.4 for x1*x2/r**2 and x1*x2 - r**2, which share a boundary, and 0.8 for x1 + x2 - 2*x3
# where (x1 + x2)/x3 made the labels.
MARGIN = 0.85
# The same for rivals that the search has found. Rewritings of the formula's own level set are
# fitted already: a longer search does not change them.
SETTLED_ADVANTAGE = 1.2
# How far the fits on two halves of the rows may be apart, as a share of the formula's own error.
SETTLED_HALVES = 0.25


@dataclass(frozen=True)
class Margin:
    """Distance of a formula from the limits of a concept, or of a boundary.

    Attributes:
        angle: degrees between its gradients and the network's, on rows kept apart.
        explained: share of values, or of decisions beyond a constant's, that it explains.
        steepness: least nats of error a unit of complexity that it gains over a simpler row.
        advantage: least nats of error and length by which a rival is worse.
        advantage_on_front: the same of the rivals that the search has found: other formulas that
            follow the boundary. The rest are rewritings of the formula's own level set.
        halves: mean of 1 - |cos| between its fits on two halves of the rows, as a share of its own.
        is_read: whether the gradients are a network's, and not from elsewhere.
        of_values: whether values are explained, and not decisions.

    Example:

    >>> Margin(0.4, 0.999, 1.1).is_wide, Margin(3.1, 0.999, 1.1).is_wide
    (True, False)
    """

    angle: float
    explained: float
    steepness: float = math.inf
    advantage: float = math.inf
    halves: float = 0.0
    advantage_on_front: float = math.inf
    is_read: bool = True
    of_values: bool = True

    @property
    def is_wide(self) -> bool:
        """True if the formula is beyond all limits by so much that a longer search adds nothing."""
        share = SETTLED_VALUES if self.of_values else SETTLED_DECISIONS
        return (
            self.angle <= (SETTLED_ANGLE if self.is_read else EXACT_ANGLE)
            and self.explained >= share
            and self.steepness >= SETTLED_NATS
            and self.advantage > MARGIN
            and self.advantage_on_front >= SETTLED_ADVANTAGE
            and self.halves <= SETTLED_HALVES
        )

    @property
    def fixes_boundary(self) -> bool:
        """True if no other formula comes near.

        No rewriting of its own level set fits better, and no other formula of the front follows
        the boundary as well. A longer search changed no such answer among the few networks that
        set these limits, and it may change others.
        """
        return (
            self.is_read
            and not self.of_values
            and self.angle <= SETTLED_BOUNDARY_ANGLE
            and self.explained >= SETTLED_DECISIONS
            and self.advantage >= 0
            and self.advantage_on_front >= SETTLED_ADVANTAGE
            and self.steepness >= SETTLED_BOUNDARY_NATS
            and self.halves <= SETTLED_HALVES
        )


def angle_error(degrees: float) -> float:
    """1 - |cos| of an angle.

    >>> round(angle_error(60.0), 12)
    0.5
    """
    return 1 - math.cos(math.radians(degrees))


def angle_of(error: float | np.ndarray) -> np.ndarray:
    """Angle in degrees of a 1 - |cos|, or of an array of them.

    >>> float(angle_of(0.5).round(12))
    60.0
    """
    return np.degrees(np.arccos(1 - np.minimum(error, 1.0)))
