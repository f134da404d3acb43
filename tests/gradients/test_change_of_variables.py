"""Gradients with respect to quantities that are functions of the input."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import unit
from keras_symgrad.gradients.change_of_variables import ChangeOfVariables, explained

ROWS = 50


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


def compared(through, input_gradients, quantity_gradients):
    """The two kinds of gradients as the directions that are compared."""
    frame = through.of_quantities
    other = quantity_gradients
    if frame is not None:
        other = np.einsum("raq,rq->ra", frame, quantity_gradients)
    return unit(np.einsum("rai,ri->ra", through.of_inputs, input_gradients)), unit(other)


@pytest.mark.parametrize(("quantities", "inputs"), [(2, 5), (3, 3), (6, 3), (1, 4)])
def test_the_chain_rule_makes_directions_equal(rng, quantities, inputs):
    jacobians = rng.normal(size=(ROWS, quantities, inputs))
    of_quantities = rng.normal(size=(ROWS, quantities))
    of_inputs = np.einsum("rqi,rq->ri", jacobians, of_quantities)
    one, other = compared(ChangeOfVariables.through(jacobians), of_inputs, of_quantities)
    assert one.shape[1] == min(quantities, inputs)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_quantities_that_nearly_agree_are_compared_where_their_noise_is_small(rng):
    jacobians = rng.normal(size=(ROWS, 1, 3)) + 1e-4 * rng.normal(size=(ROWS, 2, 3))
    through = ChangeOfVariables.through(jacobians)
    assert through.of_quantities is not None
    of_quantities = rng.normal(size=(ROWS, 2))
    of_inputs = np.einsum("rqi,rq->ri", jacobians, of_quantities)
    one, other = compared(through, of_inputs, of_quantities)
    np.testing.assert_allclose(one, other, atol=1e-7)


def test_a_row_whose_quantities_stand_still_has_no_direction(rng):
    jacobians = rng.normal(size=(ROWS, 2, 3))
    jacobians[7] = 0
    one, _ = compared(ChangeOfVariables.through(jacobians), np.ones((ROWS, 3)), np.ones((ROWS, 2)))
    assert not one[7].any() and one[8].any()


def test_quantities_that_never_change_are_refused():
    with pytest.raises(ValueError, match="do not change with the input at any row"):
        ChangeOfVariables.through(np.zeros((5, 2, 3)))


def test_what_the_quantities_do_not_tell_is_not_explained(rng):
    jacobians = rng.normal(size=(ROWS, 2, 4))
    inside = np.einsum("rqi,rq->ri", jacobians, rng.normal(size=(ROWS, 2)))
    np.testing.assert_allclose(explained(jacobians, inside), 1)
    across = np.linalg.svd(jacobians)[2][:, 3]
    np.testing.assert_allclose(explained(jacobians, across), 0, atol=1e-12)
    equal = unit(inside) + across
    np.testing.assert_allclose(explained(jacobians, equal), 0.5)
