"""The loss of single trees in float64 NumPy, without a compiled program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from deap import gp

from keras_symgrad.engine import nearest, reduce_axes, unit
from keras_symgrad.expressions import Variable
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.spectral.features import Feature, FeatureMaker

# With more axes than these, trees are evaluated in the coordinates of their own variables: with a
# hundred, 0.3 milliseconds a tree instead of 1.1.
MANY_AXES = 8
# Number of sets of variables whose coordinates are cached.
MOST_KEPT = 64


class TreeLoss:
    """Loss of trees on all rows of a field: some 20 us a node, without compilation.

    Args:
        maker: makes the features as which trees are evaluated.
        field: unit gradients to match.
        signed: whether the opposite direction counts as different.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import OperatorSet
    >>> x = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    >>> field = GradientField.from_gradients(x, x)
    >>> alphabet = Alphabet(OperatorSet("add, square"), field.names)
    >>> measure = TreeLoss(FeatureMaker(alphabet), field)
    >>> measure(alphabet.tree(["add", "square", 0, "square", 1])) < 1e-15
    True
    """

    def __init__(self, maker: FeatureMaker, field: GradientField, *, signed: bool = False):
        self.maker, self.signed = maker, signed
        self._variables = maker.variables(field.points, field.frame)
        self._directions, self._loss, self._axes = field.directions, field.loss, field.axes
        self._own_axes = lru_cache(MOST_KEPT)(self._in_own_axes)
        weights = np.ones(field.rows) if field.weights is None else field.weights
        self._rows = weights / weights.sum()

    def __call__(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> float:
        """The field's loss of the tree's unit gradients; infinite where a row is not finite."""
        variables: Sequence[Feature] | Mapping[int, Feature] = self._variables
        directions = self._directions
        if self._axes > MANY_AXES:
            columns = frozenset(node.index for node in tree if isinstance(node, Variable))
            variables, directions = self._own_axes(columns or frozenset([0]))
        feature = self.maker.of_tree(tree, variables)
        if not feature.is_usable:
            return np.inf
        candidate = unit(feature.gradients)
        target = nearest(directions, candidate)
        losses = [
            self._loss.average(((candidate - sign * target) ** 2).sum(axis=1), self._rows)
            for sign in ((1,) if self.signed else (1, -1))
        ]
        return min(losses) / self._axes

    def _in_own_axes(self, columns: frozenset[int]) -> tuple[dict[int, Feature], np.ndarray]:
        """Variables, and the directions, in the fewest coordinates that preserve products."""
        chosen = sorted(columns)
        gradients, directions = reduce_axes(
            [self._variables[k].gradients for k in chosen], self._directions
        )
        variables = {
            k: replace(self._variables[k], gradients=own) for k, own in zip(chosen, gradients)
        }
        # Constants take their shape from the first variable.
        return {0: variables[chosen[0]], **variables}, directions
