"""Sums and products with constants inside of functions, such as sin(x1/2)**2*x2/(1 + 0.3*x3).

The weights of a sum are an eigenvector, and so are the exponents of a product, which is a sum of
logarithms. Constants inside of features are not: they are taken from a coarse grid at first. Those
of the best sets of features are then fitted by least squares, in which the weights remain the
eigenvector at each step (variable projection).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from itertools import combinations, permutations, product

import numpy as np

from keras_symgrad.engine import SQUARED, Loss
from keras_symgrad.expressions import Constant
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import Feature, FeatureMaker
from keras_symgrad.search.spectral.linear_combination import LinearCombination
from keras_symgrad.search.spectral.variable_projection import VariableProjection, is_free, of_nodes

# Rows on which sets of features are compared and constants are fitted.
COMPARISON_ROWS = 300
# Up to this many coordinates, functions of products and quotients of two of them are tried, and up
# to the second number those of three.
MAX_PAIRED_COORDINATES = 6
MAX_TRIPLED_COORDINATES = 4
# Exponents of products of powers m in factors 1 + c*m, and the largest sum of their sizes for this
# many coordinates, 3 for more.
MAX_EXPONENT = 2
MAX_TOTAL_EXPONENTS = {1: 2, 2: 4, 3: 4, 4: 5}
# Sets whose constants are fitted at each size, and which grow: one factor of two explains little
# alone (measured: rank 26 of the forms of a first factor).
BEAM = 40
# Sets that are compared at each size. The eigenvalues by which features are added rank rows by the
# last set's gradient (measured: the true factor was number 92 of 4,000).
WIDE_BEAM = 600
# Largest number of factors beside the powers of the coordinates, and of terms of a sum.
MAX_FACTORS = 3
MAX_TERMS = 4
# Sets of which the constants are fitted on all rows.
MAX_COMPLETED = 4
# Frequencies of sine and cosine: radians between two, and the most, within the argument's range.
RADIANS_APART = 1.2
MAX_FREQUENCIES = {1: 40, 2: 40}
MAX_FREQUENCIES_OF_MANY = 12
# Sizes of c*z in exp(c*z), at its largest, and in 1 + c*z, at its largest or smallest.
EXPONENTS = (0.5, 1.0, 2.0, 4.0, 8.0)
RATIOS = (0.3, 0.85)
# Centres c in (x - c)**2 + d, and sizes of d in parts of the range of the square.
CENTRES = 5
WIDTHS = (0.05, 0.3)
# Constants that are tried whatever the range of the argument.
SIMPLE_CONSTANTS = (0.5, 1.0, 2.0)
# Mean of sin^2 of a set that is exact: no larger one is then tried. Its loss may be larger where
# weights near to 1 became 1.
EXACT_ERROR = 1e-16
ROUNDED_LOSS = 1e-8


class InnerConstantSearch:
    """Search for sums and products whose features have inner constants.

    Args:
        maker: makes the features.
        variables: the columns as features.
        directions: unit gradients, `(rows, axes)`, or spans, `(rows, k, axes)`.
        rows: weights of the rows, of sum 1.
        loss: how much a difference of directions counts.
    """

    def __init__(
        self,
        maker: FeatureMaker,
        variables: Sequence[Feature],
        directions: np.ndarray,
        rows: np.ndarray,
        loss: Loss = SQUARED,
    ):
        self.maker, self.loss, self.variables = maker, loss, variables
        self.directions, self.rows = directions, rows
        some = slice(None, None, -(-len(rows) // COMPARISON_ROWS))
        self._few = [
            replace(v, values=v.values[some], gradients=v.gradients[some]) for v in variables
        ]
        self._target = directions[some], rows[some] / rows[some].sum()

    def products(self, atoms: Sequence[Feature]) -> Iterator[LinearCombination | None]:
        """Fit products of powers of coordinates, and of functions and sums of them.

        Args:
            atoms: the coordinates.

        Yields:
            Sums of logarithms; `None` in between.
        """
        atoms = self._on_few_rows(atoms)
        base = [atom.logarithm() for atom in atoms]
        # Terms of the exponent of an exponential function that is a factor.
        plain = [*self.maker.monomials(atoms, 2), *self._parabolas(atoms)]
        found = yield from self._distinct([*base, *plain, *self._factors(atoms)])
        yield from self._search(found, base, MAX_FACTORS)

    def sums(self, atoms: Sequence[Feature]) -> Iterator[LinearCombination | None]:
        """Fit sums of coordinates, of their products and of functions of them.

        Args:
            atoms: the coordinates.

        Yields:
            Sums; `None` in between.
        """
        atoms = self._on_few_rows(atoms)
        found = yield from self._distinct([*self.maker.monomials(atoms, 2), *self._terms(atoms)])
        yield from self._search(found, [], MAX_TERMS - 1)

    def _search(
        self, features: Sequence[Feature], base: Sequence[Feature], steps: int
    ) -> Iterator[LinearCombination | None]:
        best: list[tuple[float, list[Feature]]] = []
        for group in self.maker.summable(features):
            yield from self._grown(
                group, [feature for feature in group if feature in base], steps, best
            )
        best.sort(key=lambda pair: pair[0])
        for _, found in best[:MAX_COMPLETED]:
            yield from self._on_all_rows(found)

    def _grown(
        self,
        dictionary: Sequence[Feature],
        base: Sequence[Feature],
        steps: int,
        best: list[tuple[float, list[Feature]]],
    ) -> Iterator[None]:
        """Sets of more and more features, each with fitted constants before the next is added."""
        projection = VariableProjection(self.maker, self._few, *self._target)
        sets: list[list[Feature]] = [list(base)]
        for step in range(steps):
            yield None
            # Fitted features join the dictionary: a feature with a wrong constant hides the others.
            words = {feature.concept: feature for feature in dictionary}
            words |= {feature.concept: feature for chosen in sets for feature in chosen}
            number = {concept: k for k, concept in enumerate(words)}
            fit = SpectralFit(list(words.values()), *self._target, loss=self.loss)
            starts = [tuple(sorted({number[f.concept] for f in chosen})) for chosen in sets]
            grown = fit.grown(starts, WIDE_BEAM) if base or step else fit.pairs(WIDE_BEAM)
            if not step and base:
                grown += fit.grown(fit.singles(BEAM), BEAM)
            yield None
            solved = sorted(fit.solved(dict.fromkeys(grown)), key=lambda one: one.loss)
            fitted = []
            for combination in _one_of_each_form(solved)[: BEAM if step == 0 else BEAM // 2]:
                found, error = projection.fitted(combination.features)
                if error < EXACT_ERROR:
                    # Every function of one coordinate is exact but for the signs of the rows.
                    error = max(error, self._loss_beyond_rounding(found))
                fitted.append((error, found))
                yield None
            fitted.sort(key=lambda pair: pair[0])
            best += fitted[:MAX_COMPLETED]
            if not fitted or fitted[0][0] < EXACT_ERROR:
                return
            sets = [found for _, found in fitted]

    def _loss_beyond_rounding(self, features: Sequence[Feature]) -> float:
        """The loss of a sum, zero where it is as small as rounded weights make it."""
        combination = SpectralFit(features, *self._target, loss=self.loss).solve(
            range(len(features))
        )
        if combination is None:
            return np.inf
        return combination.loss if combination.loss > ROUNDED_LOSS else 0.0

    def _on_all_rows(self, features: Sequence[Feature]) -> Iterator[LinearCombination]:
        """The sum on all rows, and others of fewer features."""
        features = [of_nodes(self.maker, feature, self.variables) for feature in features]
        if all(map(self.maker.is_usable, features)):
            fit = SpectralFit(features, self.directions, self.rows, loss=self.loss)
            yield from fit.solved(fit.pruned(len(features)) or [(0,)])

    def _on_few_rows(self, atoms: Sequence[Feature]) -> list[Feature]:
        return [of_nodes(self.maker, atom, self._few) for atom in atoms]

    def _distinct(self, features: Iterable[Feature]) -> Generator[None, None, list[Feature]]:
        found: dict[bytes, Feature] = {}
        for feature in features:
            if self.maker.is_usable(feature):
                found.setdefault(feature.concept, feature)
            yield None
        return list(found.values())

    def _arguments(self, atoms: Sequence[Feature]) -> list[Feature]:
        """Arguments of the functions: coordinates, their products and quotients."""
        made: list[Feature | None] = [*atoms]
        apply = self._applied
        if len(atoms) <= MAX_PAIRED_COORDINATES:
            made += [apply("mul", *pair) for pair in combinations(atoms, 2)]
            made += [apply("div", *pair) for pair in permutations(atoms, 2)]
        if len(atoms) <= MAX_TRIPLED_COORDINATES:
            made += [
                apply("div", apply("mul", a, b), c)
                for a, b in combinations(atoms, 2)
                for c in atoms
                if c is not a and c is not b
            ]
        return [feature for feature in made if feature is not None and feature.is_usable]

    def _factors(self, atoms: Sequence[Feature]) -> Iterator[Feature]:
        """Logarithms of functions of arguments, and of sums of two terms."""
        arguments, apply = self._arguments(atoms), self._applied
        one = self._constant(1.0)
        made: list[Feature | None] = []
        for argument in arguments:
            for c in _frequencies(argument, len(atoms)):
                scaled = self._scaled(c, argument)
                made += [apply("sin", scaled), apply("cos", scaled)]
            for c in _sizes(argument, EXPONENTS):
                growth = apply("exp", self._scaled(c, argument))
                less, more = apply("sub", growth, one), apply("add", growth, one)
                # The last one is the hyperbolic tangent of half the argument.
                made += [less, more, apply("div", less, more)]
        bent = [apply(name, atom) for atom in atoms for name in ("sin", "cos")]
        mixed = [apply(name, b, a) for b in bent for a in atoms for name in ("mul", "div")]
        for term in filter(None, [*self._monomials(atoms), *bent, *mixed]):
            for c in _ratios(term):
                scaled = self._scaled(c, term)
                made += [apply("add", one, scaled), apply("sub", one, scaled)]
        for parabola in self._parabolas(atoms):
            for width in WIDTHS:
                offset = self._constant(float(width * np.ptp(parabola.values)))
                made.append(apply("add", parabola, offset))
        yield from (feature.logarithm() for feature in made if feature is not None)

    def _monomials(self, atoms: Sequence[Feature]) -> Iterator[Feature | None]:
        """Products of powers m, one of m and 1/m: 1 + c*m is a sum of any two but for a factor."""
        total = MAX_TOTAL_EXPONENTS.get(len(atoms), 3)
        for exponents in product(range(-MAX_EXPONENT, MAX_EXPONENT + 1), repeat=len(atoms)):
            leading = next((n for n in exponents if n), 0)
            sizes = [abs(n) for n in exponents if n]
            # Two squares stand alone.
            simple = sizes.count(2) < 2 or sizes == [2, 2]
            if leading > 0 and simple and sum(sizes) <= total:
                over, under = (
                    [
                        atom if abs(n) == 1 else self._applied("square", atom)
                        for atom, n in zip(atoms, exponents)
                        if n * sign > 0
                    ]
                    for sign in (1, -1)
                )
                product_of = partial(reduce, partial(self._applied, "mul"))
                yield (
                    self._applied("div", product_of(over), product_of(under))
                    if under
                    else (product_of(over))
                )

    def _parabolas(self, atoms: Sequence[Feature]) -> list[Feature]:
        """Squares of the distances from some centres."""
        made = [
            self._applied("square", self._applied("sub", atom, self._constant(float(centre))))
            for atom in atoms
            for centre in np.linspace(atom.values.min(), atom.values.max(), CENTRES)
        ]
        return list(filter(None, made))

    def _terms(self, atoms: Sequence[Feature]) -> Iterator[Feature]:
        """Functions of arguments, and their products with coordinates."""
        apply = self._applied
        for argument in self._arguments(atoms):
            yield argument
            made = [
                apply(name, self._scaled(c, argument))
                for name in ("sin", "cos")
                for c in _frequencies(argument, len(atoms))
            ]
            made += [
                apply("exp", self._scaled(sign * c, argument))
                for c in _sizes(argument, EXPONENTS)
                for sign in (1, -1)
            ]
            for function in filter(None, made):
                yield function
                if argument in atoms:
                    others = (apply("mul", function, other) for other in atoms)
                    yield from filter(None, others)

    def _applied(self, name: str, *arguments: Feature | None) -> Feature | None:
        """An operator on features; `None` if there is no such operator or feature."""
        operators = self.maker.alphabet.operators
        known = [argument for argument in arguments if argument is not None]
        if name not in operators or len(known) < len(arguments):
            return None
        return self.maker.apply(operators[name], known)

    def _scaled(self, constant: float, feature: Feature) -> Feature | None:
        return feature if constant == 1 else self._applied("mul", self._constant(constant), feature)

    def _constant(self, value: float) -> Feature:
        like = self._few[0]
        zero = np.zeros_like(like.gradients)
        return Feature((Constant(value),), np.full(like.values.shape, value), zero)


def _frequencies(argument: Feature, coordinates: int) -> list[float]:
    """Frequencies of sine and cosine of an argument."""
    step = RADIANS_APART / (np.ptp(argument.values) + 1e-300)
    grid = step * np.arange(1, MAX_FREQUENCIES.get(coordinates, MAX_FREQUENCIES_OF_MANY) + 1)
    return sorted({*(c for c in SIMPLE_CONSTANTS if c < grid[-1]), *grid.tolist()})


def _one_of_each_form(combinations: Iterable[LinearCombination]) -> list[LinearCombination]:
    """The first of all that differ in their constants only."""
    forms: dict[frozenset[tuple[object, ...]], LinearCombination] = {}
    for one in combinations:
        form = frozenset(
            (f.is_logarithm, *("c" if is_free(node) else node.name for node in f.nodes))
            for f in one.features
        )
        forms.setdefault(form, one)
    return list(forms.values())


def _ratios(term: Feature) -> list[float]:
    """Factors c with which 1 - c*m has no zero, near and far, and 1."""
    size = np.abs(term.values)
    low, high = size.min() + 1e-300, size.max() + 1e-300
    grid = [
        *(ratio / high for ratio in RATIOS),
        *(1 / ratio / max(low, 0.02 * high) for ratio in RATIOS),
    ]
    return sorted({1.0, *map(float, grid)})


def _sizes(argument: Feature, sizes: Sequence[float]) -> list[float]:
    """Factors that give the argument these sizes, and the simple ones."""
    largest = np.abs(argument.values).max() + 1e-300
    grid = (float(size / largest) for size in sizes)
    return sorted({*(c for c in SIMPLE_CONSTANTS if c * largest <= 2 * sizes[-1]), *grid})
