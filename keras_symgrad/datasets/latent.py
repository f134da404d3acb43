"""The published latent systems: triplets of points for Siamese networks.

A system draws pairs of points that share an invariant, because one is the other transformed:
a matrix conjugated, a field or an event seen from another frame, a particle at another time. The
third point of a triplet is drawn afresh. No invariant is used to make data; the expression is the
reference for the judge, and the tests check it against the transformations.

Source: Patel and Wetzel, arXiv 2409.05305.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from keras_symgrad.datasets.ground_truth import KnownConcept, real_symbols
from keras_symgrad.datasets.trajectories import orbits, oscillator
from keras_symgrad.datasets.transformations import (
    Draw,
    Pairs,
    antisymmetric,
    conjugated,
    cube,
    events,
    fields,
    of_trace,
    orthogonal,
)


@dataclass(frozen=True, eq=False)
class LatentSystem(KnownConcept):
    """An invariant, and the pairs of points that share it.

    Args:
        id: short name of the system, as published.
        title: the invariant and the transformation, for people.
        expression: the invariant g as a SymPy expression in real symbols.
        names: the variables' names, in the order of the columns.
        pairs: `(rows, rng) -> (anchors, positives)`.
        negatives: `(rows, rng) -> points`; anchors of other pairs if `None`.
        tangent: orthonormal basis of the linear space that differences of anchors span, of shape
            `(directions, variables)`; `None` if they span everything.
        published_loss: mean squared difference of unit gradients of the published formula.

    Example:

    >>> oscillator = LATENT_SYSTEMS["007"]
    >>> oscillator.expression
    v**2/2 + x**2/2
    >>> anchors, positives, negatives = oscillator.triplets(100, seed=0)
    >>> bool(np.allclose(oscillator.values(anchors), oscillator.values(positives)))
    True

    Reference: Patel and Wetzel, arXiv 2409.05305, section 4.
    """

    id: str
    title: str
    expression: sympy.Expr
    names: tuple[str, ...]
    pairs: Pairs
    negatives: Draw | None
    published_loss: float
    tangent: np.ndarray | None = None

    def triplets(self, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Anchors, positives that share their invariants, and negatives drawn afresh.

        Args:
            rows: number of triplets.
            seed: of the random numbers.

        Returns:
            Three float64 arrays of shape `(rows, variables)`.
        """
        rng = np.random.default_rng(seed)
        anchors, positives = self.pairs(rows, rng)
        # The anchor of another pair is as independent of this one as a new one would be.
        negatives = self.negatives(rows, rng) if self.negatives else np.roll(anchors, 1, axis=0)
        return anchors, positives, negatives

    def points(self, rows: int, seed: int = 0) -> np.ndarray:
        """Anchors alone: the points where a network is read and a formula is judged.

        Args:
            rows: number of points.
            seed: of the random numbers.

        Returns:
            float64 points of shape `(rows, variables)`.
        """
        return self.pairs(rows, np.random.default_rng(seed))[0]


def _published() -> dict[str, LatentSystem]:
    matrix = real_symbols([f"x{k}" for k in range(1, 17)])
    x1, x2, x3, x4, x5, x6, x7, x8, x9 = matrix[:9]
    electromagnetic = real_symbols(["E1", "E2", "E3", "B1", "B2", "B3"])
    e1, e2, e3, b1, b2, b3 = electromagnetic
    state, event = real_symbols(["x", "v"]), real_symbols(["t", "x", "y", "z"])
    (x, v), (t, _, y, z) = state, event
    planar = real_symbols(["x1", "x2", "v1", "v2"])
    v1, v2 = planar[2:]

    def any_matrix(size: int) -> Pairs:
        return conjugated(cube(0.0, 1.0, size**2), cube(0.0, 1.0, size**2))

    def trace(size: int) -> sympy.Expr:
        return sum(matrix[: size**2 : size + 1])

    fixed = of_trace(5.0, cube(-10.0, 10.0, 4))
    minors = x1 * x5 + x1 * x9 + x5 * x9 - x2 * x4 - x3 * x7 - x6 * x8
    turned = conjugated(antisymmetric, orthogonal)
    energy = v**2 / 2 + x**2 / 2
    rows = [
        ("001", "trace", trace(2), matrix[:4], any_matrix(2), 6.0e-5),
        ("002", "determinant", x1 * x4 - x2 * x3, matrix[:4], conjugated(fixed, fixed), 6.9e-2),
        ("003", "trace", trace(3), matrix[:9], any_matrix(3), 5.8e-6),
        ("004", "principal minors", minors, matrix[:9], turned, 2.7e-3),
        ("005", "trace", trace(4), matrix, any_matrix(4), 1.1e-5),
        ("006", "E . B", e1 * b1 + e2 * b2 + e3 * b3, electromagnetic, fields, 4.9e-2),
        ("007", "energy", energy, state, oscillator(lambda x: -x), 6.9e-4),
        ("008", "energy", energy + x**4 / 4, state, oscillator(lambda x: -x - x**3), 2.0e-3),
        ("009", "energy", v**2 / 2 + sympy.sin(x), state, oscillator(lambda x: -np.cos(x)), 7.6e-4),
        (
            *("010", "energy", energy + sympy.exp(x + 1), state),
            *(oscillator(lambda x: -x - np.exp(x + 1)), 1.6e-4),
        ),
        ("011", "angular momentum", x1 * v2 - x2 * v1, planar, orbits, 1.1e-2),
        ("012", "interval", t**2 - x**2 - y**2 - z**2, event, events, 1.0e-3),
    ]
    # Where several quantities are shared, negatives decide which is learned. Negatives of a field
    # are weaker, so E . B separates them from anchors; E^2 - B^2, zero on average for both, does
    # not.
    negatives = {"006": cube(0.0, 1.0, 6)}
    unit = np.eye(9)
    tangents = {
        "002": np.array([[1, 0, 0, -1], [0, 2**0.5, 0, 0], [0, 0, 2**0.5, 0]]) / 2**0.5,
        "004": np.stack([unit[1] - unit[3], unit[2] - unit[6], unit[5] - unit[7]]) / 2**0.5,
    }
    return {
        id: LatentSystem(
            *(id, title, expression, tuple(s.name for s in symbols), pairs),
            *(negatives.get(id), loss, tangents.get(id)),
        )
        for id, title, expression, symbols, pairs, loss in rows
    }


LATENT_SYSTEMS = _published()


def load(name: str) -> LatentSystem:
    """A published latent system by its name.

    Args:
        name: "001" to "012".

    Returns:
        The system: `.triplets(rows)` are points to train a Siamese network on, `.expression` is
        the invariant.

    Raises:
        ValueError: there is no system of this name.

    Example:

    >>> load("007").expression
    v**2/2 + x**2/2
    """
    if name not in LATENT_SYSTEMS:
        raise ValueError(f"The systems are {', '.join(LATENT_SYSTEMS)}. Received: name={name!r}")
    return LATENT_SYSTEMS[name]
