"""Levenberg-Marquardt refinement of the constants of many trees at once.

The loss is a sum of squares, so Levenberg-Marquardt is the default: every round solves
(J^T J + lambda diag(J^T J)) step = J^T r for each tree and keeps the step where it lowered the
loss. Any Keras optimizer works on the same gradients instead (`ks.Search(optimizer=...)`), which
need more steps: they have no curvature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from deap import gp

from keras_symgrad.engine.engine import Engine
from keras_symgrad.engine.tapes import Tapes
from keras_symgrad.expressions import CONSTANT_CODE, Constant

# Steps of a first-order optimizer in the place of one round of Levenberg-Marquardt.
STEPS_PER_ROUND = 10


def refine(
    engine: Engine,
    trees: Sequence[gp.PrimitiveTree],
    *,
    rounds: int = 8,
    skip: int = 0,
    optimizer: keras.optimizers.Optimizer | Mapping[str, Any] | None = None,
) -> tuple[list[gp.PrimitiveTree], np.ndarray]:
    """Refine the constants of trees.

    Args:
        engine: evaluates the trees; its number of lanes limits the constants refined at once.
        trees: trees, with or without constants. They are not changed.
        rounds: evaluations of the Jacobian.
        skip: in trees with more constants than lanes, the number of the first one to move.
        optimizer: a Keras optimizer to use instead of Levenberg-Marquardt, or its configuration;
            it makes 10 steps in the place of each round.

    Returns:
        New trees and their losses, which are never higher than before.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import OperatorSet
    >>> points = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    >>> directions = points * [1, 2] / np.linalg.norm(points * [1, 2], axis=1, keepdims=True)
    >>> alphabet = Alphabet(OperatorSet("add, mul, square"), ["x1", "x2"])
    >>> start = alphabet.tree(["add", "square", 0, "mul", 1.0, "square", 1])
    >>> with Engine(alphabet.operators, points, directions) as engine:
    ...     (ellipse,), losses = refine(engine, [start])
    >>> f"{ellipse[4].value:.2f}", bool(losses[0] < 1e-6)
    ('2.00', True)
    """
    if not trees:
        return [], np.zeros(0)
    tapes = engine.constant_tapes(trees, skip)
    slots = _LaneSlots(tapes, len(trees), engine.lanes)
    if optimizer is None:
        constants, losses = _levenberg_marquardt(engine, tapes, slots, rounds)
    else:
        steps = STEPS_PER_ROUND * rounds
        constants, losses = _keras_steps(engine, tapes, slots, steps, optimizer)
    return _with_constants(trees, slots.scatter(tapes.constants(), constants)), losses


class _LaneSlots:
    """Positions of the constants of the tapes in the lanes of the trees."""

    def __init__(self, tapes: Tapes, trees: int, lanes: int):
        lane = tapes.lane[tuple(tapes.constant_at.T)]
        self.moved = np.flatnonzero(lane)
        self.at = tapes.constant_tree[self.moved], lane[self.moved] - 1
        self.shape = (trees, lanes)

    def gather(self, constants: np.ndarray) -> np.ndarray:
        """Constants as `(trees, lanes)`."""
        lanes = np.zeros(self.shape)
        lanes[self.at] = constants[self.moved]
        return lanes

    def scatter(self, constants: np.ndarray, lanes: np.ndarray) -> np.ndarray:
        """All constants, with those in lanes replaced."""
        constants = constants.astype(float)
        constants[self.moved] = lanes[self.at]
        return constants


def _levenberg_marquardt(
    engine: Engine, tapes: Tapes, slots: _LaneSlots, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    trees, lanes = slots.shape
    best = slots.gather(tapes.constants())
    trial = best.copy()
    damping = np.full(trees, 1e-2)
    losses = np.full(trees, np.inf)
    projected, curvature = np.zeros((trees, lanes)), np.zeros((trees, lanes, lanes))
    for round_ in range(rounds):
        tapes.set_constants(slots.scatter(tapes.constants(), trial))
        equations = engine.normal_equations(tapes, trees)
        usable = np.isfinite(equations.curvature).all(axis=(1, 2))
        usable &= np.isfinite(equations.projected).all(axis=1)
        better = equations.losses < losses
        if round_ == 0:
            losses, accepted = equations.losses.copy(), usable
        else:
            best[better], losses[better] = trial[better], equations.losses[better]
            accepted = better & usable
        damping = np.where(better, damping / 5, damping * 4)
        projected[accepted] = equations.projected[accepted]
        curvature[accepted] = equations.curvature[accepted]
        trial = best + _damped_step(curvature, projected, damping)
    return best, losses


def _damped_step(curvature: np.ndarray, projected: np.ndarray, damping: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("tll->tl", curvature)
    # A lane without effect gets a diagonal entry of its own, and with it a step of zero.
    scale = np.where(diagonal > 1e-12, diagonal, 1.0)
    system = curvature + np.einsum("tl,lm->tlm", damping[:, None] * scale, np.eye(len(scale[0])))
    system += np.einsum("tl,lm->tlm", 1e-9 * scale + (diagonal <= 1e-12), np.eye(len(scale[0])))
    return np.linalg.solve(system, projected[..., None])[..., 0]


def _keras_steps(
    engine: Engine,
    tapes: Tapes,
    slots: _LaneSlots,
    steps: int,
    optimizer: keras.optimizers.Optimizer | Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    trees, _ = slots.shape
    trial = keras.Variable(slots.gather(tapes.constants()), dtype="float32")
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer = keras.optimizers.serialize(optimizer)
    # A new one: the given one must not carry its moments from one population to the next.
    optimizer = keras.optimizers.deserialize(dict(optimizer))
    optimizer.build([trial])
    best, losses = trial.numpy().astype(float), np.full(trees, np.inf)
    for _ in range(steps):
        current = trial.numpy().astype(float)
        tapes.set_constants(slots.scatter(tapes.constants(), current))
        equations = engine.normal_equations(tapes, trees)
        better = equations.losses < losses
        best[better], losses[better] = current[better], equations.losses[better]
        # L = |u - U|^2 / axes, hence dL/dc = -2 J^T r / axes.
        gradient = -2 / engine.axes * np.nan_to_num(equations.projected, posinf=0, neginf=0)
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(gradient, "float32"), trial)])
    return best, losses


def _with_constants(
    trees: Sequence[gp.PrimitiveTree], constants: np.ndarray
) -> list[gp.PrimitiveTree]:
    values = iter(constants.tolist())
    return [
        gp.PrimitiveTree(
            [Constant(next(values)) if node.code == CONSTANT_CODE else node for node in tree]
        )
        for tree in trees
    ]
