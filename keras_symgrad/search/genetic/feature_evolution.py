"""Evolve sets of features that the spectral fit combines.

This generalizes the dictionary search. Breeding changes the features, the spectral fit their
weights, and constant refinement the constants inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from deap import gp

from keras_symgrad.engine import Engine, refine
from keras_symgrad.expressions import CONSTANT_CODE, Complexity, Constant
from keras_symgrad.search.core import (
    Plain,
    Replacements,
    Variation,
    number,
    random_to_plain,
    restore_random,
    tree_from_plain,
    tree_to_plain,
    whole,
)
from keras_symgrad.search.spectral import (
    Candidate,
    Feature,
    LinearCombination,
    SpectralFit,
    SpectralSearch,
)

# Parsimony levels: cost of a unit of complexity in nats, one of which is drawn to choose a parent.
PARSIMONY_LEVELS_NATS = (0.05, 0.2, 0.4)
# Largest number of features of one set, and of nodes of one feature.
MAX_FEATURES = 6
MAX_FEATURE_NODES = 12
# Number of features of the whole population among which a set chooses its next one.
OFFERED = 40
# Constants inside features are refined in this many sets of a batch of offspring, if these are at
# most this many nats worse than the best one, in this many rounds.
MAX_REFINED_OFFSPRING = 6
MAX_SCORE_GAP_NATS = 3.0
LM_ITERATIONS = 5


@dataclass(frozen=True, eq=False)
class Member:
    """A set of features with its weights, as one tree.

    Attributes:
        candidate: the weighted sum and its tree.
        complexity: of the tree.
    """

    candidate: Candidate
    complexity: float

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features."""
        return self.combination.features

    @property
    def combination(self) -> LinearCombination:
        """The features with their weights."""
        if self.candidate.combination is None:
            raise ValueError(f"Expected a weighted sum of features. Received: {self.candidate}")
        return self.candidate.combination

    def score(self, taste: float) -> float:
        """Log-loss plus the price of complexity; the lower the better."""
        return float(np.log(self.candidate.loss + 1e-12) + taste * self.complexity)


