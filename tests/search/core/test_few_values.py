"""Formulas do not bend columns of few values: what replaces a bend has its values on the data."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.reference import evaluate
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.search.core.few_values import FewValuedColumns
from keras_symgrad.search.core.variation import Variation

NAMES = ("x", "red", "gear")
ALPHABET = Alphabet(OperatorSet("default"), NAMES)
VALUES = {1: (0.0, 1.0), 2: (3.0, 4.0, 5.0)}
COLUMNS = FewValuedColumns(ALPHABET, VALUES)
x, red, gear = sympy.symbols(NAMES, real=True)
R = np.random.default_rng(0)
POINTS = np.column_stack([R.uniform(0.5, 2, 60), R.integers(0, 2, 60), R.integers(3, 6, 60)])


def nonlinear_transforms(expression: sympy.Expr) -> list[sympy.Expr]:
    """Parts of one column of few values that are not polynomials of a low degree."""
    return [
        part
        for variable, most in ((red, 1), (gear, 2))
        for part in sympy.preorder_traversal(expression)
        if part.free_symbols == {variable}
        and not (part.is_polynomial(variable) and sympy.degree(part, variable) <= most)
    ]


@pytest.mark.parametrize(
    "expression",
    [
        sympy.exp(-0.02 * red**2 + sympy.sin(red)),
        x * sympy.exp(0.7 * red) + red**3,
        x * red**2 * sympy.sqrt(red + 1) + gear**4,
        sympy.sin(x + red * sympy.cos(red)) / (1 + red) ** 2,
        sympy.log(gear) * sympy.cos(3 * red) * x**2,
    ],
    ids=str,
)
def test_what_is_straightened_has_the_same_values_on_all_rows(expression):
    straight = COLUMNS.straightened(expression)
    assert nonlinear_transforms(expression) and not nonlinear_transforms(straight)
    before, after = evaluate([expression, straight], NAMES, POINTS)
    np.testing.assert_allclose(after, before, rtol=1e-9)


@pytest.mark.parametrize(
    "expression",
    [x * red, sympy.sin(x + red), (x + red) ** 2, gear**2 - gear, x**red, 2 * red + sympy.exp(x)],
    ids=str,
)
def test_functions_of_several_columns_and_low_powers_stay(expression):
    assert COLUMNS.straightened(expression) == expression


def test_what_is_not_defined_on_a_value_has_no_polynomial():
    assert COLUMNS.straightened(x * sympy.log(red)) is None
    assert COLUMNS.straightened(x + sympy.sqrt(red - 0.5)) is None
    assert COLUMNS.rewritten(ALPHABET.tree(["mul", 0, "log", 1])) is None


def is_low_polynomial(part, column: int) -> bool:
    """By the values on a fine grid: a polynomial of that degree fits all of them."""
    grid = np.linspace(-2.5, 6.5, 40)
    points = np.full((40, 3), 1.0)
    points[:, column] = grid
    (values,) = evaluate([to_sympy(part, ALPHABET.operators)], NAMES, points)
    if np.isnan(values).all():  # a constant such as sqrt(-1)
        return True
    if not np.isfinite(values).all():
        return False
    fit = np.polynomial.Polynomial.fit(grid, values, len(VALUES[column]) - 1)
    return np.allclose(fit(grid), values, rtol=1e-7, atol=1e-9 * (1 + np.abs(values).max()))


def test_what_is_admitted_holds_each_column_alone_in_low_polynomials_only():
    variation = Variation(ALPHABET, seed=3)
    checked = 0
    for _ in range(600):
        tree = variation.random_tree(6)
        if not COLUMNS.satisfies(tree):
            continue
        for part in (tree[tree.searchSubtree(k)] for k in range(len(tree))):
            columns = {node.index for node in part if hasattr(node, "index")}
            if len(columns) == 1 and len(part) > 1 and columns <= set(VALUES):
                checked += 1
                assert is_low_polynomial(part, *columns), str(tree)
    assert checked > 20


@pytest.mark.parametrize("operator", [o for o in ALPHABET.operators if o.arity == 1], ids=str)
def test_one_operator_on_a_column_is_admitted_where_it_is_a_low_polynomial(operator):
    for column in VALUES:
        tree = ALPHABET.tree([operator.name, column])
        assert COLUMNS.satisfies(tree) == is_low_polynomial(tree, column)
        assert COLUMNS.satisfies(ALPHABET.tree([operator.name, "add", 0, column]))


@pytest.mark.slow
def test_a_rewritten_tree_is_admitted_and_has_the_same_values():
    variation, changed = Variation(ALPHABET, seed=5), 0
    for _ in range(200):
        tree = variation.random_tree(6)
        straight = COLUMNS.rewritten(tree)
        if straight is None:
            continue
        assert COLUMNS.satisfies(straight)
        pair = [to_sympy(one, ALPHABET.operators) for one in (tree, straight)]
        if straight == tree or any(one.has(sympy.nan, sympy.zoo) for one in pair):
            continue
        before, after = evaluate(pair, NAMES, POINTS)
        if np.isfinite(before).all() and np.abs(before).max() < 1e6:
            changed += 1
            np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-9)
    assert changed > 10


def test_without_sums_or_products_a_bend_cannot_be_rewritten():
    alphabet = Alphabet(OperatorSet("sin, exp"), ["red"])
    columns = FewValuedColumns(alphabet, {0: (0.0, 1.0)})
    assert columns.rewritten(alphabet.tree(["sin", 0])) is None


def test_a_column_of_many_values_may_be_bent():
    columns = FewValuedColumns(ALPHABET, {1: tuple(map(float, range(5)))})
    assert not columns
    assert columns.satisfies(ALPHABET.tree(["sin", 1]))
