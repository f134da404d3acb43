"""A loss is one function of the squared distance; everything that needs it takes it from there."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy
import tensorflow as tf

from keras_symgrad.engine import reference
from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.losses import LOSSES, SQUARED, Huber, Loss, as_loss
from keras_symgrad.formulas.constants.uncertainty import constants
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.formula_errors import losses
from keras_symgrad.search.core.constant_fit import ConstantFit

D2 = sympy.Symbol("d2")
BOUNDED = Loss("bounded", D2 / (D2 + sympy.Rational(1, 100)))
ANGLE = as_loss("angle")
EVERY = [*map(as_loss, LOSSES), BOUNDED]


@pytest.fixture
def angles():
    return np.linspace(0, np.pi, 60)


def test_the_angle_is_the_angle(angles):
    np.testing.assert_allclose(ANGLE.of(2 * (1 - np.cos(angles))), angles, atol=1e-7)


def test_huber_is_squared_near_and_grows_by_twice_its_width_far_away():
    distance = np.array([0.05, 0.2, 1.0, 1.5])
    rho = Huber(0.2).of(distance**2)
    np.testing.assert_allclose(rho[:2], distance[:2] ** 2)
    assert (rho[3] - rho[2]) / 0.5 == pytest.approx(2 * 0.2)


@pytest.mark.parametrize("loss", EVERY, ids=str)
def test_weights_are_the_slope(loss):
    distances, step = np.geomspace(1e-4, 3.9, 30), 1e-7
    slopes = (loss.of(distances + step) - loss.of(distances - step)) / (2 * step)
    np.testing.assert_allclose(loss.weights(distances), slopes, rtol=1e-3)


@pytest.mark.parametrize("loss", EVERY, ids=str)
def test_equal_distances_have_themselves_as_their_average(loss):
    for distance in (0.0, 1e-12, 1e-3, 1.0, 4.0):
        average = loss.average(np.full(5, distance))
        assert average == pytest.approx(distance, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("loss", EVERY, ids=str)
def test_tensorflow_computes_what_numpy_does(loss):
    distances = np.array([0.0, 1e-8, 1e-3, 0.5, 3.0, 4.0])
    rho, weights = loss.code(tf.constant(distances))
    np.testing.assert_allclose(rho.numpy(), loss.of(distances), rtol=1e-12)
    np.testing.assert_allclose(weights * np.ones(6), loss.weights(distances), rtol=1e-12)


@pytest.mark.parametrize("loss", EVERY, ids=str)
def test_a_loss_survives_the_way_to_another_process(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss


def test_losses_are_equal_whatever_their_symbol_is_called():
    q = sympy.Symbol("q", positive=True)
    assert Loss("bounded", q / (q + sympy.Rational(1, 100))) == BOUNDED
    assert Loss("mine", q).is_squared


@pytest.mark.parametrize(
    "expression",
    [sympy.Integer(1), D2 * sympy.Symbol("x"), 1 - D2, sympy.log(D2), -D2, D2 + 1, "d2"],
    ids=str,
)
def test_what_is_no_loss_is_an_error(expression):
    with pytest.raises(ValueError, match="one symbol, the squared distance"):
        Loss("mine", expression)


@pytest.mark.parametrize("width", [0, -1.0, 2, np.nan, "wide", True])
def test_a_width_that_is_none_is_an_error(width):
    with pytest.raises(ValueError, match="`width` of `Huber` is a distance"):
        Huber(width)


def test_an_unknown_loss_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"'squared', 'angle', 'huber'.*loss='mse'"):
        as_loss("mse")
    assert as_loss("angle") is ANGLE
    assert as_loss(BOUNDED) is BOUNDED


@pytest.mark.parametrize("loss", EVERY, ids=str)
@pytest.mark.parametrize("signed", [False, True])
def test_the_exact_loss_is_that_of_the_definition(loss, signed):
    rng = np.random.default_rng(0)
    points, weights = rng.uniform(0.5, 2, (80, 2)), rng.uniform(0, 1, 80)
    directions = unit(rng.normal(size=(80, 2)))
    a, b = sympy.symbols("a b", real=True)
    candidate = unit(np.stack([points[:, 1], points[:, 0]], axis=1))
    ways = [np.sum((directions - sign * candidate) ** 2, axis=1) for sign in (1, -1)]
    expected = min(np.average(loss.of(way), weights=weights) for way in ways[: 2 - signed])
    found = reference.loss(
        a * b, ["a", "b"], points, directions, weights, signed=signed, measure=loss
    )
    assert loss.of(2 * found) == pytest.approx(expected, rel=1e-9)
    # Rows by themselves order formulas in the same way.
    field = GradientField(points, directions, ("a", "b"), weights, loss=loss)
    assert losses(a * b, field, signed).mean() == pytest.approx(expected / 2, rel=1e-9)


def field_with_outliers(loss: Loss, share: float = 0.2) -> GradientField:
    """x1**2 + 2*x2**2 with noise; in some rows the gradient points along x1 + x2 instead."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 1, (1000, 2))
    gradients = x * [2, 4] + rng.normal(0, 0.02, x.shape)
    gradients[: int(share * len(x))] = [1.0, 1.0]
    field = GradientField.from_gradients(x, gradients)
    return GradientField(field.points, field.directions, field.names, loss=loss)


