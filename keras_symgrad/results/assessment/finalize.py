"""Refine the formulas of a front: simplify, refit in float64, measure on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy

from keras_symgrad.engine import loss
from keras_symgrad.expressions import (
    Alphabet,
    Complexity,
    canonicalize,
    shortest,
    simplify,
    to_sympy,
    weight,
    with_whole_numbers,
    within_time_limit,
)
from keras_symgrad.expressions.formats import completed_squares, with_unit_slopes, with_zeros
from keras_symgrad.formulas import Formula, ParetoFront
from keras_symgrad.formulas.constants import Constant, constants, with_simple_constants
from keras_symgrad.gradients import GradientField, OwnUnits, exceeds, losses
from keras_symgrad.search.core import Archive, ConstantFit, Individual

if TYPE_CHECKING:
    from keras_symgrad.search.core import PriorKnowledge

# Time limit for one formula. Nearly all take some milliseconds; nested powers and sigmoids minutes.
SIMPLIFICATION_SECONDS = 20.0
# Losses below it are rounding errors.
LEAST_LOSS = 1e-14
# Largest relative increase of the loss by restoring a probable zero.
UNNOTICED = 0.02


class FormulaRefiner:
    """Refiner that makes the formulas of a front from the trees of an archive.

    Args:
        alphabet: of the trees.
        complexity: of formulas.
        train: rows that constants are fitted on.
        held_out: rows that losses are measured on.
        signed: whether the opposite direction counts as different.
        knowledge: rules of the formulas; none by default.
        units: units of rescaled variables of the rows; `None` for the user's units.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        complexity: Complexity,
        train: GradientField,
        held_out: GradientField,
        *,
        signed: bool = False,
        knowledge: PriorKnowledge | None = None,
        units: OwnUnits | None = None,
    ):
        self.alphabet, self.complexity = alphabet, complexity
        self.train, self.held_out, self.signed = train, held_out, signed
        self.knowledge = knowledge if knowledge is not None and knowledge.restricts else None
        self._zeros = {} if units is None else units.zeros
        # A search is assessed after each stage, and much of its front stays what it was.
        self._constants: dict[tuple[sympy.Expr, int], tuple[Constant, ...]] = {}
        self._formulas: dict[tuple[str, float, float], Formula | None] = {}
        self._fitted: dict[tuple[sympy.Expr, float], Formula | None] = {}
        self._short: dict[sympy.Expr, sympy.Expr] = {}
        self._simple: dict[Formula, Formula] = {}

    def front(self, archive: Archive) -> ParetoFront:
        """Make the Pareto front of an archive.

        Args:
            archive: best trees by complexity.

        Returns:
            The front, by complexity of the simplified formulas and loss on held-out rows.

        Raises:
            ValueError: no tree of the archive has a finite loss.
        """
        made = [self._formula(individual) for individual in archive.front()]
        formulas = [formula for formula in made if formula and np.isfinite(formula.loss)]
        if not formulas:
            has_rules = self.knowledge is not None and self.knowledge.has_rules
            rules = " and keeps all rules that you gave" if has_rules else ""
            raise ValueError(
                f"The search found no formula that is finite on all rows{rules}. Try other "
                "operators, or a longer `time_limit`."
            )
        front = ParetoFront(formulas)
        return ParetoFront(front, self.noise_floor(front))

    def noise_floor(self, front: ParetoFront) -> float:
        """Loss below which the rows do not distinguish formulas.

        Args:
            front: formulas by complexity and loss.

        Returns:
            The greatest loss on the front that paired held-out rows do not show to be greater than
            the lowest; or the field's known noise, if that is larger.
        """
        lowest = losses(front[-1].expression, self.held_out, self.signed)
        equal = [
            row.loss
            for row in front
            if not exceeds(losses(row.expression, self.held_out, self.signed), lowest)
        ]
        return max([*equal, self.held_out.noise or 0.0])

    def with_simple_constants(self, formula: Formula) -> Formula:
        """Replace constants by simple numbers that their intervals support.

        Args:
            formula: of the front, say.

        Returns:
            A formula whose simple numbers lie inside their intervals: those of `constants`.
        """
        if formula not in self._simple:
            self._simple[formula] = self._with_zeros(self._with_simple_constants(formula))
        return self._simple[formula]

    def _with_simple_constants(self, formula: Formula) -> Formula:
        barred: set[sympy.Expr] = set()
        while True:
            simple = with_simple_constants(
                formula.expression,
                self.train,
                weight=self.weight,
                barred=barred,
                # Numbers that the user's rules put into a formula are not changed by the data.
                whole=self.knowledge is None,
                signed=self.signed,
            )
            short = self._first_conforming([self._shortened(simple), simple])
            if short is None or self.knowledge is not None:
                return formula if short is None else self._measured(short, formula.complexity)
            # A rewritten formula has other constants.
            if not self._outside(short):
                return self._measured(short, formula.complexity)
            outside = self._outside(simple)
            if outside <= barred:
                return self._measured(simple, formula.complexity)
            barred |= outside

    def _outside(self, expression: sympy.Expr) -> set[sympy.Expr]:
        """Simple numbers of an expression that do not lie inside their intervals."""
        return {
            constant.shown
            for constant in self.constants(expression)
            if constant.shown is not None and not constant.holds(float(constant.shown))
        }

    def constants(self, expression: sympy.Expr, seed: int = 0) -> tuple[Constant, ...]:
        """The constants of an expression with their intervals, on the rows of the fit.

        Args:
            expression: in the alphabet's variables.
            seed: of the choice of regions.
        """
        key = expression, seed
        if key not in self._constants:
            self._constants[key] = constants(expression, self.train, signed=self.signed, seed=seed)
        return self._constants[key]

    def _shortened(self, expression: sympy.Expr) -> sympy.Expr:
        """The expression in a shorter spelling if there is one, else unchanged."""
        short = self._shortest(expression)
        ways = [expression, short, canonicalize(simplify(short, seconds=2.0, measure=self.weight))]
        return min(ways, key=self.weight)

    def _with_zeros(self, formula: Formula) -> Formula:
        """The formula with x itself for z + number, where the loss hardly changes."""
        limit = (1 + UNNOTICED) * formula.loss + LEAST_LOSS
        for way in with_zeros(formula.expression, self._zeros):
            fit = ConstantFit(canonicalize(way), self.train, signed=self.signed)
            refined = self._first_conforming([fit.expression(fit.refined(fit.start))])
            if refined is not None:
                other = self._measured(refined, formula.complexity)
                if other.loss <= limit:
                    return other
        return formula

    def _formula(self, individual: Individual) -> Formula | None:
        key = str(individual.tree), individual.complexity, individual.loss
        if key not in self._formulas:
            self._formulas[key] = self._in_time(individual)
        return self._formulas[key]

    def _in_time(self, individual: Individual) -> Formula | None:
        """The formula of a tree, unless SymPy exceeds the time limit."""
        try:
            return within_time_limit(
                SIMPLIFICATION_SECONDS,
                lambda: self.fitted(
                    with_whole_numbers(to_sympy(individual.tree, self.alphabet.operators)),
                    individual.complexity,
                ),
            )
        except TimeoutError:
            return None

    def fitted(self, expression: sympy.Expr, otherwise: float = np.inf) -> Formula | None:
        """Write the concept of an expression shortly and fit its constants.

        Args:
            expression: in the alphabet's variables.
            otherwise: the complexity to report if the operators cannot write it.

        Returns:
            The formula, or `None` for an expression that is constant or not real.
        """
        key = expression, otherwise
        if key not in self._fitted:
            self._fitted[key] = self._made(expression, otherwise)
        return self._fitted[key]

    def _made(self, expression: sympy.Expr, otherwise: float) -> Formula | None:
        if expression.has(sympy.nan, sympy.zoo, sympy.I) or not expression.free_symbols:
            return None
        concept = self._first_conforming([self._shortest(expression), expression])
        if concept is None or not concept.free_symbols:
            return None
        fit = ConstantFit(concept, self.train, signed=self.signed)
        fitted = fit.expression(fit.refined(fit.start))
        found = self._first_conforming([canonicalize(fitted), fitted])
        return None if found is None else self._measured(found, otherwise)

    def _first_conforming(self, ways: Sequence[sympy.Expr]) -> sympy.Expr | None:
        """The first spelling of a concept that keeps the rules, with the sign to grow."""
        for way in ways:
            if self.knowledge is None:
                return self._oriented(way)
            # The terms that a template adds or leaves out, or the sign, may break another rule.
            shown = self.knowledge.conforming(way)
            if shown is not None:
                turned = self._oriented(shown)
                return turned if self.knowledge.conforming(turned) is not None else shown
        return None

    def _shortest(self, expression: sympy.Expr) -> sympy.Expr:
        if expression in self._short:
            return self._short[expression]
        short = shortest(expression, self.alphabet, self.complexity)
        completed = completed_squares(short, list(self._zeros))
        if completed is not None:
            short = min([short, canonicalize(completed)], key=self.weight)
        return self._short.setdefault(expression, self._oriented(short))

    def _oriented(self, expression: sympy.Expr) -> sympy.Expr:
        """The expression, with the sign to grow where the neuron grows if the sign counts."""
        if not self.signed:
            return expression
        # Changes that keep the concept were removed before, a factor of -1 among them.
        field = self.train
        ways = (expression, sympy.expand(-expression) if expression.is_Add else -expression)
        return min(
            ways,
            key=lambda way: loss(
                way,
                field.names,
                field.points,
                field.directions,
                field.weights,
                frame=field.frame,
                signed=True,
                measure=field.loss,
            ),
        )

    def _measured(self, expression: sympy.Expr, otherwise: float) -> Formula:
        if self._zeros and not (self.knowledge and self.knowledge.has_rules):
            sloped = with_unit_slopes(expression, list(self._zeros)).as_coeff_Mul()[1]
            expression = min(expression, self._oriented(sloped), key=self.weight)
        weight = self.weight(expression)
        return Formula(
            expression,
            weight if np.isfinite(weight) else otherwise,
            loss(
                expression,
                self.alphabet.names,
                self.held_out.points,
                self.held_out.directions,
                self.held_out.weights,
                frame=self.held_out.frame,
                signed=self.signed,
                measure=self.held_out.loss,
            ),
            self.alphabet.names,
            self.alphabet.operators,
        )

    def weight(self, expression: sympy.Expr) -> float:
        """Complexity of an expression; infinite if the operators cannot write it."""
        return weight(expression, self.alphabet, self.complexity)
