"""`Priors`: everything that a user knows of a formula before the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy

from keras_symgrad.priors.constraints import Constraints
from keras_symgrad.priors.dimensions import Dimensions
from keras_symgrad.priors.symmetries import Symmetry, check_symmetries


@dataclass(frozen=True)
class Priors:
    """Options of `interpret` for prior knowledge of the formula.

    Args:
        symmetries: that the concept is known to have, such as `Exchange("x1", "x2")`,
            `Even("x3")` or `Rotation("x", "y")`. The part of the network's gradients that breaks
            them is left out, and formulas that break them pay for it.
        constraints: `Constraints` on the shape of formulas: which operators may stand in which,
            how long arguments and how deep formulas may be.
        dimensions: units of the variables, such as `{"height": "m", "time": "s"}`, or `Dimensions`.
            Formulas without a dimension, such as height + time, are excluded.
        template: an outer form with free parts, such as `"f(x1, x2) + sin(g(x3))"`, each a
            function of the variables in its brackets.
        guesses: formulas to start from, as text or SymPy expressions.

    Raises:
        ValueError: a symmetry is of an unknown kind.

    Example:

    >>> Priors(dimensions={"height": "m", "time": "s"}, guesses=["height/time**2"]).template is None
    True
    """

    symmetries: Sequence[Symmetry] = ()
    constraints: Constraints | None = None
    dimensions: Dimensions | Mapping[str, str] | None = None
    template: str | None = None
    guesses: Sequence[str | sympy.Expr] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "symmetries", check_symmetries(self.symmetries))
