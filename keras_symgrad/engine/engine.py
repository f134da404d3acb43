"""`Engine`: losses, gradients and constant Jacobians of many trees on one gradient field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf
from deap import gp

from keras_symgrad.engine import interpreter
from keras_symgrad.engine.compilation import LOOPS_ARE_FUNCTIONS
from keras_symgrad.engine.directions import as_span, is_diagonal
from keras_symgrad.engine.losses import SQUARED, Loss
from keras_symgrad.engine.tapes import Layout, Tapes, assemble
from keras_symgrad.expressions import OperatorSet, Variable

# Rows processed at once: the sums of one tree then stay in the fastest cache. A loop that is no
# function takes its time by instructions, and large tiles have fewer.
TILE_ROWS = 256 if LOOPS_ARE_FUNCTIONS else 1024
TAPE_ARRAYS = (
    "operator argument adjoint constant lane loads used root "
    "leaf leaf_variable leaf_is_last leaf_count"
).split()


@dataclass(frozen=True)
class NormalEquations:
    """Loss and least-squares equations of every tree in its constants.

    Attributes:
        losses: `(trees,)`.
        projected: `(trees, lanes)`, J^T W r of the residual r between the unit gradients, with W
            the weights that the loss gives to rows.
        curvature: `(trees, lanes, lanes)`, J^T W J.
    """

    losses: np.ndarray
    projected: np.ndarray
    curvature: np.ndarray


class Engine:
    """Evaluator of tree populations against the unit gradients of a neuron.

    The loss of a tree with unit gradients U is the mean over rows and columns of (u - U)^2, or
    another `loss` of them, for the better sign of U unless `signed`. A tree that is not finite on
    every row, or has no gradient on any row, has infinite loss.

    Args:
        operators: the operator set of the trees.
        points: `(rows, variables)`.
        directions: unit gradients u, `(rows, axes)`, zero where the gradient is zero; or spans of
            several, `(rows, k, axes)`; U is compared with the nearest direction of the span.
        weights: `(rows,)`, non-negative; equal by default.
        frame: maps gradients to the coordinates of the directions before they are normalized,
            `(axes, variables)` or `(rows, axes, variables)`; those of the variables by default.
        signed: whether the opposite direction counts as different.
        loss: how much a difference of directions counts.
        lanes: constants of a tree that one pass can differentiate.
        dtype: "float32" or "float64".
        workers: threads that evaluate at once.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> points = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    >>> directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
    >>> circle = alphabet.tree(["add", "square", 0, "square", 1])
    >>> with Engine(alphabet.operators, points, directions) as engine:
    ...     engine.losses([circle]) < 1e-7
    array([ True])
    """

    def __init__(
        self,
        operators: OperatorSet,
        points: np.ndarray,
        directions: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        frame: np.ndarray | None = None,
        signed: bool = False,
        loss: Loss = SQUARED,
        lanes: int = 4,
        dtype: str = "float32",
        workers: int = 2,
    ):
        self.operators, self.signed, self.loss, self.lanes = operators, signed, loss, lanes
        self.dtype = np.dtype(dtype)
        self.rows, self.variables = np.shape(points)
        weights = np.ones(self.rows) if weights is None else np.asarray(weights, float)
        weights = weights / weights.sum()
        directions = np.asarray(directions, float)
        self.axes = directions.shape[-1]
        self._target_norm = float(weights @ as_span(directions).any(axis=(1, 2)))
        self.frame = np.eye(self.variables) if frame is None else np.asarray(frame, float)
        self._field = self._tiles(points, directions, weights)
        self._shape = *self._field["directions"].shape, "frame" in self._field, dtype
        arities = tuple(operator.arity for operator in operators)
        self._layout = Layout(arities, self.variables)
        self._threads = ThreadPoolExecutor(workers) if workers > 1 else None
        self.workers = workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads without waiting for running XLA compilations."""
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def compile(self) -> None:
        """Compile the programs for losses and for constants at the same time.

        Otherwise their first calls compile them, one after the other.
        """
        leaf = gp.PrimitiveTree([Variable(0, "")])
        with ThreadPoolExecutor(2) as threads:
            jobs: list[Future[Any]] = [
                threads.submit(self.losses, [leaf]),
                threads.submit(lambda: self.normal_equations(self.constant_tapes([leaf]), 1)),
            ]
        for job in jobs:
            job.result()

    def losses(self, trees: Sequence[gp.PrimitiveTree]) -> np.ndarray:
        """The loss of every tree, shape `(trees,)`."""
        if not trees:
            return np.zeros(0)
        tapes = assemble(trees, self._layout, self.dtype)
        return self._losses_of(self._sums(tapes, 0, len(trees)))

    def constant_tapes(self, trees: Sequence[gp.PrimitiveTree], skip: int = 0) -> Tapes:
        """Tapes whose constants have tangent lanes.

        Args:
            trees: the trees.
            skip: in a tree with more constants than lanes, which ones get a lane: those from
                number `skip` on, cyclically.

        Returns:
            Tapes for `normal_equations`.
        """
        tapes = assemble(trees, self._layout, self.dtype)
        count = np.bincount(tapes.constant_tree, minlength=len(trees))[tapes.constant_tree]
        first = np.searchsorted(tapes.constant_tree, tapes.constant_tree)
        number = (np.arange(first.size) - first - skip * (count > self.lanes)) % np.maximum(
            count, 1
        )
        tapes.lane[tuple(tapes.constant_at.T)] = np.where(number < self.lanes, number + 1, 0)
        return tapes

    def normal_equations(self, tapes: Tapes, trees: int) -> NormalEquations:
        """Losses and normal equations in the constants that have a lane.

        Args:
            tapes: from `constant_tapes`.
            trees: how many trees they hold.

        Returns:
            The equations; zero rows and columns for lanes that a tree does not use.
        """
        sums = self._sums(tapes, self.lanes, trees)
        losses = self._losses_of(sums)
        sign = np.ones(trees) if self.signed else np.where(sums[:, 0] > sums[:, 1], -1.0, 1.0)
        rest = sums[:, 4:]
        if not self.loss.is_squared:
            # The sums for both signs, each with the row weights for that sign.
            apart, opposite = np.split(rest, 2, axis=1)
            rest = np.where(sign[:, None] > 0, apart, opposite)
        projected = rest[:, : self.lanes] * sign[:, None]
        curvature = rest[:, self.lanes :].reshape(-1, self.lanes, self.lanes)
        return NormalEquations(losses, projected, curvature)

    def values(self, trees: Sequence[gp.PrimitiveTree]) -> np.ndarray:
        """Values on the points, shape `(trees, rows)`."""
        return self._fields(trees, 0)[0][:, 0]

    def gradients(self, trees: Sequence[gp.PrimitiveTree]) -> np.ndarray:
        """Gradients on the points, shape `(trees, rows, variables)`."""
        return self._fields(trees, 0)[1][:, :, 0].transpose(0, 2, 1)

    def jacobians(self, trees: Sequence[gp.PrimitiveTree]) -> np.ndarray:
        """Derivatives of the unit gradients in the constants, in the coordinates of the loss.

        Returns:
            `(trees, rows, axes, lanes)`; zero in lanes that a tree does not use.
        """
        gradients = self._fields(trees, self.lanes)[1]
        form = "av,tvlr->talr" if self.frame.ndim == 2 else "rav,tvlr->talr"
        gradients = np.einsum(form, self.frame, gradients)
        gradient, tangents = gradients[:, :, 0], gradients[:, :, 1:]
        length = np.sqrt((gradient**2).sum(axis=1, keepdims=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = np.where(length > 0, gradient / length, 0)
            along = np.einsum("tvr,tvlr->tlr", unit, tangents)
            bent = (tangents - unit[:, :, None] * along[:, None]) / length[:, :, None]
            return np.where(length[:, :, None] > 0, bent, 0).transpose(0, 3, 1, 2)

    def _losses_of(self, sums: np.ndarray) -> np.ndarray:
        apart = sums[:, 0] if self.signed else np.minimum(sums[:, 0], sums[:, 1])
        if self.loss.is_squared:
            # |u|^2 + |U|^2 - 2 u.U, where either may be zero on some rows.
            apart = 2 * apart + self._target_norm - 1 - sums[:, 2]
        losses = self.loss.distance(apart) / self.axes
        flat = sums[:, 2] > 1 - 1e-6
        # Rounding can move a perfect match a few units in the last place below zero.
        return np.where((sums[:, 3] == 0) & ~flat, np.maximum(losses, 0), np.inf)

    def _sums(self, tapes: Tapes, lanes: int, trees: int) -> np.ndarray:
        program = interpreter.compiled_sums(
            self.operators, self._layout, lanes, self._shape, self.loss
        )
        return self._columns(program, tapes, trees)

    def _columns(self, program: Callable[..., Any], tapes: Tapes, trees: int) -> np.ndarray:
        """Results of a compiled program for tapes, field and number of chunks, by tree."""
        total = len(tapes.operator)
        # Calls of equal size give every thread an equal share.
        calls = -(-total // self._layout.chunks)
        calls = min(total, -(-calls // self.workers) * self.workers)
        bounds = np.linspace(0, total, calls + 1).astype(int)
        spans = list(zip(bounds[:-1], bounds[1:]))

        def call(span: tuple[int, int]) -> np.ndarray:
            part = {
                name: _padded(getattr(tapes, name)[slice(*span)], self._layout.chunks)
                for name in TAPE_ARRAYS
            }
            with tf.device("CPU:0"):
                result = program(part, self._field, tf.constant(span[1] - span[0], tf.int32))
            return result.numpy()[: span[1] - span[0]]

        results = self._threads.map(call, spans) if self._threads else map(call, spans)
        rows = np.concatenate(list(results)).astype(float)
        columns = np.empty((trees, rows.shape[-1]))
        columns[tapes.tree[tapes.tree >= 0]] = rows[tapes.tree >= 0]
        return columns

    def _fields(self, trees: Sequence[gp.PrimitiveTree], lanes: int) -> tuple[Any, ...]:
        tapes = self.constant_tapes(trees)
        program = interpreter.compiled_fields(self.operators, self._layout, lanes, self._shape)
        variables, tiles = self.variables, self._field["points"].shape[0]
        values = np.empty((len(trees), 1 + lanes, tiles, self._field["points"].shape[-1]))
        gradients = np.empty((len(trees), variables, *values.shape[1:]))
        for chunk, tree in enumerate(tapes.tree):
            part = {name: tf.constant(getattr(tapes, name)[chunk]) for name in TAPE_ARRAYS}
            for tile in range(tiles):
                rows = {name: array[tile] for name, array in self._field.items()}
                value, gradient = program(part, rows)
                values[tree[tree >= 0], :, tile] = value.numpy()[tree >= 0]
                gradients[tree[tree >= 0], :, :, tile] = gradient.numpy()[tree >= 0]
        values = values.reshape(*values.shape[:2], -1)[..., : self.rows]
        return values, gradients.reshape(*gradients.shape[:3], -1)[..., : self.rows]

    def _tiles(
        self, points: np.ndarray, directions: np.ndarray, weights: np.ndarray
    ) -> dict[str, Any]:
        tiles = -(-self.rows // TILE_ROWS)
        height = -(-self.rows // tiles)
        # The last row is repeated with weight zero to fill the last tile.
        index = np.minimum(np.arange(tiles * height), self.rows - 1)
        counts = np.arange(tiles * height) < self.rows

        def tile(columns: np.ndarray) -> tf.Tensor:
            shaped = columns.reshape(*columns.shape[:-1], tiles, height)
            return tf.constant(np.moveaxis(shaped, -2, 0), dtype=self.dtype.name)

        content = {
            "points": tile(np.asarray(points, float)[index].T),
            "weights": tile(weights[index] * counts),
        }
        aligned = directions.ndim == 2 and self.frame.ndim == 2 and is_diagonal(self.frame)
        if aligned and self.loss.is_squared:
            # A diagonal frame has one coordinate for each variable and costs the interpreter one
            # product.
            scales = np.tile(np.diag(self.frame), (tiles, 1))
            content["directions"] = tile(directions[index].T)
            content["scales"] = tf.constant(scales, dtype=self.dtype.name)
        else:
            frame = np.broadcast_to(self.frame, (self.rows, *self.frame.shape[-2:]))
            content["directions"] = tile(np.moveaxis(directions[index], 0, -1))
            content["frame"] = tile(frame[index].transpose(2, 1, 0))
        return content


def _padded(array: np.ndarray, length: int) -> tf.Tensor:
    if len(array) < length:
        array = np.concatenate(
            [array, np.zeros((length - len(array), *array.shape[1:]), array.dtype)]
        )
    return tf.constant(array)
