"""Known symmetries of a concept, used and checked.

A symmetry maps points to others where the concept has the same value, or the opposite one. It says
what gradients are at the images, and which part of a network's gradients is noise. With A an
orthogonal matrix, s a sign and v the velocity of a continuous symmetry,

    f(A x) = s f(x)    =>   grad f(A x) = s A grad f(x)
    v(x) . grad f = 0       for rotations, translations and others that start from nothing

Three uses are made of it. The network is averaged over the images of a point that lie where it was
taught, which leaves the part of its noise that breaks the symmetry out. Gradients lose their part
along v, which is noise as well. And rows are moved to their images at random, so that formulas that
break the symmetry are seen to do so, also where the data show one half only.

Formulas are not projected along with the gradients, as they are on the tangent space of data: what
they have along v is a fault of theirs and is to count.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np
import sympy
import tensorflow as tf

from keras_symgrad.directions import split, unit
from keras_symgrad.domain import Domain
from keras_symgrad.engine.reference import gradient
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.tangent import orthonormal

# More images of a point cost more and say little more.
MOST_ELEMENTS = 64
# Share of the data whose images lie among the data, where a network is averaged over images.
MAPPED = 0.9
# Rows that a number is taken from, and the fewest that will do.
CHECKED_ROWS, FEWEST_ROWS = 1000, 10
# 1 - cos, 26 degrees on average, beyond which a network is said not to have a symmetry.
BROKEN = 0.1

Gradients = Callable[[np.ndarray], np.ndarray]


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
    def key(self) -> tuple:
        """Equal for equal maps."""
        return (self.sign, *np.round(self.matrix, 6).ravel().tolist())


@dataclass(frozen=True, init=False, repr=False)
class Symmetry:
    """A symmetry of a concept, known before the search.

    `Exchange`, `Even`, `Odd`, `Rotation`, `Translation` and `Scaling` are there. Another one is a
    subclass that says which maps it has (`elements`), or how points move (`generators`), or both.

    Args:
        *variables: names, or tuples of names that go together.

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
        """The maps that it has, without the one that moves nothing."""
        return []

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """Velocities of the points along which the concept stays, `(rows, k, variables)`."""
        return np.zeros((len(points), 0, len(names)))

    def columns(self, names: Sequence[str]) -> list[list[int]]:
        """Numbers of its variables among the names.

        Raises:
            ValueError: a variable is not among them.
        """
        names = list(names)
        missing = [name for group in self.variables for name in group if name not in names]
        if missing:
            raise ValueError(
                f"{self!r} names variables that do not exist: {', '.join(missing)}. "
                f"The variables are: {', '.join(names)}"
            )
        return [[names.index(name) for name in group] for group in self.variables]

    def _alike(self, least: int) -> None:
        """Raises unless there are so many groups at least, and all of one size."""
        if len(self.variables) < least or len({len(group) for group in self.variables}) > 1:
            raise ValueError(
                f"`{type(self).__name__}` takes {least} variables at least, or {least} tuples of "
                f"equal length. Received: {self!r}"
            )


class Exchange(Symmetry):
    """Nothing changes when variables trade places: f(x2, x1) = f(x1, x2).

    Of more than two, all orders are alike. Tuples trade places as wholes, as two particles do:
    `Exchange(("x1", "v1"), ("x2", "v2"))`.

    Args:
        *variables: two names at least, or tuples of equal length.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> points = np.random.default_rng(0).normal(size=(50, 2))
    >>> broken(Exchange("x1", "x2"), ["x1", "x2"], x1**2 + x2**2, points) < 1e-12
    True
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
    """Nothing changes when variables change their signs, all of them at once: f(-x) = f(x).

    Args:
        *variables: names. `Even("x"), Even("y")` is more than `Even("x", "y")`.
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
    """The value changes its sign when variables do, all of them at once: f(-x) = -f(x).

    Args:
        *variables: names.
    """

    sign = -1


