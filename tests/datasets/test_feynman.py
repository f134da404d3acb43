"""The published formulas: their values, gradients, fields with noise, and their judge."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.feynman import (
    FORMULAS,
    TWENTY,
    concept_error,
    field_of,
    is_product_of_powers,
    truth_complexity,
)
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
    "I.6.2": lambda t, s: np.exp(-t * t / (2 * s * s)) / np.sqrt(2 * np.pi * s * s),
    "I.10.7": lambda m0, v, c: m0 * c / np.sqrt((c - v) * (c + v)),
    "I.11.19": lambda a, d, b, e, c, f: a * d + b * e + c * f,
    "I.12.11": lambda q, E, B, v, t: q * E + q * B * v * np.sin(t),
    "I.13.4": lambda m, v, u, w: 0.5 * m * (v * v + u * u + w * w),
    "I.16.6": lambda u, v, c: c * c * (u + v) / (c * c + u * v),
    "I.18.4": lambda m1, r1, m2, r2: r1 + m2 / (m1 + m2) * (r2 - r1),
    "I.24.6": lambda m, w, w0, x: 0.25 * m * x * x * (w * w + w0 * w0),
    "I.26.2": lambda n, t: np.arcsin(n * np.sin(t)),
    "I.27.6": lambda d1, n, d2: d1 * d2 / (d2 + n * d1),
    "I.34.14": lambda v, c, w0: w0 * np.sqrt((c + v) / (c - v)),
    "I.37.4": lambda p, q, d: (
        (np.sqrt(p) - np.sqrt(q)) ** 2 + 4 * np.sqrt(p * q) * np.cos(d / 2) ** 2
    ),
    "I.40.1": lambda n0, m, g, x, k, T: n0 / np.exp(m * g * x / k / T),
    "I.44.4": lambda n, k, T, V2, V1: n * k * T * (np.log(V2) - np.log(V1)),
    "II.2.42": lambda k, T2, T1, A, d: k * A * T2 / d - k * A * T1 / d,
    "II.11.28": lambda n, a: (3 + 2 * n * a) / (3 - n * a),
    "II.15.4": lambda m, B, t: m * B * np.cos(np.pi - t),
    "II.35.18": lambda n0, m, B, k, T: n0 / (2 * np.cosh(m * B / k / T)),
    "III.10.19": lambda m, *b: m * np.linalg.norm(b, axis=0),
    "I.8.14": lambda x2, x1, y2, y1: np.hypot(x1 - x2, y1 - y2),
    "III.9.52": lambda p, F, t, h, w, v: (
        2 * np.pi * p * F * t / h * np.sinc((w - v) * t / 2 / np.pi) ** 2
    ),
    "B3": lambda d, a, t, u: d / (1 + a * np.cos(t - u)) - d * a * a / (1 + a * np.cos(t - u)),
    "B10": lambda t, v, c: np.arccos((c * np.cos(t) - v) / (c - v * np.cos(t))),
    "B13": lambda e, q, r, d, a: q / (4 * np.pi * e * np.abs(d - r * np.exp(1j * a))),
    "B16": lambda p, q, A, c, m, V: c * np.hypot(p - q * A, m * c) + q * V,
    "B20": lambda a, h, m, c, w0, w, b: (
        (a * h * w0 / (m * c * w)) ** 2 * (w0 / w + w / w0 - 1 + np.cos(b) ** 2) / (4 * np.pi)
    ),
}


def test_there_are_119_formulas_of_more_than_one_variable():
    assert len(FORMULAS) == 99 + 20
    assert set(TWENTY) <= set(VALUES) <= set(FORMULAS) and len(TWENTY) == 20
    assert all(len(formula.expression.free_symbols) > 1 for formula in FORMULAS.values())
    assert all(set(f.variables) == f.expression.free_symbols for f in FORMULAS.values())
    assert all(0 <= low < high <= 20 for f in FORMULAS.values() for low, high in f.box)


def test_intervals_belong_to_the_variables_they_follow():
    box = dict(zip(FORMULAS["I.9.18"].names, FORMULAS["I.9.18"].box))
    assert {name for name, interval in box.items() if interval == (3, 4)} == {"x1", "y1", "z1"}
    assert dict(zip(FORMULAS["B10"].names, FORMULAS["B10"].box))["c"] == (4, 6)
    assert FORMULAS["II.38.3"].box == ((1, 5),) * 4


@ALL
def test_values_are_finite_in_the_whole_box(formula):
    assert np.isfinite(formula.values(formula.sample(1000, seed=4))).all()


def test_products_of_powers_are_recognised_by_class():
    products = [name for name, formula in FORMULAS.items() if is_product_of_powers(formula)]
    assert len(products) == 42
    # asin(l/(n*d)), 1/(exp(h*w/(2*pi*k*T)) - 1) and sqrt(1 + 2*product) are such by class.
    assert {"I.25.13", "I.30.5", "III.4.32", "B6"} <= set(products)
    assert not {"I.6.2", "I.26.2", "II.38.14", "B5"} & set(products)


@pytest.mark.parametrize("name", VALUES)
def test_values_equal_those_of_plain_numpy(name):
    formula = FORMULAS[name]
    x = formula.sample(200, seed=1)
    np.testing.assert_allclose(formula.values(x), VALUES[name](*x.T), rtol=1e-9)


@ALL
def test_gradients_equal_finite_differences(formula):
    x = formula.sample(200, seed=2)
    steps = 1e-6 * np.eye(x.shape[1])
    differences = [(formula.values(x + h) - formula.values(x - h)) / 2e-6 for h in steps]
    gradients = formula.gradients(x)
    scale = np.abs(gradients).max(axis=1, keepdims=True)
    np.testing.assert_allclose(gradients / scale, np.stack(differences, axis=1) / scale, atol=1e-5)


def test_arcsine_and_the_rational_function_collapse_to_what_is_inside():
    n, t = FORMULAS["I.26.2"].variables
    assert canonicalize(FORMULAS["I.26.2"].expression) == n * sympy.sin(t)
    n, a = FORMULAS["II.11.28"].variables
    assert canonicalize(FORMULAS["II.11.28"].expression) == n * a


@ALL
def test_the_canonical_form_is_the_same_concept(formula):
    assert concept_error(canonicalize(formula.expression), formula, rows=500) < 1e-12


@ALL
def test_default_operators_can_write_every_formula_up_to_its_class(formula):
    complexity = truth_complexity(formula, DEFAULT, Complexity())
    assert 3 <= complexity <= 60


def test_the_truth_costs_no_less_than_its_canonical_form():
    # m (v^2 + u^2 + w^2)/2 costs more than it does without the factor.
    formula, measure = FORMULAS["I.13.4"], Complexity().over(DEFAULT)
    tree = from_sympy(canonicalize(formula.expression), Alphabet(DEFAULT, formula.names))
    assert truth_complexity(formula, DEFAULT, Complexity()) > measure(tree)
    with pytest.raises(ValueError, match="sin"):
        truth_complexity(FORMULAS["I.26.2"], OperatorSet("arithmetic"), Complexity())


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
@pytest.mark.parametrize("name", ["I.10.7", "I.11.19", "I.8.14"])
def test_noise_has_the_stated_length_whatever_the_number_of_variables(name, noise):
    formula = FORMULAS[name]
    field = field_of(formula, 20_000, noise=noise, metric="columns", seed=3)
    angle = direction_error(field.directions, formula.gradients(field.points))
    # 1 - cos is half the square of the part across, which has one dimension less.
    across = 1 - 1 / len(formula.names)
    assert angle == pytest.approx(across * noise**2 / 2, rel=0.05)
    exact = field_of(formula, 20_000, metric="columns", seed=3)
    np.testing.assert_array_equal(exact.points, field.points)
    assert direction_error(exact.directions, formula.gradients(exact.points)) < 1e-12


def test_points_without_a_gradient_are_left_out_of_fields_and_of_the_judgement(monkeypatch):
    formula = FORMULAS["I.8.14"]
    nowhere = np.array([[2.0, 2.0, 3.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    monkeypatch.setattr(type(formula), "sample", lambda self, rows, seed: nowhere)
    assert field_of(formula, 2).rows == 1
    assert concept_error(formula.expression**2, formula, rows=2) < 1e-12


def test_another_formula_is_not_the_concept():
    x2, x1, y2, y1 = FORMULAS["I.8.14"].variables
    assert concept_error((x1 - x2) ** 2 + 2 * (y1 - y2) ** 2, FORMULAS["I.8.14"]) > 1e-2
    assert concept_error(sympy.Integer(1), FORMULAS["I.8.14"]) == 1
    with pytest.raises(ValueError, match="other"):
        concept_error(sympy.Symbol("other"), FORMULAS["I.8.14"])
