"""The loss of single trees in float64 NumPy, for searches that need no compiled program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from deap import gp

from keras_symgrad.directions import nearest, unit
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.features import FeatureMaker


class TreeMeasure:
    """Measures trees on all rows of a field: some 20 us a node, nothing to compile.

    Args:
        maker: of the features that trees are evaluated as.
        field: unit gradients to match.
        signed: whether the opposite direction counts as different.

    Example:

    >>> from keras_symgrad.expressions.trees import Alphabet
    >>> from keras_symgrad.operators import OperatorSet
    >>> x = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    >>> field = GradientField.from_gradients(x, x)
    >>> alphabet = Alphabet(OperatorSet("add, square"), field.names)
    >>> measure = TreeMeasure(FeatureMaker(alphabet), field)
    >>> measure(alphabet.tree(["add", "square", 0, "square", 1])) < 1e-15
    True
    """

    def __init__(self, maker: FeatureMaker, field: GradientField, *, signed: bool = False):
        self.maker, self.signed = maker, signed
        self._variables = maker.variables(field.points, field.frame)
        self._directions = field.directions
        weights = np.ones(field.rows) if field.weights is None else field.weights
        self._rows = weights / weights.sum()

    def __call__(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> float:
        """Mean squared difference of unit gradients; infinite where a row is not finite."""
        feature = self.maker.of_tree(tree, self._variables)
        if not feature.is_usable:
            return np.inf
        candidate = unit(feature.gradients)
        target = nearest(self._directions, candidate)
        apart, opposite = (
            self._rows @ ((candidate - sign * target) ** 2).mean(axis=1) for sign in (1, -1)
        )
        return float(apart if self.signed else min(apart, opposite))
