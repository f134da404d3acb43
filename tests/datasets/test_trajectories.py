"""Motion, against closed forms, conservation laws, and an integrator that takes one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from keras_symgrad.datasets.trajectories import (
    MAX_TIME,
    MIN_RADIUS,
    kepler,
    moved,
    orbits,
    oscillator,
)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_a_harmonic_oscillator_turns_its_state(rng):
    start, times = rng.uniform(size=(500, 2)), rng.uniform(0, 10, size=500)
    x, v = start.T
    expected = np.stack(
        [x * np.cos(times) + v * np.sin(times), v * np.cos(times) - x * np.sin(times)], axis=1
    )
    np.testing.assert_allclose(moved(start, times, lambda x: -x), expected, atol=1e-6)


def test_all_at_once_is_as_exact_as_one_at_a_time(rng):
    start, times = rng.uniform(size=(300, 2)), rng.uniform(0, MAX_TIME, size=300)
    together = moved(start, times, lambda x: -(x + np.exp(x + 1)))
    for k in range(5):
        alone = solve_ivp(
            lambda t, y: [y[1], -(y[0] + np.exp(y[0] + 1))],
            *((0, times[k]), start[k], "LSODA"),
            rtol=1e-11,
            atol=1e-11,
        )
        np.testing.assert_allclose(together[k], alone.y[:, -1], atol=1e-6)


def test_an_oscillator_is_seen_at_two_different_times(rng):
    a, b = oscillator(np.negative)(2000, rng)
    turned = np.angle((b[:, 0] - 1j * b[:, 1]) / (a[:, 0] - 1j * a[:, 1]))

    np.testing.assert_allclose((a**2).sum(axis=1), (b**2).sum(axis=1), atol=1e-6)
    assert turned.min() < -2.5 and turned.max() > 2.5
    assert abs(turned.mean()) < 0.1


def conserved(y):
    """Energy, angular momentum and the Laplace-Runge-Lenz vector."""
    x, v = y[:, :2], y[:, 2:]
    r = np.linalg.norm(x, axis=1)
    momentum = x[:, 0] * v[:, 1] - x[:, 1] * v[:, 0]
    lenz = momentum[:, None] * np.stack([v[:, 1], -v[:, 0]], axis=1) - x / r[:, None]
    energy = (v**2).sum(axis=1) / 2 - 1 / r
    return np.column_stack([energy, momentum, lenz])


def test_orbits_keep_all_that_a_kepler_orbit_keeps_however_close_they_pass(rng):
    start, times = rng.uniform(size=(3000, 4)), rng.uniform(0, MAX_TIME, size=3000)
    start[:500, 2:] *= 2
    end = kepler(start, times)
    far = np.linalg.norm(end[:, :2], axis=1) > MIN_RADIUS

    assert far.mean() > 0.9
    # Both kinds of orbit, and some that pass the centre within a thousandth.
    energy, momentum = conserved(start)[:, :2].T
    assert (energy > 0).sum() > 30 and (momentum**2 < 1e-3).sum() > 30
    np.testing.assert_allclose(conserved(end)[far], conserved(start)[far], atol=1e-9)


def test_orbits_are_those_of_an_integrator(rng):
    start, times = rng.uniform(0.5, 1.0, size=(20, 4)), rng.uniform(0, MAX_TIME, size=20)
    start[:, 2] *= -1
    ends = kepler(start, times)
    for y, t, end in zip(start, times, ends):
        path = solve_ivp(
            lambda _, s: np.concatenate([s[2:], -s[:2] / np.hypot(*s[:2]) ** 3]),
            *((0, t), y, "DOP853"),
            rtol=1e-11,
            atol=1e-11,
        )
        np.testing.assert_allclose(end, path.y[:, -1], atol=1e-6)


def test_orbits_too_near_to_the_centre_are_drawn_again(rng):
    pair = np.stack(orbits(5000, rng), axis=1)

    assert pair.shape == (5000, 2, 4)
    assert np.linalg.norm(pair[:, :, :2], axis=2).min() > MIN_RADIUS


def test_in_potentials_of_unknown_depth_the_angular_momentum_alone_is_shared(rng):
    one, other = (conserved(states) for states in orbits(2000, rng))
    np.testing.assert_allclose(one[:, 1], other[:, 1], atol=1e-9)
    # Energy and axis, of the potential of depth 1, are others in other potentials.
    for kept in (0, 2):
        assert np.mean(np.abs(one[:, kept] - other[:, kept]) > 0.01) > 0.6
