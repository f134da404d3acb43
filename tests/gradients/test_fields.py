"""Fields in parts: blocks that are not copied, subsets, and comparisons block by block."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.gradients import field as fields
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.formula_errors import errors, losses


@pytest.fixture
def field() -> GradientField:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1000, 2))
    noisy = x * [2, 4] + rng.normal(0, 0.1, x.shape)
    return GradientField.from_gradients(x, noisy, weights=rng.uniform(1, 2, 1000))


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(fields, "block_rows", lambda columns: 300)


def test_a_small_field_is_one_block(field):
    assert [block.rows for block in field.blocks()] == [1000]


def test_blocks_are_views_of_all_rows_in_order(field, small_blocks):
    blocks = list(field.blocks())
    assert [block.rows for block in blocks] == [300, 300, 300, 100]
    assert all(np.shares_memory(block.points, field.points) for block in blocks)
    together = np.concatenate([block.directions for block in blocks])
    np.testing.assert_array_equal(together, field.directions)


def test_a_subset_of_as_many_rows_is_the_field_itself(field):
    assert field.subset(1000) is field
    assert len(np.unique(field.subset(10, seed=1).points[:, 0])) == 10


def test_formulas_are_compared_block_by_block_as_on_the_whole(field, request):
    x1, x2 = sympy.symbols("x1 x2", real=True)
    formula = x1**2 + 1.8 * x2**2
    whole = errors(formula, field), losses(formula, field)
    request.getfixturevalue("small_blocks")
    np.testing.assert_allclose(errors(formula, field), whole[0], rtol=1e-12)
    np.testing.assert_allclose(losses(formula, field), whole[1], rtol=1e-12)
