"""Rivals: the same level set, other gradients off it."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.classifiers import SYSTEMS, System
from keras_symgrad.datasets.recovery import boundary_points
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.results.assessment.level_set_rivals import length, level_set_rivals

x, y = sympy.symbols("x y", real=True)
OTHERS = [
    System("quotient", x * y / (1 + x**2), 0.5, ((0.5, 2),) * 2, ("x", "y")),
    System("logarithms", sympy.log(x) + y**2, 1.0, ((0.5, 2),) * 2, ("x", "y")),
    System("root", sympy.sqrt(x**2 + y**2) - y, 0.6, ((0.5, 2),) * 2, ("x", "y")),
]
ALL = [*SYSTEMS.values(), *OTHERS]


@pytest.mark.slow
@pytest.mark.parametrize("system", ALL, ids=lambda system: system.id)
def test_rivals_have_the_gradients_of_the_concept_on_its_level_set_only(system):
    found = level_set_rivals(system.expression, sympy.nsimplify(system.threshold))
    on_it, domain = boundary_points(system, 200), system.sample(200)
    assert found
    apart = []
    for rival in found:
        same = gradient(rival, system.names, on_it)
        there = gradient(rival, system.names, domain)
        # A rival with a pole or a crease on the level set has no gradient there.
        rows = np.isfinite(same).all(axis=1) & (np.abs(same) < 1e8).all(axis=1)
        assert rows.mean() > 0.9
        assert direction_error(same[rows], system.gradients(on_it)[rows]) < 1e-8
        rows = np.isfinite(there).all(axis=1)
        apart.append(direction_error(there[rows], system.gradients(domain)[rows]))
    assert max(apart) > 2e-3


def test_a_quotient_and_a_difference_are_each_others_rivals():
    a, b, c = sympy.symbols("a b c", real=True)
    quotient, difference = a * b / (c**2 + 1), a * b - (c**2 + 1)
    assert sympy.expand(a * b - c**2) in [sympy.expand(r) for r in level_set_rivals(quotient, 1)]
    (match,) = [
        r for r in level_set_rivals(difference, 0) if sympy.simplify(r / quotient).is_number
    ]
    assert match


@pytest.mark.parametrize(("keeps", "found"), [((), []), ((y**2 - 1,), [x**2 / (y**2 - 1)])])
def test_a_quotient_whose_divisor_changes_its_sign_is_no_rival(keeps, found):
    assert level_set_rivals(x**2 + y**2, 1, keeps_sign=lambda divisor: divisor in keeps) == found


def test_a_formula_of_one_term_with_the_threshold_zero_has_no_rivals():
    assert level_set_rivals(x, 0) == []


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (x, 1),
        (-x, 1),
        (1 / x, 1),
        (x - y, 3),
        (x**2 - 1, 6),
        (sympy.pi * x - sympy.exp(x - y), 11),
        (2.5 * sympy.sin(x * y), 9),
    ],
)
def test_the_length_counts_numbers_however_simple_and_no_signs(formula, words):
    assert length(formula) == words
