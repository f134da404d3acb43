"""`Assessment`: the formulas of a search, the one that is chosen, and the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.results.assessment.margin import Margin
from keras_symgrad.results.assessment.match import Match

if TYPE_CHECKING:
    from keras_symgrad.formulas import (
        Fidelity,
        Formula,
        MonotoneFit,
        ParetoFront,
        PhiFormula,
        Rule,
    )
    from keras_symgrad.formulas.constants import Constant
    from keras_symgrad.results.assessment.evidence import Alternative
    from keras_symgrad.results.assessment.symmetry_checks import SymmetryCheck


@dataclass(frozen=True, eq=False, kw_only=True)
class Assessment:
    """Assessment of the formulas found so far, on rows kept apart.

    It may be made as often as the search finds something; the last one is the answer's.

    Attributes:
        front: Pareto front of formulas by complexity and loss on held-out rows.
        best: the front's best row, with simple constants where the loss hardly changes.
        phi: the monotone function around it, value = phi(best); `None` for a gradient field without
            values.
        value: the neuron's value as a formula, phi in closed form, with its R2 on held-out rows;
            `None` for a classifier, whose values have little meaning.
        rule: the decision rule; `None` for a neuron that is not a classifier.
        cosine_error: mean of 1 - |cos| between the gradients of `best` and of the neuron, on
            held-out rows.
        boundary_error: the same on the fifth of all rows that is nearest to the decision boundary;
            `None` for a neuron that is not a classifier.
        fidelity: how well phi(best) reproduces the neuron's values, or the rule its decisions, on
            held-out data rows; `None` for a gradient field without values.
        matches: relation of `best` to the network: "concept", "boundary", "approximation" or
            "nothing"; see `Match`.
        rivals: formulas with the same decision boundary and other gradients off it, and, for a
            network that is more than a degree off, look-alikes; those that the network
            distinguishes least come first.
        alternatives: other formulas that held-out rows do not show to be worse than `best`.
        noise_floor: losses below it are indistinguishable, by held-out rows of one network or by
            the disagreement of several.
        constants: of `best`, each with its fitted value, the 95 % interval and the number shown for
            it.
        symmetries: known ones, with the errors of network and `best`.
        box: lowest and highest value of each variable in the data, `(2, variables)`.
        margin: by how much `best` is more than a concept must be; `None` for a row chosen by hand
            and for a result that was read from a file.
    """

    front: ParetoFront
    best: Formula
    phi: MonotoneFit | None
    value: PhiFormula | None
    rule: Rule | None
    cosine_error: float
    boundary_error: float | None
    fidelity: Fidelity | None = None
    matches: Match
    rivals: tuple[Alternative, ...]
    alternatives: tuple[Alternative, ...]
    noise_floor: float
    constants: tuple[Constant, ...]
    symmetries: tuple[SymmetryCheck, ...] = ()
    box: np.ndarray
    margin: Margin | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", Match(self.matches))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Values phi(best(x)) that are to be the neuron's, `(rows,)`; NaN where there is no phi."""
        return np.full(len(x), np.nan) if self.phi is None else self.phi(self.best(x))

    @property
    def headline(self) -> str:
        """The rule, or the formula where nothing is decided, for people."""
        return self.best.to_pretty() if self.rule is None else str(self.rule)

    @property
    def is_settled(self) -> bool:
        """True if a longer search is not expected to change the class or the formula's concept.

        A "concept" is by a wide margin; a "boundary" where only rewritings of the formula's own
        level set fit as well, between which no search decides.
        """
        if self.margin is None or not self.matches.is_exact:
            return False
        is_concept = self.matches == Match.CONCEPT
        return self.margin.is_wide if is_concept else self.margin.fixes_boundary
