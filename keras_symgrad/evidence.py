"""What a fit says and what it cannot say: concept or boundary, and what else fits.

The labels of a classifier fix one level set of a concept. All formulas that share it are rivals,
and only the thickness of the slab on which the network was read tells them apart. This room
measures how well it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from keras_symgrad.comparison import CERTAIN, errors, exceeds, losses
from keras_symgrad.directions import in_frame, unit
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.numeric import numpy_function
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.finishing import Finisher
from keras_symgrad.formula import Formula
from keras_symgrad.gradients import GradientField
from keras_symgrad.rivals import length, rivals
from keras_symgrad.search.selection import NATS_PER_UNIT
from keras_symgrad.simple_numbers import simple_numbers

# Formulas closer than this, mean of 1 - |cos| on the domain, are the same concept.
SAME_CLASS = 2e-3
# Nats of error and length that a rival must be worse by. Measured on networks of smooth
# activations, eight seeds: 1.1 to 4.5 for x1**2 + 2*x2**2 and others that made the labels; at most
# -0.3 and 0.4 for x1*x2/r**2 and x1*x2 - r**2, which share a boundary, and 0.8 for x1 + x2 - 2*x3
# where (x1 + x2)/x3 made the labels.
MARGIN = 0.9
# A formula whose gradients are this far off, 18 degrees on average, and that does not explain
# the neuron's values either is not what the neuron computes. Measured: 0.09 to 0.7 and 0.72 at
# most on networks trained on random labels, blobs and wide random teachers; 0.03 at most on those
# of formulas, ReLU and two concepts at once among them.
NOTHING, UNEXPLAINED = 0.05, 0.9
# Share of the rows that lie nearest to the decision boundary.
NEAREST = 0.2
# How much worse a concept may fit the whole slab than the rows nearest to the boundary.
THICKNESS = 3.0
# How far a simple threshold of rivals may be from the network's, as a share of it.
NEAR = 0.03
# Angles below this are rounding errors.
SMALLEST_ERROR = 1e-10
# Rivals that are fitted at most, and domain points that classes are compared on.
MOST_RIVALS = 12
DOMAIN_ROWS = 2000


@dataclass(frozen=True)
class Alternative:
    """Another formula, compared with the one that was chosen.

    Attributes:
        formula: the other one.
        loss_ratio: its loss on the held-out rows, divided by that of the chosen one.
        error_ratio: the same of the medians of 1 - |cos| on all rows, which outliers do not move.
        worse_rows: share of all rows that it fits worse.
        longer: words that it takes more, see `rivals.length`.
        class_distance: mean of 1 - |cos| between the gradients of the two on the data's domain.
        same_boundary: whether it has the chosen one's decision boundary by its form.
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

    def to_dict(self) -> dict:
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


