"""The polynomials are as good as the functions that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.expressions.codegen import fast_math

TRUTH = {"sin": np.sin, "cos": np.cos, "tan": np.tan}
NAMES = list(TRUTH)


def points(limit: float) -> np.ndarray:
    """Random ones, and the multiples of pi/2, where digits cancel."""
    spread = np.random.default_rng(0).uniform(-limit, limit, 100_000)
    quarters = np.pi / 2 * np.arange(-limit // 2, limit // 2)
    return np.concatenate([spread, quarters]).astype(np.float32)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("limit", [1.0, 10.0, 1e4])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_are_right_to_the_last_digits_of_float32(name, limit, compiled):
    function = tf.function(getattr(fast_math, name), jit_compile=compiled)
    x = points(limit)
    values = function(tf.constant(x)).numpy()
    assert values.dtype == np.float32
    assert np.max(np.abs(values - TRUTH[name](x.astype(float)))) < 2e-7


def test_tangent_is_right_away_from_its_poles_and_large_near_them():
    x = points(1e4)
    truth = np.tan(x.astype(float))
    values = fast_math.tan(tf.constant(x)).numpy()
    # An error in the angle is magnified by the slope 1 + tan^2.
    assert np.max(np.abs(values - truth) / (1 + truth**2)) < 2e-7


def test_small_angles_keep_their_relative_precision():
    x = np.logspace(-30, -2, 100, dtype=np.float32)
    for name in ("sin", "tan"):
        values = getattr(fast_math, name)(tf.constant(x)).numpy()
        np.testing.assert_allclose(values, TRUTH[name](x.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_left_to_tensorflow(name):
    x = tf.constant(np.linspace(-50, 50, 1001))
    values = getattr(fast_math, name)(x)
    assert values.dtype == tf.float64
    np.testing.assert_allclose(values, TRUTH[name](x.numpy()), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_stays_so(name):
    values = getattr(fast_math, name)(tf.constant([np.nan, np.inf, -np.inf]))
    assert np.isnan(values).all()


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_extremes_take_numbers_and_tensors_in_any_order(dtype):
    a, b = tf.constant([-1.0, 0.5, 3.0], dtype), tf.constant([0.0, 4.0, -2.0], dtype)
    for largest in (fast_math.maximum(a, 1, b), fast_math.maximum(1, b, a)):
        assert largest.dtype == dtype
        assert largest.numpy().tolist() == [1.0, 4.0, 3.0]
    for smallest in (fast_math.minimum(a, 0.25, b), fast_math.minimum(0.25, a, b)):
        assert smallest.dtype == dtype
        assert smallest.numpy().tolist() == [-1.0, 0.25, -2.0]
