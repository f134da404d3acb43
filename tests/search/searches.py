"""Small searches that need their generations: noise keeps the dictionary from ending them."""

from __future__ import annotations

import numpy as np
import sympy

from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.core.settings import GeneticSettings
from keras_symgrad.search.core.stopping import Stopping
from keras_symgrad.search.portfolio import PortfolioSearch

# With a third variable the dictionary, which every search begins with, takes three times as long.
x1, x2 = symbol("x1"), symbol("x2")
NAMES = ["x1", "x2"]
OPERATORS = OperatorSet("add, sub, mul, square, sin")

# Strategies that evolve no trees, for searches of which these are not the subject.
WITHOUT_TREES = ("dictionary", "features")


def noisy_field(truth=x1 * sympy.sin(x2) + x2, rows: int = 300) -> GradientField:
    """The gradients of a concept with 5 % of noise."""
    points = np.random.default_rng(0).uniform(-2, 2, (rows, 2))
    exact = gradient(truth, NAMES, points)
    noise = 0.05 * np.random.default_rng(1).normal(size=exact.shape)
    return GradientField.from_gradients(points, exact + noise, names=NAMES)


def small_search(**options) -> PortfolioSearch:
    """A search of a noisy field by few trees."""
    settings = options.pop("settings", GeneticSettings(demes=4, population=32, offspring=32))
    field = options.pop("field", None) or noisy_field()
    alphabet = Alphabet(options.pop("operators", OPERATORS), NAMES)
    return PortfolioSearch(alphabet, field, None, settings, **{"seed": 5} | options)


def generations(number: int) -> Stopping:
    """So many generations and nothing else."""
    return Stopping(None, generations=number, patience=None, target_loss=None)


def written(search: PortfolioSearch) -> list[tuple]:
    """The archive, to the last digit."""
    return [(one.complexity, one.loss, str(one.tree)) for one in search.archive]