def test_outliers_move_constants_less_where_they_count_less():
    x1, x2 = sympy.symbols("x1 x2", real=True)

    def off_by(loss: Loss) -> float:
        fit = ConstantFit(x1**2 + 1.5 * x2**2, field_with_outliers(loss))
        return abs(float(fit.refined(fit.start)[0]) - 2)

    squared, huber, angle, bounded = map(off_by, (SQUARED, Huber(0.05), ANGLE, BOUNDED))
    assert squared > 0.15
    assert huber < squared / 3
    assert angle < 0.03
    assert bounded < 0.03


def test_a_fit_ends_where_its_loss_has_no_slope():
    x1, x2 = sympy.symbols("x1 x2", real=True)
    for loss in (Huber(0.05), BOUNDED):
        fit = ConstantFit(x1**2 + 1.5 * x2**2, field_with_outliers(loss))
        best = fit.refined(fit.start)
        near = [fit.loss(best + step) for step in (-3e-3, 3e-3)]
        assert fit.loss(best) < min(near)


def test_intervals_of_a_robust_fit_hold_the_truth_that_outliers_hide():
    x1, x2 = sympy.symbols("x1 x2", real=True)
    (plain,) = constants(x1**2 + 2 * x2**2, field_with_outliers(SQUARED))
    (robust,) = constants(x1**2 + 2 * x2**2, field_with_outliers(BOUNDED))
    assert not plain.holds(2)
    assert robust.holds(2) and robust.high - robust.low < 0.2


@pytest.mark.parametrize("loss", [*EVERY, Huber(0.02), Loss("root", sympy.sqrt(D2))], ids=str)
def test_the_distance_of_a_value_of_rho_has_that_value(loss):
    distances = np.concatenate([[0.0], np.geomspace(1e-12, 4, 3001)])
    np.testing.assert_allclose(loss.distance(loss.of(distances)), distances, rtol=1e-9)
    assert np.isnan(loss.distance(np.nan))


def test_where_rho_is_level_any_of_its_distances_is_given():
    level = Loss("level", sympy.Min(D2, sympy.Rational(3, 10)))
    assert level.of(level.distance(np.array([0.1, 0.3]))) == pytest.approx([0.1, 0.3])


def test_huber_is_inverted_as_every_other_loss_is():
    huber = Huber(0.3)
    rho = np.concatenate([[-1e-12, 0.0], np.geomspace(1e-20, huber.of(np.array(4.0)), 50)])
    np.testing.assert_allclose(huber.distance(rho), Loss.distance(huber, rho), rtol=1e-9)
    assert np.isnan(huber.distance(np.nan))
    assert pickle.loads(pickle.dumps(huber)).distance(0.2) == huber.distance(0.2)