class Rotation(Symmetry):
    """Nothing changes when vectors are turned around the origin.

    Args:
        *variables: the components of a vector, `Rotation("x", "y")`, or several vectors that turn
            together, `Rotation(("x", "y"), ("px", "py"))`. Vectors of three components turn around
            every axis.

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
    """Nothing changes when the same number is added to variables: only differences count.

    Args:
        *variables: names.
    """

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """The same velocity for all its variables."""
        velocities = np.zeros((len(points), 1, len(names)))
        velocities[:, :, [k for group in self.columns(names) for k in group]] = 1.0
        return velocities


class Scaling(Symmetry):
    """Nothing changes when variables are multiplied by the same number: only ratios count.

    Args:
        *variables: names.
    """

    def generators(self, names: Sequence[str], points: np.ndarray) -> np.ndarray:
        """Velocities that grow with the variables."""
        columns = [k for group in self.columns(names) for k in group]
        velocities = np.zeros((len(points), 1, len(names)))
        velocities[:, 0, columns] = points[:, columns]
        return velocities


@dataclass(frozen=True)
class SymmetryCheck:
    """How well a network and the formula found for it keep a symmetry.

    Attributes:
        symmetry: which, for people.
        network: mean of 1 - cos between the network's gradients and those that the symmetry makes
            of them; `None` where that cannot be told.
        formula: the same of the formula.
    """

    symmetry: str
    network: float | None
    formula: float

    def __str__(self) -> str:
        network = "unknown" if self.network is None else f"{self.network:.1e}"
        kept = "kept by the formula" if self.formula < 1e-9 else f"formula {self.formula:.1e}"
        return f"{self.symmetry} (network {network}, {kept})"

    def to_dict(self) -> dict:
        """The symmetry's text and the numbers as plain data."""
        return {"symmetry": self.symmetry, "network": self.network, "formula": self.formula}


def check_symmetries(symmetries: Sequence[Symmetry]) -> tuple[Symmetry, ...]:
    """Symmetries as a tuple, one alone too.

    Raises:
        ValueError: one of them is none.
    """
    found = (symmetries,) if isinstance(symmetries, Symmetry) else tuple(symmetries)
    if not all(isinstance(symmetry, Symmetry) for symmetry in found):
        raise ValueError(
            "`symmetries` are a list of `Exchange`, `Even`, `Odd`, `Rotation`, `Translation`, "
            f"`Scaling` or subclasses of `Symmetry`. Received: symmetries={symmetries!r}"
        )
    return found


