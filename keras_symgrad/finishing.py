"""From trees in float32 to formulas for people: simplified, refitted, measured on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import sympy

from keras_symgrad.comparison import exceeds, losses
from keras_symgrad.constants import ConstantFit
from keras_symgrad.engine.reference import loss
from keras_symgrad.expressions.canonical import canonical
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.shortening import shortest, weight, with_whole_numbers
from keras_symgrad.expressions.simplification import simplify
from keras_symgrad.expressions.time_limit import within
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.archive import Archive, Individual

if TYPE_CHECKING:
    from keras_symgrad.search.knowledge import Knowledge

# For one formula. Nearly all take some milliseconds; nested powers and sigmoids can take minutes.
SECONDS = 20.0


class Finisher:
    """Makes the formulas of a front from the trees of an archive.

    Args:
        alphabet: of the trees.
        complexity: of formulas.
        train: rows that constants are fitted on.
        held_out: rows that losses are measured on.
        signed: whether the opposite direction counts as different.
        knowledge: rules that formulas keep; none by default.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        complexity: Complexity,
        train: GradientField,
        held_out: GradientField,
        *,
        signed: bool = False,
        knowledge: Knowledge | None = None,
    ):
        self.alphabet, self.complexity = alphabet, complexity
        self.train, self.held_out, self.signed = train, held_out, signed
        self.knowledge = knowledge if knowledge is not None and knowledge.restricts else None

    def front(self, archive: Archive) -> ParetoFront:
        """The Pareto front of an archive.

        Args:
            archive: best trees by complexity.

        Returns:
            The front, by complexity of the simplified formulas and loss on held-out rows.

        Raises:
            ValueError: no tree of the archive has a finite loss.
        """
        formulas = [self._in_time(individual) for individual in archive.front()]
        formulas = [formula for formula in formulas if formula and np.isfinite(formula.loss)]
        if not formulas:
            rules = "" if self.knowledge is None else " and keeps all rules that you gave"
            raise ValueError(
                f"The search found no formula that is finite on all rows{rules}. Try other "
                "operators, or a longer `time_limit`."
            )
        front = ParetoFront(formulas)
        return ParetoFront(front, self.noise_floor(front))

    def noise_floor(self, front: ParetoFront) -> float:
        """The loss below which the rows do not tell formulas apart.

        Args:
            front: formulas by complexity and loss.

        Returns:
            The greatest loss on the front that held-out rows, paired, do not find greater than the
            lowest; or the noise that the field knows of, if that is more.
        """
        lowest = losses(front[-1].expression, self.held_out, self.signed)
        equal = [
            row.loss
            for row in front
            if not exceeds(losses(row.expression, self.held_out, self.signed), lowest)
        ]
        return max([*equal, self.held_out.noise or 0.0])

    def with_simple_constants(self, formula: Formula) -> Formula:
        """The formula with constants snapped to simple numbers where the loss does not notice."""
        fit = ConstantFit(formula.expression, self.train, signed=self.signed)
        snapped = fit.expression(fit.snapped(fit.start))
        short = self._shortest(snapped)
        shorter = canonical(simplify(short, seconds=2.0, measure=self._weight))
        lightest = sorted([shorter, short, snapped], key=self._weight)
        found = self._first_conforming(lightest)
        return formula if found is None else self._measured(found, formula.complexity)

    def _in_time(self, individual: Individual) -> Formula | None:
        """The formula of a tree, unless SymPy cannot cope with it in time."""
        try:
            return within(
                SECONDS,
                lambda: self.fitted(
                    with_whole_numbers(to_sympy(individual.tree, self.alphabet.operators)),
                    individual.complexity,
                ),
            )
        except TimeoutError:
            return None

    def fitted(self, expression: sympy.Expr, otherwise: float = np.inf) -> Formula | None:
        """The concept of an expression in few words, its constants fitted.

        Args:
            expression: in the alphabet's variables.
            otherwise: the complexity, if the operators cannot write it.

        Returns:
            The formula, or `None` for an expression that is constant or not real.
        """
        if expression.has(sympy.nan, sympy.zoo, sympy.I) or not expression.free_symbols:
            return None
        concept = self._first_conforming([self._shortest(expression), expression])
        if concept is None or not concept.free_symbols:
            return None
        fit = ConstantFit(concept, self.train, signed=self.signed)
        fitted = fit.expression(fit.refined(fit.start))
        found = self._first_conforming([canonical(fitted), fitted])
        return None if found is None else self._measured(found, otherwise)

    def _first_conforming(self, ways: Sequence[sympy.Expr]) -> sympy.Expr | None:
        """The first of some ways to write a concept that keeps the rules, turned to grow."""
        for way in ways:
            if self.knowledge is None:
                return self._oriented(way)
            # What a template adds or leaves out, and a sign, may break another rule.
            shown = self.knowledge.conforming(way)
            if shown is not None:
                turned = self._oriented(shown)
                return turned if self.knowledge.conforming(turned) is not None else shown
        return None

    def _shortest(self, expression: sympy.Expr) -> sympy.Expr:
        return self._oriented(shortest(expression, self.alphabet, self.complexity))

    def _oriented(self, expression: sympy.Expr) -> sympy.Expr:
        """The expression, turned to grow where the neuron grows if the sign counts."""
        if not self.signed:
            return expression
        # Whatever keeps the concept was dropped on the way, a factor of -1 among it.
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
        weight = self._weight(expression)
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

    def _weight(self, expression: sympy.Expr) -> float:
        return weight(expression, self.alphabet, self.complexity)
