"""Sums and products with constants inside of their functions, from exact gradients."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.inner_constants import InnerConstantSearch

pytestmark = pytest.mark.slow

OPERATORS = OperatorSet("default")


def best_error(text: str, names: str, kind: str) -> float:
    """The least error, on fresh points, of the sums or products found."""
    truth = from_text(text, tuple(names))
    points, fresh = np.random.default_rng(0).uniform(0.5, 2, size=(2, 300, len(names)))
    field = GradientField.from_gradients(
        points, gradient(truth, names, points), names=list(names), metric="columns"
    )
    alphabet = Alphabet(OPERATORS, field.names)
    maker = FeatureMaker(alphabet)
    variables = maker.variables(points, field.frame)
    rows = np.full(len(points), 1 / len(points))
    search = InnerConstantSearch(maker, variables, field.directions, rows)
    found = [one for one in getattr(search, kind)(variables) if one is not None]
    trees = [tree for one in found if one.loss < 1e-9 for tree in one.trees(alphabet)]
    expressions = [to_sympy(tree, OPERATORS) for tree in trees]
    target = gradient(truth, names, fresh)
    errors = (direction_error(gradient(e, names, fresh), target) for e in expressions)
    return min(errors, default=np.inf)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a*sin(1.7*b)**2", "products"),
        ("(a - b)/sqrt(1 + 0.4*b**2)", "products"),
        ("a/(exp(0.8*b/a) - 1)", "products"),
        ("exp(0.6*a) + 2.7*sin(1.3*b)", "sums"),
        ("exp(0.8*a*b) + 3*b", "sums"),
    ],
)
def test_inner_constants_are_found_exactly(text, kind):
    assert best_error(text, "ab", kind) < 1e-9
