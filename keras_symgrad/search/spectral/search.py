"""Spectral search: sums of features from dictionaries of growing size.

The weights of a sum are an eigenvector (`eigen_fit`), so only the features must be searched for.
Dictionaries are made of the variables, and of the coordinates that the gradients show
(`separability`, `reduction`); a beam over them grows sums term by term. Products are sums as well:
they carry the same concept as the sum of their logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain

import numpy as np
from deap import gp

from keras_symgrad.expressions import Alphabet, Constant, to_sympy
from keras_symgrad.gradients import GradientField
from keras_symgrad.priors import Template
from keras_symgrad.search.core import PriorKnowledge
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import Feature, FeatureMaker
from keras_symgrad.search.spectral.inner_constants import InnerConstantSearch
from keras_symgrad.search.spectral.linear_combination import Candidate, LinearCombination
from keras_symgrad.search.spectral.polynomials import PolynomialSearch
from keras_symgrad.search.spectral.reduction import Reduction
from keras_symgrad.search.spectral.separability import WEAKEST, Separability, find_separability
from keras_symgrad.search.spectral.template_descent import TemplateDescent
from keras_symgrad.search.spectral.tree_loss import TreeLoss

# The first stage uses a dictionary and sums of at most these sizes.
FIRST_DICTIONARY_SIZE = 120
FIRST_MAX_TERMS = 3
# Number of the dictionary's first features that are all fitted at once and left out one by one.
SIMPLE = 30
# Number of a stage's candidates that are tested for a template's form.
MAX_TEMPLATE_CHECKS = 20
# Number of sets of each size whose features are exchanged one by one.
EXCHANGED = 4
# Variables of the linear form from which others are dropped, and largest number of terms tried.
MAX_LINEAR = 60
MAX_LINEAR_TERMS = 15
# Largest number of coordinates in whose features inner constants are searched for.
MAX_INNER_COORDINATES = 6
# Share of the gradient below which a variable is never part of a formula.
WEAKEST_EXACT = 1e-7


class SpectralSearch:
    """Search for sums of features, in stages from quick to thorough.

    Args:
        alphabet: features are made of its operators and variables.
        field: unit gradients to match.
        beam: sets of features that are kept at each size.
        terms: largest number of features in a sum.
        dictionary: largest number of features to choose from.
        measure: loss of a tree; on the field's rows by default.
        signed: whether a tree and its opposite are different.
        knowledge: rules of the formulas; none by default.

    Attributes:
        found: the candidates of all stages so far.
        lowest_loss: of all candidates, those of the present stage included.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> a, b, c = np.random.default_rng(0).uniform(0.5, 2, (3, 300))
    >>> field = GradientField.from_gradients(
    ...     np.stack([a, b, c], axis=1), np.stack([b, a, 2 * c], axis=1), names=["a", "b", "c"]
    ... )
    >>> alphabet = Alphabet(OperatorSet("arithmetic, square"), field.names)
    >>> str(SpectralSearch(alphabet, field).run()[0])
    'add(mul(a, b), square(c))'
    """

    def __init__(
        self,
        alphabet: Alphabet,
        field: GradientField,
        *,
        beam: int = 8,
        terms: int = 4,
        dictionary: int = 500,
        measure: Callable[[gp.PrimitiveTree], float] | None = None,
        signed: bool = False,
        knowledge: PriorKnowledge | None = None,
    ):
        self.alphabet, self.field = alphabet, field
        self.beam, self.terms, self.size = beam, terms, dictionary
        self.found: list[Candidate] = []
        self._gathered: list[Candidate] = []
        self.lowest_loss = math.inf
        self._have_form = True
        self.maker = FeatureMaker(alphabet, knowledge)
        self.variables = self.maker.variables(field.points, field.frame)
        self.measure = measure or TreeLoss(self.maker, field, signed=signed)
        self.signed = signed
        weights = np.ones(field.rows) if field.weights is None else field.weights
        self.rows = weights / weights.sum()

    @property
    def template(self) -> Template | None:
        """The form that formulas must have, if there is one."""
        return None if self.maker.knowledge is None else self.maker.knowledge.template

    @cached_property
    def structure(self) -> Separability:
        """Ignored variables and groups, computed from the gradients on first use."""
        return find_separability(self.maker, self.field, self.variables, self.rows)

    @cached_property
    def reductions(self) -> list[tuple[Feature, ...]]:
        """Sets of fewer coordinates that power laws show, without those of `structure`.

        Weak variables count as well, unless they may be errors of a network.
        """
        apart = self.field.column_by_column()
        if apart is None:
            return []
        strength = self.field.strength(self.rows)
        weakest = WEAKEST if self.field.is_read else WEAKEST_EXACT
        columns = np.flatnonzero(strength > weakest * strength.max()).tolist()
        known = {_level_sets(unit.feature for unit in level) for level in self.structure.levels}
        found = Reduction(self.maker, apart, self.rows).coordinates(columns)
        written = [tuple(self.maker.of_tree(c.tree, self.variables) for c in one) for one in found]
        return [one for one in written if _level_sets(one) not in known]

    @property
    def blocks(self) -> Sequence[gp.PrimitiveTree]:
        """Subtrees that the gradients show, from which other strategies may make formulas."""
        return self.structure.blocks

    def run(self) -> list[gp.PrimitiveTree]:
        """Run all stages.

        Returns:
            Trees, those of lower loss first, and of several perfect ones the shortest.
        """
        for _ in self.stages():
            pass
        # The shortest of several perfect ones: their losses are rounding errors.
        ordered = sorted(self.found, key=lambda one: (max(one.loss, 1e-12), len(one.tree)))
        return [candidate.tree for candidate in ordered]

    def stages(self) -> Iterator[list[Candidate] | None]:
        """Run one stage after the other, each on request: the quick ones, then the others.

        Yields:
            `None` in between, many times a second, so that a limit can end a stage, and at its end
            the stage's candidates.
        """
        yield from self.quick_stages()
        yield from self.thorough_stages()

    def quick_stages(self) -> Iterator[list[Candidate] | None]:
        """A small dictionary over the variables, and one over each level of coordinates."""
        if self.template is not None:
            yield from self._filled(self.template)
        first = min(FIRST_MAX_TERMS, self.terms), min(FIRST_DICTIONARY_SIZE, self.size)
        yield from self._stage([self.variables[k] for k in self._relevant()], *first)
        for level in self.structure.levels[:0:-1]:
            yield from self._stage([unit.feature for unit in level], *first)
        for coordinates in self.reductions:
            yield from self._stage(coordinates, *first)

    def thorough_stages(self) -> Iterator[list[Candidate] | None]:
        """Polynomials and quotients in all coordinates, and large dictionaries.

        They take some seconds with many variables.
        """
        for coordinates in self.reductions:
            yield from self._polynomial_stage(coordinates)
        for level in self.structure.levels[::-1]:
            yield from self._polynomial_stage([unit.feature for unit in level])
        variables = [unit.feature for unit in self.structure.levels[0]]
        yield from self._stage(variables, self.terms, self.size)
        if self.structure.units:
            units = [unit.feature for unit in self.structure.units]
            yield from self._stage([*units, *variables], self.terms, self.size)
        levels = ([unit.feature for unit in level] for level in self.structure.levels[::-1])
        for coordinates in (*self.reductions, *levels):
            if len(coordinates) <= MAX_INNER_COORDINATES:
                yield from self._inner_constant_stage(coordinates)
        if self.structure.ignored and not self.field.is_read:
            yield from self._stages_of_weak_variables()
        if self.structure.others:
            # There would be too many monomials of quadratic forms in this many variables.
            every = [*variables, *(unit.feature for unit in self.structure.others)]
            sums = self._combinations(every, self.terms, self.size)
            yield from self._sums_stage(chain(self._linear_forms(every), sums))

    def _stages_of_weak_variables(self) -> Iterator[list[Candidate] | None]:
        """Stages with the ignored variables, which may be a small part of an exact field.

        To a network's gradients they contribute its own errors.
        """
        whole = find_separability(
            self.maker, self.field, self.variables, self.rows, weakest=WEAKEST_EXACT
        )
        variables = whole.levels[0]
        if len(self.structure.levels[0]) < len(variables) <= MAX_INNER_COORDINATES:
            for level in whole.levels[::-1]:
                atoms = [unit.feature for unit in level]
                yield from self._stage(atoms, self.terms, FIRST_DICTIONARY_SIZE)
                yield from self._polynomial_stage(atoms)
                yield from self._inner_constant_stage(atoms)

    def _stage(
        self, atoms: Sequence[Feature], terms: int, size: int
    ) -> Iterator[list[Candidate] | None]:
        return self._sums_stage(
            chain(self._quadratic_forms(atoms, terms), self._combinations(atoms, terms, size))
        )

    def _sums_stage(
        self, combinations: Iterable[LinearCombination]
    ) -> Iterator[list[Candidate] | None]:
        return self._gather(one for found in combinations for one in self.candidates(found))

    def _polynomial_stage(self, atoms: Sequence[Feature]) -> Iterator[list[Candidate] | None]:
        search = PolynomialSearch(self.maker, self.field.directions, self.rows, self.field.loss)

        def found() -> Iterator[Candidate | None]:
            for combination in search.polynomials(atoms, self.terms + 1):
                yield from self.candidates(combination) if combination else (None,)
            for tree in search.quotients(atoms):
                yield tree and self._quotient(tree)

        return self._gather(found())

    def _inner_constant_stage(self, atoms: Sequence[Feature]) -> Iterator[list[Candidate] | None]:
        search = InnerConstantSearch(
            self.maker, self.variables, self.field.directions, self.rows, self.field.loss
        )

        def found() -> Iterator[Candidate | None]:
            for combination in chain(search.products(atoms), search.sums(atoms)):
                yield from self.candidates(combination) if combination else (None,)

        return self._gather(found())

    def _filled(self, template: Template) -> Iterator[list[Candidate] | None]:
        filling = TemplateDescent(self.maker, template, self.variables, self.measure)
        found = (Candidate(None, tree, loss) for tree, loss in filling.trees())
        return self._gather(found, have_form=True)

    def _gather(
        self, candidates: Iterable[Candidate | None], have_form: bool = False
    ) -> Iterator[list[Candidate] | None]:
        self._have_form = have_form or self.template is None
        for candidate in candidates:
            if candidate is not None:
                self._gathered.append(candidate)
                self.lowest_loss = min(self.lowest_loss, candidate.loss)
            yield None
        yield self.end_stage()

    def end_stage(self) -> list[Candidate]:
        """End the present stage, complete or not.

        Returns:
            Its results; nothing between two stages.
        """
        stage, self._gathered = self._gathered, []
        if not self._have_form:
            stage = self._of_form(stage)
        self.found += stage
        return stage

    def candidates(self, combination: LinearCombination) -> Iterator[Candidate]:
        """The spellings of a combination, each with its loss."""
        ways = combination.trees(self.alphabet)
        if self.signed:
            ways += replace(combination, weights=-combination.weights).trees(self.alphabet)
        known = self.maker.knowledge
        if known is not None:
            # A product of powers and exponentials may transform a column that the sum does not.
            ways = list(filter(None, map(known.few_values.rewritten, ways)))
        for tree in ways:
            loss = self.measure(tree)
            if np.isfinite(loss) and self._keeps_rules(tree):
                yield Candidate(combination, tree, loss)

    def _keeps_rules(self, tree: gp.PrimitiveTree) -> bool:
        """Return whether a tree may be a candidate; a template's form is tested later."""
        known = self.maker.knowledge
        return known is None or self.template is not None or known.satisfies(tree)

    def _of_form(self, stage: list[Candidate]) -> list[Candidate]:
        """The candidates that have the template's form.

        SymPy's test takes some 20 ms, so only the best of each length are tested.
        """
        known = self.maker.knowledge
        if known is None:
            return []
        best: dict[int, Candidate] = {}
        for one in sorted(stage, key=lambda one: one.loss):
            best.setdefault(len(one.tree), one)
        asked = (
            known.tree(to_sympy(one.tree, self.alphabet.operators))
            for one in list(best.values())[:MAX_TEMPLATE_CHECKS]
        )
        return [Candidate(None, tree, self.measure(tree)) for tree in filter(None, asked)]

    def _quotient(self, tree: gp.PrimitiveTree) -> Candidate | None:
        # Either a quotient or its negative grows where the neuron does.
        ways = [tree, self._negative(tree)] if self.signed else [tree]
        loss, tree = min(((self.measure(way), way) for way in ways), key=lambda pair: pair[0])
        kept = np.isfinite(loss) and self._keeps_rules(tree)
        return Candidate(None, tree, loss) if kept else None

    def _quadratic_forms(self, atoms: Sequence[Feature], terms: int) -> Iterator[LinearCombination]:
        """Fit quadratic forms in the atoms, with linear terms and without, from all terms to two.

        A beam that grows sums one by one starts from pairs, and no two terms of x1**2 + 3*x1*x2 +
        2*x2**2 fit better together than many others.
        """
        quadratics = self.maker.monomials(atoms, 2)
        for features in (quadratics, quadratics[len(atoms) :]):
            for group in self.maker.summable(features):
                if len(group) > 1:
                    fit = self._fit(group)
                    yield from fit.solved(fit.pruned(terms + 2))

    def _linear_forms(self, atoms: Sequence[Feature]) -> Iterator[LinearCombination]:
        """Fit linear forms in many atoms, from many terms to two."""
        for group in self.maker.summable(atoms[:MAX_LINEAR]):
            if len(group) > 1:
                fit = self._fit(group)
                yield from fit.solved(fit.pruned(MAX_LINEAR_TERMS))

    def _fit(self, features: Sequence[Feature]) -> SpectralFit:
        return SpectralFit(features, self.field.directions, self.rows, loss=self.field.loss)

    def _negative(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree:
        return gp.PrimitiveTree([self.alphabet.primitives["mul"], Constant(-1.0), *tree])

    def _combinations(
        self, atoms: Sequence[Feature], terms: int, size: int
    ) -> Iterator[LinearCombination]:
        for features in self.maker.summable(self.maker.dictionary(atoms, size)):
            yield from self._sums(features, terms)

    def _sums(self, features: Sequence[Feature], terms: int) -> Iterator[LinearCombination]:
        simple = self._fit(features[:SIMPLE])
        yield from simple.solved(simple.pruned(terms + 2))
        fit = self._fit(features)
        singles = fit.singles(3 * self.beam)
        sets = [*fit.grown(singles, self.beam), *fit.pairs(2 * self.beam)]
        chosen = [*singles[: self.beam], *dict.fromkeys(sets)]
        for _ in range(2, terms):
            sets = fit.grown(sets, self.beam)
            sets = list(dict.fromkeys([*fit.exchanged(sets[:EXCHANGED], self.beam), *sets]))
            chosen += sets
        yield from fit.solved(chosen)

    def _relevant(self) -> list[int]:
        """The variables with the largest share in the gradient; the small dictionary holds few."""
        strength = self.field.strength(self.rows)
        order = np.argsort(-strength, kind="stable")[:6]
        return sorted(int(k) for k in order if strength[k] > 0)


def _level_sets(coordinates: Iterable[Feature]) -> frozenset[bytes]:
    return frozenset(coordinate.level_sets for coordinate in coordinates)
