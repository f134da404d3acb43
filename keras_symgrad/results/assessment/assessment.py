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


@dataclass(frozen=True, eq=False)
class Assessment:
    """Assessment of the formulas found so far, on rows kept apart.

    It may be made as often as the search finds something; the last one is the answer's.

    Attributes:
        front: Pareto front of formulas by complexity and loss on held-out rows.
        best: the front's best row, with simple constants where the loss does not notice.
        phi: the monotone function that wraps it; `None` for a field without values.
        value: the neuron's value in closed form; `None` for a classifier.
        rule: the decision rule; `None` for a neuron that decides nothing.
        cosine_error: mean of 1 - |cos| on held-out rows.
        boundary_error: the same near the decision boundary, if there is one.
        fidelity: how well phi(best) reproduces values or decisions on rows kept apart.
        matches: what may be promised of `best`.
        rivals: formulas with the same decision boundary and other gradients off it.
        alternatives: other formulas that held-out rows do not find worse.
        noise_floor: losses below it are not told apart.
        constants: of `best`, with their intervals.
        symmetries: that were asked for, with how well network and `best` keep them.
        box: lowest and highest value of each variable, `(2, variables)`.
        margin: by how much `best` is more than a concept must be.
    """

    front: ParetoFront
    best: Formula
    phi: MonotoneFit | None
    value: PhiFormula | None
    rule: Rule | None
    cosine_error: float
    boundary_error: float | None
    fidelity: Fidelity | None
    matches: Match
    rivals: tuple[Alternative, ...]
    alternatives: tuple[Alternative, ...]
    noise_floor: float
    constants: tuple[Constant, ...]
    symmetries: tuple[SymmetryCheck, ...]
    box: np.ndarray
    margin: Margin

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Values phi(best(x)) that are to be the neuron's, `(rows,)`; NaN where there is no phi."""
        return np.full(len(x), np.nan) if self.phi is None else self.phi(self.best(x))

    @property
    def headline(self) -> str:
        """The rule, or the formula where nothing is decided, for people."""
        return self.best.to_pretty() if self.rule is None else str(self.rule)

    @property
    def is_settled(self) -> bool:
        """True if the class is "concept" by a margin that a longer search would not close."""
        return self.matches == Match.CONCEPT and self.margin.is_wide
