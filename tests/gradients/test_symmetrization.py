"""Known symmetries, used: what they do to networks, to gradients and to rows."""

import numpy as np
import pytest
import sympy
from symmetric_functions import KEPT, NAMES, POINTS, A, B, C

from keras_symgrad.engine import reference
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.formula_errors import errors
from keras_symgrad.gradients.symmetrization import projected, symmetrized, with_mapped_rows
from keras_symgrad.gradients.tangent_space import orthonormal
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.priors.symmetries import Even, Exchange, Odd, Rotation, Translation

FRAMES = {
    "variables": None,
    "widths": np.diag([1.0, 10.0, 0.1, 3.0]),
    "mixed": np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0],
}


def field_of(expression, frame=None):
    gradients = reference.gradient(expression, NAMES, POINTS)
    return GradientField.from_gradients(POINTS, gradients, names=NAMES, frame=frame)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("symmetry", KEPT, ids=repr)
def test_a_symmetric_function_explains_its_gradients_at_the_images_too(symmetry, frame):
    field = field_of(KEPT[symmetry], frame)
    for changed in (projected(field, [symmetry]), with_mapped_rows(field, [symmetry])):
        assert errors(KEPT[symmetry], changed).max() < 1e-9


def test_rows_go_to_all_images_alike():
    moved = with_mapped_rows(field_of(A * B * C), [Exchange("a", "b", "c")])
    orders = {tuple(np.argsort(row)) for row in moved.points[:, :3]}
    assert len(orders) == 6
    assert len(moved) == len(POINTS)


def test_a_formula_without_the_symmetry_pays_at_the_images():
    # Where a > 0 nothing tells |a| from a.
    x = np.random.default_rng(0).uniform(0.2, 1, (300, 2))
    field = GradientField.from_gradients(x, np.tile([1.0, 1.0], (300, 1)), names=["a", "b"])
    assert errors(A + B, field).mean() < 1e-9
    assert errors(A + B, with_mapped_rows(field, [Even("a")])).mean() > 0.3
    assert errors(sympy.Abs(A) + B, with_mapped_rows(field, [Even("a")])).mean() < 1e-9


def test_noise_along_a_rotation_is_taken_off_and_what_is_left_weighs_more():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    noisy = x + rng.normal(0, 0.2, x.shape)
    field = GradientField.from_gradients(x, noisy, names=["a", "b"])
    cleaned = projected(field, [Rotation("a", "b")])
    assert errors(A**2 + B**2, field).mean() > 1e-3
    assert errors(A**2 + B**2, cleaned).mean() < 1e-9
    share = np.einsum("ri,ri->r", field.directions, cleaned.directions)
    np.testing.assert_allclose(cleaned.weights, share**2)
    # A formula that turns with the angle has a gradient along it, and is not forgiven.
    assert errors(A**2 + 2 * B**2, cleaned).mean() > 1e-2


def test_on_a_surface_only_symmetries_that_stay_on_it_are_used():
    rng = np.random.default_rng(0)
    sphere = rng.normal(size=(100, 3))
    frame = orthonormal(rng.normal(size=(1, 3)))
    assert (
        projected(
            GradientField.from_gradients(sphere, sphere, frame=frame), [Translation("x1", "x2")]
        ).weights
        is None
    )
    plane = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    field = GradientField.from_gradients(sphere, sphere, frame=plane)
    cleaned = projected(field, [Translation("x1", "x2")])
    np.testing.assert_allclose(cleaned.directions.sum(axis=1), 0, atol=1e-9)


def test_the_mean_over_images_has_the_symmetry_and_keeps_what_had_it():
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    bent = Neuron("bent", lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 + 0.1 * x[:, 0], inputs=2)
    mean = symmetrized(bent, x, ["a", "b"], [Even("a"), Exchange("a", "b")])
    exact = (x.astype(np.float32) ** 2).sum(axis=1)
    np.testing.assert_allclose(mean(x).numpy(), exact, atol=1e-6)
    np.testing.assert_allclose(mean.values_and_gradients(x)[1], 2 * x, atol=1e-5)


def test_the_odd_part_is_the_mean_under_an_odd_symmetry():
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 1))
    mixed = Neuron("mixed", lambda x: x[:, 0] ** 3 + x[:, 0] ** 2, inputs=1)
    odd = symmetrized(mixed, x, ["a"], [Odd("a")])
    np.testing.assert_allclose(odd(x).numpy(), x[:, 0] ** 3, atol=1e-6)


def test_nothing_is_averaged_where_the_network_was_not_taught():
    x = np.random.default_rng(0).uniform(0, 1, (2000, 2))
    neuron = Neuron("half", lambda x: x[:, 0], inputs=2)
    assert symmetrized(neuron, x, ["a", "b"], [Even("a")]) is neuron
    assert symmetrized(neuron, x, ["a", "b"], [Exchange("a", "b")]) is not neuron


def test_symmetries_that_leave_nothing_are_an_error():
    field = GradientField.from_gradients(POINTS[:, :1], POINTS[:, :1], names=["a"])
    with pytest.raises(ValueError, match="a function with all of these symmetries is constant"):
        projected(field, [Translation("a")])


def test_several_neurons_together_have_no_symmetries_of_one_concept():
    pair = [Neuron(f"x{k}", lambda x, k=k: x[:, k], inputs=4) for k in (0, 1)]
    span = GradientField.from_units(pair, POINTS, names=NAMES)
    with pytest.raises(ValueError, match="those of one concept"):
        projected(span, [Even("a")])


def test_rows_of_columns_from_tiny_to_huge_are_spread_like_others():
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    scale = np.array([1e-30, 1e30])
    plain = with_mapped_rows(GradientField.from_gradients(x, 2 * x), [Even("x1")])
    frame = np.diag(scale / scale.max())
    field = GradientField.from_gradients(x * scale, 2 * x / scale, frame=frame)
    wide = with_mapped_rows(field, [Even("x1")])
    np.testing.assert_allclose(wide.points / scale, plain.points)
    np.testing.assert_allclose(wide.directions, plain.directions)
