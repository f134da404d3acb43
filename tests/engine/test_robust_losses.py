"""The engine's robust losses: values and normal equations against the exact path."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.engine import Engine
from keras_symgrad.engine.levenberg_marquardt import refine
from keras_symgrad.engine.losses import Huber, Loss, as_loss
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.gradients.tangent_space import orthonormal

D2 = sympy.Symbol("d2")
LOSSES = [as_loss("angle"), Huber(0.3), Loss("bounded", D2 / (D2 + 0.1))]
ALPHABET = Alphabet(OperatorSet("add, mul, sin"), ["a", "b", "c"])
OPTIONS = {"workers": 1, "lanes": 2, "dtype": "float64"}


def tree(first: float, second: float):
    return ALPHABET.tree(["mul", "add", 0, first, "add", 2, "mul", second, 1])


TREES = [tree(2.5, 1.5), ALPHABET.tree(["add", "sin", 0, "mul", 1, 2])]


@pytest.fixture(scope="module", params=LOSSES, ids=str)
def loss(request):
    return request.param


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(size=(150, 3))


@pytest.fixture(scope="module")
def directions(points):
    return unit(np.random.default_rng(1).normal(size=points.shape))


@pytest.fixture(scope="module")
def engine(points, directions, loss):
    with Engine(ALPHABET.operators, points, directions, loss=loss, **OPTIONS) as engine:
        yield engine


@pytest.mark.slow
def test_losses_are_those_of_whole_expressions(engine, points, directions, loss):
    for found, one in zip(engine.losses(TREES), TREES):
        expression = to_sympy(one, ALPHABET.operators)
        exact = reference.loss(expression, ALPHABET.names, points, directions, measure=loss)
        assert found == pytest.approx(exact, rel=1e-9)


@pytest.mark.slow
def test_normal_equations_are_the_slope_of_the_mean(engine, loss):
    step = 1e-4
    moved = [tree(2.5 + step, 1.5), tree(2.5 - step, 1.5)]
    moved += [tree(2.5, 1.5 + step), tree(2.5, 1.5 - step)]
    rho = loss.of(3 * engine.losses(moved))
    equations = engine.normal_equations(engine.constant_tapes([tree(2.5, 1.5)]), 1)
    assert equations.losses == pytest.approx(engine.losses([tree(2.5, 1.5)]), rel=1e-9)
    slopes = (rho[::2] - rho[1::2]) / (2 * step)
    np.testing.assert_allclose(slopes, -2 * equations.projected[0], rtol=1e-4, atol=1e-8)


def test_refinement_passes_by_outliers_and_a_frame_of_its_own_changes_nothing(points):
    truth = tree(2.0, 3.0)
    expression = to_sympy(truth, ALPHABET.operators)
    directions = unit(reference.gradient(expression, ALPHABET.names, points))
    directions[:30] = [1.0, 0.0, 0.0]
    rotation = orthonormal(np.random.default_rng(2).normal(size=(3, 3)))
    found = []
    for frame, target in ((None, directions), (rotation, directions @ rotation.T)):
        options = {**OPTIONS, "frame": frame, "loss": LOSSES[-1]}
        with Engine(ALPHABET.operators, points, target, **options) as engine:
            (one,), _ = refine(engine, [tree(1.5, 2.5)], rounds=30)
        found.append([node.value for node in one if hasattr(node, "value") and node.arity == 0])
    constants = [[v for v in values if isinstance(v, float)] for values in found]
    np.testing.assert_allclose(constants[0], [2.0, 3.0], rtol=5e-3)
    np.testing.assert_allclose(constants[0], constants[1], rtol=1e-6)
