"""The twenty formulas: their values, gradients, fields with noise, and their judge."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.feynman import FORMULAS, concept_error, field_of, truth_complexity
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.expressions.canonical import canonicalize
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.conversion import from_sympy
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet

ALL = pytest.mark.parametrize("formula", FORMULAS.values(), ids=lambda f: f.id)
DEFAULT = OperatorSet("default")

# Written once more, in plain NumPy and by position: a slip in one of the two shows.
VALUES = {
    1: lambda a, s: np.exp(-a * a / (2 * s * s)) / np.sqrt(2 * np.pi * s * s),
    2: lambda m0, v, c: m0 * c / np.sqrt((c - v) * (c + v)),
    3: lambda a, b, c, d, e, f: a * d + b * e + c * f,
    4: lambda q, E, B, v, t: q * E + q * B * v * np.sin(t),
    5: lambda m, v, u, w: 0.5 * m * (v * v + u * u + w * w),
    6: lambda u, v, c: c * c * (u + v) / (c * c + u * v),
    7: lambda m1, m2, r1, r2: r1 + m2 / (m1 + m2) * (r2 - r1),
    8: lambda m, w, w0, x: 0.25 * m * x * x * (w * w + w0 * w0),
    9: lambda n, t: np.arcsin(n * np.sin(t)),
    10: lambda d1, d2, n: d1 * d2 / (d2 + n * d1),
    11: lambda c, v, w0: w0 * np.sqrt((c + v) / (c - v)),
    12: lambda p, q, d: (np.sqrt(p) - np.sqrt(q)) ** 2 + 4 * np.sqrt(p * q) * np.cos(d / 2) ** 2,
    13: lambda n0, m, g, x, k, T: n0 / np.exp(m * g * x / k / T),
    14: lambda n, k, T, V1, V2: n * k * T * (np.log(V2) - np.log(V1)),
    15: lambda k, T1, T2, A, d: k * A * T2 / d - k * A * T1 / d,
    16: lambda n, a: (3 + 2 * n * a) / (3 - n * a),
    17: lambda mu, B, t: mu * B * np.cos(np.pi - t),
    18: lambda n0, mu, B, k, T: n0 / (2 * np.cosh(mu * B / k / T)),
    19: lambda mu, *b: mu * np.linalg.norm(b, axis=0),
    20: lambda x1, x2, y1, y2: np.hypot(x1 - x2, y1 - y2),
}


def test_there_are_twenty_formulas_of_more_than_one_variable():
    assert list(FORMULAS) == list(range(1, 21))
    assert all(len(formula.expression.free_symbols) > 1 for formula in FORMULAS.values())
    assert all(set(f.variables) == f.expression.free_symbols for f in FORMULAS.values())


@ALL
def test_values_equal_those_of_plain_numpy(formula):
    x = formula.sample(200, seed=1)
    np.testing.assert_allclose(formula.values(x), VALUES[int(formula.id)](*x.T), rtol=1e-9)


@ALL
def test_gradients_equal_finite_differences(formula):
    x = formula.sample(200, seed=2)
    steps = 1e-6 * np.eye(x.shape[1])
    differences = [(formula.values(x + h) - formula.values(x - h)) / 2e-6 for h in steps]
    gradients = formula.gradients(x)
    scale = np.abs(gradients).max(axis=1, keepdims=True)
    np.testing.assert_allclose(gradients / scale, np.stack(differences, axis=1) / scale, atol=1e-5)


def test_arcsine_and_the_rational_function_collapse_to_what_is_inside():
    n, t = FORMULAS[9].variables
    assert canonicalize(FORMULAS[9].expression) == n * sympy.sin(t)
    n, a = FORMULAS[16].variables
    assert canonicalize(FORMULAS[16].expression) == n * a


@ALL
def test_the_canonical_form_is_the_same_concept(formula):
    assert concept_error(canonicalize(formula.expression), formula, rows=500) < 1e-12


@ALL
def test_default_operators_can_write_every_formula_up_to_its_class(formula):
    complexity = truth_complexity(formula, DEFAULT, Complexity())
    assert 5 <= complexity <= 30


def test_the_truth_costs_no_less_than_its_canonical_form():
    # m (v^2 + u^2 + w^2)/2 costs more than it does without the factor.
    formula, measure = FORMULAS[5], Complexity().over(DEFAULT)
    tree = from_sympy(canonicalize(formula.expression), Alphabet(DEFAULT, formula.names))
    assert truth_complexity(formula, DEFAULT, Complexity()) > measure(tree)
    with pytest.raises(ValueError, match="sin"):
        truth_complexity(FORMULAS[9], OperatorSet("arithmetic"), Complexity())


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
@pytest.mark.parametrize("number", [2, 3, 20])
def test_noise_has_the_stated_length_whatever_the_number_of_variables(number, noise):
    formula = FORMULAS[number]
    field = field_of(formula, 20_000, noise=noise, metric="columns", seed=3)
    angle = direction_error(field.directions, formula.gradients(field.points))
    # 1 - cos is half the square of the part across, which has one dimension less.
    across = 1 - 1 / len(formula.names)
    assert angle == pytest.approx(across * noise**2 / 2, rel=0.05)
    exact = field_of(formula, 20_000, metric="columns", seed=3)
    np.testing.assert_array_equal(exact.points, field.points)
    assert direction_error(exact.directions, formula.gradients(exact.points)) < 1e-12


def test_points_without_a_gradient_are_left_out_of_fields_and_of_the_judgement(monkeypatch):
    formula = FORMULAS[20]
    nowhere = np.array([[2.0, 2.0, 3.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    monkeypatch.setattr(type(formula), "sample", lambda self, rows, seed: nowhere)
    assert field_of(formula, 2).rows == 1
    assert concept_error(formula.expression**2, formula, rows=2) < 1e-12


def test_another_formula_is_not_the_concept():
    x1, x2, y1, y2 = FORMULAS[20].variables
    assert concept_error((x1 - x2) ** 2 + 2 * (y1 - y2) ** 2, FORMULAS[20]) > 1e-2
    assert concept_error(sympy.Integer(1), FORMULAS[20]) == 1
    with pytest.raises(ValueError, match="other"):
        concept_error(sympy.Symbol("other"), FORMULAS[20])
