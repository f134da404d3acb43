"""Polynomials and their quotients in coordinates that are transformed one by one.

Each coordinate is used unchanged or under one function, such as exp(x1) and sqrt(x2). All monomials
in the transformed coordinates are fitted at once, which ranks the transforms without a search over
terms; terms are then dropped one by one. This finds sums whose terms explain nothing alone or in
pairs, such as x1 + x2 + 2*sqrt(x1*x2)*cos(x3), and rational functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from deap import gp

from keras_symgrad.engine import SQUARED, Loss
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import Feature, FeatureMaker
from keras_symgrad.search.spectral.linear_combination import LinearCombination, as_quotient
from keras_symgrad.search.spectral.rational import RationalFit, RationalFunction

# Up to this many coordinates are transformed in all combinations; of more, one at a time.
MAX_TRANSFORMED_COORDINATES = 3
# Largest degree for this many coordinates; 2 for more.
DEGREES = {1: 4, 2: 4, 3: 3}
# For more coordinates than this no quadratic forms are made: there would be too many monomials.
MOST_COORDINATES = 6
# Number of transforms whose terms are dropped one by one.
MAX_PRUNED_TRANSFORMS = 5
# Largest number of monomials on one side of a quotient that is written.
MAX_MONOMIALS = 6


class PolynomialSearch:
    """Fit of polynomials and their quotients in transformed coordinates.

    Args:
        maker: makes the monomials.
        directions: unit gradients, `(rows, axes)`, or spans, `(rows, k, axes)`.
        rows: weights of the rows, of sum 1.
        loss: how much a difference of directions counts.
    """

    def __init__(
        self,
        maker: FeatureMaker,
        directions: np.ndarray,
        rows: np.ndarray,
        loss: Loss = SQUARED,
    ):
        self.maker, self.directions, self.rows, self.loss = maker, directions, rows, loss

    def polynomials(
        self, atoms: Sequence[Feature], terms: int
    ) -> Iterator[LinearCombination | None]:
        """Fit sums of monomials, for the most promising transforms.

        Args:
            atoms: the coordinates.
            terms: largest number of terms in a sum.

        Yields:
            Sums; `None` while transforms are compared, and for sets of terms without a sum.
        """
        degree = DEGREES.get(len(atoms), 2)
        fits = []
        for bent in self._bendings(atoms):
            for fit in self._fits(bent, degree):
                fits.append((fit.promise(), fit))
                yield None
        fits.sort(key=lambda pair: pair[0])
        for _, fit in fits[:MAX_PRUNED_TRANSFORMS]:
            yield from map(fit.solve, fit.pruned(terms))

    def quotients(self, atoms: Sequence[Feature]) -> Iterator[gp.PrimitiveTree | None]:
        """Fit quotients of quadratic forms, for the most promising transforms, as trees.

        Args:
            atoms: the coordinates.

        Yields:
            Trees; `None` while transforms are compared, and for quotients that are too long.
        """
        if "div" not in self.maker.alphabet.primitives or len(atoms) > MOST_COORDINATES:
            return
        fits = []
        for bent in self._bendings(atoms):
            for words in self.maker.summable(self.maker.monomials(bent, 2)):
                fit = RationalFit(words, self.directions, self.rows)
                fits.append((fit.promise(), words, fit))
                yield None
        fits.sort(key=lambda found: found[0])
        followed = [(words, fit) for _, words, fit in fits[:MAX_PRUNED_TRANSFORMS]]
        plain = self.maker.summable(
            self.maker.monomials(atoms, 3 if len(atoms) <= MAX_TRANSFORMED_COORDINATES else 2)
        )
        first = [(words, RationalFit(words, self.directions, self.rows)) for words in plain]
        for k, (words, fit) in enumerate([*first, *followed]):
            for quotient in fit.quotients(pairs=k < len(first)):
                yield self._written(words, fit, quotient)

    def _bendings(self, atoms: Sequence[Feature]) -> Iterator[tuple[Feature, ...]]:
        if len(atoms) <= MAX_TRANSFORMED_COORDINATES:
            yield from product(*map(self.maker.nonlinear_transforms, atoms))
        elif len(atoms) <= MOST_COORDINATES:
            yield tuple(atoms)
            for k, atom in enumerate(atoms):
                for bent in self.maker.nonlinear_transforms(atom)[1:]:
                    yield (*atoms[:k], bent, *atoms[k + 1 :])

    def _fits(self, atoms: Sequence[Feature], degree: int) -> Iterator[SpectralFit]:
        for words in self.maker.summable(self.maker.monomials(atoms, degree)):
            if len(words) > 1:
                yield SpectralFit(words, self.directions, self.rows, loss=self.loss)

    def _written(
        self, words: Sequence[Feature], fit: RationalFit, quotient: RationalFunction
    ) -> gp.PrimitiveTree | None:
        sides = []
        for weights in fit.weights(quotient):
            chosen = np.flatnonzero(weights).tolist()
            if len(chosen) > MAX_MONOMIALS:
                return None
            # Most weights positive, and the smallest of size 1.
            smallest = np.abs(weights[chosen]).min() * (1 if weights.sum() >= 0 else -1)
            # Monomial 0 is the constant 1, which has no nodes.
            sides.append(
                [(float(weights[k] / smallest), words[k - 1].nodes if k else ()) for k in chosen]
            )
        over, under = sides
        return as_quotient(over, under, self.maker.alphabet)
