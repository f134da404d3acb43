"""Separability: groups of variables and coordinates from ratios of gradients.

A variable that the neuron ignores has no partial derivative. A group of variables that enters only
through one function h of its own has partial derivatives parallel to grad h, whatever the rest of
the formula and phi: the ratio of two components of the gradient does not depend on them.

    f = F(h(a, b), c)   =>   f_a : f_b = h_a : h_b

Sums, differences, products and quotients are such functions, and so is every other whose gradient a
short sum of features makes parallel. A group that is found becomes one coordinate, and the search
for groups is repeated among the coordinates, until no more groups are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import sympy
from deap import gp

from keras_symgrad.expressions import Alphabet, canonicalize, to_sympy
from keras_symgrad.expressions.formats import from_text, to_pretty, to_text
from keras_symgrad.files import Record
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import Feature, FeatureMaker
from keras_symgrad.search.spectral.linear_combination import LinearCombination

# A variable whose share in the gradient is less than this part of the strongest one's is ignored.
WEAKEST = 1e-3
# Number of variables, the strongest, in which groups are searched for; the search uses the others.
MOST_VARIABLES = 12
# Largest error of a group, 1 - |cos| between its partial derivatives and those of its function,
# with rows weighted by the group's share of the gradient.
LARGEST_ERROR = 0.03
# Groups with more than this many times the error of the round's best are left to the next round.
CLEARLY_WORSE = 8.0
# Gain in nats for one more node of a group's function.
NATS_PER_NODE = 0.35
# Triples are tested among at most this many coordinates.
MOST_FOR_TRIPLES = 6
_DICTIONARY = 90


@dataclass(frozen=True, eq=False)
class Unit:
    """Some variables as one coordinate.

    Attributes:
        columns: the variables.
        feature: the function through which they enter; a single variable's feature is itself.
        error: mean of 1 - |cos| between the partial derivatives of the neuron and of the function,
            rows weighted by the share of the gradient that the variables have.
    """

    columns: frozenset[int]
    feature: Feature
    error: float


@dataclass(frozen=True, eq=False)
class Separability:
    """Structure that the gradients of a field show without a search.

    Attributes:
        ignored: columns with a negligible share in the gradient.
        levels: coordinates, the variables first, each level with fewer of them than the one before.
        others: variables that count but were not tested for groups, the strongest first.
    """

    ignored: tuple[int, ...]
    levels: tuple[tuple[Unit, ...], ...]
    others: tuple[Unit, ...] = ()

    @property
    def looked_at(self) -> frozenset[int]:
        """The columns that were tested for groups."""
        return frozenset().union(*(unit.columns for unit in self.levels[0]))

    @property
    def units(self) -> list[Unit]:
        """Groups of several variables, those found last (the largest) first."""
        found = {u.feature.concept: u for level in self.levels[::-1] for u in level}
        return [unit for unit in found.values() if len(unit.columns) > 1]

    @property
    def blocks(self) -> list[gp.PrimitiveTree]:
        """Building blocks: groups and, where some variables are ignored, those that remain.

        If three of a hundred variables matter, few random trees would contain any of the three.
        """
        left = (*self.levels[0], *self.others) if self.ignored else ()
        return [unit.feature.tree for unit in (*self.units, *left)]

    def groups(self, alphabet: Alphabet) -> tuple[Group, ...]:
        """The groups as expressions, those of smallest error first."""
        groups = [
            Group(
                tuple(alphabet.names[k] for k in sorted(unit.columns)),
                canonicalize(to_sympy(unit.feature.tree, alphabet.operators)),
                unit.error,
            )
            for unit in self.units
        ]
        return tuple(sorted(groups, key=lambda group: group.error))


@dataclass(frozen=True)
class Group:
    """Variables that enter a neuron through one function of theirs, for people.

    Attributes:
        variables: their names.
        expression: the function.
        error: mean of 1 - |cos| between the neuron's partial derivatives and the function's.
    """

    variables: tuple[str, ...]
    expression: sympy.Expr
    error: float

    def __str__(self) -> str:
        return f"{to_pretty(self.expression)} ({self.error:.0e})"

    def to_dict(self) -> dict[str, Any]:
        """The group as plain data."""
        names = list(self.variables)
        expression = to_text(self.expression)
        return {"variables": names, "expression": expression, "error": self.error}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Group:
        """Read a group from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of all variables.

        Raises:
            ValueError: they are not a group.
        """
        record = Record.of(content)
        expression = from_text(record.text("expression"), names)
        return cls(record.texts("variables"), expression, record.number("error"))


def find_separability(
    maker: FeatureMaker,
    field: GradientField,
    variables: Sequence[Feature],
    rows: np.ndarray,
    weakest: float = WEAKEST,
) -> Separability:
    """Find ignored variables and groups, from the directions of a field.

    Args:
        maker: makes the candidate functions of groups.
        field: the directions.
        variables: the columns as features.
        rows: weights of the rows, of sum 1.
        weakest: share in the gradient, relative to the strongest variable's, of those not ignored.

    Returns:
        The `Separability`.
    """
    apart = field.column_by_column()
    if apart is None or apart is field:
        return Separability(*_Reader(maker, field, variables, rows).read(weakest))
    # Partial derivatives are computed in a metric that keeps variables apart.
    own = maker.variables(apart.points, apart.frame)
    ignored, levels, others = _Reader(maker, apart, own, rows).read(weakest)

    def again(level: tuple[Unit, ...]) -> tuple[Unit, ...]:
        return tuple(replace(u, feature=maker.of_tree(u.feature.tree, variables)) for u in level)

    return Separability(ignored, tuple(map(again, levels)), again(others))


class _Reader:
    """Search for groups among coordinates, with a memory of the tested ones."""

    def __init__(
        self,
        maker: FeatureMaker,
        field: GradientField,
        variables: Sequence[Feature],
        rows: np.ndarray,
    ):
        self.maker, self.field, self.variables = maker, field, variables
        self.rows = rows
        self._known: dict[frozenset[Any], Unit | None] = {}

    def read(self, weakest: float) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        strength = self.field.strength(self.rows)
        order = [int(k) for k in np.argsort(-strength, kind="stable")]
        counts = [k for k in order if strength[k] >= weakest * strength.max()]
        ignored = tuple(sorted(order[len(counts) :]))
        level = self._alone(sorted(counts[:MOST_VARIABLES]))
        others = self._alone(counts[MOST_VARIABLES:])
        levels = [level]
        # Outside the coordinates of the variables, their partial derivatives are not separable.
        while len(level) > 2 and self.field.keeps_variables_apart:
            joined = self._joined(level)
            if joined is None:
                break
            level = joined
            levels.append(level)
        return ignored, tuple(levels), others

    def _alone(self, columns: Sequence[int]) -> tuple[Unit, ...]:
        return tuple(Unit(frozenset([k]), self.variables[k], 0.0) for k in columns)

    def _joined(self, level: tuple[Unit, ...]) -> tuple[Unit, ...] | None:
        """The coordinates with the best groups in place of their members; `None` without groups."""
        strength = self.field.strength(self.rows)

        def weight(group: Unit) -> float:
            # Noise is the same in all components of the gradient: as a share of the group's it is
            # larger, the weaker the group is.
            return group.error * float(strength[sorted(group.columns)].sum())

        sizes = (2, 3) if 3 < len(level) <= MOST_FOR_TRIPLES else (2,)
        for size in sizes:
            groups = [self._group(members) for members in combinations(level, size)]
            found = sorted((g for g in groups if g is not None), key=weight)
            if not found:
                continue
            taken: list[Unit] = []
            for group in found:
                near = weight(group) <= CLEARLY_WORSE * weight(found[0]) + 1e-6
                if near and not any(group.columns & other.columns for other in taken):
                    taken.append(group)
            columns = frozenset().union(*(group.columns for group in taken))
            return (*taken, *(unit for unit in level if not unit.columns & columns))
        return None

    def _group(self, members: tuple[Unit, ...]) -> Unit | None:
        key = frozenset(unit.feature.concept for unit in members)
        if key not in self._known:
            self._known[key] = self._best(members)
        return self._known[key]

    def _best(self, members: tuple[Unit, ...]) -> Unit | None:
        """The function through which a group enters, if there is one."""
        columns = sorted(frozenset().union(*(unit.columns for unit in members)))
        features = self.maker.dictionary([unit.feature for unit in members], _DICTIONARY)
        best, least = None, np.inf
        for combination in self._combinations(features, columns):
            # In the units of 1 - |cos|: the loss is a mean over the columns.
            error = combination.loss * len(columns) / 2
            score = np.log(error + 1e-7) + NATS_PER_NODE * _length(combination)
            if error < LARGEST_ERROR and score < least:
                best, least = (combination, error), score
        return best and self._unit(frozenset(columns), *best)

    def _combinations(
        self, features: Sequence[Feature], columns: Sequence[int]
    ) -> Iterator[LinearCombination]:
        for group in self.maker.summable(features):
            fit = SpectralFit(group, self.field.directions, self.rows, columns, self.field.loss)
            if fit.rows.any():
                yield from _combinations(fit)

    def _unit(
        self, columns: frozenset[int], combination: LinearCombination, error: float
    ) -> Unit | None:
        trees = combination.trees(self.maker.alphabet)
        if not trees:
            return None
        # The product, if there is one: it needs no logarithm.
        tree = trees[-1]
        return Unit(columns, self.maker.of_tree(tree, self.variables), error)


def _combinations(fit: SpectralFit) -> Iterator[LinearCombination]:
    pairs = fit.pairs(6)
    for chosen in (*fit.singles(8), *pairs, *fit.grown(pairs[:4], 4)):
        combination = fit.solve(chosen)
        if combination is not None:
            yield combination


def _length(combination: LinearCombination) -> int:
    """Nodes of the features, and the complexity that the weights add."""
    weighted = np.abs(combination.weights) != 1
    return sum(len(f.nodes) + 1 + 4 * w for f, w in zip(combination.features, weighted))
