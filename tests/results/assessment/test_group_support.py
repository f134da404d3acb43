"""Groups are reported where they are short and other rows support them."""

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.reference import gradient
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.results.assessment.group_support import supported_groups
from keras_symgrad.search.spectral.separability import Group

NAMES = ("x1", "x2", "x3")
x1, x2, x3 = sympy.symbols(NAMES, real=True)


def field(rows: int = 400, truth=sympy.sin(x1 * x2) + x3**2) -> GradientField:
    points = np.random.default_rng(0).uniform(0.5, 1.2, (rows, 3))
    return GradientField.from_gradients(points, gradient(truth, NAMES, points), names=NAMES)


def found(expression, *variables: str) -> list[Group]:
    return [Group(variables or ("x1", "x2"), expression, 1e-6)]


def test_a_group_that_other_rows_support_is_told_with_their_error():
    (told,) = supported_groups(found(x1 * x2), field())
    assert told.expression == x1 * x2 and told.error < 1e-9


@pytest.mark.parametrize("wrong", [x1 + x2, x1**2 * x2, sympy.exp(x1) - x2])
def test_a_group_that_they_do_not_is_not(wrong):
    assert supported_groups(found(wrong), field()) == ()


def test_a_function_of_one_variable_is_no_group():
    assert supported_groups(found(sympy.cos(x1)), field()) == ()


def test_a_long_function_is_not_told():
    long = sympy.log(x1) + sympy.log(x2) + 0.3 * sympy.sin(x1 * x2) + sympy.cos(x1 * x2) ** 2
    assert supported_groups(found(long), field()) == ()


def test_few_rows_support_nothing():
    assert supported_groups(found(x1 * x2), field(rows=40)) == ()
