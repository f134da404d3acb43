"""Weighted sums of features, and their spelling as trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from deap import gp

from keras_symgrad.expressions import Alphabet, Constant
from keras_symgrad.search.spectral.features import Feature, Nodes

# Formulas with higher powers are not written, because nobody would read them.
HIGHEST_POWER = 6
# Largest distance of an exponent from a whole number; the loss of the tree decides later.
NEARLY_WHOLE = 0.05
_POWERS = {2: "square", 3: "cube", 4: "pow4", 5: "pow5"}


@dataclass(frozen=True, eq=False)
class LinearCombination:
    """A weighted sum of features and its loss.

    Attributes:
        features: its features.
        weights: of the features.
        loss: mean squared difference of unit gradients on the rows: one sign for all rows, or, with
            logarithms of either sign among the features, the better sign for each.
    """

    features: tuple[Feature, ...]
    weights: np.ndarray
    loss: float

    def trees(self, alphabet: Alphabet) -> list[gp.PrimitiveTree]:
        """Spellings: as a sum, and with logarithms as a product.

            w_1 log|T_1| + w_2 log|T_2| + v F   <->   T_1**n_1 * T_2**n_2 * exp(n_1/w_1 v F)

        A product in which a square would hide the sign of a factor is written with the roots of
        all factors as well.

        Args:
            alphabet: alphabet of the trees.

        Returns:
            At most three trees, the product last; none if the alphabet cannot write it.
        """
        written = (as_sum(self._terms(alphabet), alphabet), *self._as_products(alphabet))
        return [gp.PrimitiveTree(nodes) for nodes in written if nodes]

    def _terms(self, alphabet: Alphabet) -> list[tuple[float, Nodes]] | None:
        logarithm = next((name for name in ("log", "log_abs") if name in alphabet.primitives), None)
        terms = []
        for weight, feature in zip(self.weights, self.features):
            nodes = feature.nodes
            if feature.is_logarithm and len(self.features) > 1:
                if logarithm is None:
                    return None
                nodes = (alphabet.primitives[logarithm], *nodes)
            terms.append((float(weight), nodes))
        return terms

    def _as_products(self, alphabet: Alphabet) -> Iterator[Nodes | None]:
        logs = [feature for feature in self.features if feature.is_logarithm]
        if not logs or len(self.features) < 2:
            return
        weights = [w for w, feature in zip(self.weights, self.features) if feature.is_logarithm]
        found = _whole_exponents(np.array(weights))
        if found is not None:
            if any(n % 2 == 0 and f.changes_sign for n, f in zip(found[0], logs)):
                yield self._as_product(found[0] / 2, found[1] / 2, alphabet)
            yield self._as_product(*found, alphabet)

    def _as_product(self, exponents: np.ndarray, factor: float, alphabet: Alphabet) -> Nodes | None:
        logs = np.array([feature.is_logarithm for feature in self.features])
        bases = [feature.nodes for feature in self.features if feature.is_logarithm]
        over = [_power(b, n, alphabet) for b, n in zip(bases, exponents.tolist()) if n > 0]
        under = [_power(b, -n, alphabet) for b, n in zip(bases, exponents.tolist()) if n < 0]
        if not logs.all():
            plain = [
                (float(w) * factor, f.nodes)
                for w, f in zip(self.weights, self.features)
                if not f.is_logarithm
            ]
            inner = as_sum(plain, alphabet)
            if inner is None or "exp" not in alphabet.primitives:
                return None
            over.append((alphabet.primitives["exp"], *inner))
        if not over:
            over, under = under, over
        return _quotient(over, under, alphabet)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A spelling of a combination, with its loss.

    Attributes:
        combination: the weighted sum; `None` for other candidates.
        tree: the spelling.
        loss: of the tree.
    """

    combination: LinearCombination | None
    tree: gp.PrimitiveTree
    loss: float