class FeatureEvolution:
    """Evolution of sets of features.

    Args:
        spectral: dictionary search, whose rows, features and results are used.
        complexity: of trees.
        max_complexity: more complex sets are rejected.
        seed: of all random choices.
        population: sets that are kept at each complexity.
        offspring: sets bred in a step.
        optimizer: configuration of a Keras optimizer for constants; see `refine`.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import GradientField
    >>> from keras_symgrad import OperatorSet
    >>> x = np.random.default_rng(0).uniform(0.5, 2, (200, 2))
    >>> a, b = x.T
    >>> gradients = np.stack([1 - b * np.sin(a * b), -a * np.sin(a * b)], axis=1)
    >>> field = GradientField.from_gradients(x, gradients, names=["a", "b"])
    >>> spectral = SpectralSearch(Alphabet(OperatorSet("mul, add, cos"), field.names), field)
    >>> evolution = FeatureEvolution(spectral, Complexity(), 20, seed=0)
    >>> found = [candidate for _ in range(30) for candidate in evolution.step()]
    >>> min(candidate.loss for candidate in found) < 1e-9
    True
    """

    def __init__(
        self,
        spectral: SpectralSearch,
        complexity: Complexity,
        max_complexity: float,
        *,
        seed: int = 0,
        population: int = 4,
        offspring: int = 24,
        optimizer: Mapping[str, Any] | None = None,
    ):
        self.optimizer = optimizer
        self.spectral, self.complexity = spectral, complexity
        self.replacements = Replacements(spectral.alphabet, complexity)
        self.max_complexity, self.population, self.offspring = max_complexity, population, offspring
        blocks = spectral.structure.blocks
        self.variation = Variation(
            spectral.alphabet, seed, MAX_FEATURE_NODES, blocks, satisfies=spectral.maker.satisfies
        )
        self.random = self.variation.random
        self.sets: list[Member] = []
        # Number of batches bred.
        self.broods = 0
        self._begun = False

    def begin(self) -> None:
        """Take the candidates of the dictionary search as parents, once."""
        if not self._begun:
            self._begun = True
            found = filter(None, map(self._rewritten, self.spectral.found))
            self.sets = self._survivors(list(found))

    def step(self, engine: Engine | None = None) -> list[Candidate]:
        """Breed one batch of offspring.

        Args:
            engine: refines constants inside features; without it they stay unchanged.

        Returns:
            All new candidates.
        """
        self.begin()
        first = self.broods == 0
        breed = self._first if first or not self.sets else self._child
        broods = [breed() for _ in range(self.offspring)]
        born = [one for features in broods if (one := self._evaluated(features)) is not None]
        if engine is not None:
            # No candidate of the dictionary has been refined yet.
            born += self._refined([*self.sets, *born] if first else born, engine)
        self.broods += 1
        self.sets = self._survivors([*self.sets, *born])
        return [one.candidate for one in born]

    def state(self) -> Plain:
        """State on which the next batches depend, as plain data."""
        self.begin()
        return {
            "broods": self.broods,
            "random": random_to_plain(self.random),
            "sets": [_member_to_plain(one) for one in self.sets],
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state`: the next batches are those that would have followed it."""
        self._begun = True
        self.broods = whole(state["broods"])
        restore_random(self.random, state["random"])
        self.sets = [self._member_from_plain(plain) for plain in state["sets"]]

    def _member_from_plain(self, plain: Plain) -> Member:
        alphabet = self.spectral.alphabet
        features = []
        for nodes, is_logarithm in plain["features"]:
            feature = self._feature(tree_from_plain(nodes, alphabet))
            features.append(feature.logarithm() if is_logarithm else feature)
        weights = np.array([number(weight) for weight in plain["weights"]])
        combination = LinearCombination(tuple(features), weights, number(plain["loss"]))
        tree, loss = tree_from_plain(plain["tree"], alphabet), number(plain["tree_loss"])
        if not features or len(features) != len(weights):
            raise ValueError("A set of features needs a weight for each of them.")
        return Member(Candidate(combination, tree, loss), number(plain["complexity"]))

    def _first(self) -> list[Feature]:
        trees = [self.variation.random_tree(self.random.randint(1, 5)) for _ in range(2)]
        return [self._feature(tree) for tree in trees]

    def _child(self) -> list[Feature]:
        """The features of a new set, made of those of one or two parents."""
        features = list(self._parent().features)
        way = self.random.choice(_WAYS)
        return way(self, features, self.random.randrange(len(features)))

    def _parent(self) -> Member:
        """The best of four for a random parsimony level."""
        taste = self.random.choice(PARSIMONY_LEVELS_NATS)
        entrants = [self.random.choice(self.sets) for _ in range(4)]
        return min(entrants, key=lambda one: one.score(taste))

    # Ways to breed: each takes features and the number of the first one.

    def _mutated(self, features: list[Feature], at: int) -> list[Feature]:
        tree = self.variation.mutate(features[at].tree)
        return self._with(features, at, tree)

    def _crossed(self, features: list[Feature], at: int) -> list[Feature]:
        other = self.random.choice(self._parent().features)
        return self._with(features, at, self.variation.cross(features[at].tree, other.tree))

    def _exchanged(self, features: list[Feature], at: int) -> list[Feature]:
        features[at] = self.random.choice(self._parent().features)
        return features

    def _shortened(self, features: list[Feature], at: int) -> list[Feature]:
        return features[:at] + features[at + 1 :] or features

    def _lengthened(self, features: list[Feature], at: int) -> list[Feature]:
        """Add the one of many features that lowers the loss most."""
        if len(features) > 1 and self.random.random() < 0.5:
            del features[at]
        members = [feature for one in self.sets for feature in one.features]
        offered = [self.random.choice(members) for _ in range(OFFERED // 2)]
        offered += [self._grown() for _ in range(OFFERED // 2)]
        choice = self._different([*features, *offered])
        fit = self._fit(choice)
        grown = fit.grown([tuple(range(len(features)))], 1)
        return [choice[k] for k in grown[0]] if grown else features

    def _grown(self) -> Feature:
        """A random feature, or a mutation of an existing one."""
        if self.random.random() < 1 / 3:
            return self._feature(self.variation.random_tree(self.random.randint(1, 6)))
        near = self.random.choice(self._parent().features)
        vary = self.variation.insert if self.random.random() < 0.5 else self.variation.mutate
        return self._feature(vary(near.tree) or near.tree)

    def _scaled(self, features: list[Feature], at: int) -> list[Feature]:
        """Insert a constant factor in a feature, for constant refinement."""
        tree = features[at].tree
        if "mul" not in self.spectral.alphabet.primitives:
            return features
        start = self.random.randrange(len(tree))
        span = tree.searchSubtree(start)
        factor = Constant(self.random.lognormvariate(0.0, 0.5))
        head = [self.spectral.alphabet.primitives["mul"], factor]
        nodes = [*tree[: span.start], *head, *tree[span]]
        return self._with(features, at, gp.PrimitiveTree([*nodes, *tree[span.stop :]]))

    def _with(
        self, features: list[Feature], at: int, tree: gp.PrimitiveTree | None
    ) -> list[Feature]:
        if tree is not None:
            features[at] = self._like(features[at], tree)
        return features

    def _like(self, old: Feature, tree: Sequence[Any]) -> Feature:
        """The feature of a tree, or its logarithm if it replaces one."""
        feature = self._feature(tree)
        return feature.logarithm() if old.is_logarithm else feature

    def _feature(self, tree: Sequence[Any]) -> Feature:
        return self.spectral.maker.of_tree(tree, self.spectral.variables)

    def _evaluated(self, features: Sequence[Feature]) -> Member | None:
        """The set with its weights, `None` if it is not worth keeping."""
        features = self._different(features)[:MAX_FEATURES]
        if not features:
            return None
        fit = self._fit(features)
        combination = fit.solve(range(len(features)))
        if combination is None:
            return None
        members = map(self._member, self.spectral.candidates(combination))
        return min(
            filter(None, members), key=lambda one: one.score(PARSIMONY_LEVELS_NATS[1]), default=None
        )

    def _different(self, features: Sequence[Feature]) -> list[Feature]:
        """The usable features, one for each concept, that can be added to the first of them."""
        found: dict[bytes, Feature] = {}
        for feature in features:
            if self.spectral.maker.is_usable(feature):
                found.setdefault(feature.concept, feature)
        return next(iter(self.spectral.maker.summable(list(found.values()))), [])

    def _fit(self, features: Sequence[Feature]) -> SpectralFit:
        field = self.spectral.field
        return SpectralFit(features, field.directions, self.spectral.rows, loss=field.loss)

    def _member(self, candidate: Candidate) -> Member | None:
        if candidate.combination is None:
            return None
        complexity = self.complexity(self.replacements.lightened(candidate.tree))
        return Member(candidate, complexity) if complexity <= self.max_complexity else None

    def _rewritten(self, candidate: Candidate) -> Member | None:
        """The set of a candidate, with its features evaluated like all others.

        Products of powers are computed in another order there, and differ in the last digit.
        """
        if candidate.combination is None:
            return None
        features = tuple(self._like(old, old.nodes) for old in candidate.combination.features)
        combination = replace(candidate.combination, features=features)
        return self._member(replace(candidate, combination=combination))

    def _refined(self, born: Sequence[Member], engine: Engine) -> list[Member]:
        """New sets with constants inside their features, refined."""
        inner = [one for one in born if any(map(_holds_constant, one.features))]
        least = min(
            (one.score(PARSIMONY_LEVELS_NATS[1]) for one in (*self.sets, *born)), default=np.inf
        )
        inner.sort(key=lambda one: one.score(PARSIMONY_LEVELS_NATS[1]))
        promising = [
            one
            for one in inner[:MAX_REFINED_OFFSPRING]
            if one.score(PARSIMONY_LEVELS_NATS[1]) < least + MAX_SCORE_GAP_NATS
        ]
        before = [one.candidate.tree for one in promising]
        after, _ = refine(engine, before, rounds=LM_ITERATIONS, optimizer=self.optimizer)
        found = (self._evaluated(self._moved(*trio)) for trio in zip(promising, before, after))
        return [one for one in found if one is not None]

    def _moved(
        self, member: Member, before: gp.PrimitiveTree, after: gp.PrimitiveTree
    ) -> list[Feature]:
        """A member's features with the present constants of its tree."""
        return [self._like(old, _same_place(before, after, old.nodes)) for old in member.features]

    def _survivors(self, sets: Sequence[Member]) -> list[Member]:
        """The best at every complexity, no two of one loss."""
        best: dict[float, dict[str, Member]] = {}
        for one in sorted(sets, key=lambda one: one.candidate.loss):
            level = best.setdefault(one.complexity, {})
            if len(level) < self.population:
                level.setdefault(f"{one.candidate.loss:.3g}", one)
        return [one for level in best.values() for one in level.values()]


def _holds_constant(feature: Feature) -> bool:
    return any(node.code == CONSTANT_CODE for node in feature.nodes)


def _same_place(tree: Sequence[Any], other: Sequence[Any], nodes: Sequence[Any]) -> Sequence[Any]:
    """The nodes of the other tree at the positions of some nodes of the tree.

    Nodes whose spelling differs from their construction, as powers of a product, are returned
    unchanged.
    """
    size = len(nodes)
    for start in range(len(tree) - size + 1):
        if all(map(_are_alike, tree[start : start + size], nodes)):
            return other[start : start + size]
    return nodes


def _are_alike(node: gp.Primitive | gp.Terminal, other: gp.Primitive | gp.Terminal) -> bool:
    if node.code != CONSTANT_CODE:
        return node.code == other.code
    return other.code == CONSTANT_CODE and node.value == other.value


def _member_to_plain(one: Member) -> Plain:
    combination = one.combination
    return {
        "features": [[tree_to_plain(f.nodes), f.is_logarithm] for f in combination.features],
        "weights": combination.weights.tolist(),
        "loss": float(combination.loss),
        "tree": tree_to_plain(one.candidate.tree),
        "tree_loss": float(one.candidate.loss),
        "complexity": one.complexity,
    }


# Growing a set by the best of many features finds most; it is drawn every other time.
_WAYS: tuple[Callable[..., Any], ...] = (
    FeatureEvolution._mutated,
    FeatureEvolution._crossed,
    FeatureEvolution._exchanged,
    FeatureEvolution._shortened,
    FeatureEvolution._scaled,
    *(5 * [FeatureEvolution._lengthened]),
)
