"""Grow sets of rows that one short formula explains, from neighbourhoods in the data.

A formula is fitted to the gradients at a few neighbouring rows; rows around them that it explains
are taken in, and it is fitted again, until all rows have been offered. The largest set is kept, and
the rest of the rows are searched in the same way. No condition and no number of sets is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from keras_symgrad.engine import unit
from keras_symgrad.expressions import Alphabet
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.spectral import Feature, FeatureMaker, SpectralFit

# 1 - |cos| up to which a formula explains a row: 10 degrees.
EXPLAINED_ERROR = 0.015
# Rows of the first neighbourhood, and the factor that it is widened by in each round.
FIRST_ROWS = 60
GROWTH_FACTOR = 2.0
# Rows that formulas are fitted to.
MAX_FIT_ROWS = 120
# Rows around one that say whether other sets are near.
NEIGHBOURS = 30
# Neighbourhoods that are tried for each set.
STARTS = 8
MAX_SETS = 4
# Least share of all rows in a set.
MIN_SHARE = 0.08
# Features of the dictionary apart from monomials; the largest degree of these, and numbers of
# variables up to which there are cubes, and any.
MAX_FEATURES = 60
MAX_DEGREE = 3
MAX_CUBED = 3
MAX_SQUARED = 10
# Sums that are kept at each size, and terms of a sum.
BEAM = 4
MAX_TERMS = 4
# Share of a set's rows that a term must gain.
SHARE_PER_TERM = 0.05
# Nats of error that a term must gain.
NATS_PER_TERM = 0.6
# Error that a far-off row counts with, and the least error that is distinguished.
TRIMMED_ERROR = 0.05
FINEST_ERROR = 1e-5


@dataclass(frozen=True, eq=False)
class _Sum:
    """A sum of features, by their numbers, with their weights."""

    features: tuple[int, ...]
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows that one sum of features explains.

    Attributes:
        sum: the features and their weights.
        errors: 1 - cos between its gradients and the field's at all rows, in the direction that
            most of the set's rows have; from 0 to 2, `(rows,)`.
        rows: numbers of the rows of the set.
    """

    sum: _Sum
    errors: np.ndarray
    rows: np.ndarray


def grown_sets(
    field: GradientField,
    alphabet: Alphabet,
    seed: int = 0,
    *,
    without: Sequence[int] = (),
    check_time: Callable[[], None] = lambda: None,
) -> list[RowSet]:
    """Sets of rows with a formula each, the largest first.

    Args:
        field: unit gradients.
        alphabet: formulas are sums of features made of its operators and variables.
        seed: of the neighbourhoods.
        without: columns that formulas do not contain.
        check_time: called many times a second; raises when there is no more time.

    Returns:
        Sets without common rows. They are few; rows that no set explains are in none.
    """
    return _Growth(field, alphabet, seed, without, check_time).sets()


