"""Judge recovery by class: compare gradients of a formula with those of the true concept.

Two functions carry the same concept when their gradients are parallel. The judge therefore
compares directions of gradients, in float64 and with derivatives from SymPy, on fresh points: over
the whole box, and on the true decision boundary alone, where a formula may match without being the
concept. Formulas for data on a surface are judged along the surface. For two concepts that labels
cannot tell apart there is no single truth; there the formula is compared with the network itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from keras_symgrad.datasets.classifiers import JointSystem, System
from keras_symgrad.datasets.ground_truth import real_symbols, rowwise, with_real_symbols
from keras_symgrad.datasets.latent import LatentSystem
from keras_symgrad.engine import direction_error, unit

RECOVERY_TOLERANCE = 2e-3
COMPLEXITY_RATIO = 1.5


@dataclass(frozen=True)
class Verdict:
    """Result of the comparison of a formula with the true concept.

    Args:
        kind: `"concept"`, `"boundary"` or `"missed"`.
        concept_error: mean of 1 - |cos| over the box.
        boundary_error: the same on the true decision boundary, if there is one.
        short_enough: the complexity is at most 1.5 times the truth's, or was not given.
    """

    kind: str
    concept_error: float
    boundary_error: float | None
    short_enough: bool


def boundary_points(system: System, rows: int, seed: int = 0) -> np.ndarray:
    """Fresh points of a system's true decision boundary g = c.

    Uniform points of the box move along the gradient of g until g = c; points that leave the box
    are discarded.

        x <- x + (c - g) grad g / |grad g|^2

    Args:
        system: the true concept.
        rows: number of points wanted.
        seed: of the random numbers.

    Returns:
        Points of shape `(rows, variables)`.

    Raises:
        RuntimeError: hardly any point of the box reaches the boundary.

    Example:

    >>> from keras_symgrad.datasets.classifiers import SYSTEMS
    >>> x = boundary_points(SYSTEMS["A1"], 100)
    >>> bool(np.allclose(SYSTEMS["A1"].values(x), 1.0))
    True
    """
    low, high = np.array(system.box).T
    scale = max(abs(system.threshold), 1e-3)
    found: list[np.ndarray] = []
    for attempt in range(100):
        x = system.sample(4 * rows, seed=seed + 7919 * attempt)
        for _ in range(30):
            gradient = system.gradients(x)
            square = np.sum(gradient**2, axis=1)
            with np.errstate(all="ignore"):
                step = ((system.threshold - system.values(x)) / square)[:, None] * gradient
                # Where g is flat the step would be very long; a tenth of the box at a time is safe.
                x = x + step * np.minimum(1.0, 0.1 * (high - low) / np.abs(step)).min(
                    axis=1, initial=1.0, keepdims=True
                )
        with np.errstate(all="ignore"):
            on_it = np.abs(system.values(x) - system.threshold) < 1e-9 * scale
            found.append(x[on_it & np.all((x >= low) & (x <= high), axis=1)])
        if sum(map(len, found)) >= rows:
            return np.concatenate(found)[:rows]
    raise RuntimeError(
        f"Only {sum(map(len, found))} of {rows} points of the boundary g = {system.threshold:g} "
        f"of system '{system.id}' were found inside its box."
    )


def judge(
    expression: sympy.Expr,
    system: System,
    *,
    complexity: float | None = None,
    truth_complexity: float | None = None,
    rows: int = 10_000,
    seed: int = 1_000_003,
) -> Verdict:
    """Judge a formula against the concept of a system.

    *Concept*: mean(1 - |cos|) below 2e-3 on fresh uniform points, with a complexity of at most 1.5
    times the truth's. *Boundary*: the same on fresh points of the true decision boundary only.
    Otherwise *missed*.

    Args:
        expression: the formula; its symbols are matched with the system's by name.
        system: the true concept.
        complexity: of the formula. `None` leaves length out of the verdict.
        truth_complexity: of the truth, in the same measure.
        rows: number of fresh points, for each of the two errors.
        seed: of the fresh points.

    Returns:
        A `Verdict`.

    Raises:
        ValueError: the formula holds a symbol that the system has not.

    Example:

    >>> from keras_symgrad.datasets.classifiers import SYSTEMS
    >>> x1, x2 = SYSTEMS["A1"].variables
    >>> judge(sympy.exp(-3 * x1**2 - 6 * x2**2), SYSTEMS["A1"]).kind
    'concept'
    >>> judge(x1 + x2, SYSTEMS["A1"]).kind
    'missed'
    """
    gradients = _gradients_of(expression, system.names)

    def error(x: np.ndarray) -> float:
        return direction_error(gradients(x), system.gradients(x))

    concept = error(system.sample(rows, seed=seed))
    boundary = error(boundary_points(system, rows, seed=seed))
    short = _short_enough(complexity, truth_complexity)
    kind = "missed"
    if short and concept < RECOVERY_TOLERANCE:
        kind = "concept"
    elif short and boundary < RECOVERY_TOLERANCE:
        kind = "boundary"
    return Verdict(kind, concept, boundary, short)


def judge_latent(
    expression: sympy.Expr,
    system: LatentSystem,
    *,
    complexity: float | None = None,
    truth_complexity: float | None = None,
    rows: int = 10_000,
    seed: int = 1_000_003,
) -> Verdict:
    """Judge a formula against the invariant of a latent system.

    *Concept*: mean(1 - |cos|) below 2e-3 on fresh anchors, along the surface that they lie on, with
    a complexity of at most 1.5 times the truth's. Otherwise *missed*.

    Args:
        expression: the formula; its symbols are matched with the system's by name.
        system: the true invariant.
        complexity: of the formula. `None` leaves length out of the verdict.
        truth_complexity: of the truth, in the same measure.
        rows: number of fresh anchors.
        seed: of the fresh anchors.

    Returns:
        A `Verdict` without a boundary.

    Raises:
        ValueError: the formula holds a symbol that the system has not.

    Example:

    >>> from keras_symgrad.datasets.latent import LATENT_SYSTEMS
    >>> x1, x2, x3, x4 = LATENT_SYSTEMS["002"].variables
    >>> judge_latent((x1 * x4 - x2 * x3) / (x1 + x4), LATENT_SYSTEMS["002"]).kind
    'concept'
    """
    x = system.points(rows, seed)
    error = tangent_error(
        _gradients_of(expression, system.names)(x), system.gradients(x), system.tangent
    )
    short = _short_enough(complexity, truth_complexity)
    return Verdict(
        "concept" if short and error < RECOVERY_TOLERANCE else "missed", error, None, short
    )


def tangent_error(
    candidate: np.ndarray, truth: np.ndarray, tangent: np.ndarray | None = None
) -> float:
    """Mean of 1 - |cos| between two gradient fields along a linear space.

    Args:
        candidate: gradients of shape `(rows, variables)`.
        truth: gradients of the same shape.
        tangent: orthonormal basis of the space, of shape `(directions, variables)`; `None` for all.

    Returns:
        A number in [0, 1].

    Example:

    >>> candidate, truth = np.array([[3.0, 4.0, 9.0]]), np.array([[3.0, 4.0, 0.0]])
    >>> tangent_error(candidate, truth, np.eye(3)[:2])
    0.0
    """
    if tangent is not None:
        candidate, truth = candidate @ tangent.T, truth @ tangent.T
    return direction_error(candidate, truth)


def times_better(
    expression: sympy.Expr, system: JointSystem, x: np.ndarray, directions: np.ndarray
) -> float:
    """Ratio by which a formula explains gradients better than either of two concepts does alone.

        min(L(g1), L(g2)) / L(formula)

    Args:
        expression: the formula; its symbols are matched with the system's by name.
        system: the two concepts.
        x: points of shape `(rows, variables)`, none of which the formula was fitted on.
        directions: the network's unit gradients there, of the same shape.

    Returns:
        The ratio of losses: 1 for the better one of the concepts.

    Raises:
        ValueError: the formula holds a symbol that the system has not.

    Example:

    >>> from keras_symgrad.engine import unit
    >>> from keras_symgrad.datasets.classifiers import JOINT_SYSTEMS
    >>> system = JOINT_SYSTEMS["F"]
    >>> first, second = system.concepts
    >>> x = system.sample(1000)
    >>> directions = unit(first.gradients(x) + 1.1 * second.gradients(x))
    >>> times_better(first.expression + second.expression, system, x, directions) > 100
    True
    """
    formula = _gradients_of(expression, system.names)
    found, *alone = (
        _loss(gradients(x), directions)
        for gradients in (formula, *(concept.gradients for concept in system.concepts))
    )
    return min(alone) / found


def _short_enough(complexity: float | None, truth_complexity: float | None) -> bool:
    return (
        complexity is None
        or truth_complexity is None
        or complexity <= COMPLEXITY_RATIO * truth_complexity
    )


def _gradients_of(
    expression: sympy.Expr, names: Sequence[str]
) -> Callable[[np.ndarray], np.ndarray]:
    # Real symbols first: the derivative of `Abs` needs them.
    expression = with_real_symbols(expression, names)
    partials = rowwise([expression.diff(symbol) for symbol in real_symbols(names)], names)
    return lambda x: np.stack([partial(x) for partial in partials], axis=1)


def _loss(gradients: np.ndarray, directions: np.ndarray) -> float:
    """Mean of (u - U)^2 over rows and columns, for the better sign of U."""
    return float(
        min(np.mean((directions - way) ** 2) for way in (unit(gradients), -unit(gradients)))
    )
