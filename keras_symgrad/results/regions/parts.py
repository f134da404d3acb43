"""Parts of a neuron's data, each with what was found on its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy

from keras_symgrad.engine import gradient, unit
from keras_symgrad.expressions import to_sympy
from keras_symgrad.formulas import Formula, ScaledFormula
from keras_symgrad.gradients import GradientField, Reading, errors
from keras_symgrad.results.assessment import Assessment, FormulaRefiner, angle_of
from keras_symgrad.results.regions.conditions import Comparison, Condition
from keras_symgrad.results.regions.growth import EXPLAINED_ERROR
from keras_symgrad.results.regions.regions import Region
from keras_symgrad.search.core import Archive


@dataclass(frozen=True, eq=False)
class Sketch:
    """A condition with what a quick search found on its rows.

    Attributes:
        core: the condition.
        reading: of the network on its rows, in the user's units.
        refiner: with its rows, in the units of the search.
        archive: the formulas.
    """

    core: Condition
    reading: Reading
    refiner: FormulaRefiner
    archive: Archive

    @cached_property
    def explained(self) -> float:
        """The largest share of the held-out rows that one of the formulas explains."""
        operators, held_out = self.refiner.alphabet.operators, self.refiner.held_out
        shares = [
            np.mean(errors(to_sympy(found.tree, operators), held_out) <= EXPLAINED_ERROR)
            for found in self.archive.front()
        ]
        return float(max(shares, default=0.0))


@dataclass(frozen=True, eq=False)
class Part:
    """A condition with the assessment of its formula."""

    where: Condition
    core: Condition
    assessment: Assessment

    @property
    def value(self) -> Formula | None:
        """The value as a formula, or what is positive where a classifier says yes."""
        found = self.assessment
        if found.value is not None:
            return found.value.value
        rule = found.rule
        if rule is None:
            return None
        sign, threshold = 1 if rule.direction == ">" else -1, sympy.Float(rule.threshold)
        return rule.formula.rewritten(lambda g: sign * (g - threshold))

    def cosines(self, field: GradientField) -> np.ndarray:
        """Between the gradients of phi(formula) and a field, `(rows,)`."""
        phi = self.assessment.phi
        if phi is not None:
            sign = 1 if phi.rising else -1
            return sign * cosines_of(self.assessment.best, field)
        cosines = cosines_of(self.assessment.best, field)
        inside = self.core.holds(field.points, field.names)
        return cosines * (1 if np.nansum(cosines[inside]) >= 0 else -1)

    def moved(self, quantity: sympy.Expr, cut: float, place: float) -> Part:
        """The part with a threshold moved to another place."""

        def moved(one: Comparison) -> Comparison:
            if one.quantity != quantity:
                return one
            low, high = (place if end == cut else end for end in (one.low, one.high))
            return replace(one, low=low, high=high)

        alternatives = tuple(tuple(map(moved, found)) for found in self.where.alternatives)
        return replace(self, where=Condition(alternatives))

    def region(self, share: float, explained: float) -> Region:
        """The part as a region, with what held-out rows say of it."""
        found = self.assessment
        return Region(
            self.where,
            found.best,
            self.value,
            found.matches,
            self.core,
            share,
            explained,
            float(angle_of(found.cosine_error)),
            found.fidelity,
        )


def without(field: GradientField, normals: np.ndarray) -> GradientField:
    """A field without the derivatives along some directions.

    Args:
        field: any.
        normals: the directions, orthonormal in the variables, `(directions, variables)`.
    """
    frame = np.eye(field.variables) if field.frame is None else field.frame
    if not len(normals) or frame.ndim == 3 or field.directions.ndim == 3:
        return field
    gradients = field.directions @ np.linalg.pinv(frame).T
    frame = frame - (frame @ normals.T) @ normals
    return replace(field, frame=frame, directions=unit(gradients @ frame.T))


def cosines_of(formula: Formula, field: GradientField) -> np.ndarray:
    """Cosines between the gradients of a formula and a field, in the user's units, `(rows,)`."""
    expression = formula.expression
    if isinstance(formula, ScaledFormula):
        # Around 1e6 the gradient of an expression in the user's units loses digits.
        expression, field = formula.own, formula.units.field(field)
    directions = field.directions_of(gradient(expression, field.names, field.points))
    return np.asarray(np.sum(directions * field.directions, axis=1))
