"""Constants inside of features, fitted with the weights projected out."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import unit
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.variable_projection import (
    VariableProjection,
    is_free,
    of_nodes,
)

ALPHABET = Alphabet(OperatorSet("default"), ["a", "b"])
MAKER = FeatureMaker(ALPHABET)
POINTS = np.random.default_rng(0).uniform(0.5, 2, (120, 2))
VARIABLES = MAKER.variables(POINTS)
ROWS = np.full(len(POINTS), 1 / len(POINTS))


def feature(*tree):
    return MAKER.of_tree(ALPHABET.tree(list(tree)), VARIABLES)


def constants_of(features) -> list[float]:
    return [node.value for one in features for node in one.nodes if is_free(node)]


def projection(gradients) -> VariableProjection:
    return VariableProjection(MAKER, VARIABLES, unit(gradients), ROWS)


def test_constants_and_weights_of_an_exact_sum_are_found_from_nearby():
    # 3 exp(0.7 a) + 2 sin(1.9 b), under an unknown function: the length of rows is arbitrary.
    a, b = POINTS.T
    gradients = np.stack([2.1 * np.exp(0.7 * a), 3.8 * np.cos(1.9 * b)], axis=1)
    gradients *= np.random.default_rng(1).uniform(0.1, 9, (len(a), 1))
    start = [feature("exp", "mul", 0.5, 0), feature("sin", "mul", 2.1, 1)]
    found, error = projection(gradients).fitted(start)
    np.testing.assert_allclose(constants_of(found), [0.7, 1.9], rtol=1e-6)
    assert error < 1e-18


def test_exponents_of_a_product_are_found_with_the_constants():
    # a**2 * (1 + 0.3 b)**3 as a sum of logarithms.
    a, b = POINTS.T
    gradients = np.stack([2 / a, 0.9 / (1 + 0.3 * b)], axis=1)
    start = [VARIABLES[0].logarithm(), feature("add", 1.0, "mul", 0.5, 1).logarithm()]
    found, error = projection(gradients).fitted(start)
    np.testing.assert_allclose(constants_of(found), [0.3], rtol=1e-6)
    assert error < 1e-18 and found[1].is_logarithm


def test_the_error_never_grows():
    rng = np.random.default_rng(2)
    task = projection(rng.normal(size=POINTS.shape))
    start = [feature("exp", "mul", 0.5, 0), feature("sin", "mul", 2.1, 1)]
    _, error = task.fitted(start)
    none_to_fit = [of_nodes(MAKER, one, VARIABLES) for one in (VARIABLES[0], feature("exp", 1))]
    assert error <= 1 and task.fitted(none_to_fit)[0] == none_to_fit


def test_a_constant_that_becomes_1_on_its_way_is_still_fitted():
    a = POINTS[:, 0]
    gradients = np.stack([1.3 * np.exp(1.3 * a), np.ones(len(a))], axis=1)
    task = projection(gradients)
    start = [feature("exp", "mul", 0.999, 0), VARIABLES[1]]
    exactly_1 = task._moved(start, [(0, 2)], [1.0])
    assert constants_of(exactly_1) == []
    found, error = task.fitted(start)
    assert constants_of(found) == pytest.approx([1.3], rel=1e-6) and error < 1e-18


def test_a_step_to_where_there_are_no_values_is_not_taken():
    # log(a - c): the gradient asks for a c beyond the least a.
    a = POINTS[:, 0]
    gradients = np.stack([1 / (a - 0.49), np.ones(len(a))], axis=1)
    start = [feature("log", "sub", 0, 0.3), VARIABLES[1]]
    found, error = projection(gradients).fitted(start)
    assert found[0].is_usable and constants_of(found) == pytest.approx([0.49], rel=1e-4)
    assert error < 1e-12
