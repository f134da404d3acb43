"""`Problem`: the field, alphabet, loss and rules of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keras_symgrad.expressions import Alphabet, Complexity
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.core.settings import GeneticSettings

if TYPE_CHECKING:
    from keras_symgrad.search.core.prior_knowledge import PriorKnowledge
    from keras_symgrad.search.islands import Strategy

# Rows of the field for fits of sums of features; trees are evaluated on all rows.
SPECTRAL_ROWS = 256


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that determines the result of a search, except its limits.

    It is sent to other processes as a whole.

    Args:
        alphabet: operators and variables of the formulas.
        gradients: the rows to search on.
        complexity: of trees.
        settings: settings of the genetic search.
        strategies: ways to search.
        signed: whether the opposite direction counts as different.
        seed: of all random choices.
        knowledge: rules of the formulas and guesses to start from; none by default.

    Example:

    >>> import numpy as np
    >>> from keras_symgrad import OperatorSet
    >>> x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    >>> gradients = GradientField.from_gradients(x, 2 * x * [1, 3])
    >>> Problem(Alphabet(OperatorSet("polynomial"), gradients.names), gradients).spectral.rows
    256
    """

    alphabet: Alphabet
    gradients: GradientField
    complexity: Complexity = field(default_factory=Complexity)
    settings: GeneticSettings = GeneticSettings()
    strategies: Sequence[Strategy] = ()
    signed: bool = False
    seed: int = 0
    knowledge: PriorKnowledge | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "complexity", self.complexity.over(self.alphabet.operators))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the strategies."""
        return tuple(strategy.name for strategy in self.strategies)

    @property
    def spectral(self) -> GradientField:
        """The rows for fits of sums of features."""
        return self.gradients.subset(SPECTRAL_ROWS, self.seed)
