"""Particles at two times: on a line by numerical integration, around a centre in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy.integrate import solve_ivp

from keras_symgrad.datasets.transformations import Pairs

MAX_TIME = 3.0
# Nearer to the centre than this, speeds are unbounded.
MIN_RADIUS = 0.1
# Range of the depth k of the potentials -k/r.
DEPTHS = (0.5, 2.0)


def oscillator(force: Callable[[np.ndarray], np.ndarray]) -> Pairs:
    """A particle (x, v) on a line, started in U[0,1]^2, at two random times before 3.

        x'' = force(x)

    Args:
        force: a function of positions.

    Returns:
        A function `(rows, rng) -> (anchors, positives)`.

    Example:

    >>> a, b = oscillator(lambda x: -x)(5, np.random.default_rng(0))
    >>> bool(np.allclose((a**2).sum(axis=1), (b**2).sum(axis=1)))
    True
    """

    def pairs(rows: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        start = rng.uniform(size=(rows, 2))
        states = moved(np.tile(start, (2, 1)), rng.uniform(0.0, MAX_TIME, size=2 * rows), force)
        return states[:rows], states[rows:]

    return pairs


def moved(
    start: np.ndarray, times: np.ndarray, force: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Positions and velocities of particles on a line, each after its own time.

    All are integrated at once, in the fraction of each particle's time, so that nothing has to be
    interpolated.

    Args:
        start: positions and velocities, of shape `(rows, 2)`.
        times: of shape `(rows,)`.
        force: a function of positions.

    Returns:
        Positions and velocities, of shape `(rows, 2)`.
    """

    def slope(_: float, states: np.ndarray) -> np.ndarray:
        x, v = states.reshape(2, -1)
        return np.concatenate([times * v, times * force(x)])

    path = solve_ivp(slope, (0, 1), start.T.ravel(), "DOP853", t_eval=[1], rtol=1e-9, atol=1e-9)
    return path.y.reshape(2, -1).T


def orbits(rows: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Planar states (x1, x2, v1, v2) in potentials -k/r, both started at one point of U[0,1]^4.

    Each is observed at a random time before 3, in a potential of a random depth k of its own. With
    a common potential a pair would also share its energy and its axis, and a Siamese network learns
    some function of everything that is shared; with k unknown only the angular momentum is shared.
    A pair that comes nearer to the centre than 0.1 is drawn again.

    Args:
        rows: number of pairs.
        rng: source of the random numbers.

    Returns:
        Two arrays of states, of shape `(rows, 4)`.
    """
    found: list[np.ndarray] = []
    while sum(map(len, found)) < rows:
        start = rng.uniform(size=(rows, 4))
        # In units of the depth, times and speeds are those of depth 1.
        speeds = np.sqrt(rng.uniform(*DEPTHS, size=(2, rows)))
        times = rng.uniform(0.0, MAX_TIME, size=(2, rows))
        pair = np.stack([_scaled(start, t, s[:, None]) for t, s in zip(times, speeds)], axis=1)
        far = np.linalg.norm(pair[:, :, :2], axis=2) > MIN_RADIUS
        found.append(pair[far.all(axis=1)])
    pairs = np.concatenate(found)[:rows]
    return pairs[:, 0], pairs[:, 1]


def _scaled(start: np.ndarray, times: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    units = np.concatenate([np.ones_like(speeds), np.ones_like(speeds), speeds, speeds], axis=1)
    return units * kepler(start / units, times * speeds[:, 0])


def kepler(start: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Planar motion in the potential -1/r, exact for all orbits.

    Orbits of small angular momentum pass so close to the centre that no integrator conserves their
    energy. In the universal anomaly s, where dt = r ds, the motion is an oscillation of frequency
    w = sqrt(2/r0 - v0^2), imaginary for a hyperbola, and time a closed formula of s that is
    inverted here by bisection.

        t = r0 c1 + (x0 . v0) c2 + c3
        c1 = sin(w s)/w,  c2 = (1 - cos(w s))/w^2,  c3 = (s - c1)/w^2

    Args:
        start: states (x1, x2, v1, v2) at time 0, of shape `(rows, 4)`.
        times: not negative, of shape `(rows,)`.

    Returns:
        States of shape `(rows, 4)`.

    Example:

    >>> kepler(np.array([[1.0, 0.0, 0.0, 1.0]]), np.array([np.pi])).round(6)
    array([[-1.,  0., -0., -1.]])

    Reference: Bate, Mueller and White, Fundamentals of Astrodynamics, chapter 4.
    """
    x, v = start[:, :2], start[:, 2:]
    r0, radial = np.linalg.norm(x, axis=1), np.sum(x * v, axis=1)
    w = np.sqrt((2.0 / r0 - np.sum(v**2, axis=1)).astype(complex))

    def coefficients(s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        c1 = np.sin(w * s) / w
        return c1.real, (2.0 * (np.sin(w * s / 2.0) / w) ** 2).real, ((s - c1) / w**2).real

    def time(s: np.ndarray) -> np.ndarray:
        c1, c2, c3 = coefficients(s)
        return r0 * c1 + radial * c2 + c3

    low, high = np.zeros_like(times), np.ones_like(times)
    while np.any(early := time(high) < times):
        high = np.where(early, 2.0 * high, high)
    for _ in range(60):
        middle = (low + high) / 2.0
        late = time(middle) > times
        low, high = np.where(late, low, middle), np.where(late, middle, high)

    c1, c2, c3 = (c[:, None] for c in coefficients((low + high) / 2.0))
    r0 = r0[:, None]
    position = (1.0 - c2 / r0) * x + (times[:, None] - c3) * v
    r = np.linalg.norm(position, axis=1, keepdims=True)
    velocity = (1.0 - c2 / r) * v - c1 / (r * r0) * x
    return np.concatenate([position, velocity], axis=1)
