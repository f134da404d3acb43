"""Evolution of features: concepts whose features are in no dictionary."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.engine import Engine
from keras_symgrad.engine.reference import gradient, loss
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.genetic.feature_evolution import FeatureEvolution
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.search import SpectralSearch

x1, x2, x3 = (symbol(f"x{k}") for k in range(1, 4))
# XLA takes a second for each pair of operators.
OPERATORS = OperatorSet("add, mul, square, exp, log, sin, cos")


def field_of(truth, box=(0.4, 2), rows=200) -> GradientField:
    names = ["x1", "x2", "x3"]
    points = np.random.default_rng(0).uniform(*box, size=(rows, 3))
    return GradientField.from_gradients(points, gradient(truth, names, points), names=names)


def evolution_of(field: GradientField, seed: int = 0) -> FeatureEvolution:
    spectral = SpectralSearch(Alphabet(OPERATORS, field.names), field)
    return FeatureEvolution(spectral, Complexity(), 30, seed=seed)


@pytest.mark.slow
def test_features_that_no_dictionary_holds_are_evolved():
    field = field_of(x1 * sympy.sin(x2 * x3) + x3**2)
    evolution = evolution_of(field)
    least = min(one.loss for stage in evolution.spectral.stages() for one in stage or ())
    assert least > 1e-6
    for _ in range(100):
        least = min([least, *(one.loss for one in evolution.step())])
        if least < 1e-10:
            break
    assert least < 1e-10


def test_losses_are_those_of_the_trees():
    field = field_of(sympy.exp(x1 * x2) + x3)
    evolution = evolution_of(field)
    found = evolution.step() + evolution.step()
    assert len(found) > 20
    for candidate in found[::5]:
        expression = to_sympy(candidate.tree, OPERATORS)
        exact = loss(expression, field.names, field.points, field.directions, frame=field.frame)
        assert candidate.loss == pytest.approx(exact, rel=1e-6, abs=1e-12)


@pytest.mark.slow
def test_constants_inside_of_features_are_refined():
    field = field_of(sympy.sin(2.7 * x1) + x2 * x3, rows=256)
    evolution = evolution_of(field)
    alphabet, variables = evolution.spectral.alphabet, evolution.spectral.variables
    near = [["sin", "mul", 2.2, 0], ["mul", 1, 2]]
    features = [evolution.spectral.maker.of_tree(alphabet.tree(t), variables) for t in near]
    fit = SpectralFit(features, field.directions, evolution.spectral.rows)
    evolution.spectral.found = list(evolution.spectral.candidates(fit.solve([0, 1])))
    before = evolution.spectral.found[0].loss
    with Engine(OPERATORS, field.points, field.directions) as engine:
        least = min(one.loss for _ in range(20) for one in evolution.step(engine))
    assert before > 1e-3
    assert least < 1e-8


@pytest.mark.slow
def test_the_same_seed_breeds_the_same_sets():
    field = field_of(x1 * x2 + sympy.cos(x3))
    runs = []
    for _ in range(2):
        evolution = evolution_of(field, seed=3)
        runs.append([(one.loss, str(one.tree)) for _ in range(4) for one in evolution.step()])
    assert runs[0] == runs[1]
