"""`Surface`: the submanifold of the data and the directions across it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from keras_symgrad.expressions import symbol, with_whole_numbers
from keras_symgrad.expressions.formats import to_pretty
from keras_symgrad.files import Record
from keras_symgrad.gradients import undetermined_directions

if TYPE_CHECKING:
    from keras_symgrad.gradients import GradientField


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of an interpretation's data, and the remaining part of the gradients.

    Attributes:
        axes: directions along it, as many as variables where the data fill their space.
        plane: vectors along a plane, `(axes, variables)`; `None` where the data fill
            their space or the surface is curved.
        centre: mean of the data, `(variables,)`, with a plane.
        curved: whether its directions change from point to point.
        joint: whether the gradients are spans of several neurons' gradients.
        explained: mean share of the gradients that functions of the variables can have.

    Example:

    >>> from keras_symgrad import GradientField
    >>> x = np.array([[1.0, 0.0], [0.25, 0.75], [0.5, 0.5]])
    >>> along = np.array([[1.0, -1.0]]) / np.sqrt(2)
    >>> field = GradientField.from_gradients(x, 2 * x, names=["a", "b"], frame=along)
    >>> Surface.of(field).never_left(("a", "b"))
    ['a + b = 1']
    """

    axes: int
    plane: np.ndarray | None = None
    centre: np.ndarray | None = None
    curved: bool = False
    joint: bool = False
    explained: float = 1.0

    @classmethod
    def of(cls, field: GradientField) -> Surface:
        """The surface of a field's points.

        Args:
            field: gradients along the surface.

        Returns:
            A `Surface`.
        """
        frame, joint = field.frame, field.directions.ndim == 3
        # A frame of as many axes as there are variables is a metric of the whole space.
        if frame is None or field.axes == field.variables:
            return cls(field.variables, joint=joint, explained=field.explained)
        if frame.ndim == 3:
            return cls(field.axes, curved=True, joint=joint, explained=field.explained)
        centre = field.points.mean(axis=0)
        return cls(field.axes, frame, centre, joint=joint, explained=field.explained)

    def never_left(self, names: tuple[str, ...]) -> list[str]:
        """Equations of the plane for people: linear functions that are constant in the data.

        Args:
            names: of the variables.

        Returns:
            Texts such as `a + b = 1`.
        """
        return [self._equation(n, names) for n in self._normals]

    @property
    def _normals(self) -> list[np.ndarray]:
        return [] if self.plane is None else undetermined_directions(self.plane)

    def _equation(self, normal: np.ndarray, names: tuple[str, ...]) -> str:
        terms = [sympy.Float(w, 3) * symbol(n) for w, n in zip(normal, names) if w]
        level = float(self.centre @ normal)
        left = to_pretty(with_whole_numbers(sympy.Add(*terms)))
        return f"{left} = {0.0 if abs(level) < 1e-6 else level:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """The surface as plain data."""
        return {
            "axes": self.axes,
            "plane": None if self.plane is None else self.plane.tolist(),
            "centre": None if self.centre is None else self.centre.tolist(),
            "curved": self.curved,
            "joint": self.joint,
            "explained": self.explained,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], variables: int) -> Surface:
        """Read a surface from the plain data of `to_dict`.

        Args:
            content: the data.
            variables: number of variables.

        Raises:
            ValueError: they are not a surface of these variables.
        """
        record = Record.of(content)
        plane = centre = None
        if "plane" in record:
            plane = np.array(record.rows("plane", variables))
            centre = np.array(record.numbers("centre"))
            if len(centre) != variables or not len(plane):
                raise record.refused("plane", "a plane with its centre")
        return cls(
            record.whole("axes"),
            plane,
            centre,
            record.flag("curved"),
            record.flag("joint"),
            record.number("explained", math.nan),
        )
