"""Trees node by node in NumPy, with rounding errors on request.

It answers what the engine's tests must know before they compare anything: is a tree defined on
every row at every node, and by how much do rounding errors grow in it? Every node's value and
derivatives are multiplied by 1 + noise; by how much the result then moves, in units of the noise,
is how many times the machine's precision any evaluation of that tree may lose. Neither the engine
nor the reference takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
import sympy
from deap import gp

from keras_symgrad.expressions.trees import Constant, Variable
from keras_symgrad.operators import VALUE, Operator, OperatorSet

NOISE = 1e-8
DRAWS = 3
EXTREMES = {
    "amax": lambda arguments, axis: reduce(np.maximum, arguments),
    "amin": lambda arguments, axis: reduce(np.minimum, arguments),
}


@dataclass
class Jet:
    """A value `(rows,)`, its derivatives in variables `(rows, variables)` and in constants
    `(rows, constants)`, and the mixed ones `(rows, variables, constants)`."""

    value: np.ndarray
    by_variable: np.ndarray
    by_constant: np.ndarray
    mixed: np.ndarray

    def parts(self) -> tuple[np.ndarray, ...]:
        return self.value, self.by_variable, self.by_constant, self.mixed


@lru_cache(maxsize=None)
def _code(operator: Operator) -> Callable:
    seconds = [entry for row in operator.second_partials for entry in row]
    outputs = [operator.expression, *operator.partials, *seconds]
    modules = [EXTREMES, "scipy", "numpy"]
    value = sympy.lambdify(operator.arguments, operator.expression, modules)
    all_of_it = sympy.lambdify((*operator.arguments, VALUE), outputs, modules, cse=True)

    def code(*arguments: np.ndarray) -> np.ndarray:
        found = np.broadcast_to(value(*arguments), arguments[0].shape)
        return np.stack(
            [np.broadcast_to(entry, found.shape) for entry in all_of_it(*arguments, found)]
        )

    return code


def jets(
    tree: gp.PrimitiveTree,
    operators: OperatorSet,
    points: np.ndarray,
    rng: np.random.Generator | None = None,
) -> list[Jet]:
    """The jets of all nodes from the last to the first, with noise if `rng` is given."""
    rows, variables = points.shape
    constants = sum(isinstance(node, Constant) for node in tree)
    number = constants
    stack: list[Jet] = []
    nodes: list[Jet] = []
    with np.errstate(all="ignore"):
        for node in reversed(tree):
            jet = Jet(
                np.zeros(rows),
                np.zeros((rows, variables)),
                np.zeros((rows, constants)),
                np.zeros((rows, variables, constants)),
            )
            if isinstance(node, Variable):
                jet.value[:] = points[:, node.index]
                jet.by_variable[:, node.index] = 1
            elif isinstance(node, Constant):
                number -= 1
                jet.value[:] = node.value
                jet.by_constant[:, number] = 1
            else:
                jet = _apply(operators[node.name], [stack.pop() for _ in range(node.arity)])
            if rng is not None:
                for part in jet.parts():
                    part *= 1 + NOISE * rng.choice([-1, 1], part.shape)
            stack.append(jet)
            nodes.append(jet)
    return nodes


def _apply(operator: Operator, arguments: Sequence[Jet]) -> Jet:
    value, *derivatives = _code(operator)(*(jet.value for jet in arguments))
    first, second = derivatives[: operator.arity], derivatives[operator.arity :]
    mixed = sum(p[:, None, None] * jet.mixed for p, jet in zip(first, arguments))
    for k, left in enumerate(arguments):
        for m, right in enumerate(arguments):
            bend = second[k * operator.arity + m][:, None, None]
            mixed = mixed + bend * left.by_variable[:, :, None] * right.by_constant[:, None, :]
    return Jet(
        value.copy(),
        sum(p[:, None] * jet.by_variable for p, jet in zip(first, arguments)),
        sum(p[:, None] * jet.by_constant for p, jet in zip(first, arguments)),
        mixed,
    )


def is_defined(tree: gp.PrimitiveTree, operators: OperatorSet, points: np.ndarray) -> bool:
    """Whether every node and its gradient are finite on every row, within float32's range, and
    the tree as a whole has a gradient somewhere."""
    nodes = jets(tree, operators, points)
    sizes = np.concatenate([np.abs(part).ravel() for jet in nodes for part in jet.parts()])
    in_range = (sizes == 0) | ((sizes > 1e-9) & (sizes < 1e5))
    return bool(in_range.all() and nodes[-1].by_variable.any())


@dataclass
class Growth:
    """By how many times rounding errors grow, the worst row counting.

    Attributes:
        value: in the value, relative to it or, near its zeros, to its median size.
        gradient: in the gradient, relative to its length on the row.
        jacobian: in the derivatives of the unit gradient in the constants, relative to those of
            the gradient before it is made a unit vector.
    """

    value: float
    gradient: float
    jacobian: float


def growth(tree: gp.PrimitiveTree, operators: OperatorSet, points: np.ndarray) -> Growth:
    """How rounding errors at every node grow until the root."""
    exact = jets(tree, operators, points)[-1]
    worst = np.zeros(3)
    for draw in range(DRAWS):
        noisy = jets(tree, operators, points, np.random.default_rng(draw))[-1]
        errors = (
            value_error(noisy.value, exact.value),
            gradient_error(noisy.by_variable, exact.by_variable),
            jacobian_error(bent(noisy.by_variable, noisy.mixed), exact.by_variable, exact.mixed),
        )
        # NaN, too, is an error that has grown without bound.
        worst = np.fmax(worst, np.where(np.isnan(errors), np.inf, errors))
    return Growth(*(worst / NOISE))


def value_error(values: np.ndarray, truth: np.ndarray) -> float:
    """Largest error of values on any row, relative to the true one or the median one."""
    return _largest(np.abs(values - truth), np.maximum(np.abs(truth), np.median(np.abs(truth))))


def gradient_error(gradients: np.ndarray, truth: np.ndarray) -> float:
    """Largest error of gradients on any row, relative to the true gradient's length."""
    return _largest(
        np.linalg.norm(gradients - truth, axis=-1), np.linalg.norm(truth, axis=-1)
    )


def bent(gradients: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """dU/dc of the unit gradient U = G/|G|, that is (G_c - U (U.G_c))/|G|; zero where G is."""
    length = np.linalg.norm(gradients, axis=-1)[..., None]
    safe = np.where(length > 0, length, 1)
    unit = gradients / safe
    along = np.einsum("rv,rvc->rc", unit, mixed)
    turned = (mixed - unit[..., None] * along[:, None]) / safe[..., None]
    return np.where(length[..., None] > 0, turned, 0)


def jacobian_error(jacobian: np.ndarray, gradients: np.ndarray, mixed: np.ndarray) -> float:
    """Largest error of dU/dc on any row for any constant, relative to |G_c|/|G|.

    That is the size of what rounding errors act on: a factor in front of everything changes the
    gradient but not its direction, and its column is zero up to them.
    """
    truth = bent(gradients, mixed)
    length = np.linalg.norm(gradients, axis=-1)[:, None]
    scale = np.linalg.norm(mixed, axis=1) / np.where(length > 0, length, np.inf)
    return _largest(np.linalg.norm(jacobian - truth, axis=1), scale)


def _largest(errors: np.ndarray, scales: np.ndarray) -> float:
    """Largest quotient; zero over zero is no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(errors == 0, 0.0, errors / scales), initial=0.0))
