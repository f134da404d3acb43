"""`PriorKnowledge`: test trees against everything that the user knows of the formula.

Constraints, units, a template and starting guesses restrict one search together. All modules of the
search use this class; without prior knowledge every tree is accepted, at no cost.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

import sympy
from deap import gp

from keras_symgrad.expressions import (
    FIRST_VARIABLE_CODE,
    Alphabet,
    Complexity,
    canonicalize,
    from_sympy,
    symbol,
    to_sympy,
)
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.gradients import OwnUnits
from keras_symgrad.priors import NUMBER, Constraints, DimensionalAnalysis, Dimensions, Template
from keras_symgrad.search.core.few_values import FewValuedColumns, Nodes
from keras_symgrad.search.core.template_variation import TemplateVariation
from keras_symgrad.search.core.variation import Variation

if TYPE_CHECKING:
    from keras_symgrad.search.spectral import Feature


class PriorKnowledge:
    """Rules of a search, and formulas to start from.

    Args:
        alphabet: operators and variables of the formulas.
        complexity: of trees.
        constraints: rules of shape.
        dimensions: units of variables, as `Dimensions` or by name.
        template: an outer form with free parts, such as "f(x1, x2) + sin(g(x3))".
        guesses: formulas to start from, as text or SymPy expressions.
        max_complexity: the largest that a guess may have.
        values: of columns that have few of them, by the column's number: formulas do not transform
            these. A template may.

    Attributes:
        guesses: the guesses as trees.
        few_values: the rule for columns of few values.

    Raises:
        ValueError: a rule names something undefined, or a guess cannot be written or breaks a rule.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, mul, square"), ["height", "time", "speed"])
    >>> units = {"height": "m", "time": "s", "speed": "m/s"}
    >>> knowledge = PriorKnowledge(alphabet, Complexity(), dimensions=units)
    >>> knowledge.satisfies(alphabet.tree(["add", 0, "mul", 1, 2]))
    True
    >>> knowledge.satisfies(alphabet.tree(["add", 0, 2]))
    False
    """

    def __init__(
        self,
        alphabet: Alphabet,
        complexity: Complexity,
        *,
        constraints: Constraints | None = None,
        dimensions: Dimensions | Mapping[str, str] | None = None,
        template: str | None = None,
        guesses: Sequence[str | sympy.Expr] = (),
        max_complexity: float = float("inf"),
        values: Mapping[int, tuple[float, ...]] | None = None,
    ):
        self.alphabet, self.complexity = alphabet, complexity
        self.few_values = FewValuedColumns(alphabet, values or {} if template is None else {})
        if constraints is not None and not isinstance(constraints, Constraints):
            raise ValueError(
                "`constraints` are rules such as ks.Constraints(forbidden={'sin': 'sin, cos'}). "
                f"Received: constraints={constraints!r}"
            )
        self.constraints = constraints and constraints.over(alphabet, complexity)
        if dimensions is not None and not isinstance(dimensions, Dimensions):
            dimensions = Dimensions(dimensions)
        self.analysis = None if dimensions is None else DimensionalAnalysis(dimensions, alphabet)
        self.template = None if template is None else Template(template, alphabet)
        # Tests of `satisfies`, from the fastest to the slowest.
        self._rules = [r for r in (self.analysis, self.template, self.constraints) if r is not None]
        if self.template is not None:
            self._check_template(self.template)
        self.guesses = tuple(
            self._guess(guess, complexity, max_complexity) for guess in _as_guesses(guesses)
        )

    @property
    def restricts(self) -> bool:
        """True if there is any rule, from the user or from the data."""
        return bool(self._rules) or bool(self.few_values)

    @property
    def has_rules(self) -> bool:
        """True if the user gave a rule."""
        return bool(self._rules)

    @property
    def described(self) -> dict[str, object] | None:
        """Rules and guesses as plain data; `None` without them."""
        if not self.has_rules and not self.guesses:
            return None
        rules, units = self.constraints, self.analysis and self.analysis.dimensions
        return {
            "constraints": rules and rules.to_dict(),
            "dimensions": units and units.to_dict(),
            "template": self.template and self.template.text,
            "guesses": [str(tree) for tree in self.guesses],
        }

    @property
    def fixed_variables(self) -> frozenset[str]:
        """Variables in a template outside of its parts, in the template's units."""
        if self.template is None:
            return frozenset()
        return frozenset(part.name for part in self.template.form.free_symbols) - {
            *self.template.parts
        }

    @property
    def allows_shifts(self) -> bool:
        """Return whether x may become x - 1000, which with units needs a number that has one."""
        return self.analysis is None or self.analysis.dimensions.constants == "any"

    def in_units(self, units: OwnUnits) -> PriorKnowledge:
        """The same rules for rescaled variables.

        Args:
            units: of the formulas; guesses are rewritten in them, and left out with a warning where
                that breaks a rule.
        """
        own = copy(self)
        values = {
            k: tuple((value - units.offsets[k]) / units.scales[k] for value in levels)
            for k, levels in self.few_values.values.items()
        }
        own.few_values = FewValuedColumns(self.alphabet, values)
        own.guesses = tuple(filter(None, (self._in_units(guess, units) for guess in self.guesses)))
        return own

    def _in_units(self, guess: gp.PrimitiveTree, units: OwnUnits) -> gp.PrimitiveTree | None:
        plain = units.in_own(to_sympy(guess, self.alphabet.operators))
        ways = (plain, canonicalize(plain), sympy.expand(plain), canonicalize(sympy.expand(plain)))
        trees = [tree for way in ways if (tree := self.tree(way)) is not None]
        if trees:
            return min(trees, key=len)
        warnings.warn(
            f"The guess '{guess}' is left out: its variables are searched in units of their own, "
            f"{dict(units.units)} (offset and scale), and written in these it breaks a rule.",
            stacklevel=3,
        )
        return None

    def satisfies(self, tree: Nodes) -> bool:
        """Return whether a tree keeps all rules.

        Args:
            tree: nodes in prefix order.
        """
        return self.few_values.satisfies(tree) and all(rule.satisfies(tree) for rule in self._rules)

    def violation(self, tree: Nodes) -> str | None:
        """Describe the rule that a tree breaks; `None` if it breaks none.

        Args:
            tree: nodes in prefix order.
        """
        return next(filter(None, (rule.violation(tree) for rule in self._rules)), None)

    def with_fixed_numbers(self, tree: Nodes) -> gp.PrimitiveTree:
        """Restore the numbers that a template fixes, after refinement.

        Args:
            tree: a tree that had the template's form before.
        """
        return (
            gp.PrimitiveTree(tree)
            if self.template is None
            else self.template.with_fixed_numbers(tree)
        )

    def variation(
        self, seed: int, max_nodes: int, blocks: Sequence[gp.PrimitiveTree] = ()
    ) -> Variation:
        """Make the variation operators that keep the rules.

        Args:
            seed: of the random numbers.
            max_nodes: no tree gets more nodes than this.
            blocks: subtrees that stand in for variables in some new leaves.
        """
        if self.template is not None:
            return TemplateVariation(
                self.template,
                seed,
                max_nodes,
                blocks,
                satisfies=self.satisfies,
                part_satisfies=self.part_satisfies,
            )
        satisfies = self.satisfies if self.restricts else None
        return Variation(self.alphabet, seed, max_nodes, blocks, satisfies=satisfies)

    def part_satisfies(self, nodes: Nodes) -> bool:
        """Return whether a part of a formula may have this form.

        It must keep the constraints, have a dimension, though not yet that of the whole, and hold
        only variables that may stand in one part of the template.

        Args:
            nodes: in prefix order.
        """
        if not self.few_values.satisfies(nodes):
            return False
        if self.analysis is not None and self.analysis.of(nodes) < 0:
            return False
        if self.constraints is not None and not self.constraints.satisfies(nodes):
            return False
        if self.template is None:
            return True
        columns = {FIRST_VARIABLE_CODE - n.code for n in nodes if n.code <= FIRST_VARIABLE_CODE}
        return any(columns <= allowed for allowed in self.template.together)

    def summable(self, features: Sequence[Feature]) -> list[list[Feature]]:
        """Group features whose weighted sums keep the rules.

        Weights are numbers: with units, the features of a sum have one dimension. Logarithms belong
        to a product, whose factors may have any dimension; other terms of such a sum stand in an
        exponential in the product, and must be numbers.

        Args:
            features: any features.

        Returns:
            Nonempty groups in the order of their first features.
        """
        analysis = self.analysis
        if analysis is None or analysis.dimensions.constants == "any":
            return [list(features)] if features else []
        groups: dict[int, list[Feature]] = {}
        for feature in features:
            kind = NUMBER if feature.is_logarithm else analysis.of(feature.nodes)
            groups.setdefault(kind, []).append(feature)
        return list(groups.values())

    def conforming(self, expression: sympy.Expr) -> sympy.Expr | None:
        """Rewrite an expression so that it keeps the rules.

        Args:
            expression: in the alphabet's variables.

        Returns:
            The expression, in the template's form if there is one, without transforms of columns of
            few values; `None` if it breaks a rule or cannot be written with the operators.
        """
        expression = self.few_values.straightened(expression)
        if expression is None or not self._rules:
            return expression
        if self.template is not None:
            parts = self.template.parts_of(expression)
            if parts is None:
                return None
            expression = self.template.filled(parts)
        return expression if self.tree(expression) is not None else None

    def tree(self, expression: sympy.Expr) -> gp.PrimitiveTree | None:
        """Convert an expression to a tree that keeps all rules.

        Args:
            expression: in the alphabet's variables.

        Returns:
            A tree, in the template's form if there is one; `None` if the expression breaks a
            rule or cannot be written with the operators.
        """
        try:
            tree = self._written(expression)
        except ValueError:
            return None
        return tree if tree is not None and self.satisfies(tree) else None

    def _written(self, expression: sympy.Expr) -> gp.PrimitiveTree | None:
        if self.template is None:
            return from_sympy(expression, self.alphabet, self.complexity)
        parts = self.template.parts_of(expression)
        if parts is None:
            return None
        written = {n: from_sympy(p, self.alphabet, self.complexity) for n, p in parts.items()}
        return self.template.tree(written)

    def _check_template(self, template: Template) -> None:
        """Raise if no formula of the form can keep the constraints."""
        if self.constraints is None:
            return
        # Nothing is simpler than a variable.
        simplest = {
            part.name: [self.alphabet.variables[self.alphabet.names.index(part.variables[0])]]
            for part in template.parts.values()
        }
        violation = self.constraints.violation(template.tree(simplest))
        if violation is not None:
            raise ValueError(
                f"No formula of the template's form keeps the constraints: {violation}. Change "
                f"one of the two. Received: template={template.text!r}"
            )

    def _guess(
        self, guess: str | sympy.Expr, complexity: Complexity, most: float
    ) -> gp.PrimitiveTree:
        """The tree of a guess, checked."""
        try:
            expression: sympy.Expr = guess
            if isinstance(guess, str):
                expression = from_text(guess, self.alphabet.names, self.alphabet.operators)
            # A user's own symbols need not be real.
            named = {s: symbol(s.name) for s in expression.free_symbols}
            unbent = self.few_values.straightened(expression.xreplace(named))
            if unbent is None:
                raise ValueError("it is not a real number on all values of a column")
            tree = self._written(unbent)
        except ValueError as error:
            raise ValueError(f"The guess '{guess}' cannot be used: {error}") from None
        if not named:
            raise ValueError(f"The guess '{guess}' is a constant, which no gradient belongs to.")
        if tree is not None:
            violation = self.violation(tree)
        else:
            violation = f"it does not have the form {self.template.text if self.template else ''}"
        if tree is None or violation is not None:
            raise ValueError(
                f"The guess '{guess}' breaks a rule of the search: {violation}. Leave the guess or "
                "the rule out."
            )
        if complexity(tree) > most:
            raise ValueError(
                f"The guess '{guess}' has the complexity {complexity(tree):g}, but formulas may "
                f"have {most:g}. Raise `max_complexity`, or shorten it."
            )
        return tree


def _as_guesses(guesses: object) -> list[str | sympy.Expr]:
    if isinstance(guesses, (str, sympy.Expr)):
        guesses = [guesses]
    if not isinstance(guesses, Sequence) or not all(
        isinstance(one, (str, sympy.Expr)) for one in guesses
    ):
        raise ValueError(
            "`guesses` are formulas, as text such as 'x1**2 + sin(x2)' or as SymPy expressions. "
            f"Received: guesses={guesses!r}"
        )
    return list(guesses)