def group(symmetries: Sequence[Symmetry], names: Sequence[str]) -> list[Element]:
    """All maps that come of some, the one that moves nothing first.

    Args:
        symmetries: any.
        names: of the variables.

    Returns:
        64 elements at most.

    Example:

    >>> len(group([Exchange("a", "b"), Even("a")], ["a", "b"]))
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


def symmetrized(
    neuron: Neuron, x: np.ndarray, names: Sequence[str], symmetries: Sequence[Symmetry]
) -> Neuron:
    """The mean of a neuron over the images of a point under maps that keep the data's domain.

    Args:
        neuron: of the variables that the symmetries name.
        x: points of shape `(rows, inputs)` from where the model was trained.
        names: of the inputs.
        symmetries: any.

    Returns:
        A neuron with these symmetries; the same one if no map keeps the domain.
    """
    kept = [e for e in group(symmetries, names) if _keeps(e, x)]
    if len(kept) < 2:
        return neuron
    matrices = tf.constant(np.stack([e.matrix.T for e in kept]), neuron.dtype)
    signs = tf.constant([e.sign for e in kept], neuron.dtype)

    def mean(points: tf.Tensor) -> tf.Tensor:
        images = tf.reshape(points @ matrices, [-1, points.shape[1]])
        values = tf.reshape(tf.cast(neuron(images), neuron.dtype), [len(kept), -1])
        return tf.linalg.matvec(values, signs / len(kept), transpose_a=True)

    return replace(neuron, name=f"{neuron.name}, mean of {len(kept)} images", function=mean)


def projected(field: GradientField, symmetries: Sequence[Symmetry]) -> GradientField:
    """The field without what its gradients have along continuous symmetries.

    Rows weigh by the square of what is left: the shorter it is, the more its direction is noise.

    Args:
        field: of one neuron.
        symmetries: any.

    Returns:
        A `GradientField` at the same points.

    Raises:
        ValueError: the field is that of several neurons together.
    """
    if field.directions.ndim == 3:
        raise ValueError(
            "`symmetries` are those of one concept, and several neurons together carry more. "
            f"Leave them out. Received: {field}"
        )
    across = _across(field.directions, _velocities(field, symmetries))
    square = (across**2).sum(axis=1)
    if not square.any():
        raise ValueError(
            "Nothing is left of the gradients: a function with all of these symmetries is "
            f"constant. Leave one out. Received: symmetries={list(symmetries)!r}"
        )
    if np.allclose(square, 1):
        return field
    weights = square if field.weights is None else square * field.weights
    return replace(field, directions=unit(across), weights=weights)


def spread(field: GradientField, symmetries: Sequence[Symmetry], seed: int = 0) -> GradientField:
    """The field with its rows at images of their points, each under a map chosen at random.

    Args:
        field: of one neuron.
        symmetries: any.
        seed: of the choice.

    Returns:
        A `GradientField` of as many rows.
    """
    elements = group(symmetries, field.names)
    if len(elements) == 1:
        return field
    chosen = np.random.default_rng(seed).integers(len(elements), size=field.rows)
    matrices = np.stack([e.matrix for e in elements])[chosen]
    signs = np.array([e.sign for e in elements], float)[chosen]
    frame, directions = field.frame, signs[:, None] * field.directions
    if field.keeps_variables_apart:
        widths = np.ones(field.variables) if frame is None else np.diag(frame)
        full = directions @ np.linalg.pinv(np.diag(widths))
        directions = unit(np.einsum("rij,rj->ri", matrices, full) * widths)
    else:
        # A gradient's coordinates stay, and their vectors move along.
        frame = np.einsum("...av,rwv->raw", frame, matrices)
    return replace(
        field,
        points=np.einsum("rij,rj->ri", matrices, field.points),
        directions=directions,
        frame=frame,
        values=None if field.values is None else signs * field.values,
    )


def checked(
    symmetries: Sequence[Symmetry],
    field: GradientField,
    neuron: Neuron | None,
    x: np.ndarray | None,
    expression: sympy.Expr,
) -> tuple[SymmetryCheck, ...]:
    """How well a network and a formula keep symmetries.

    Args:
        symmetries: any.
        field: where they are checked; of a field without a network only the continuous symmetries
            of the network can be.
        neuron: the network, as a function of the field's variables.
        x: data of the network: what it says off them is not asked.
        expression: the formula.

    Returns:
        One check for each symmetry.
    """
    some = field.subset(CHECKED_ROWS)
    network = None if neuron is None else lambda points: neuron.values_and_gradients(points)[1]
    checks = []
    for symmetry in symmetries:
        if network is None:
            velocities = _velocities(some, [symmetry])
            off = _broken_along(some.directions, velocities) if velocities.shape[1] else None
        else:
            off = _broken(symmetry, some, network, Domain(x).holds)
        formula = _broken(symmetry, some, lambda p: gradient(expression, some.names, p))
        checks.append(SymmetryCheck(str(symmetry), off, formula))
    return tuple(checks)


def warn_if_broken(checks: Sequence[SymmetryCheck], neuron: str) -> None:
    """Warns of symmetries that the network plainly does not have.

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
) -> float:
    """How far an expression is from having a symmetry.

    Args:
        symmetry: which.
        names: of the variables.
        expression: in them.
        points: where, `(rows, variables)`.

    Returns:
        Mean of 1 - cos between its gradients and those that the symmetry makes of them: 0 if it
        has the symmetry, 2 if it has the opposite one.

    Example:

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
    """Mean of 1 - cos to what the symmetry makes of gradients; `None` where nothing can be said."""
    own = gradients(field.points)
    directions = field.directions_of(own)
    steep = directions.any(axis=1)
    parts = []
    velocities = _velocities(field, [symmetry])
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
        if asked.sum() >= min(FEWEST_ROWS, field.rows):
            parts.append(float(np.mean(1 - (directions * back).sum(axis=1)[asked])))
    return float(np.mean(parts)) if parts else None


def _broken_along(directions: np.ndarray, velocities: np.ndarray) -> float:
    left = np.linalg.norm(_across(directions, velocities), axis=1)
    return float(np.mean(1 - np.minimum(left, 1)))


def _across(directions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
    """What directions have across velocities, both in the coordinates of a field."""
    if not velocities.shape[1]:
        return directions
    return split(directions[None], orthonormal(velocities))[1][0]


def _velocities(field: GradientField, symmetries: Sequence[Symmetry]) -> np.ndarray:
    """Generators in the coordinates of a field, `(rows, k, axes)`.

    With c = F grad f the coordinates, v . grad f = a . c where F^T a = v. Where no a does, because
    v leaves the surface that gradients are compared on, nothing is known of c, and a is zero.
    """
    each = [symmetry.generators(field.names, field.points) for symmetry in symmetries]
    velocities = np.concatenate([np.zeros((field.rows, 0, field.variables)), *each], axis=1)
    if field.frame is None:
        return velocities
    found = np.einsum("...va,...kv->...ka", np.linalg.pinv(field.frame), velocities)
    again = np.einsum("...av,...ka->...kv", field.frame, found)
    off = np.linalg.norm(again - velocities, axis=2) > 1e-6 * np.linalg.norm(velocities, axis=2)
    return np.where(off[:, :, None], 0.0, found)


def _keeps(element: Element, x: np.ndarray) -> bool:
    """Whether the images of data lie among the data."""
    some = x[np.isfinite(x).all(axis=1)]
    images = element.images(some[:CHECKED_ROWS])
    return bool(np.mean(Domain(some).holds(images)) >= MAPPED)
