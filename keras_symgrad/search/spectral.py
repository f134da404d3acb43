"""Spectral search: sums of features whose weights are an eigenvector, with no search over them.

Directions of gradients are linear in sums. With u the unit gradients of the field, the
gradient of sum_k w_k T_k is parallel to u at every row exactly when

    sum_k w_k (I - u u^T) grad T_k = 0

so the best weights of given features belong to the smallest eigenvalue of the pencil
(A, A + P), where A_kl sums <perp grad T_k, perp grad T_l> over the rows and P_kl the same for
the parallel parts. It weighs rows by |grad T|^2; dividing by the last solution's |grad T|^2 a
few times turns it into the loss of unit gradients (iteratively reweighted least squares).
Products are sums as well: they carry the same concept as the sum of their logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from deap import gp

from keras_symgrad.directions import unit
from keras_symgrad.expressions.trees import Alphabet, Constant
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.features import Feature, FeatureMaker

# A group that one function explains as well as this is taken for a unit of the formula.
GROUP_LOSS = 0.03
# Groups are formed of the variables that turn the gradient most, and all features of these.
GROUPED_VARIABLES = 6
MOST_VARIABLES = 10
# A variable that turns it by less than this share of the strongest one is left out.
WEAKEST = 1e-3


@dataclass(frozen=True, eq=False)
class Combination:
    """A weighted sum of features and its loss.

    Attributes:
        features: its features.
        weights: of the features.
        loss: mean squared difference of unit gradients on the rows, one sign for all.
    """

    features: tuple[Feature, ...]
    weights: np.ndarray
    loss: float

    def tree(self, alphabet: Alphabet) -> gp.PrimitiveTree | None:
        """The sum as a tree; `None` if the alphabet cannot write it."""
        nodes: tuple = ()
        # A positive term first: the sum then needs no negation.
        for k in np.argsort(self.weights < 0, kind="stable"):
            weight, term = float(self.weights[k]), self.features[k].nodes
            joint = "add"
            if nodes and weight < 0 and "sub" in alphabet.primitives:
                joint, weight = "sub", -weight
            if weight != 1 and (nodes or len(self.features) > 1):
                if "mul" not in alphabet.primitives:
                    return None
                term = (alphabet.primitives["mul"], Constant(weight), *term)
            if nodes and joint not in alphabet.primitives:
                return None
            nodes = (alphabet.primitives[joint], *nodes, *term) if nodes else term
        return gp.PrimitiveTree(nodes)


class SpectralSearch:
    """Finds sums of features, first for groups of variables, then for all of them.

    A group of variables that enters the concept only through one function h of its own has
    partial derivatives parallel to grad h, whatever the rest of the formula is. Such functions
    are found first, and serve as atoms of the features for all variables.

    Args:
        alphabet: features are made of its operators and variables.
        field: unit gradients to match.
        beam: sets of features that are kept at each size.
        terms: largest number of features in a sum.
        dictionary: largest number of features to choose from.

    Example:

    >>> from keras_symgrad.operators import OperatorSet
    >>> x = np.random.default_rng(0).uniform(0.5, 2, (300, 4))
    >>> a, b, c, d = x.T
    >>> gradients = np.stack([b * (c + d**2), a * (c + d**2), -a * b, -2 * a * b * d], axis=1)
    >>> field = GradientField.from_gradients(x, gradients, names=["a", "b", "c", "d"])
    >>> alphabet = Alphabet(OperatorSet("arithmetic, square"), field.names)
    >>> str(SpectralSearch(alphabet, field).run()[0])
    'div(div(add(c, square(d)), b), a)'
    """

    def __init__(
        self,
        alphabet: Alphabet,
        field: GradientField,
        *,
        beam: int = 8,
        terms: int = 4,
        dictionary: int = 500,
    ):
        self.alphabet, self.field = alphabet, field
        self.beam, self.terms, self.size = beam, terms, dictionary
        self._maker = FeatureMaker(alphabet)
        weights = np.ones(field.rows) if field.weights is None else field.weights
        self._rows = weights / weights.sum()

    def run(self) -> list[gp.PrimitiveTree]:
        """The best combinations of every size, for all variables.

        Returns:
            Trees, those of lower loss first.
        """
        variables = self._maker.variables(self.field.points, self.field.scales)
        everything = range(self.field.variables)
        strength = self._rows @ self.field.directions**2
        strongest = np.argsort(-strength, kind="stable")[:MOST_VARIABLES]
        strongest = [int(k) for k in strongest if strength[k] >= WEAKEST * strength.max()]
        atoms = [variables[k] for k in sorted(strongest)]
        found = self._combinations(atoms, everything, self.terms, self.beam, self.size)
        units = self._units(variables, sorted(strongest[:GROUPED_VARIABLES]))
        if units:
            atoms = [*units, *atoms]
            found += self._combinations(atoms, everything, self.terms, self.beam, self.size)
        trees = [c.tree(self.alphabet) for c in sorted(found, key=lambda c: c.loss)]
        return [tree for tree in trees if tree is not None]

    def _units(self, variables: Sequence[Feature], grouped: Sequence[int]) -> list[Feature]:
        """Functions through which groups of variables enter, those of large groups first."""
        units: dict[tuple[int, ...], Feature] = {}
        for size in range(2, min(len(grouped), self.field.variables - 1) + 1):
            for group in combinations(grouped, size):
                # Pairs found before are words of the larger group's dictionary.
                inner = [u for g, u in units.items() if len(g) == 2 and set(g) < set(group)]
                atoms = [*inner, *(variables[k] for k in group)]
                unit_ = self._unit(atoms, group)
                if unit_ is not None:
                    units[group] = unit_
        return list(units.values())[::-1]

    def _unit(self, atoms: Sequence[Feature], group: tuple[int, ...]) -> Feature | None:
        """The function of a group, if there is one."""
        found = self._combinations(atoms, group, terms=2, beam=4, size=150)
        found = [c for c in found if c.loss < GROUP_LOSS]
        if not found:
            return None
        best = min(found, key=lambda c: np.log(c.loss + 1e-9) + 0.35 * _length(c))
        values = sum(w * f.values for w, f in zip(best.weights, best.features))
        gradients = sum(w * f.gradients for w, f in zip(best.weights, best.features))
        tree = best.tree(self.alphabet)
        return None if tree is None else Feature(tuple(tree), values, gradients)

    def _combinations(
        self, atoms: Sequence[Feature], group: Sequence[int], terms: int, beam: int, size: int
    ) -> list[Combination]:
        features = self._maker.dictionary(atoms, size)
        problem = _Problem(features, self.field.directions, self._rows, group)
        singles, sets = problem.first_sets(beam)
        found = [problem.solve(chosen) for chosen in (*singles, *dict.fromkeys(sets))]
        for _ in range(2, terms):
            sets = problem.grown(sets, beam)
            found += [problem.solve(chosen) for chosen in sets]
        return [combination for combination in found if combination is not None]


def _length(combination: Combination) -> int:
    """Nodes of the features, and what the weights add."""
    weighted = np.abs(combination.weights) != 1
    return sum(len(f.nodes) + 1 + 4 * w for f, w in zip(combination.features, weighted))


class _Problem:
    """A dictionary, split into parts across and along the target directions."""

    def __init__(
        self,
        features: Sequence[Feature],
        directions: np.ndarray,
        rows: np.ndarray,
        group: Sequence[int],
    ):
        group = list(group)
        target = unit(directions[:, group])
        self.features, self.target, self.rows = features, target, rows
        gradients = np.stack([feature.gradients[:, group] for feature in features])
        # Features differ by orders of magnitude; the eigenproblem wants them alike.
        self.scale = np.sqrt(np.einsum("r,krv->k", rows, gradients**2)) + 1e-300
        self.gradients = gradients / self.scale[:, None, None]
        self.along = np.einsum("krv,rv->kr", self.gradients, target)
        self.across = self.gradients - self.along[:, :, None] * target

    def first_sets(self, beam: int) -> tuple[list[tuple[int]], list[tuple[int, int]]]:
        """Best single features and best pairs."""
        single = np.argsort(self._losses_of_all(), kind="stable")
        some = [(int(k),) for k in single[: 3 * beam]]
        return some[:beam], self.grown(some, beam) + self._pairs(beam)

    def _losses_of_all(self) -> np.ndarray:
        """1 - |mean cos| of every feature alone."""
        lengths = np.sqrt((self.gradients**2).sum(axis=2)) + 1e-300
        return 1 - np.abs((self.along / lengths) @ self.rows)

    def _pairs(self, beam: int) -> list[tuple[int, int]]:
        """Best of all pairs, rows weighted by the length of their gradients.

        A feature whose gradient is huge on a few rows would be judged by those alone, so only
        those without such rows take part.
        """
        square = (self.gradients**2).sum(axis=2)
        even = np.flatnonzero(square.max(axis=1) < 50 * (square @ self.rows))
        across = self.across[even] * np.sqrt(self.rows)[:, None]
        across = across.reshape(len(even), -1)
        a = across @ across.T
        b = a + (self.along[even] * self.rows) @ self.along[even].T
        i, j = np.triu_indices(len(even), 1)
        best = np.argsort(_smallest_eigenvalue_of_pairs(a, b, i, j), kind="stable")[: 2 * beam]
        return [(int(even[i[k]]), int(even[j[k]])) for k in best]

    def grown(self, sets: Sequence[tuple[int, ...]], beam: int) -> list[tuple[int, ...]]:
        """The best sets with one feature more."""
        scored: dict[tuple[int, ...], float] = {}
        for chosen in sets:
            weights = self._reweighted(self._weights(chosen, self.rows), chosen)
            members = np.array(chosen)
            a, p = self._blocks(members, weights)
            for new, value in zip(*_best_additions(a, a + p, members, 3 * beam)):
                key = tuple(sorted((*chosen, int(new))))
                scored[key] = min(float(value), scored.get(key, np.inf))
        return sorted(scored, key=lambda key: (scored[key], key))[:beam]

    def solve(self, chosen: tuple[int, ...]) -> Combination | None:
        """The combination of chosen features, weights by reweighted eigenvectors."""
        weights, rows = np.ones(1), self.rows
        if len(chosen) > 1:
            for _ in range(4):
                weights = self._weights(chosen, rows)
                rows = self._reweighted(weights, chosen)
        weights = weights / self.scale[list(chosen)]
        smallest = np.abs(weights).min()
        if not np.isfinite(weights).all() or smallest < 1e-6 * np.abs(weights).max():
            return None
        weights = weights / smallest
        loss = self._loss(weights, chosen)
        # Weights that are nearly 1 are made so where the loss does not notice.
        plain = np.where(np.abs(np.abs(weights) - 1) < 0.03, np.sign(weights), weights)
        plain_loss = self._loss(plain, chosen)
        if plain_loss <= 1.1 * loss + 1e-9:
            weights, loss = plain, plain_loss
        return Combination(tuple(self.features[k] for k in chosen), weights, loss)

    def _loss(self, weights: np.ndarray, chosen: tuple[int, ...]) -> float:
        scaled = weights * self.scale[list(chosen)]
        candidate = unit(np.einsum("k,krv->rv", scaled, self.gradients[list(chosen)]))
        cosine = self.rows @ (candidate * self.target).sum(axis=1)
        lengths = self.rows @ ((self.target**2).sum(axis=1) + (candidate**2).sum(axis=1))
        return float(max(lengths - 2 * abs(cosine), 0.0)) / self.target.shape[1]

    def _weights(self, chosen: Sequence[int], rows: np.ndarray) -> np.ndarray:
        across = self.across[list(chosen)] * np.sqrt(rows)[None, :, None]
        across = across.reshape(len(chosen), -1)
        along = self.along[list(chosen)]
        a, p = across @ across.T, (along * rows) @ along.T
        return _smallest_eigenvector(a, a + p)

    def _reweighted(self, weights: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        gradients = np.einsum("k,krv->rv", weights, self.gradients[list(chosen)])
        square = (gradients**2).sum(axis=1)
        rows = self.rows / (square + 1e-3 * square.mean() + 1e-300)
        return rows / rows.sum()

    def _blocks(self, members: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Products of members with all features, the own products of all in the last row."""
        across = self.across * np.sqrt(rows)[None, :, None]
        flat = across.reshape(len(across), -1)
        a = flat[members] @ flat.T
        p = (self.along[members] * rows) @ self.along.T
        own = np.einsum("kr,kr->k", flat, flat), (self.along**2) @ rows
        return np.vstack([a, own[0]]), np.vstack([p, own[1]])


