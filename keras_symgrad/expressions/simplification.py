"""SymPy's simplification with a time limit, checked numerically."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import sympy

from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.time_limit import within_time_limit

_ROWS = 64
_TOLERANCE = 1e-9


def simplify(
    expression: sympy.Expr,
    seconds: float = 1.0,
    *,
    measure: Callable[[sympy.Expr], float] | None = None,
) -> sympy.Expr:
    """Simplify a formula within a time limit.

    SymPy's `simplify` may take minutes on a short formula. Here a separate thread tries cheap
    rewritings first and `sympy.simplify` last, and is stopped when the time is over. Its result is
    compared with the formula on random points: it must be defined wherever the formula is, and have
    the same values up to 1e-9.

    Args:
        expression: a SymPy expression in real symbols.
        seconds: time limit, at least 0. It is exceeded by a few milliseconds at most.
        measure: measure to minimize; the number of nodes by default.

    Returns:
        The simplest of the rewritings that finished in time, or the expression itself.

    Raises:
        ValueError: `seconds` is negative or not a number.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> simplify(x1 * x2 + x1 * (x1 - x2))
    x1**2
    """
    if not seconds >= 0:
        raise ValueError(f"`seconds` must be a number of at least 0. Received: seconds={seconds!r}")
    if seconds == 0 or not expression.free_symbols:
        return expression
    measure = measure or _nodes
    best = [expression]

    def search() -> None:
        least = measure(expression)
        for rewriting in _rewritings(expression):
            size = measure(rewriting)
            if size < least and _same_values(expression, rewriting):
                least = size
                best.append(rewriting)

    with suppress(TimeoutError):
        within_time_limit(seconds, search)
    return best[-1]


def _nodes(expression: sympy.Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expression))


def _rewritings(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Equivalent expressions, cheap ones first."""
    for rewrite in (
        sympy.factor_terms,
        sympy.powsimp,
        lambda e: sympy.cancel(sympy.together(e)),
        sympy.expand,
        sympy.factor,
        sympy.trigsimp,
        sympy.simplify,
    ):
        with suppress(Exception):  # SymPy fails on unusual formulas in many ways
            yield rewrite(expression)


def _same_values(expression: sympy.Expr, rewriting: sympy.Expr) -> bool:
    """Return whether the rewriting is defined wherever the expression is, with the same values."""
    symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    if not rewriting.free_symbols <= set(symbols):
        return False
    rng = np.random.default_rng(0)
    boxes = [(-1.0, 1.0), (0.1, 2.0), (-10.0, 10.0)]
    points = np.concatenate([rng.uniform(*box, (_ROWS, len(symbols))) for box in boxes])
    try:
        before, after = numpy_function([expression, rewriting], symbols)(points).T
    except Exception:  # an expression without code cannot be compared
        return False
    defined = np.isfinite(before)
    scale = np.maximum(np.abs(before[defined]), 1e-3)
    return bool(
        defined.any() and (np.abs(after[defined] - before[defined]) <= _TOLERANCE * scale).all()
    )
