"""Random trees over any operator set, and operators as a user would make them.

Independent of the search, so that its tests and the engine's do not share a blind spot.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import sympy
from deap import gp

from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet


@lru_cache
def users_own() -> tuple[Operator, ...]:
    """Operators that are not shipped: three arguments, pieces, constants, a constant base."""
    return (
        Operator("blend", lambda a, b, c: a * sympy.exp(-(b**2)) + c),
        Operator("elu", lambda a: sympy.Piecewise((a, a > 0), (sympy.exp(a) - 1, True))),
        Operator("density", lambda a: sympy.exp(-(a**2) / 2) / sympy.sqrt(2 * sympy.pi)),
        Operator("exp2", lambda a: 2**a),
    )


@lru_cache
def every_operator() -> OperatorSet:
    """All shipped operators, and the user's own."""
    return OperatorSet(["full", *users_own()])


def random_tree(
    alphabet: Alphabet, nodes: int, rng: np.random.Generator, constants: float = 0.25
) -> gp.PrimitiveTree:
    """A tree of about `nodes` nodes, every operator equally likely, some leaves constants."""
    return alphabet.tree(_prefix(alphabet, nodes, rng, constants))


def random_trees(
    alphabet: Alphabet, count: int, seed: int, nodes: tuple[int, int] = (2, 15)
) -> list[gp.PrimitiveTree]:
    """Trees of different sizes."""
    rng = np.random.default_rng(seed)
    return [random_tree(alphabet, rng.integers(*nodes, endpoint=True), rng) for _ in range(count)]


def _prefix(
    alphabet: Alphabet, nodes: int, rng: np.random.Generator, constants: float
) -> list[str | int | float]:
    fitting = [p for p in alphabet.primitives.values() if p.arity < nodes]
    if not fitting:
        if rng.random() < constants:
            return [float(rng.uniform(0.2, 2.5))]
        return [int(rng.integers(len(alphabet.variables)))]
    operator = fitting[rng.integers(len(fitting))]
    cuts = np.sort(rng.choice(np.arange(1, nodes - 1), operator.arity - 1, replace=False))
    shares = np.diff([0, *cuts, nodes - 1])
    parts = [_prefix(alphabet, int(share), rng, constants) for share in shares]
    return [operator.name, *(node for part in parts for node in part)]
