"""A small alphabet, whose programs compile in seconds, and gradient fields to match."""

from __future__ import annotations

import numpy as np
import pytest
from deap import gp
from random_trees import random_trees

from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.engine import Engine
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet

ALPHABET = Alphabet(OperatorSet("add, sub, mul, div, square, exp, log, sin, max"), ["x1", "x2"])


@pytest.fixture(scope="session")
def alphabet() -> Alphabet:
    return ALPHABET


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """Points with negative coordinates, and a row of zeros, where log and quotients fail."""
    points = np.random.default_rng(0).uniform(-2, 2, (300, 2))
    points[17] = 0
    return points


@pytest.fixture(scope="session")
def positive_points() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.3, 2.0, (300, 2))


@pytest.fixture(scope="session")
def directions() -> np.ndarray:
    return unit(np.random.default_rng(2).normal(size=(300, 2)))


@pytest.fixture(scope="session")
def trees() -> list[gp.PrimitiveTree]:
    return random_trees(ALPHABET, 400, seed=3)


@pytest.fixture(scope="session")
def engine(points, directions):
    with Engine(ALPHABET.operators, points, directions, workers=1) as engine:
        yield engine


@pytest.fixture(scope="session")
def exact_engine(positive_points, directions):
    """In float64, on points where everything is defined."""
    field = (positive_points, directions)
    with Engine(ALPHABET.operators, *field, dtype="float64", workers=1) as engine:
        yield engine