class Evidence:
    """The chosen formula against others, row by row.

    Args:
        best: the chosen formula.
        finisher: that made it, with the rows that it was fitted and measured on.
        field: all these rows. Rivals have as many constants as the chosen formula or one more, so
            that it needs no held-out rows to compare them.
        domain: points of the data, `(rows, variables)`, where classes are compared. Coordinates
            that change from row to row are known on the field's rows only, which are then taken.
        threshold: g where a classifier decides; `None` for a neuron that decides nothing.
        r2: share of the variance of the neuron's values that phi(g) explains.
    """

    def __init__(
        self,
        best: Formula,
        finisher: Finisher,
        field: GradientField,
        domain: np.ndarray,
        threshold: float | None,
        r2: float = 0.0,
    ):
        self.best, self.threshold, self.r2 = best, threshold, r2
        self._finisher, self._field = finisher, field
        is_known = field.frame is None or field.frame.ndim == 2
        domain = domain if is_known else field.points
        self._domain = domain[np.flatnonzero(np.isfinite(domain).all(axis=1))[:DOMAIN_ROWS]]
        self._frame = field.frame if is_known else field.frame[: len(self._domain)]
        self._errors = errors(best.expression, self._field)

    @property
    def cosine_error(self) -> float:
        """Mean of 1 - |cos| to the neuron on all rows."""
        return float(np.average(self._errors, weights=self._field.weights))

    @cached_property
    def boundary_error(self) -> float | None:
        """The same on the fifth of the rows that lies nearest to the decision boundary."""
        if self.threshold is None:
            return None
        distance = np.abs(self._field.values)
        nearest = distance <= np.quantile(distance, NEAREST)
        return float(self._errors[nearest].mean())

    @cached_property
    def rivals(self) -> tuple[Alternative, ...]:
        """Formulas with the same decision boundary and other gradients off it, fitted.

        Those that the slab can tell apart least come first.
        """
        if self.threshold is None:
            return ()
        forms = rivals(
            self.best.expression,
            self._simple_threshold(),
            self._finisher.alphabet.operators,
            keeps_sign=self._keeps_sign,
        )
        compared = [
            self.compare(formula, same_boundary=True)
            for form in forms[:MOST_RIVALS]
            if (formula := self._finisher.fitted(form)) and np.isfinite(formula.loss)
        ]
        # Different divisors may give the same quotient.
        compared = list({str(rival.formula): rival for rival in compared}.values())
        apart = [rival for rival in compared if rival.class_distance > SAME_CLASS]
        return tuple(sorted(apart, key=self._advantage))

    @property
    def matches(self) -> str:
        """`"concept"`, `"boundary"` or `"nothing"`.

        *Nothing*: the formula is 18 degrees off on average and leaves a tenth of the variance of
        the neuron's values open. *Concept*: as parallel on the whole slab as at the boundary, and
        no rival with the same boundary explains the network about as well in about as many words:

            log(error of rival / error) + 0.4 (length of rival - length) > 0.9

        *Boundary* otherwise. A neuron that decides nothing has no boundary to be confined to.
        """
        if self.cosine_error > NOTHING and self.r2 < UNEXPLAINED:
            return "nothing"
        if self.threshold is None:
            return "concept"
        thick = self.cosine_error <= max(THICKNESS * self.boundary_error, SMALLEST_ERROR)
        alone = all(self._advantage(rival) > MARGIN for rival in self.rivals)
        certain = all(self._is_certainly_worse(rival) for rival in self.rivals)
        return "concept" if thick and alone and certain else "boundary"

    def alternatives(self, formulas: Iterable[Formula]) -> tuple[Alternative, ...]:
        """Those of other formulas, rivals among them, that held-out rows do not find worse.

        Args:
            formulas: other rows of the front, say.

        Returns:
            Those whose mean loss is not greater by two standard errors of the paired
            difference, by ascending complexity.
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

    def compare(self, formula: Formula, *, same_boundary: bool = False) -> Alternative:
        """Another formula against the chosen one.

        Args:
            formula: the other one.
            same_boundary: whether it has the same decision boundary by its form.
        """
        own, other = (
            np.maximum(e, SMALLEST_ERROR)
            for e in (self._errors, errors(formula.expression, self._field))
        )
        return Alternative(
            formula,
            float(max(formula.loss, SMALLEST_ERROR) / max(self.best.loss, SMALLEST_ERROR)),
            float(np.median(other) / np.median(own)),
            float(np.mean(other > own) + 0.5 * np.mean(other == own)),
            length(formula.expression) - length(self.best.expression),
            self._class_distance(formula.expression),
            same_boundary,
        )

    def _advantage(self, rival: Alternative) -> float:
        """Nats by which the chosen formula is better in error and length together."""
        return float(np.log(rival.error_ratio) + NATS_PER_UNIT * rival.longer)

    def _is_certainly_worse(self, rival: Alternative) -> bool:
        """The sign test: rows that a rival fits worse are too many for a chance."""
        return (2 * rival.worse_rows - 1) * np.sqrt(self._field.rows) > CERTAIN

    def _class_distance(self, expression: sympy.Expr) -> float:
        one, other = (
            unit(in_frame(gradient(e, self.best.names, self._domain), self._frame))
            for e in (self.best.expression, expression)
        )
        # Where either has no gradient there is nothing to compare.
        both = one.any(axis=1) & other.any(axis=1)
        cosine = np.abs(np.sum(one * other, axis=1)[both])
        return float(np.mean(1 - np.minimum(cosine, 1))) if both.any() else 1.0

    def _simple_threshold(self) -> float | sympy.Expr:
        """The threshold as a simple number, if that is well within the slab."""
        values = self.best(self._field.points)
        # Quartiles, because a quotient may have a few huge values.
        low, high = np.quantile(values[np.isfinite(values)], (0.25, 0.75))
        near = 0.25 * float(high - low)
        level = self.threshold
        if abs(level) <= near:
            return sympy.Integer(0)
        # Rivals are asked for with any number that is near, and none is believed for it.
        near = min(near, NEAR * abs(level))
        return next(iter(simple_numbers(level - near, level + near, chance=1.0)), level)

    def _keeps_sign(self, expression: sympy.Expr) -> bool:
        values = numpy_function([expression], [symbol(name) for name in self.best.names])
        positive = np.mean(values(self._domain)[:, 0] > 0)
        return min(positive, 1 - positive) < 0.01
