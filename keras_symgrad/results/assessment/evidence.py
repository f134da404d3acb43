"""Evidence for a formula: concept, boundary, approximation or nothing.

The labels of a classifier fix one level set of a concept. All formulas that share it are rivals,
and only the thickness of the slab on which the network was read distinguishes them. The residual of
a formula is the network's own error, noise, or structure that the formula misses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from keras_symgrad.engine import gradient, in_frame, unit
from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.files import Record
from keras_symgrad.formulas import R2, Fidelity, Formula, MonotoneFit
from keras_symgrad.formulas.constants import simple_numbers
from keras_symgrad.gradients import CERTAIN_STANDARD_ERRORS, GradientField, errors, exceeds, losses
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.level_set_rivals import length, level_set_rivals
from keras_symgrad.results.assessment.look_alikes import look_alikes
from keras_symgrad.results.assessment.margin import MARGIN, Margin, angle_error, angle_of
from keras_symgrad.results.assessment.match import Match
from keras_symgrad.results.assessment.residuals import predictable, residuals
from keras_symgrad.search.core import FINEST_OF_LABELS, NATS_PER_UNIT, ConstantFit

# Formulas closer than this, mean of 1 - |cos| on the domain, are the same concept.
SAME_CLASS = 2e-3
# Mean angle in degrees accepted between a network's gradients and a concept's, and a boundary's.
# Measured with `scripts/benchmarks/benchmark_truth.py`: 0.1 to 2.3 on networks that had learned
# formulas, 2.6 to 6 on those that had learned them incompletely, where 4 of 12 answers were of
# another class, and 14 and more on most networks without one.
NETWORK_ANGLE = 2.5
BOUNDARY_ANGLE = 7.0
# Degrees of rounding error for gradients from elsewhere.
ROUNDING_ANGLE = 0.5
# Largest angle in degrees of a formula for noisy directions, noise included.
NOISY_ANGLE = 20.0
# Share of decisions, beyond a constant's, that a concept or a boundary must explain.
EXPLAINED_DECISIONS = 0.9
# Least R2 of phi for a concept.
EXPLAINED_VALUES = 0.97
# Least share of decisions, and least R2, of an approximation.
FAITHFUL = 0.7
# Share of a smooth difference between formulas that neighbouring rows must predict; below it the
# rows are too few to separate noise from structure.
POWER = 0.3
# A longer formula shows that something is missing if it gains this many nats of error a unit of
# complexity, and this factor of error, from this error in degrees on.
MISSING_NATS = 0.25
MISSING_FACTOR = 3.0
OWN_ANGLE = 1.0
# Share of the rows that are nearest to the decision boundary.
NEAR_BOUNDARY_SHARE = 0.2
# A simpler formula is as good at the boundary up to this multiple of the chosen one's error there.
AS_GOOD = 2.0
# Largest ratio of a concept's error on the whole slab to that on the rows nearest to the boundary.
THICKNESS = 3.0
# Largest relative deviation of a simple threshold of a rival from that of the network, and share of
# the domain that it may cost.
NEAR = 0.03
# Angles below this are rounding errors.
SMALLEST_ERROR = 1e-10
# Share of the domain on which a divisor keeps its sign.
CERTAIN_SIGN = 0.99
# Largest number of fitted rivals, and of domain points on which classes are compared.
MOST_RIVALS = 12
DOMAIN_ROWS = 2000
# Largest number of look-alikes, and of the rows that they are fitted on first. Those that come near
# are then fitted on all rows.
MOST_LOOK_ALIKES = 60
SCREENED_ROWS = 300
# Largest ratio of a look-alike's error to the formula's, and smallest distance between the two as a
# multiple of that error. Measured on 90 networks that had been trained briefly: 1.1 to 5.7 and 3 to
# 5 where the formula was of another class than the labels' own; 22 and more for a network of D that
# had learned it.
ALIKE = 8.0
APART = 2.0


@dataclass(frozen=True)
class Alternative:
    """Another formula, compared with the chosen one.

    Attributes:
        formula: the other one.
        loss_ratio: its loss on the held-out rows, divided by that of the chosen one.
        error_ratio: the ratio of the medians of 1 - |cos| on all rows, which is robust to outliers.
        worse_rows: share of all rows on which its error is larger.
        longer: additional words, see `level_set_rivals.length`, less those of the chosen formula's
            threshold where that of a longer rival is 0.
        class_distance: mean of 1 - |cos| between the gradients of the two on the data's domain.
        same_boundary: whether its form implies the chosen one's decision boundary.
    """

    formula: Formula
    loss_ratio: float
    error_ratio: float
    worse_rows: float
    longer: int
    class_distance: float
    same_boundary: bool = False

    def __str__(self) -> str:
        return (
            f"{self.formula.to_pretty()}   ({self.loss_ratio:.3g} times the loss, "
            f"1 - |cos| = {self.class_distance:.1e} apart)"
        )

    def to_dict(self) -> dict[str, Any]:
        """The formula and the numbers as plain data."""
        return {
            **self.formula.to_dict(),
            "loss_ratio": self.loss_ratio,
            "error_ratio": self.error_ratio,
            "worse_rows": self.worse_rows,
            "longer": self.longer,
            "class_distance": self.class_distance,
            "same_boundary": self.same_boundary,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Alternative:
        """Read a formula and its comparison from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: they are something else.
        """
        record = Record.of(content)
        return cls(
            Formula.from_dict(record, names),
            record.number("loss_ratio", math.nan),
            record.number("error_ratio", math.nan),
            record.number("worse_rows", math.nan),
            record.whole("longer", -(2**31)),
            record.number("class_distance", math.nan),
            record.flag("same_boundary"),
        )


class Evidence:
    """Comparison of the chosen formula with others, row by row.

    Args:
        best: the chosen formula.
        finisher: refiner that made it, with the rows of its fit and its measurement.
        field: all these rows. Rivals have as many constants as the chosen formula or one more, so
            no held-out rows are needed to compare them.
        domain: points of the data, `(rows, variables)`, where classes are compared. Coordinates
            that change from row to row are known only on the field's rows, which are then used.
        threshold: g at a classifier's boundary; `None` for a neuron that is not a classifier.
        fidelity: how well the formula reproduces the neuron's values or decisions on held-out rows;
            `None` for a field without values.
        front: formulas from the search that may be chosen, this one's form among them.
    """

    def __init__(
        self,
        best: Formula,
        finisher: FormulaRefiner,
        field: GradientField,
        domain: np.ndarray,
        threshold: float | None,
        fidelity: Fidelity | None = None,
        front: Sequence[Formula] = (),
    ):
        self.best, self.threshold, self.fidelity, self.front = best, threshold, fidelity, front
        self._finisher, self._field = finisher, field
        is_known = field.frame is None or field.frame.ndim == 2
        domain = domain if is_known else field.points
        self._domain = domain[np.flatnonzero(np.isfinite(domain).all(axis=1))[:DOMAIN_ROWS]]
        frame = field.frame
        self._frame = frame if is_known or frame is None else frame[: len(self._domain)]
        self._known: dict[sympy.Expr, np.ndarray] = {}
        self._errors = self._errors_of(best)

    @property
    def cosine_error(self) -> float:
        """Mean of 1 - |cos| to the neuron on all rows."""
        return float(np.average(self._errors, weights=self._field.weights))

    @cached_property
    def boundary_error(self) -> float | None:
        """The same on the fifth of the rows that is nearest to the decision boundary."""
        return None if self.threshold is None else float(self._errors[self._nearest].mean())

    @cached_property
    def rivals(self) -> tuple[Alternative, ...]:
        """Fit formulas with the same decision boundary and other gradients off it, and look-alikes.

        The first are derived from the chosen formula, and from the simplest one of the front with
        as good a boundary: a long formula may hide a short one. Where the boundary bends little,
        sums of any words follow it, so formulas of the front with as good a boundary are rivals
        too. The rivals that the rows distinguish least come first.
        """
        compared = [*self._look_alikes(), *self._sharing_the_boundary()]
        # Different divisors may give the same quotient.
        found = {str(rival.formula): rival for rival in compared}
        return tuple(sorted(found.values(), key=self._advantage))

    def _look_alikes(self) -> list[Alternative]:
        """Compare other formulas that a network may have been taught which is a degree off.

        A network that was trained briefly computes something between the formula of its labels and
        others. Those of the front are compared, and those with one function exchanged, because the
        front has one formula for each complexity.
        """
        is_doubtful = angle_error(OWN_ANGLE) < self.cosine_error <= angle_error(NETWORK_ANGLE)
        if not (self._field.is_read and is_doubtful):
            return []
        few = self._finisher.train.subset(SCREENED_ROWS)
        most = ALIKE * np.median(errors(self.best.expression, few))
        formulas = [row for row in self.front if row.expression != self.best.expression]
        forms = look_alikes(self.best.expression, self._finisher.alphabet.operators)
        for form in forms[:MOST_LOOK_ALIKES]:
            fit = ConstantFit(form, few, signed=self._finisher.signed)
            expression = fit.expression(fit.refined(fit.start, precision=1e-6))
            if np.median(errors(expression, few)) <= most:
                formulas += filter(None, [self._finisher.fitted(form)])
        return [
            other
            for other in map(self.compare, formulas)
            if other.error_ratio <= ALIKE and other.class_distance > APART * self.cosine_error
        ]

    def _sharing_the_boundary(self) -> list[Alternative]:
        """Compare formulas with the same decision boundary and other gradients off it."""
        if self.threshold is None:
            return []
        forms = self._rivals_of(self.best, self._level)
        for row, threshold in self._simplest_of_this_boundary():
            forms |= self._rivals_of(row, self._simple_threshold(row, threshold))
        rows = self._of_this_boundary
        followers = [row.expression for row in rows]
        compared = [
            self.compare(row, same_boundary=True, around_zero=zero)
            for row, zero in zip(rows, self._are_around_zero(followers, self.best, self.threshold))
        ]
        compared += self._fitted(forms)
        if self._level != 0:
            # The threshold of a thin slab is uncertain, and quotients are the rivals of sums around
            # zero: those that follow the boundary none the less.
            zero = self._rivals_of(self.best, sympy.Integer(0))
            fitted = self._fitted({form: zero[form] for form in zero if form not in forms})
            compared += [one for one in fitted if self._follows_the_boundary(one.formula)]
        return [rival for rival in compared if rival.class_distance > SAME_CLASS]

    @cached_property
    def matches(self) -> Match:
        """Class of the formula as a result; see `Match`.

        *Concept*: the directions deviate only by noise and by the errors that a network of the
        concept has; phi(g) explains 97 % of the variance of values, or nine tenths of the decisions
        that no constant explains; no longer formula shows that something is missing, and the error
        falls steeply towards this one; for a classifier, the whole slab is fitted about as well as
        its boundary; and no rival explains the network about as well at about the same length:

            log(error of rival / error) + 0.4 (length of rival - length) > 0.85

        *Boundary*: the same on the boundary only. *Approximation*: the formula explains seven
        tenths of what no constant explains, or, without values, the directions agree to 20 degrees.
        """
        of_values = self.fidelity is not None and self.fidelity.metric == R2
        explained = self.explained >= (EXPLAINED_VALUES if of_values else EXPLAINED_DECISIONS)
        lawful = not self.is_incomplete and not self.is_gradual
        if explained and self._is_parallel and lawful:
            if self._is_told_apart:
                return Match.CONCEPT
            if self.threshold is not None:
                return Match.BOUNDARY
        if explained and self.threshold is not None and self._has_the_boundary:
            return Match.BOUNDARY
        return self.matches_values

    @property
    def matches_values(self) -> Match:
        """Class of the formula as an account of values or decisions, whatever its gradients are."""
        surely = self.explained if self.fidelity is None else self.fidelity.explained_surely
        return Match.APPROXIMATION if surely >= FAITHFUL else Match.NOTHING

    @cached_property
    def systematic_error(self) -> float:
        """Part of the mean of 1 - |cos| that is not noise, as far as the rows can show.

        A smooth network has no noise. Directions from elsewhere have: there it is the part that
        residuals of neighbouring rows predict. Where the rows are so few, or so far apart, that
        even the difference from the simplest formula is not predicted, all of it counts.
        """
        if self._field.is_read:
            return self.cosine_error
        if self.cosine_error <= angle_error(ROUNDING_ANGLE):
            return self.cosine_error
        left, points = residuals(self.best.expression, self._field), self._field.points
        share = predictable(left, points)
        if share == 0 and self._power(left) < POWER:
            return self.cosine_error
        return share * self.cosine_error

    @property
    def _is_parallel(self) -> bool:
        if self._field.is_read:
            return self.cosine_error <= angle_error(NETWORK_ANGLE)
        noisy = self.cosine_error <= angle_error(NOISY_ANGLE)
        return noisy and self.systematic_error <= angle_error(ROUNDING_ANGLE)

    @property
    def _has_the_boundary(self) -> bool:
        if self.boundary_error is None:
            return False
        systematic = self.systematic_error / max(self.cosine_error, SMALLEST_ERROR)
        return systematic * self.boundary_error <= angle_error(BOUNDARY_ANGLE)

    @property
    def _is_told_apart(self) -> bool:
        return self._fits_the_slab and all(map(self._is_worse, self.rivals))

    @property
    def _fits_the_slab(self) -> bool:
        if self.threshold is None:
            return True
        # The median row, because the gradient may be unbounded on a few.
        slab, boundary = np.median(self._errors), np.median(self._errors[self._nearest])
        return bool(slab <= max(THICKNESS * boundary, 2 * FINEST_OF_LABELS))

    @property
    def explained(self) -> float:
        """Explained share of what no constant explains."""
        if self.fidelity is not None:
            return self.fidelity.explained
        return 1.0 if self.cosine_error <= angle_error(NOISY_ANGLE) else 0.0

    @cached_property
    def is_incomplete(self) -> bool:
        """Return whether a longer formula of the front shows that the chosen one misses something.

        It has a third of the error, and gains a quarter of a nat a unit of complexity: longer
        formulas that fit a network's own errors gain a tenth.
        """
        if self.systematic_error <= angle_error(OWN_ANGLE):
            return False
        own = max(self.cosine_error, SMALLEST_ERROR)
        for row in self.front:
            longer = row.complexity - self.best.complexity
            if longer > 0:
                nats = np.log(own / max(self._error_of(row), SMALLEST_ERROR))
                if nats > max(MISSING_NATS * longer, np.log(MISSING_FACTOR)):
                    return True
        return False

    @property
    def is_gradual(self) -> bool:
        """Return whether a network's error falls towards the formula no faster than beyond it.

        A formula that the network has learned ends a steep fall: 0.36 nats and more for each unit
        of complexity more than in a simpler row. Towards a function without a formula the error of
        longer and longer sums falls by a fifth of a nat, and continues to fall beyond each of them.
        """
        return self._field.is_read and self.steepness < MISSING_NATS

    @cached_property
    def steepness(self) -> float:
        """Least nats of error a unit of complexity that the formula gains over a simpler row."""
        own = max(self.cosine_error, SMALLEST_ERROR)
        gains = (
            np.log(max(self._error_of(row), SMALLEST_ERROR) / own)
            / (self.best.complexity - row.complexity)
            for row in self.front
            if row.complexity < self.best.complexity
        )
        return float(min(gains, default=np.inf))

    def margin(self, halves: float) -> Margin:
        """By how much the formula is more than a concept must be.

        Args:
            halves: mean of 1 - |cos| between its fits on two halves of the rows.
        """
        # Fits of rivals take most of an assessment; no other class depends on them.
        rivals = self.rivals if self.matches.is_exact else ()
        found = set(self.front)
        return Margin(
            float(angle_of(self.cosine_error)),
            self.explained,
            self.steepness,
            min(map(self._advantage, rivals), default=np.inf),
            halves / max(self.cosine_error, SMALLEST_ERROR),
            min((self._advantage(r) for r in rivals if r.formula in found), default=np.inf),
            is_read=self._field.is_read,
            of_values=self.fidelity is None or self.fidelity.metric == R2,
        )

    def _errors_of(self, formula: Formula) -> np.ndarray:
        """1 - |cos| to the neuron at each row, computed once for each formula."""
        if formula.expression not in self._known:
            self._known[formula.expression] = errors(formula.expression, self._field)
        return self._known[formula.expression]

    def _error_of(self, formula: Formula) -> float:
        return float(self._errors_of(formula).mean())

    @cached_property
    def _nearest(self) -> np.ndarray:
        """Select the rows nearest to the decision boundary."""
        distance = np.abs(self._field.known_values)
        return distance <= np.quantile(distance, NEAR_BOUNDARY_SHARE)

    def _power(self, left: np.ndarray) -> float:
        """The share of a smooth difference that neighbouring rows predict."""
        simplest = min(self.front, key=lambda row: row.complexity, default=self.best)
        return predictable(residuals(simplest.expression, self._field) - left, self._field.points)

    def _fitted(self, forms: Mapping[sympy.Expr, bool]) -> list[Alternative]:
        """Forms with fitted constants; the values say whether their threshold is 0."""
        fitted = [(self._finisher.fitted(form), zero) for form, zero in forms.items()]
        return [
            self.compare(formula, same_boundary=True, around_zero=zero)
            for formula, zero in fitted
            if formula is not None and np.isfinite(formula.loss)
        ]

    def _rivals_of(self, formula: Formula, threshold: float | sympy.Expr) -> dict[sympy.Expr, bool]:
        """Forms with a formula's boundary; the values say whether their threshold is 0."""
        forms = level_set_rivals(
            formula.expression,
            threshold,
            self._finisher.alphabet.operators,
            keeps_sign=self._keeps_sign,
        )[:MOST_RIVALS]
        return dict(zip(forms, self._are_around_zero(forms, formula, threshold)))

    def _are_around_zero(
        self,
        forms: Sequence[sympy.Expr],
        formula: Formula,
        threshold: float | sympy.Expr,
    ) -> list[bool]:
        """Find those that are 0 where a formula has its threshold, by their signs on the domain."""
        signs = self._signs([formula.expression - threshold, *forms])
        same = (signs[:, 1:] == signs[:, :1]).mean(axis=0)
        return (np.maximum(same, 1 - same) > 1 - NEAR).tolist()

    @cached_property
    def _of_this_boundary(self) -> list[Formula]:
        """Other formulas of the front that are as good at the boundary, by complexity."""
        return [
            row
            for row in self.front
            if row.complexity != self.best.complexity and self._follows_the_boundary(row)
        ]

    def _follows_the_boundary(self, formula: Formula) -> bool:
        """Return whether a formula is about as good at the boundary as the chosen one."""
        if self.boundary_error is None:
            return False
        most = AS_GOOD * max(self.boundary_error, SMALLEST_ERROR)
        return bool(self._errors_of(formula)[self._nearest].mean() <= most)

    def _simplest_of_this_boundary(self) -> Iterator[tuple[Formula, float]]:
        """The simplest shorter formula that is as good at the boundary, with its threshold."""
        for row in self._of_this_boundary[:1]:
            if row.complexity < self.best.complexity:
                phi = MonotoneFit.through(row(self._field.points), self._field.known_values)
                threshold = phi.preimage(0.0)
                if threshold is not None:
                    yield row, threshold

    def alternatives(self, formulas: Iterable[Formula]) -> tuple[Alternative, ...]:
        """Find other formulas, rivals among them, that held-out rows do not show to be worse.

        Args:
            formulas: formulas, such as other rows of the front.

        Returns:
            Formulas whose mean loss is not greater by two standard errors of the paired difference,
            by ascending complexity.
        """
        field, signed = self._finisher.held_out, self._finisher.signed
        own = losses(self.best.expression, field, signed)
        others = [self.compare(f) for f in formulas if f.expression != self.best.expression]
        fitting = [
            other
            for other in (*others, *self.rivals)
            if not exceeds(losses(other.formula.expression, field, signed), own)
        ]
        return tuple(sorted(fitting, key=lambda other: other.formula.complexity))

    def compare(
        self, formula: Formula, *, same_boundary: bool = False, around_zero: bool = False
    ) -> Alternative:
        """Compare another formula with the chosen one.

        x/y > 2 and x - 2*y > 0 are the same labels: the number stands in the threshold of one and
        in the formula of the other, and neither is shorter for it.

        Args:
            formula: the other one.
            same_boundary: whether its form implies the same decision boundary.
            around_zero: whether its threshold there is 0.
        """
        longer = length(formula.expression) - length(self.best.expression)
        if around_zero and self._level != 0:
            longer = max(longer - length(sympy.Integer(1)), min(longer, 0))
        own, other = (
            np.maximum(self._errors_of(one), SMALLEST_ERROR) for one in (self.best, formula)
        )
        return Alternative(
            formula,
            float(max(formula.loss, SMALLEST_ERROR) / max(self.best.loss, SMALLEST_ERROR)),
            float(np.median(other) / np.median(own)),
            float(np.mean(other > own) + 0.5 * np.mean(other == own)),
            longer,
            self._class_distance(formula.expression),
            same_boundary,
        )

    def _advantage(self, rival: Alternative) -> float:
        """Nats by which the chosen formula is better in error and length together."""
        return float(np.log(rival.error_ratio) + NATS_PER_UNIT * rival.longer)

    def _is_worse(self, rival: Alternative) -> bool:
        """Return whether a rival is clearly worse, or clearly longer.

        A rival that is not longer must be worse on significantly many rows, by the sign test.
        """
        certain = (2 * rival.worse_rows - 1) * np.sqrt(self._field.rows) > CERTAIN_STANDARD_ERRORS
        return self._advantage(rival) > MARGIN and (rival.longer > 0 or certain)

    def _class_distance(self, expression: sympy.Expr) -> float:
        one, other = (
            unit(in_frame(gradient(e, self.best.names, self._domain), self._frame))
            for e in (self.best.expression, expression)
        )
        # Rows where either has no gradient are not compared.
        both = one.any(axis=1) & other.any(axis=1)
        cosine = np.abs(np.sum(one * other, axis=1)[both])
        return float(np.mean(1 - np.minimum(cosine, 1))) if both.any() else 1.0

    @cached_property
    def _level(self) -> float | sympy.Expr:
        """The chosen formula's threshold as a simple number, if it has one; 0 without one."""
        return 0 if self.threshold is None else self._simple_threshold(self.best, self.threshold)

    def _simple_threshold(self, formula: Formula, threshold: float) -> float | sympy.Expr:
        """A threshold as a simple number, if one is well within the slab."""
        values = formula(self._field.points)
        # Quartiles, because a quotient may have a few huge values.
        low, high = np.quantile(values[np.isfinite(values)], (0.25, 0.75))
        near = 0.25 * float(high - low)
        if abs(threshold) <= near:
            return sympy.Integer(0)
        # Rivals are derived for any simple number nearby, which is no evidence for the number.
        near = min(near, NEAR * abs(threshold))
        return next(iter(simple_numbers(threshold - near, threshold + near, chance=1.0)), threshold)

    def _keeps_sign(self, expression: sympy.Expr) -> bool:
        positive = self._signs([expression]).mean()
        return bool(max(positive, 1 - positive) > CERTAIN_SIGN)

    def _signs(self, expressions: Sequence[sympy.Expr]) -> np.ndarray:
        """Select the points of the domain where expressions are positive, one column each."""
        values = numpy_function(expressions, [symbol(name) for name in self.best.names])
        return values(self._domain) > 0
