"""The published classifier systems, as data generators.

Each system is one SymPy expression, a threshold and a box. Its labels are those of the
publication: a point is positive where the concept, blurred by one per cent of noise, is above the
threshold. A joint system is two of them that have to agree. This module uses SymPy and NumPy and no
networks, so its concepts are independent of what a network learned.

Source: Wetzel, arXiv 2401.04978, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from keras_symgrad.datasets.ground_truth import KnownConcept, real_symbols


@dataclass(frozen=True)
class System(KnownConcept):
    """A concept g, the threshold c of its labels, and the box that its points fill.

        label = (g(x) * N(1, 0.01) > c)

    Args:
        id: short name of the system, as published.
        expression: g as a SymPy expression in real symbols.
        threshold: c.
        box: lowest and highest value of each variable.
        names: the variables' names, in the order of the columns.

    Example:

    >>> ellipse = SYSTEMS["A1"]
    >>> ellipse.expression, ellipse.threshold
    (x1**2 + 2*x2**2, 1.0)
    >>> ellipse.sample(3, seed=0).shape
    (3, 2)

    Reference: Wetzel, arXiv 2401.04978, section 4.
    """

    id: str
    expression: sympy.Expr
    threshold: float
    box: tuple[tuple[float, float], ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.box) != len(self.names):
            raise ValueError(
                f"A `System` has one interval in `box` for each of its {len(self.names)} names. "
                f"Received: box={self.box}"
            )
        unknown = self.expression.free_symbols - set(self.variables)
        if unknown:
            raise ValueError(
                f"The expression of system '{self.id}' may only use the real symbols "
                f"{list(self.names)}. Received also: {sorted(map(str, unknown))}"
            )

    def sample(self, rows: int, seed: int = 0) -> np.ndarray:
        """Points drawn uniformly from the box.

        Args:
            rows: number of points.
            seed: of the random numbers.

        Returns:
            float64 points of shape `(rows, variables)`.
        """
        low, high = np.array(self.box, dtype=np.float64).T
        return np.random.default_rng(seed).uniform(low, high, size=(rows, len(self.names)))

    def labels(self, x: np.ndarray, seed: int = 0, noise: float = 0.01) -> np.ndarray:
        """Labels as the publication makes them.

        Args:
            x: points of shape `(rows, variables)`.
            seed: of the noise.
            noise: standard deviation of the factor on g; 0 gives exact labels.

        Returns:
            float32 labels, 0 or 1, of shape `(rows,)`.
        """
        values = self.values(x)
        blur = np.random.default_rng(seed).normal(1.0, noise, size=values.shape)
        return (values * blur > self.threshold).astype(np.float32)

    def data(self, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Points and labels to train a classifier on.

        Args:
            rows: number of points.
            seed: of points and noise.

        Returns:
            Points of shape `(rows, variables)` and labels of shape `(rows,)`.
        """
        x = self.sample(rows, seed)
        return x, self.labels(x, seed + 1)


