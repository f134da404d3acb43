"""`Match`: the class of a result, from concept to nothing."""

from __future__ import annotations

from enum import StrEnum


class Match(StrEnum):
    """Relation of a formula to a network; each value is a promise to the user.

    >>> Match("concept").promise.split(". ")[0]
    'The formula is what the network computes, up to an invertible function'
    >>> Match.NOTHING == "nothing", str(Match.BOUNDARY)
    (True, 'boundary')
    """

    CONCEPT = "concept"
    BOUNDARY = "boundary"
    APPROXIMATION = "approximation"
    NOTHING = "nothing"

    @property
    def is_exact(self) -> bool:
        """True if decisions by the formula are the network's: a concept or a boundary."""
        return self in (Match.CONCEPT, Match.BOUNDARY)

    @property
    def promise(self) -> str:
        """The promise of the value, in sentences for people."""
        return PROMISES[self]


PROMISES = {
    Match.CONCEPT: (
        "The formula is what the network computes, up to an invertible function. Its gradients "
        "are parallel to the network's wherever they were read, its values or decisions are the "
        "network's on held-out data, and no other formula that was compared does as well."
    ),
    Match.BOUNDARY: (
        "The formula has the network's decision boundary, but so have others that fit about as "
        "well. Trust which side of the boundary a point is on; do not take the formula for the "
        "quantity that the network computes."
    ),
    Match.APPROXIMATION: (
        "The formula is a faithful account of the network, as far as its fidelity says, but not "
        "what the network computes: the gradients differ by more than the network's own error, or "
        "longer formulas still explain what this one leaves open. Use it in the place of the "
        "network on data like these; do not read a law into it."
    ),
    Match.NOTHING: (
        "No simple formula fits this network. The one shown is the closest found and should not "
        "be used."
    ),
}
