"""Reduction: variables that enter through one function, whose parameters are others."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.reduction import Reduction
from keras_symgrad.search.spectral.search import SpectralSearch

x1, x2, x3, x4, x5 = x = [symbol(f"x{k}") for k in range(1, 6)]
OPERATORS = OperatorSet("default")


def field_of(truth, columns, noise=0.0, rows=500) -> GradientField:
    names = [f"x{k + 1}" for k in range(columns)]
    rng = np.random.default_rng(0)
    points = rng.uniform(0.5, 2.5, size=(rows, columns))
    exact = GradientField.from_gradients(points, gradient(truth, names, points), names=names)
    blurred = exact.directions + noise * rng.normal(size=points.shape)
    return GradientField.from_gradients(points, blurred, names=names)


def coordinates_of(truth, columns, noise=0.0) -> list[sympy.Expr]:
    field = field_of(truth, columns, noise)
    maker = FeatureMaker(Alphabet(OPERATORS, field.names))
    reduction = Reduction(maker, field, np.full(field.rows, 1 / field.rows))
    found = reduction.coordinates(range(columns))
    return [to_sympy(c.tree, OPERATORS) for c in found[0]] if found else []


def unexplained(coordinates, truth, columns) -> float:
    """Largest part of the truth's unit gradient outside the span of the coordinates'."""
    names = [f"x{k + 1}" for k in range(columns)]
    points = np.random.default_rng(1).uniform(0.5, 2.5, size=(200, columns))
    true = gradient(truth, names, points)
    true = true / np.linalg.norm(true, axis=1, keepdims=True)
    span = np.stack([gradient(c, names, points) for c in coordinates], axis=2)
    left = [t - s @ np.linalg.lstsq(s, t, rcond=None)[0] for s, t in zip(span, true)]
    return float(np.abs(left).max())


@pytest.mark.parametrize("noise", [0.0, 3e-3])
@pytest.mark.parametrize(
    ("truth", "columns", "left"),
    [
        ((x1 - x2 * x3 / x4**2) * sympy.exp(x3), 4, 2),
        (sympy.sqrt(x3**2 * x4**2 + (x1 - x2 * x5) ** 2) + x4, 5, 1),
        ((x1 * x2**2 + x3) * sympy.cos(x2 * x4), 4, 2),
        ((x1**2 * x4 - x2**2) / (x4 + x3 * sympy.sqrt(x4)), 4, 2),
        ((x1 * sympy.log(x2) * x3 - x4) / (x3**2 + x3 * x5), 5, 1),
        (x1 * x2 + x3 * x4 * x5, 5, 1),
    ],
)
def test_coordinates_that_power_laws_join_explain_the_gradient(truth, columns, left, noise):
    found = coordinates_of(truth, columns, noise)
    assert len(found) == left
    assert unexplained(found, truth, columns) < 1e-9 + 30 * noise


@pytest.mark.parametrize("noise", [0.0, 3e-3])
def test_a_ratio_that_is_nearly_a_product_of_powers_joins_nothing(noise):
    # f_1/f_2 = x2/x1 * (1 + x3 cos(x1 x3)/40): within 3 % of a power law.
    assert coordinates_of(x1 * x2 + sympy.sin(x1 * x3) / 40 + x3**2 / 2, 3, noise) == []


def test_one_coordinate_keeps_the_sign_of_a_factor():
    found = coordinates_of((x1 * x4 - x2 * x3) / sympy.sqrt(x3**2 + x4**2), 4)
    assert len(found) == 1
    values = sympy.lambdify(x[:4], found[0])(*np.random.default_rng(2).uniform(0.5, 2.5, (4, 99)))
    assert values.min() < 0 < values.max()


def test_a_search_finds_the_formula_in_the_reduced_coordinates():
    field = field_of((x1 - x2 * x3 / x4**2) * (x3**2 + x4), 4)
    search = SpectralSearch(Alphabet(OPERATORS, field.names), field)
    for _ in search.quick_stages():
        pass
    assert min(candidate.loss for candidate in search.found) < 1e-12
