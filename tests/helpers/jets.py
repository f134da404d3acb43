"""Trees node by node in NumPy, with rounding errors on request.

The engine's tests need two properties before they compare anything: is a tree defined on every row
at every node, and by how much do rounding errors grow in it? Every node's value and derivatives are
multiplied by 1 + noise; the change of the result, in units of the noise, is how many times the
machine's precision any evaluation of that tree may lose. Neither the engine nor the reference is
used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
import sympy
from deap import gp
from sympy.logic.boolalg import Boolean

from keras_symgrad.expressions.operators import VALUE, Operator, OperatorSet
from keras_symgrad.expressions.trees import Constant, Variable

NOISE = 1e-8
DRAWS = 3
Noise = Callable[[np.ndarray], np.ndarray]


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


@cache
def _function(kind: type, arity: int) -> Callable[..., np.ndarray]:
    """One step of a SymPy expression in NumPy."""
    if issubclass(kind, (sympy.Max, sympy.Min)):
        of_two = np.maximum if issubclass(kind, sympy.Max) else np.minimum
        return lambda *arguments: reduce(of_two, arguments)
    symbols = sympy.symbols(f"a:{arity}", real=True)
    return sympy.lambdify(symbols, kind(*symbols, evaluate=False), ["scipy", "numpy"])


def _evaluated(
    expression: sympy.Basic, values: dict[sympy.Symbol, np.ndarray], noise: Noise
) -> np.ndarray:
    """The expression with noise on the result of every step."""
    if expression.is_Symbol:
        return values[expression]
    if expression in (sympy.true, sympy.false):
        return np.bool_(expression)
    if expression.is_number:
        return np.float64(expression)
    if isinstance(expression, sympy.Piecewise):
        pairs = [
            [_evaluated(part, values, noise) for part in pair.args] for pair in expression.args
        ]
        shape = np.broadcast_shapes(*(part.shape for pair in pairs for part in pair))
        branches, conditions = ([np.broadcast_to(p, shape) for p in side] for side in zip(*pairs))
        return np.select(conditions, branches, np.nan)
    arguments = [_evaluated(argument, values, noise) for argument in expression.args]
    result = _function(expression.func, len(arguments))(*arguments)
    return result if isinstance(expression, Boolean) else noise(result)


def jets(
    tree: gp.PrimitiveTree,
    operators: OperatorSet,
    points: np.ndarray,
    rng: np.random.Generator | None = None,
) -> list[Jet]:
    """The jets of all nodes from the last to the first, with noise if `rng` is given."""
    rows, variables = points.shape
    number = constants = sum(isinstance(node, Constant) for node in tree)
    stack: list[Jet] = []
    nodes: list[Jet] = []

    def noise(part: np.ndarray) -> np.ndarray:
        if rng is None:
            return part
        # Halves of integers are exact: 1/2 + sign(a)/2 is zero on one side.
        is_exact = 2 * part == np.round(2 * part)
        return np.where(is_exact, part, part * (1 + NOISE * rng.choice([-1, 1], part.shape)))

    with np.errstate(all="ignore"):
        for node in reversed(tree):
            if isinstance(node, Variable):
                jet = _leaf(noise(points[:, node.index]), variables, constants)
                jet.by_variable[:, node.index] = 1
            elif isinstance(node, Constant):
                number -= 1
                jet = _leaf(noise(np.full(rows, node.value)), variables, constants)
                jet.by_constant[:, number] = 1
            else:
                arguments = [stack.pop() for _ in range(node.arity)]
                jet = _apply(operators[node.name], arguments, noise)
            stack.append(jet)
            nodes.append(jet)
    return nodes


def _leaf(value: np.ndarray, variables: int, constants: int) -> Jet:
    sizes = (variables,), (constants,), (variables, constants)
    return Jet(value, *(np.zeros((len(value), *size)) for size in sizes))


def _apply(operator: Operator, arguments: Sequence[Jet], noise: Noise) -> Jet:
    values = dict(zip(operator.arguments, (jet.value for jet in arguments)))
    like = np.zeros_like(arguments[0].value)
    # The derivatives of tanh, 1 - tanh^2, are made from a value that has been rounded.
    value = values[VALUE] = _evaluated(operator.expression, values, noise) + like
    first = [_evaluated(partial, values, noise) + like for partial in operator.partials]
    second = [
        _evaluated(entry, values, noise) + like for row in operator.second_partials for entry in row
    ]
    mixed = sum(p[:, None, None] * jet.mixed for p, jet in zip(first, arguments))
    for k, left in enumerate(arguments):
        for m, right in enumerate(arguments):
            bend = second[k * operator.arity + m][:, None, None]
            mixed = mixed + bend * left.by_variable[:, :, None] * right.by_constant[:, None, :]
    return Jet(
        value,
        noise(sum(p[:, None] * jet.by_variable for p, jet in zip(first, arguments))),
        noise(sum(p[:, None] * jet.by_constant for p, jet in zip(first, arguments))),
        noise(mixed),
    )


def is_defined(tree: gp.PrimitiveTree, operators: OperatorSet, points: np.ndarray) -> bool:
    """Return whether every node is finite on every row and the tree has a gradient somewhere.

    What is not zero must lie between 1e-6 and 1e5: float32 holds it, and so does the reference,
    where a derivative of max adds and subtracts 1/2.
    """
    nodes = jets(tree, operators, points)
    sizes = np.concatenate([np.abs(part).ravel() for jet in nodes for part in jet.parts()])
    in_range = (sizes == 0) | ((sizes > 1e-6) & (sizes < 1e5))
    return bool(in_range.all() and nodes[-1].by_variable.any())


@dataclass
class Growth:
    """Growth of rounding errors, on the worst row.

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
    """Measure how rounding errors at every node grow until the root."""
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
    return _largest(np.linalg.norm(gradients - truth, axis=-1), np.linalg.norm(truth, axis=-1))


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
