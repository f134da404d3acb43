"""phi: monotone either way, through the points, and to be turned around."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.formulas.monotone_fit import MonotoneFit


@pytest.fixture(scope="module")
def g():
    return np.random.default_rng(0).uniform(-2, 2, size=3000)


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
def test_a_monotone_function_is_found_with_its_direction_and_preimages(g, sign):
    phi = MonotoneFit.through(g, sign * np.sinh(2 * g))

    assert phi.rising is (sign > 0)
    assert phi.r2 == pytest.approx(1, abs=1e-9)
    assert len(phi.knots) <= 64
    assert np.all(np.diff(phi.knots) > 0)
    inner = np.linspace(-1.9, 1.9, 50)
    np.testing.assert_allclose(phi(inner), sign * np.sinh(2 * inner), atol=0.25)
    for value in (-5.0, 0.0, 3.0):
        assert phi.preimage(value) == pytest.approx(sign * np.arcsinh(value) / 2, abs=0.01)
        assert phi(np.array([phi.preimage(value)]))[0] == pytest.approx(value, abs=0.05)


@pytest.mark.parametrize("sign", [1, -1], ids=["rising", "falling"])
def test_it_is_monotone_everywhere_whatever_the_points(g, sign):
    noisy = sign * np.tanh(g) + np.random.default_rng(1).normal(scale=0.5, size=g.size)
    phi = MonotoneFit.through(g, noisy)

    assert np.all(sign * np.diff(phi.values) >= 0)
    assert np.all(sign * np.diff(phi(np.linspace(-9, 9, 2000))) >= -1e-12)
    assert phi(np.array([-9.0]))[0] == phi.values[0]
    assert phi(np.array([9.0]))[0] == phi.values[-1]


def test_r2_is_the_share_of_the_variance_that_is_explained(g):
    noise = np.random.default_rng(1).normal(size=g.size)
    noise *= g.std() / noise.std()
    assert MonotoneFit.through(g, g + noise).r2 == pytest.approx(0.5, abs=0.05)
    # A parabola explains nothing monotone but what chance lets through.
    assert MonotoneFit.through(g, noise).r2 < 0.05


def test_a_straight_line_is_one_for_a_quarter_of_its_range_beyond_the_points():
    g = np.random.default_rng(0).normal(size=60)
    phi = MonotoneFit.smooth(g, 3 - 2 * g)
    beyond = 0.25 * np.ptp(g)
    inside = np.linspace(g.min() - beyond, g.max() + beyond, 100)
    np.testing.assert_allclose(phi(inside), 3 - 2 * inside, atol=1e-6)
    assert phi(np.array([g.max() + 9.0]))[0] == pytest.approx(3 - 2 * (g.max() + beyond))


@pytest.mark.parametrize(
    ("f", "rows", "noise", "missed"),
    [
        (lambda g: g, 100, 0.5, 0.02),  # a straight line, under noise
        (lambda g: g**3, 250, 0.01, 0.05),  # most of the variance in a few rows at the ends
        (lambda g: np.maximum(g, 0), 250, 0.1, 0.005),  # a bend
        (lambda g: np.tanh(50 * g), 1000, 0.01, 0.005),  # a step
    ],
)
def test_few_rows_tell_what_it_is_at_others(f, rows, noise, missed):
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(10):
        g, others = rng.normal(size=rows), rng.normal(size=4000)
        values = f(g) + noise * f(g).std() * rng.normal(size=rows)
        apart = MonotoneFit.smooth(g, values)(others) - f(others)
        errors.append(np.mean(apart**2) / f(others).var())
    assert np.median(errors) < missed


def test_the_order_of_the_rows_does_not_matter_even_where_the_concept_repeats_values():
    rng = np.random.default_rng(0)
    g = rng.integers(0, 4, size=400).astype(float)
    f = g + rng.normal(scale=0.1, size=400)
    phi, shuffled = (MonotoneFit.through(g[o], f[o]) for o in (np.argsort(f), np.argsort(-f)))

    np.testing.assert_array_equal(phi.knots, [0, 1, 2, 3])
    means = [f[g == level].mean() for level in range(4)]
    np.testing.assert_allclose(phi.values, means, atol=1e-12)
    np.testing.assert_allclose(shuffled.values, means, atol=1e-12)
    within = np.mean([(f[k] - means[int(g[k])]) ** 2 for k in range(400)])
    assert phi.r2 == pytest.approx(1 - within / f.var())


def test_there_is_no_preimage_of_what_is_not_reached(g):
    phi = MonotoneFit.through(g, np.exp(g))
    assert phi.preimage(-1.0) is None
    assert phi.preimage(100.0) is None


def test_rows_that_are_not_finite_are_left_out(g):
    with_gaps = np.concatenate([g, [np.nan, np.inf, 0.0]])
    values = np.concatenate([g, [0.0, 0.0, np.nan]])
    phi = MonotoneFit.through(with_gaps, values)
    np.testing.assert_array_equal(phi.knots, MonotoneFit.through(g, g).knots)


def test_a_constant_neuron_is_explained_by_a_constant(g):
    phi = MonotoneFit.through(g, np.full(g.size, 3.0))
    assert phi.r2 == 1
    np.testing.assert_allclose(phi(g), 3.0)
    assert phi.preimage(0.0) is None


def test_two_points_are_enough_and_order_does_not_matter():
    phi = MonotoneFit.through(np.array([2.0, 1.0]), np.array([-1.0, 1.0]))
    assert not phi.rising
    assert phi.preimage(0.0) == pytest.approx(1.5)


@pytest.mark.parametrize("level", [0.7, -0.78, 1e-30])
def test_a_formula_that_varies_by_rounding_errors_is_a_constant(level):
    rng = np.random.default_rng(0)
    f = rng.normal(size=3000)
    rounded = level * (1 + np.finfo(float).eps * rng.integers(0, 40, size=3000))
    phi = MonotoneFit.through(rounded, f)
    np.testing.assert_allclose(phi(rounded), f.mean(), atol=0.3)


def test_a_few_huge_values_leave_the_other_knots_apart(g):
    phi = MonotoneFit.through(np.append(g, [1e20, 2e20]), np.append(g**3, [9.0, 9.0]))
    assert np.median(np.abs(phi(g) - g**3)) < 0.01


@pytest.mark.parametrize("g", [np.ones(5), np.array([1.0]), np.full(5, np.nan), np.zeros(0)])
def test_a_formula_of_one_value_has_no_phi(g):
    with pytest.raises(ValueError, match="at least two different finite values"):
        MonotoneFit.through(g, np.zeros(g.size))