class _Growth:
    """The features of a field, and the sets that grow on it."""

    def __init__(
        self,
        field: GradientField,
        alphabet: Alphabet,
        seed: int,
        without: Sequence[int],
        check_time: Callable[[], None],
    ):
        self._check_time = check_time
        self._rng = np.random.default_rng([seed, 11])
        self._directions = field.directions
        self._features = _dictionary(field, alphabet, without)
        self._gradients = [feature.gradients for feature in self._features]
        widths = field.points.std(axis=0)
        self._places = field.points / np.where(widths > 0, widths, 1.0)
        self._neighbours = cKDTree(self._places).query(
            self._places, min(NEIGHBOURS, len(self._places))
        )[1]

    def sets(self) -> list[RowSet]:
        found: list[RowSet] = []
        if not self._features:
            return found
        left = np.arange(len(self._places))
        least = max(MIN_SHARE * len(left), FIRST_ROWS / 2)
        while len(found) < MAX_SETS and len(left) >= least:
            grown = [self._grown(int(start), left) for start in self._starts(left)]
            sets = [one for one in grown if one is not None and len(one.rows) >= least]
            if not sets:
                break
            found.append(max(sets, key=_merit))
            left = np.setdiff1d(left, found[-1].rows, assume_unique=True)
        return found

    def _starts(self, left: np.ndarray) -> np.ndarray:
        """Rows to grow from, away from the rows of other sets: those are near a switch."""
        is_left = np.zeros(len(self._places), bool)
        is_left[left] = True
        inner = is_left[self._neighbours[left]].mean(axis=1)
        candidates = left[inner >= np.median(inner)]
        return self._rng.choice(candidates, min(STARTS, len(candidates)), replace=False)

    def _grown(self, start: int, left: np.ndarray) -> RowSet | None:
        """The set that grows from the rows around one."""
        distance = np.sum((self._places[left] - self._places[start]) ** 2, axis=1)
        order = left[np.argsort(distance, kind="stable")]
        rows, size, found = order[:FIRST_ROWS], min(FIRST_ROWS, len(order)), None
        while True:
            fit = self._fitted(rows)
            if fit is None:
                return found
            errors = self._errors(fit, rows)
            is_whole = size == len(order)
            size = min(len(order), int(GROWTH_FACTOR * size))
            near = order[:size]
            rows = near[errors[near] <= EXPLAINED_ERROR]
            if len(rows) < FIRST_ROWS / 2:
                return found
            if (
                is_whole
                and found is not None
                and _merit(found) >= _merit(RowSet(fit, errors, rows))
            ):
                return found
            if size == len(order):
                found = RowSet(fit, errors, rows)

    def _fitted(self, rows: np.ndarray) -> _Sum | None:
        """The sum that explains rows best for its length."""
        self._check_time()
        if len(rows) > MAX_FIT_ROWS:
            rows = self._rng.choice(rows, MAX_FIT_ROWS, replace=False)
        features = [
            Feature(feature.nodes, feature.values[rows], feature.gradients[rows])
            for feature in self._features
        ]
        number = {id(feature): k for k, feature in enumerate(features)}
        fit = SpectralFit(features, self._directions[rows], np.full(len(rows), 1 / len(rows)))
        sets = fit.singles(2 * BEAM)
        best, least = None, np.inf
        for terms in range(1, MAX_TERMS + 1):
            for combination in fit.solved(sets[:BEAM]):
                found = _Sum(
                    tuple(number[id(feature)] for feature in combination.features),
                    combination.weights,
                )
                errors = 1 - np.abs(self._cosines(found, rows))
                error = max(float(np.minimum(errors, TRIMMED_ERROR).mean()), FINEST_ERROR)
                score = np.log(error) + NATS_PER_TERM * len(found.features)
                if score < least:
                    best, least = found, score
            sets = (
                [*fit.pairs(BEAM), *fit.grown(sets, BEAM)] if terms == 1 else fit.grown(sets, BEAM)
            )
        return best

    def _cosines(self, found: _Sum, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        parts = [self._gradients[k][rows] for k in found.features]
        gradients = np.einsum("k,krv->rv", found.weights, np.stack(parts))
        return np.asarray((unit(gradients) * self._directions[rows]).sum(axis=1))

    def _errors(self, found: _Sum, rows: np.ndarray) -> np.ndarray:
        """1 - cos at all rows, in the direction that most of some rows have."""
        cosines = self._cosines(found)
        return 1 - cosines * (1 if cosines[rows].sum() >= 0 else -1)


def _merit(found: RowSet) -> float:
    """Rows of a set; a term more must explain a twentieth more of them."""
    return len(found.rows) * (1 - SHARE_PER_TERM * len(found.sum.features))


def _dictionary(field: GradientField, alphabet: Alphabet, without: Sequence[int]) -> list[Feature]:
    maker = FeatureMaker(alphabet)
    variables = maker.variables(field.points, field.frame)
    atoms = [one for k, one in enumerate(variables) if k not in without]
    # The gradient of a logarithm turns with the sign of its argument, and would hide a change of
    # sign from region to region.
    plain = [one for one in maker.dictionary(atoms, 2 * MAX_FEATURES) if not one.is_logarithm]
    degree = MAX_DEGREE if len(atoms) <= MAX_CUBED else 2
    found = {one.concept: one for one in plain[:MAX_FEATURES]}
    if len(atoms) <= MAX_SQUARED:
        found |= {one.concept: one for one in maker.monomials(atoms, degree)}
    return list(found.values())
