"""Exact evaluation of one expression at a time by `sympy.diff` and `lambdify`.

It costs tens of milliseconds an expression. Final formulas are measured with it, and the
interpreter is tested against it; the search never calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import sympy

from keras_symgrad.engine.directions import in_frame, nearest, unit
from keras_symgrad.engine.losses import SQUARED, Loss
from keras_symgrad.engine.memory import block_rows
from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import differentiate, numpy_function, with_float_constants

# As many as one search looks at repeatedly: what is kept longer takes memory from the next ones.
MAX_KEPT_FORMULAS = 256


def evaluate(
    expressions: Sequence[sympy.Expr], names: Sequence[str], points: np.ndarray
) -> np.ndarray:
    """Values of expressions on points.

    Args:
        expressions: SymPy expressions in the named variables.
        names: names of the columns.
        points: `(rows, variables)`.

    Returns:
        `(expressions, rows)`, in float64; NaN for an expression that is not real.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> evaluate([x**2, sympy.pi], ["x"], np.array([[1.0], [3.0]]))
    array([[1.        , 9.        ],
           [3.14159265, 3.14159265]])
    """
    # NumPy and not TensorFlow: TensorFlow permanently stores the call stack of each eager
    # operation, a megabyte of every search, because each formula is new code.
    return _code(tuple(expressions), tuple(names))(points).T


@lru_cache(maxsize=MAX_KEPT_FORMULAS)
def _code(
    expressions: tuple[sympy.Expr, ...], names: tuple[str, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    real = [with_float_constants(expression) for expression in expressions]
    return numpy_function(real, [symbol(name) for name in names])


def gradient(expression: sympy.Expr, names: Sequence[str], points: np.ndarray) -> np.ndarray:
    """Gradients of one expression, by `sympy.diff`.

    Args:
        expression: a SymPy expression in the named variables.
        names: names of the columns.
        points: `(rows, variables)`.

    Returns:
        `(rows, variables)`.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> gradient(x * y, ["x", "y"], np.array([[2.0, 3.0]]))
    array([[3., 2.]])
    """
    return evaluate(_partials(expression, tuple(names)), names, points).T


@lru_cache(maxsize=MAX_KEPT_FORMULAS)
def _partials(expression: sympy.Expr, names: tuple[str, ...]) -> tuple[sympy.Expr, ...]:
    return tuple(differentiate(expression, symbol(name)) for name in names)


def loss(
    expression: sympy.Expr,
    names: Sequence[str],
    points: np.ndarray,
    directions: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    frame: np.ndarray | None = None,
    signed: bool = False,
    measure: Loss = SQUARED,
) -> float:
    """Mean squared difference of unit gradients, L = mean over rows and columns of (u - U)^2.

    Other losses weigh differences differently, and are on the same scale; see `losses`. Rows are
    evaluated in blocks that fit into memory.

    Args:
        expression: a SymPy expression in the named variables.
        names: names of the columns.
        points: `(rows, variables)`.
        directions: unit gradients u, `(rows, axes)`, or spans, `(rows, k, axes)`.
        weights: of the rows; equal by default.
        frame: takes gradients to the coordinates of the directions, `(axes, variables)` or
            `(rows, axes, variables)`; those of the variables by default.
        signed: whether the opposite direction counts as different.
        measure: how much a difference of directions counts.

    Returns:
        The loss, infinite for an expression that is not finite on every row or has no gradient on
        any row.

    Reference: Wetzel, arXiv 2401.04978, section 3.
    """
    signs, distances, steep = (1,) if signed else (1, -1), [], False
    size = block_rows(points.shape[1])
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        own = frame[block] if frame is not None and frame.ndim == 3 else frame
        values = evaluate([expression], names, points[block])
        gradients = in_frame(gradient(expression, names, points[block]), own)
        if not np.isfinite(gradients).all() or not np.isfinite(values).all():
            return np.inf
        steep = steep or gradients.any()
        candidate = unit(gradients)
        target = nearest(directions[block], candidate)
        distances.append([((target - sign * candidate) ** 2).sum(axis=1) for sign in signs])
    if not steep:
        return np.inf
    together = np.concatenate(distances, axis=1)
    return min(measure.average(apart, weights) for apart in together) / directions.shape[-1]
