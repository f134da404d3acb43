"""Symmetries that a concept is known to have.

A symmetry maps points to others where the concept has the same value, or the opposite one. It
determines the gradients at the images, and the part of a network's gradients that is noise. With A
an orthogonal matrix, s a sign and v the velocity of a continuous symmetry,

    f(A x) = s f(x)    =>   grad f(A x) = s A grad f(x)
    v(x) . grad f = 0       for rotations, translations and other continuous symmetries

`symmetrization` uses them and `symmetry_checks` measures whether network and formula have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from keras_symgrad.files import listed_names

# More images of a point cost more and hardly improve the mean.
MOST_ELEMENTS = 64


@dataclass(frozen=True, eq=False)
class Element:
    """One map of points, f(A x) = s f(x).

    Attributes:
        matrix: A, orthogonal, `(variables, variables)`.
        sign: s, 1 or -1.
    """

    matrix: np.ndarray
    sign: int = 1

    def images(self, points: np.ndarray) -> np.ndarray:
        """The images of points, `(rows, variables)`."""
        return points @ self.matrix.T

    def after(self, other: Element) -> Element:
        """This map after another one."""
        return Element(self.matrix @ other.matrix, self.sign * other.sign)

    @property
    def key(self) -> tuple[Any, ...]:
        """A hashable key, equal for equal maps."""
        return (self.sign, *np.round(self.matrix, 6).ravel().tolist())


@dataclass(frozen=True, init=False, repr=False)
class Symmetry:
    """A symmetry of a concept, known before the search.

    `Exchange`, `Even`, `Odd`, `Rotation`, `Translation` and `Scaling` are predefined. For another
    one, subclass and override its maps (`elements`), its velocities (`generators`), or both.

    Args:
        *variables: names, or tuples of names that form one vector or object.

    Example: a boost, which mixes time and place.

    >>> class Boost(Symmetry):
    ...     def generators(self, names, points):
    ...         (t,), (x,) = self.columns(names)
    ...         velocity = np.zeros((len(points), 1, len(names)))
    ...         velocity[:, 0, t], velocity[:, 0, x] = points[:, x], points[:, t]
    ...         return velocity
    >>> Boost("t", "x").generators(["t", "x"], np.array([[2.0, 1.0]])).tolist()
    [[[1.0, 2.0]]]
    """

    variables: tuple[tuple[str, ...], ...]

    def __init__(self, *variables: str | Sequence[str]):
        grouped = tuple(tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in variables)
        flat = [name for group in grouped for name in group]
        if not flat or not all(isinstance(n, str) for n in flat) or len(set(flat)) < len(flat):
            raise ValueError(
                f"`{type(self).__name__}` takes names of different variables, or tuples of them. "
                f"Received: {', '.join(map(repr, variables)) or 'nothing'}"
            )
        object.__setattr__(self, "variables", grouped)

    def __repr__(self) -> str:
        groups = (group[0] if len(group) == 1 else group for group in self.variables)
        return f"{type(self).__name__}({', '.join(map(repr, groups))})"

    def __str__(self) -> str:
        groups = (g[0] if len(g) == 1 else f"({', '.join(g)})" for g in self.variables)
        return f"{type(self).__name__.lower()} of {', '.join(groups)}"

    def elements(self, names: Sequence[str]) -> list[Element]:
        """The maps of the symmetry, without the identity."""
        return []

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """Velocities of the points along which the concept is constant, `(rows, k, variables)`."""
        return np.zeros((len(points), 0, len(names)))

    def columns(self, names: Sequence[str]) -> list[list[int]]:
        """Positions of its variables among the names.

        Raises:
            ValueError: a variable is not among them.
        """
        names = list(names)
        missing = [name for group in self.variables for name in group if name not in names]
        if missing:
            raise ValueError(
                f"{self!r} names variables that do not exist: {listed_names(missing)}. "
                f"The variables are: {listed_names(names)}"
            )
        places = {name: place for place, name in enumerate(names)}
        return [[places[name] for name in group] for group in self.variables]

    def _alike(self, least: int) -> None:
        """Raise unless there are at least this many groups, all of one size."""
        if len(self.variables) < least or len({len(group) for group in self.variables}) > 1:
            raise ValueError(
                f"`{type(self).__name__}` takes {least} variables at least, or {least} tuples of "
                f"equal length. Received: {self!r}"
            )


class Exchange(Symmetry):
    """Invariance under an exchange of variables: f(x2, x1) = f(x1, x2).

    For more than two variables, all orders are equivalent. Tuples are exchanged as wholes, as two
    particles are: `Exchange(("x1", "v1"), ("x2", "v2"))`.

    Args:
        *variables: two names at least, or tuples of equal length.

    Example:

    >>> (element,) = Exchange("x1", "x2").elements(["x1", "x2", "x3"])
    >>> element.images(np.array([[1.0, 2.0, 3.0]])).tolist()
    [[2.0, 1.0, 3.0]]
    """

    def __init__(self, *variables: str | Sequence[str]):
        super().__init__(*variables)
        self._alike(2)

    def elements(self, names: Sequence[str]) -> list[Element]:
        """All permutations."""
        columns = self.columns(names)
        found = []
        for order in permutations(range(len(columns))):
            matrix = np.eye(len(names))
            for place, source in enumerate(order):
                matrix[columns[place]] = np.eye(len(names))[columns[source]]
            found.append(Element(matrix))
            if len(found) == MOST_ELEMENTS:
                break
        return found[1:]


class Even(Symmetry):
    """Invariance under a common change of sign of variables: f(-x) = f(x).

    Args:
        *variables: names. `Even("x"), Even("y")` is stronger than `Even("x", "y")`.

    Example:

    >>> (element,) = Even("x1").elements(["x1", "x2"])
    >>> element.images(np.array([[1.0, 2.0]])).tolist(), element.sign
    ([[-1.0, 2.0]], 1)
    """

    sign = 1

    def elements(self, names: Sequence[str]) -> list[Element]:
        """The reflection."""
        turned = np.ones(len(names))
        turned[[k for group in self.columns(names) for k in group]] = -1
        return [Element(np.diag(turned), self.sign)]

    def __str__(self) -> str:
        return super().__str__().replace(" of ", " in ")


class Odd(Even):
    """Change of sign under a common change of sign of variables: f(-x) = -f(x).

    Args:
        *variables: names.

    Example:

    >>> (element,) = Odd("x1", "x2").elements(["x1", "x2"])
    >>> element.images(np.array([[1.0, 2.0]])).tolist(), element.sign
    ([[-1.0, -2.0]], -1)
    """

    sign = -1


class Rotation(Symmetry):
    """Invariance under rotations of vectors around the origin.

    Args:
        *variables: the components of a vector, `Rotation("x", "y")`, or several vectors that rotate
            together, `Rotation(("x", "y"), ("px", "py"))`. Vectors of three components rotate
            around every axis.

    Example:

    >>> Rotation("x", "y").generators(["x", "y"], np.array([[3.0, 4.0]])).tolist()
    [[[-4.0, 3.0]]]
    """

    def __init__(self, *variables: str | Sequence[str]):
        super().__init__(*variables)
        if all(len(group) == 1 for group in self.variables):
            object.__setattr__(self, "variables", (sum(self.variables, ()),))
        self._alike(1)
        if len(self.variables[0]) < 2:
            raise ValueError(f"A vector has two components at least. Received: {self!r}")

    def elements(self, names: Sequence[str]) -> list[Element]:
        """Quarter turns in each plane of two components."""
        found = []
        for plane in self._planes(names):
            matrix = np.eye(len(names))
            for i, j in plane:
                matrix[[i, j], [i, j]] = 0
                matrix[i, j], matrix[j, i] = -1, 1
            found.append(Element(matrix))
        return found

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """One velocity for each plane."""
        planes = self._planes(names)
        velocities = np.zeros((len(points), len(planes), len(names)))
        for k, plane in enumerate(planes):
            for i, j in plane:
                velocities[:, k, i], velocities[:, k, j] = -points[:, j], points[:, i]
        return velocities

    def _planes(self, names: Sequence[str]) -> list[list[tuple[int, int]]]:
        """For each pair of components, their columns in every vector."""
        vectors = self.columns(names)
        pairs = combinations(range(len(vectors[0])), 2)
        return [[(vector[i], vector[j]) for vector in vectors] for i, j in pairs]


class Translation(Symmetry):
    """Invariance under a common translation of variables: only differences count.

    Args:
        *variables: names.

    Example:

    >>> Translation("x1", "x2").generators(["x1", "x2", "x3"], np.array([[3.0, 4.0, 5.0]])).tolist()
    [[[1.0, 1.0, 0.0]]]
    """

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """The same velocity for all its variables."""
        velocities = np.zeros((len(points), 1, len(names)))
        velocities[:, :, [k for group in self.columns(names) for k in group]] = 1.0
        return velocities


class Scaling(Symmetry):
    """Invariance under a common scaling of variables: only ratios count.

    Args:
        *variables: names.

    Example:

    >>> Scaling("x1", "x2").generators(["x1", "x2", "x3"], np.array([[3.0, 4.0, 5.0]])).tolist()
    [[[3.0, 4.0, 0.0]]]
    """

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """Velocities that grow with the variables."""
        columns = [k for group in self.columns(names) for k in group]
        velocities = np.zeros((len(points), 1, len(names)))
        velocities[:, 0, columns] = points[:, columns]
        return velocities


def check_symmetries(symmetries: Symmetry | Sequence[Symmetry]) -> tuple[Symmetry, ...]:
    """Symmetries as a tuple, for one or several.

    Raises:
        ValueError: one of them is not a symmetry.
    """
    if isinstance(symmetries, Symmetry):
        return (symmetries,)
    found = tuple(symmetries) if isinstance(symmetries, Iterable) else None
    if found is None or not all(isinstance(symmetry, Symmetry) for symmetry in found):
        raise ValueError(
            "`symmetries` are a list of `Exchange`, `Even`, `Odd`, `Rotation`, `Translation`, "
            f"`Scaling` or subclasses of `Symmetry`. Received: symmetries={symmetries!r}"
        )
    return found


def symmetry_group(symmetries: Sequence[Symmetry], names: Sequence[str]) -> list[Element]:
    """The group that symmetries generate, the identity first.

    Args:
        symmetries: any.
        names: of the variables.

    Returns:
        At most 64 elements.

    Example:

    >>> len(symmetry_group([Exchange("a", "b"), Even("a")], ["a", "b"]))
    8
    """
    generating = [element for symmetry in symmetries for element in symmetry.elements(names)]
    found = [Element(np.eye(len(names)))]
    known = {found[0].key}
    for element in found:
        for other in generating:
            new = other.after(element)
            if new.key not in known and len(found) < MOST_ELEMENTS:
                known.add(new.key)
                found.append(new)
    return found
