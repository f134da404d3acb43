"""Directions in fewer coordinates: lengths and products stay."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import as_span, reduce_axes, split

ROWS = 40
AXES = 9
MOVING = [0, 2, 3]


@pytest.fixture
def gradients() -> list[np.ndarray]:
    drawn = np.random.default_rng(0).normal(size=(5, ROWS, AXES))
    drawn[:, :, [k for k in range(AXES) if k not in MOVING]] = 0
    return list(drawn)


@pytest.fixture(params=[1, 2], ids=["one function", "two units"])
def directions(request) -> np.ndarray:
    drawn = np.random.default_rng(1).normal(size=(ROWS, AXES, request.param))
    span = np.linalg.qr(drawn)[0].transpose(0, 2, 1)
    return span[:, 0] if request.param == 1 else span


def test_axes_along_which_nothing_moves_are_folded_into_as_many_as_there_are_directions(
    gradients, directions
):
    fewer, target = reduce_axes(gradients, directions)
    span = as_span(directions).shape[1]
    assert fewer.shape == (5, ROWS, len(MOVING) + span)
    assert target.shape[-1] == len(MOVING) + span


def test_folding_keeps_lengths_and_products(gradients, directions):
    fewer, target = reduce_axes(gradients, directions)
    before = split(np.stack(gradients), as_span(directions))
    after = split(fewer, as_span(target))
    np.testing.assert_allclose(after[0], before[0], atol=1e-14)
    across = [np.einsum("fra,gra->fgr", part, part) for part in (before[1], after[1])]
    np.testing.assert_allclose(across[1], across[0], atol=1e-13)
    products = [np.einsum("rka,rla->rkl", s, s) for s in map(as_span, (directions, target))]
    np.testing.assert_allclose(products[1], products[0], atol=1e-14)


def test_nothing_is_folded_where_every_axis_is_moved_along(directions):
    gradients = list(np.random.default_rng(2).normal(size=(2, ROWS, AXES)))
    same, target = reduce_axes(gradients, directions)
    assert target is directions
    np.testing.assert_array_equal(same, np.stack(gradients))