# A combination of collinear features has no gradient at all. The same small number on both
# sides gives it the quotient 1, the worst there is, instead of 0/0.
_RIDGE = 1e-9


def _smallest_eigenvector(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.linalg import eigh

    ridge = _RIDGE * np.trace(b) * np.eye(len(a))
    return eigh(a + ridge, b + ridge, subset_by_index=[0, 0])[1][:, 0]


def _smallest_eigenvalue_of_pairs(
    a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Of the pencils of all pairs, by the quadratic formula."""
    ridge = _RIDGE * (b[i, i] + b[j, j])
    aii, ajj, aij = a[i, i] + ridge, a[j, j] + ridge, a[i, j]
    bii, bjj, bij = b[i, i] + ridge, b[j, j] + ridge, b[i, j]
    square = bii * bjj - bij**2
    linear = aii * bjj + ajj * bii - 2 * aij * bij
    constant = aii * ajj - aij**2
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    return 2 * constant / (linear + root + 1e-300)


def _best_additions(
    a: np.ndarray, b: np.ndarray, members: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features that lower the smallest eigenvalue most when they join the members."""
    size, count = len(members) + 1, a.shape[1]

    def pencils(block: np.ndarray) -> np.ndarray:
        matrices = np.empty((count, size, size))
        matrices[:, :-1, :-1] = block[:-1, members]
        matrices[:, :-1, -1] = matrices[:, -1, :-1] = block[:-1].T
        matrices[:, -1, -1] = block[-1]
        return matrices

    left, right = pencils(a), pencils(b)
    ridge = _RIDGE * np.einsum("kii->k", right)[:, None, None] * np.eye(size)
    factor = np.linalg.inv(np.linalg.cholesky(right + ridge))
    values = np.linalg.eigvalsh(factor @ (left + ridge) @ factor.transpose(0, 2, 1))[:, 0]
    values[members] = np.inf
    best = np.argsort(values)[:most]
    best = best[np.isfinite(values[best])]
    return best, values[best]