@dataclass(frozen=True)
class JointSystem:
    """Two concepts that have to agree: labels do not distinguish them.

    A point is positive where both are above their thresholds and negative where both are below.
    Points where they disagree are dropped. Either concept explains all labels, so a formula
    fitted to labels may name one of them; the network is free to use both.

    Args:
        id: short name of the system, as published.
        concepts: two systems with the same box and names.

    Example:

    >>> two_products = JOINT_SYSTEMS["F"]
    >>> [concept.expression for concept in two_products.concepts]
    [x1*x2, x3*x4]
    >>> two_products.labels(np.array([[2, 2, 2, 2], [0, 0, 0, 0], [2, 2, 0, 0]]))
    array([ 1.,  0., nan], dtype=float32)

    Reference: Wetzel, arXiv 2401.04978, section 4.
    """

    id: str
    concepts: tuple[System, System]

    def __post_init__(self) -> None:
        first, second = self.concepts
        if (first.box, first.names) != (second.box, second.names):
            raise ValueError(
                f"The concepts of joint system '{self.id}' need the same box and names. "
                f"Received: {first.box}, {first.names} and {second.box}, {second.names}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names, in the order of the columns."""
        return self.concepts[0].names

    def sample(self, rows: int, seed: int = 0) -> np.ndarray:
        """Points drawn uniformly from the box, those where the concepts disagree among them.

        Args:
            rows: number of points.
            seed: of the random numbers.

        Returns:
            float64 points of shape `(rows, variables)`.
        """
        return self.concepts[0].sample(rows, seed)

    def labels(self, x: np.ndarray, seed: int = 0, noise: float = 0.01) -> np.ndarray:
        """Labels on which the two concepts agree.

        Args:
            x: points of shape `(rows, variables)`.
            seed: of the noise, which is drawn separately for each concept.
            noise: standard deviation of the factor on each concept; 0 gives exact labels.

        Returns:
            float32 labels of shape `(rows,)`: 0 or 1, NaN where the concepts disagree.
        """
        first, second = (
            concept.labels(x, seed + 7919 * k, noise) for k, concept in enumerate(self.concepts)
        )
        return np.where(first == second, first, np.float32(np.nan))

    def data(self, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Points on which the concepts agree, and their labels.

        Args:
            rows: number of points.
            seed: of points and noise.

        Returns:
            Points of shape `(rows, variables)` and labels of shape `(rows,)`.

        Raises:
            RuntimeError: the concepts hardly ever agree.

        Example:

        >>> x, labels = JOINT_SYSTEMS["G"].data(1000)
        >>> x.shape, np.unique(labels)
        ((1000, 3), array([0., 1.], dtype=float32))
        """
        x = self.sample(4 * rows, seed)
        labels = self.labels(x, seed + 1)
        agreed = np.flatnonzero(np.isfinite(labels))[:rows]
        if len(agreed) < rows:
            raise RuntimeError(
                f"The concepts of joint system '{self.id}' agree on only {len(agreed)} of "
                f"{len(x)} points, where {rows} were asked for."
            )
        return x[agreed], labels[agreed]


def _published() -> tuple[dict[str, System], dict[str, JointSystem]]:
    x1, x2, x3, x4, x5, x6 = x = real_symbols([f"x{k}" for k in range(1, 7)])

    def system(id: str, expression: sympy.Expr, threshold: float, box: list[Any]) -> System:
        intervals = tuple((float(low), float(high)) for low, high in box)
        return System(id, expression, threshold, intervals, tuple(s.name for s in x[: len(box)]))

    single = [
        ("A1", x1**2 + 2 * x2**2, 1.0, [(-1, 1)] * 2),
        ("A", x1**2 + 3 * x1 * x2 + 2 * x2**2, 5.0, [(-2, 0)] * 2),
        ("B", x1**2 + sympy.sin(x2 + x3), 1.0, [(-2, 0)] * 3),
        ("C", sympy.exp(x1 - x2) - sympy.pi * x3, 1.0, [(-1, 1)] * 3),
        ("D", x1 * sympy.exp(-(x2**2 + x3**2) / 2), 0.2, [(0, 2), (-2, 2), (-2, 2)]),
        ("E", x1 * x2 / ((x3 - x4) ** 2 + (x5 - x6) ** 2), 1.0, [(0, 2)] * 6),
    ]
    joint = [
        ("F", [(x1 * x2, 1.0), (x3 * x4, 1.0)], [(0, 2)] * 4),
        ("G", [(x1 * x2 + x3, 2.0), (sympy.sin(x2 * x3), 0.5)], [(0, 2)] * 3),
    ]
    return (
        {id: system(id, *rest) for id, *rest in single},
        {
            id: JointSystem(id, (system(id, *one, box), system(id, *other, box)))
            for id, (one, other), box in joint
        },
    )


SYSTEMS, JOINT_SYSTEMS = _published()


def load(name: str) -> System | JointSystem:
    """A published classifier system by its name.

    Args:
        name: "A1" or "A" to "E" for a single concept, "F" or "G" for two that have to agree.

    Returns:
        The system: `.data(rows)` are points and labels, `.expression` is the concept.

    Raises:
        ValueError: there is no system of this name.

    Example:

    >>> ellipse = load("A1")
    >>> x, labels = ellipse.data(1000, seed=0)
    >>> x.shape, labels.shape
    ((1000, 2), (1000,))
    """
    systems = SYSTEMS | JOINT_SYSTEMS
    if name not in systems:
        raise ValueError(f"The systems are {', '.join(systems)}. Received: name={name!r}")
    return systems[name]
