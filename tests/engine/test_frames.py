"""The engine in coordinates of its own, and against spans of several directions."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import in_frame, nearest, unit
from keras_symgrad.engine.engine import Engine
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.gradients.tangent_space import orthonormal

ROWS = 200
VARIABLES = 4
AXES = 3
# One program for all tests: XLA takes seconds for each.
PROGRAM = {"dtype": "float64", "workers": 1, "lanes": 2}


@pytest.fixture(scope="module")
def alphabet():
    return Alphabet(OperatorSet("add, sub, mul, sin"), ["a", "b", "c", "d"])


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(size=(ROWS, VARIABLES))


@pytest.fixture(scope="module")
def trees(alphabet):
    return [
        alphabet.tree(["add", "mul", 0, 1, "sin", 2]),
        alphabet.tree(["mul", "add", 0, 2.5, "add", 3, "mul", 1.5, 1]),
        alphabet.tree(["sub", "mul", 0, 3, "mul", 1, 2]),
    ]


def frames():
    rng = np.random.default_rng(1)
    yield None
    yield rng.normal(size=(AXES, VARIABLES))
    yield rng.normal(size=(ROWS, AXES, VARIABLES))


def spans(frame):
    rng = np.random.default_rng(2)
    axes = VARIABLES if frame is None else AXES
    yield orthonormal(rng.normal(size=(ROWS, 1, axes)))[:, 0]
    yield orthonormal(rng.normal(size=(ROWS, 2, axes)))


FIELDS = [(frame, span) for frame in frames() for span in spans(frame)]
NAMES = [f"{'no' if f is None else f.ndim}-axis-frame-{s.ndim}-axis-span" for f, s in FIELDS]


@pytest.mark.slow
@pytest.mark.parametrize(("frame", "directions"), FIELDS, ids=NAMES)
def test_losses_are_those_of_whole_expressions(alphabet, points, trees, frame, directions):
    with Engine(alphabet.operators, points, directions, frame=frame, **PROGRAM) as engine:
        losses = engine.losses(trees)
    for tree, loss in zip(trees, losses):
        expression = to_sympy(tree, alphabet.operators)
        gradients = in_frame(reference.gradient(expression, alphabet.names, points), frame)
        candidate = unit(gradients)
        target = nearest(directions, candidate)
        cosine = abs(float(np.mean((candidate * target).sum(axis=1))))
        # For a span, the part of the candidate in it: no target is chosen.
        if directions.ndim == 3:
            inside = np.einsum("rka,ra->rk", directions, candidate)
            cosine = float(np.mean(np.linalg.norm(inside, axis=1)))
        assert loss == pytest.approx(2 * (1 - cosine) / directions.shape[-1], abs=1e-10)


@pytest.mark.parametrize(("frame", "directions"), FIELDS, ids=NAMES)
def test_the_loss_of_a_whole_expression_does_not_depend_on_blocks(
    alphabet, points, trees, frame, directions, monkeypatch
):
    expressions = [to_sympy(tree, alphabet.operators) for tree in trees]

    def losses():
        field = alphabet.names, points, directions
        return [reference.loss(expression, *field, frame=frame) for expression in expressions]

    at_once = losses()
    monkeypatch.setattr(reference, "block_rows", lambda columns: 64)
    assert losses() == pytest.approx(at_once, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("frame", "directions"), FIELDS, ids=NAMES)
def test_normal_equations_are_the_slope_of_the_loss(alphabet, points, frame, directions):
    step = 1e-6

    def tree(first, second):
        return alphabet.tree(["mul", "add", 0, first, "add", 3, "mul", second, 1])

    moved = [tree(2.5 + step, 1.5), tree(2.5 - step, 1.5), tree(2.5, 1.5 + step)]
    moved.append(tree(2.5, 1.5 - step))
    with Engine(alphabet.operators, points, directions, frame=frame, **PROGRAM) as engine:
        losses = engine.losses(moved)
        equations = engine.normal_equations(engine.constant_tapes([tree(2.5, 1.5)]), 1)
    slopes = (losses[::2] - losses[1::2]) / (2 * step)
    expected = -2 / directions.shape[-1] * equations.projected[0, :2]
    np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-8)


def test_a_function_of_two_is_in_their_span_and_in_no_single_one(alphabet, points):
    a, b, c, d = points.T
    zero, one = np.zeros(ROWS), np.ones(ROWS)
    product = np.stack([b, a, zero, zero], axis=1)
    total = np.stack([zero, zero, one, one], axis=1)
    tree = alphabet.tree(["mul", "mul", 0, 1, "add", 2, 3])
    span = orthonormal(np.stack([product, total], axis=1))
    with Engine(alphabet.operators, points, span, workers=1) as engine:
        assert engine.losses([tree])[0] < 1e-7
    with Engine(alphabet.operators, points, unit(product), workers=1) as engine:
        assert engine.losses([tree])[0] > 1e-2
