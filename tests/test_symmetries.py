"""Known symmetries: what they do to fields, and how they are measured."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sympy
import tensorflow as tf

from keras_symgrad.comparison import errors
from keras_symgrad.engine import reference
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.symmetries import (
    Even,
    Exchange,
    Odd,
    Rotation,
    Scaling,
    SymmetryCheck,
    Translation,
    broken,
    checked,
    group,
    projected,
    spread,
    symmetrized,
    warn_if_broken,
)
from keras_symgrad.tangent import orthonormal

NAMES = ["a", "b", "c", "d"]
A, B, C, D = sympy.symbols(NAMES, real=True)

KEPT = {
    Exchange("a", "b"): A * B + C,
    Exchange("a", "b", "c"): A * B + B * C + C * A - D,
    Exchange(("a", "b"), ("c", "d")): A**2 * sympy.exp(B) + C**2 * sympy.exp(D),
    Even("a"): A**2 * B + sympy.cos(A),
    Even("a", "b"): A * B + C,
    Odd("a"): A**3 * B**2 + sympy.sin(A) * C,
    Odd("a", "b"): A * D + B**3,
    Rotation("a", "b"): A**2 + B**2 - C,
    Rotation("a", "b", "c"): (A**2 + B**2 + C**2) * D,
    Rotation(("a", "b"), ("c", "d")): A * D - B * C,
    Translation("a", "b"): sympy.exp(A - B) + C,
    Scaling("a", "b", "c"): A / B + sympy.log(C / B) * D,
}
BROKEN = {
    Exchange("a", "b"): A + 2 * B,
    Even("a"): A + A**2,
    Odd("a"): A + A**2,
    Rotation("a", "b"): A**2 + 2 * B**2,
    Translation("a", "b"): A * B,
    Scaling("a", "b"): A + B,
}


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).uniform(0.2, 1.5, (200, 4))


def field_of(expression, points, frame=None):
    gradients = reference.gradient(expression, NAMES, points)
    return GradientField.from_gradients(points, gradients, names=NAMES, frame=frame)


@pytest.mark.parametrize("symmetry", KEPT, ids=repr)
def test_a_function_with_a_symmetry_has_it_in_its_gradients(symmetry, points):
    assert broken(symmetry, NAMES, KEPT[symmetry], points) < 1e-12


@pytest.mark.parametrize("symmetry", BROKEN, ids=repr)
def test_a_function_without_it_shows_by_how_much(symmetry, points):
    assert broken(symmetry, NAMES, BROKEN[symmetry], points) > 1e-2


def test_odd_is_the_opposite_of_even(points):
    assert broken(Even("a"), ["a"], A, points[:, :1]) == pytest.approx(2)
    assert broken(Odd("a"), ["a"], A, points[:, :1]) == pytest.approx(0)


FRAMES = {
    "variables": None,
    "widths": np.diag([1.0, 10.0, 0.1, 3.0]),
    "mixed": np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0],
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("symmetry", KEPT, ids=repr)
def test_a_symmetric_function_explains_its_gradients_at_the_images_too(symmetry, frame, points):
    field = field_of(KEPT[symmetry], points, frame)
    for changed in (projected(field, [symmetry]), spread(field, [symmetry])):
        assert errors(KEPT[symmetry], changed).max() < 1e-9


def test_rows_go_to_all_images_alike(points):
    moved = spread(field_of(A * B * C, points), [Exchange("a", "b", "c")])
    orders = {tuple(np.argsort(row)) for row in moved.points[:, :3]}
    assert len(orders) == 6
    assert len(moved) == len(points)


def test_a_formula_without_the_symmetry_pays_at_the_images():
    # Where a > 0 nothing tells |a| from a.
    x = np.random.default_rng(0).uniform(0.2, 1, (300, 2))
    field = GradientField.from_gradients(x, np.tile([1.0, 1.0], (300, 1)), names=["a", "b"])
    assert errors(A + B, field).mean() < 1e-9
    assert errors(A + B, spread(field, [Even("a")])).mean() > 0.3
    assert errors(sympy.Abs(A) + B, spread(field, [Even("a")])).mean() < 1e-9


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


def test_the_group_holds_all_that_comes_of_its_maps():
    assert len(group([Exchange("a", "b"), Even("a")], NAMES)) == 8
    assert len(group([Rotation("a", "b", "c")], NAMES)) == 24
    assert len(group([Even(n) for n in NAMES], NAMES)) == 16
    assert len(group([Exchange(*NAMES), Even("a")], NAMES)) == 64


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


def test_checks_tell_of_the_network_and_of_the_formula():
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    near = Neuron("near", lambda x: tf.reduce_sum(x**2, axis=1) + 0.05 * x[:, 0], inputs=2)
    field = GradientField.from_neuron(near, x, names=["a", "b"])
    symmetries = [Even("a"), Rotation("a", "b"), Exchange("a", "b")]
    checks = checked(symmetries, field, near, x, A**2 + B**2)
    assert [check.symmetry for check in checks] == list(map(str, symmetries))
    assert all(1e-5 < check.network < 0.05 for check in checks)
    assert all(check.formula < 1e-9 for check in checks)
    assert checked([Even("a")], field, near, x, A + B)[0].formula > 0.5
    # Of the field alone the continuous part is known.
    even, rotation, _ = checked(symmetries, field, None, None, A**2 + B**2)
    assert even.network is None
    assert rotation.network > 1e-5


def test_a_network_that_plainly_has_not_the_symmetry_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_broken([SymmetryCheck("even in a", 0.02, 0.0)], "net")
        warn_if_broken([SymmetryCheck("even in a", None, 0.0)], "net")
    with pytest.warns(UserWarning, match="'net' does not have.*even in a.* 37 degrees"):
        warn_if_broken([SymmetryCheck("even in a", 0.2, 0.0)], "net")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Even(), "takes names of different variables.*nothing"),
        (lambda: Even("a", "a"), "different variables"),
        (lambda: Even(3), "takes names"),
        (lambda: Exchange("a"), "takes 2 variables at least"),
        (lambda: Exchange(("a", "b"), "c"), "tuples of equal length"),
        (lambda: Rotation("a"), "two components"),
        (lambda: Rotation(("a", "b"), ("c",)), "equal length"),
        (lambda: Even("z").elements(NAMES), "do not exist: z. The variables are: a, b, c, d"),
    ],
    ids=range(8),
)
def test_a_symmetry_that_cannot_be_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_symmetries_that_leave_nothing_are_an_error(points):
    field = GradientField.from_gradients(points[:, :1], points[:, :1], names=["a"])
    with pytest.raises(ValueError, match="a function with all of these symmetries is constant"):
        projected(field, [Translation("a")])


def test_several_neurons_together_have_no_symmetries_of_one_concept(points):
    pair = [Neuron(f"x{k}", lambda x, k=k: x[:, k], inputs=4) for k in (0, 1)]
    span = GradientField.from_units(pair, points, names=NAMES)
    with pytest.raises(ValueError, match="those of one concept"):
        projected(span, [Even("a")])