def _whole_exponents(weights: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Whole numbers in the proportions of the weights, and the factor of the weights."""
    smallest = np.abs(weights).min()
    for multiple in (1, 2, 3):
        exponents = weights / smallest * multiple
        whole = np.round(exponents)
        near = np.abs(exponents - whole) <= NEARLY_WHOLE * np.abs(whole)
        if near.all() and np.abs(whole).max() <= HIGHEST_POWER:
            if whole.sum() < 0:
                whole, multiple = -whole, -multiple
            return whole, multiple / smallest
    return None


def as_quotient(
    over: Sequence[tuple[float, Nodes]], under: Sequence[tuple[float, Nodes]], alphabet: Alphabet
) -> gp.PrimitiveTree | None:
    """Write a quotient of two weighted sums as a tree.

    Args:
        over: weights and nodes of the numerator; no nodes stand for the constant 1.
        under: the same of the denominator.
        alphabet: alphabet of the tree.

    Returns:
        A tree, `None` if the alphabet cannot write it.
    """
    above, below = as_sum(over, alphabet), as_sum(under, alphabet)
    if above is None or below is None:
        return None
    if len(below) == 1 and isinstance(below[0], Constant):
        return gp.PrimitiveTree(above)
    if "div" not in alphabet.primitives:
        return None
    return gp.PrimitiveTree((alphabet.primitives["div"], *above, *below))


def as_sum(terms: Sequence[tuple[float, Nodes]] | None, alphabet: Alphabet) -> Nodes | None:
    """Write a weighted sum as nodes.

    Args:
        terms: weights and nodes; no nodes stand for the constant 1.
        alphabet: alphabet of the nodes.

    Returns:
        Nodes in prefix order, `None` without terms or if the alphabet cannot write them.
    """
    if terms is None:
        return None
    primitives = alphabet.primitives
    nodes: Nodes = ()
    # A positive term first: the sum then needs no negation.
    for weight, term in sorted(terms, key=lambda pair: pair[0] < 0):
        joint = "add"
        if nodes and weight < 0 and "sub" in primitives:
            joint, weight = "sub", -weight
        if not term:
            term = (Constant(weight),)
        elif weight != 1:
            if "mul" not in primitives:
                return None
            term = (primitives["mul"], Constant(weight), *term)
        if nodes and joint not in primitives:
            return None
        nodes = (primitives[joint], *nodes, *term) if nodes else term
    return nodes


def product_of_powers(
    bases: Sequence[Nodes], exponents: Sequence[float], alphabet: Alphabet
) -> Nodes | None:
    """Write a product of powers as nodes.

    Args:
        bases: nodes of the bases.
        exponents: multiples of one half; bases of exponent 0 are left out.
        alphabet: alphabet of the nodes.

    Returns:
        Nodes in prefix order, `None` if the alphabet cannot write them.
    """
    over = [_power(b, n, alphabet) for b, n in zip(bases, exponents) if n > 0]
    under = [_power(b, -n, alphabet) for b, n in zip(bases, exponents) if n < 0]
    return _quotient(over or [(Constant(1.0),)], under, alphabet)


def _power(base: Nodes, exponent: float, alphabet: Alphabet) -> Nodes | None:
    if exponent % 1 == 0:
        return _whole_power(base, int(exponent), alphabet)
    inner = _whole_power(base, round(2 * exponent), alphabet)
    root = alphabet.primitives.get("sqrt")
    return None if root is None or inner is None else (root, *inner)


def _whole_power(base: Nodes, exponent: int, alphabet: Alphabet) -> Nodes | None:
    primitives = alphabet.primitives
    if exponent == 1:
        return base
    if _POWERS.get(exponent) in primitives:
        return (primitives[_POWERS[exponent]], *base)
    if exponent % 2 == 0 and "square" in primitives:
        half = _whole_power(base, exponent // 2, alphabet)
        return half and (primitives["square"], *half)
    rest = _whole_power(base, exponent - 1, alphabet)
    return rest and _product([rest, base], alphabet)


def _product(factors: Sequence[Nodes | None], alphabet: Alphabet) -> Nodes | None:
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors) or (len(known) > 1 and "mul" not in alphabet.primitives):
        return None
    product, *others = known
    for factor in others:
        product = (alphabet.primitives["mul"], *product, *factor)
    return product


def _quotient(over: list[Any], under: list[Any], alphabet: Alphabet) -> Nodes | None:
    numerator = _product(over, alphabet)
    if not under or numerator is None:
        return numerator
    denominator = _product(under, alphabet)
    if denominator is None or "div" not in alphabet.primitives:
        return None
    return (alphabet.primitives["div"], *numerator, *denominator)
