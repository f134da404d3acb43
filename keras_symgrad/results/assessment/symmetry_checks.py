"""Measure how well a network and a formula keep known symmetries."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from keras_symgrad.engine import gradient
from keras_symgrad.files import Record
from keras_symgrad.gradients import Domain, GradientField, across, generators
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Symmetry

# Rows for a measurement, and the fewest that are enough.
MAX_CHECKED_ROWS = 1000
MIN_CHECKED_ROWS = 10
# 1 - cos, 26 degrees on average, above which a network counts as not having a symmetry.
BROKEN = 0.1

Gradients = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SymmetryCheck:
    """Errors of a symmetry in a network and in the formula found for it.

    Attributes:
        symmetry: which, for people.
        network: mean of 1 - cos between the network's gradients and those that the symmetry makes
            of them; `None` where that cannot be told.
        formula: the same of the formula; `None` where it has no gradient.
    """

    symmetry: str
    network: float | None
    formula: float | None

    def __str__(self) -> str:
        network = "unknown" if self.network is None else f"{self.network:.1e}"
        if self.formula is None:
            kept = "formula unknown"
        else:
            kept = "kept by the formula" if self.formula < 1e-9 else f"formula {self.formula:.1e}"
        return f"{self.symmetry} (network {network}, {kept})"

    def to_dict(self) -> dict[str, Any]:
        """The symmetry's text and the numbers as plain data."""
        return {"symmetry": self.symmetry, "network": self.network, "formula": self.formula}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> SymmetryCheck:
        """Read a check from the plain data of `to_dict`.

        Args:
            content: the data.

        Raises:
            ValueError: they are not a check.
        """
        record = Record.of(content)
        network = record.number("network") if "network" in record else None
        return cls(record.text("symmetry"), network, record.number("formula", math.nan))


def check_symmetry_errors(
    symmetries: Sequence[Symmetry],
    field: GradientField,
    neuron: Neuron | None,
    x: np.ndarray | None,
    expression: sympy.Expr,
) -> tuple[SymmetryCheck, ...]:
    """Measure how well a network and a formula keep symmetries.

    Args:
        symmetries: any.
        field: rows of the check; for a field without a network only continuous symmetries can be
            checked.
        neuron: the network, as a function of the field's variables.
        x: data of the network, outside which it is not evaluated.
        expression: the formula.

    Returns:
        One check for each symmetry.
    """
    some = field.subset(MAX_CHECKED_ROWS)
    network = None if neuron is None else lambda points: neuron.values_and_gradients(points)[1]
    checks = []
    for symmetry in symmetries:
        if network is None or x is None:
            velocities = generators(some, [symmetry])
            off = _broken_along(some.directions, velocities) if velocities.shape[1] else None
        else:
            off = _broken(symmetry, some, network, Domain(x).holds)
        formula = _broken(symmetry, some, lambda p: gradient(expression, some.names, p))
        checks.append(SymmetryCheck(str(symmetry), off, formula))
    return tuple(checks)


def warn_of_broken_symmetries(checks: Sequence[SymmetryCheck], neuron: str) -> None:
    """Warn about symmetries that the network clearly does not have.

    Args:
        checks: of the network.
        neuron: its name.
    """
    for check in checks:
        if check.network is not None and check.network > BROKEN:
            degrees = np.degrees(np.arccos(max(1 - check.network, -1)))
            warnings.warn(
                f"'{neuron}' does not have the symmetry that it was said to have, "
                f"{check.symmetry}: its gradients are {degrees:.0f} degrees off those that the "
                "symmetry makes of them. Leave it out to see what the network itself does.",
                stacklevel=3,
            )


def broken(
    symmetry: Symmetry, names: Sequence[str], expression: sympy.Expr, points: np.ndarray
) -> float | None:
    """Measure the deviation of an expression from a symmetry.

    Args:
        symmetry: the symmetry.
        names: of the variables.
        expression: in them.
        points: points of the check, `(rows, variables)`.

    Returns:
        Mean of 1 - cos between its gradients and their images under the symmetry: 0 if it has the
        symmetry, 2 if it has the opposite one.

    Example:

    >>> from keras_symgrad import Even, Odd
    >>> x = sympy.Symbol("x", real=True)
    >>> points = np.array([[1.0], [2.0]])
    >>> broken(Even("x"), ["x"], x**3, points), broken(Odd("x"), ["x"], x**3, points)
    (2.0, 0.0)
    """
    field = GradientField(points, np.zeros_like(points), tuple(names))
    return _broken(symmetry, field, lambda p: gradient(expression, names, p))


def _broken(
    symmetry: Symmetry,
    field: GradientField,
    gradients: Gradients,
    holds: Callable[[np.ndarray], np.ndarray] | None = None,
) -> float | None:
    """Mean of 1 - cos between gradients and their images; `None` if it cannot be measured."""
    own = gradients(field.points)
    directions = field.directions_of(own)
    steep = directions.any(axis=1)
    parts = []
    velocities = generators(field, [symmetry])
    if velocities.shape[1] and steep.any():
        parts.append(_broken_along(directions[steep], velocities[steep]))
    for element in symmetry.elements(field.names):
        images = element.images(field.points)
        asked = steep if holds is None else steep & holds(images)
        back = np.zeros_like(own)
        if asked.any():
            # A^T grad f(A x) = s grad f(x)
            back[asked] = element.sign * gradients(images[asked]) @ element.matrix
        back = field.directions_of(back)
        asked &= back.any(axis=1)
        if asked.sum() >= min(MIN_CHECKED_ROWS, field.rows):
            parts.append(float(np.mean(1 - (directions * back).sum(axis=1)[asked])))
    return float(np.mean(parts)) if parts else None


def _broken_along(directions: np.ndarray, velocities: np.ndarray) -> float:
    left = np.linalg.norm(across(directions, velocities), axis=1)
    return float(np.mean(1 - np.minimum(left, 1)))
