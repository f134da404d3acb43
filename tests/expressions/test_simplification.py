"""Simplification: bounded in time, equal in value."""

import random
import threading
import time

import numpy as np
import pytest
import sympy
from started_threads import threads_left

from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.simplification import simplify
from keras_symgrad.expressions.trees import symbol

SYMBOLS = x1, x2, x3 = tuple(map(symbol, ("x1", "x2", "x3")))


def hard_formula(depth=2):
    """One that `sympy.simplify` works on for many seconds."""
    formula = x1
    for k in range(depth):
        formula = sympy.sqrt(sympy.sin(formula * x2 + k) ** 2 + sympy.tanh(formula / x3) ** 2)
        formula = formula + 1 / (sympy.cos(formula) + x2)
    return formula


def test_short_formulas_become_shorter():
    assert simplify(x1 * x2 + x1 * (x1 - x2)) == x1**2
    assert simplify(sympy.sin(x1) ** 2 + sympy.cos(x1) ** 2 + x2) == x2 + 1
    assert simplify((x1**2 - x2**2) / (x1 - x2)) == x1 + x2
    assert simplify(sympy.Integer(3)) == 3


def test_a_formula_that_is_simple_stays_as_it_is():
    for formula in (x1, x1**2 + 2.5 * x2**2, sympy.log(x1 * x2) - sympy.log(x1)):
        assert simplify(formula) == formula


def test_the_time_limit_holds_and_the_thread_ends():
    formula = hard_formula()
    before = set(threading.enumerate())
    start = time.perf_counter()
    result = simplify(formula, seconds=0.3)
    assert time.perf_counter() - start < 10
    assert result == formula
    assert threads_left(before) == set()


def test_it_works_outside_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(simplify(x1 * x2 / x2**2)))
    thread.start()
    thread.join()
    assert results == [x1 / x2]


@pytest.mark.slow
def test_being_stopped_at_any_moment_leaves_nothing_behind():
    moments = random.Random(0)
    formula = (x1**2 - x2**2) / (x1 - x2) + sympy.sin(x3) ** 2 + sympy.cos(x3) ** 2
    for _ in range(60):
        result = simplify(formula, seconds=moments.uniform(1e-5, 0.03))
        assert result in (formula, x1 + x2 + 1) or result.free_symbols <= formula.free_symbols
    assert simplify(formula, seconds=20) == x1 + x2 + 1


@pytest.mark.slow
def test_values_are_kept(real_formulas):
    points = np.random.default_rng(3).uniform(0.1, 2.0, (30, 3))
    for _, expression in real_formulas(OperatorSet("default"), 20, seed=9):
        result = simplify(expression, seconds=0.2)
        before, after = numpy_function([expression, result], SYMBOLS)(points).T
        defined = np.isfinite(before)
        np.testing.assert_allclose(after[defined], before[defined], rtol=1e-7, atol=1e-9)


def test_the_measure_of_a_user_decides_what_is_simple():
    formula = x1 * (x2 + x3)
    expanded = simplify(formula, measure=lambda e: sum(part.is_Pow or part.is_Add for part in [e]))
    assert expanded == formula
    assert simplify(x1 * x2 + x1 * x3, measure=lambda e: e.count(sympy.Mul)) == formula


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="`seconds` must be a number of at least 0"):
        simplify(x1, seconds=seconds)


def test_no_time_is_no_change():
    assert simplify(x1 * x2 / x2**2, seconds=0) == x1 * x2 / x2**2
