"""The interpreter: one XLA program that walks the tapes of a whole population.

Forward for values, backward for adjoints, both with tangent lanes for the constants, then the
sums over rows of `reductions`. XLA compiles it once per layout and number of rows, never per
candidate. The mathematics of an operator enters through the TensorFlow code of its value and its
first and second partials, and nowhere else.

A slot holds lanes of rows: lane 0 is the value v, lane j its derivative dv/dc_j with respect to
the j-th constant of its tree. The adjoints have the same lanes, which makes the pass
forward-over-reverse: exact second derivatives at the price of the lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf

from keras_symgrad.engine.compilation import compiled, compiled_loop
from keras_symgrad.engine.losses import SQUARED, Loss
from keras_symgrad.engine.reductions import Tensors, collect_losses, collect_normal_equations
from keras_symgrad.engine.tapes import Layout
from keras_symgrad.engine.xla import as_slots, loop, put
from keras_symgrad.expressions import Operator, OperatorSet


@lru_cache(maxsize=32)
def compiled_sums(
    operators: OperatorSet, layout: Layout, lanes: int, shape: tuple[Any, ...], loss: Loss = SQUARED
) -> Callable[..., Any]:
    """Compile the program that reduces every tree to sums over rows.

    Args:
        operators: the operator set of the tapes.
        layout: their layout.
        lanes: tangent lanes for constants; 0 for losses only.
        shape: of the field's arrays, and their dtype. A separate function for every shape avoids
            retracing, which TensorFlow would warn about.
        loss: how much a difference of directions counts.

    Returns:
        A compiled function of (tape arrays, field arrays, number of chunks) that returns a
        tensor `(chunks, trees, 4 + lanes + lanes**2)`. With unit gradients u of the field and
        U of the tree, weights w, and U_j = dU/dc_j, its columns are the sums over rows of
        `w (1 - u.U)`, `w (1 + u.U)`, `w [U = 0]`, rows that are not finite, `w u.U_j` and
        `w U_j.U_k`. The first two are small numbers where the match is good, which keeps their sum
        exact to 1e-8 in float32, ten times better than the sum of u.U.

        For any other loss rho, the first two are `w rho(|u - U|^2)` and `w rho(|u + U|^2)`, and
        there are `4 + 2 (lanes + lanes**2)` columns: the last sums weighted by rho'(|u - U|^2), and
        the same by rho'(|u + U|^2), because the better sign is known only at the end.
    """
    columns = 4 + (lanes + lanes**2) * (1 if loss.is_squared else 2)
    collect = collect_losses if lanes == 0 else collect_normal_equations

    def sums(tapes: Tensors, field: Tensors, chunks: tf.Tensor) -> tf.Tensor:
        dtype = field["points"].dtype

        def sums_of(tape: Tensors, buffers: tuple[Any, ...]) -> tuple[tf.Tensor, tuple[Any, ...]]:
            def each_tile(
                tile: tf.Tensor, buffers: tuple[Any, ...], total: tf.Tensor
            ) -> tuple[Any, ...]:
                rows = {name: array[tile] for name, array in field.items()}
                buffers = walk(operators, layout, lanes, tape, rows, buffers)
                return tile + 1, buffers, total + collect(layout, lanes, loss, tape, rows, buffers)

            tiles = field["points"].shape[0]
            total = tf.zeros([layout.trees, columns], dtype)
            _, buffers, total = loop(0, tiles, each_tile, buffers, total)
            return total, buffers

        return over_chunks(sums_of, layout, lanes, columns, tapes, field, chunks)

    return compiled_loop(sums)


def over_chunks(
    of_chunk: Callable[..., tuple[tf.Tensor, tuple[Any, ...]]],
    layout: Layout,
    lanes: int,
    columns: int,
    tapes: Tensors,
    field: Tensors,
    chunks: tf.Tensor,
) -> tf.Tensor:
    """Loop over the chunks of tapes, with one pair of buffers carried through.

    Args:
        of_chunk: a function of the tape arrays of a chunk and the buffers that returns
            `(trees, columns)` and the buffers.
        layout: of the tapes.
        lanes: tangent lanes for constants.
        columns: numbers of each tree.
        tapes: the arrays of all chunks.
        field: arrays of the field.
        chunks: how many of the chunks are used.

    Returns:
        `(chunks, trees, columns)`, zero for unused chunks.
    """

    def each_chunk(
        index: tf.Tensor, buffers: tuple[Any, ...], result: tf.Tensor
    ) -> tuple[Any, ...]:
        tape = {name: array[index] for name, array in tapes.items()}
        found, buffers = of_chunk(tape, buffers)
        return index + 1, buffers, put(result, index, found)

    result = tf.zeros([layout.chunks, layout.trees, columns], field["points"].dtype)
    return loop(0, chunks, each_chunk, new_buffers(layout, lanes, field), result)[-1]


@lru_cache(maxsize=32)
def compiled_fields(
    operators: OperatorSet, layout: Layout, lanes: int, shape: tuple[Any, ...]
) -> Callable[..., Any]:
    """Compile the program that returns every tree's values and gradients instead of sums.

    Args:
        operators: the operator set of the tapes.
        layout: their layout.
        lanes: tangent lanes for constants.
        shape: of the field's arrays, and their dtype.

    Returns:
        A compiled function of (tape arrays of one chunk, field arrays of one tile) that
        returns values `(trees, 1 + lanes, rows)` and gradients
        `(trees, variables, 1 + lanes, rows)`.
    """

    def fields(tape: Tensors, rows: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        buffers = new_buffers(layout, lanes, {name: array[None] for name, array in rows.items()})
        values, adjoints = walk(operators, layout, lanes, tape, rows, buffers)
        shape = [1 + lanes, rows["points"].shape[-1]]
        owner = tf.range(layout.trees)[:, None] * layout.variables + tape["leaf_variable"]
        is_leaf = tf.range(layout.leaves) < tape["leaf_count"][:, None]
        owner = tf.where(is_leaf, owner, layout.trees * layout.variables)
        leaves = tf.gather(as_slots(adjoints), tf.reshape(tape["leaf"], [-1]))
        gradients = tf.math.unsorted_segment_sum(
            leaves, tf.reshape(owner, [-1]), layout.trees * layout.variables + 1
        )[:-1]
        roots = tf.gather(values, tape["root"])
        return tf.reshape(roots, [layout.trees, *shape]), tf.reshape(
            gradients, [layout.trees, layout.variables, *shape]
        )

    return compiled(fields)


def new_buffers(layout: Layout, lanes: int, field: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
    """Value and adjoint buffers of one chunk; made once and carried through all loops.

    Without lanes they have no axis for them: one of length one makes XLA choose layouts that it
    then copies whole buffers for.
    """
    dtype, rows = field["points"].dtype, field["points"].shape[-1]
    slot = [1 + lanes, rows] if lanes else [rows]
    values = tf.zeros([layout.variables + layout.instructions, *slot], dtype)
    return values, tf.zeros([layout.instructions + 1, layout.arity, *slot], dtype)


def walk(
    operators: OperatorSet,
    layout: Layout,
    lanes: int,
    tape: Tensors,
    rows: Tensors,
    buffers: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """Values, then adjoints, of all instructions of one chunk on one tile of rows."""
    values, adjoints = buffers
    count = rows["points"].shape[-1]
    nothing = tf.zeros([lanes, count], values.dtype) if lanes else None

    def column(index: tf.Tensor, values: tf.Tensor) -> tuple[Any, ...]:
        return index + 1, put(values, index, _join(tf.gather(rows["points"], index), nothing))

    _, values = loop(0, layout.variables, column, values)
    # The adjoint of a root is 1. A constant buffer of zeros and ones would be megabytes of code.
    unit = _join(tf.ones([count], values.dtype), nothing)
    adjoints = put(adjoints, layout.instructions, tf.stack([unit] * layout.arity))

    def forward(index: tf.Tensor, values: tf.Tensor) -> tuple[Any, ...]:
        argument = tape["argument"][index]
        first_argument = tf.gather(values, argument[0])

        def apply(operator: Operator) -> tf.Tensor:
            arguments = _arguments(operator, values, argument, first_argument)
            return _value(operator, arguments, lanes)

        def load() -> tf.Tensor:
            head = tf.broadcast_to(tape["constant"][index], [count])
            if lanes == 0:
                return head
            seeds = tf.one_hot(tape["lane"][index] - 1, lanes, dtype=values.dtype)
            return _join(head, tf.broadcast_to(seeds[:, None], [lanes, count]))

        branches = [lambda operator=operator: apply(operator) for operator in operators]
        result = tf.switch_case(tape["operator"][index], [*branches, load])
        return index + 1, put(values, index + layout.variables, result)

    _, values = loop(0, tape["used"], forward, values)

    def backward(index: tf.Tensor, adjoints: tf.Tensor) -> tuple[Any, ...]:
        adjoint = tf.gather(as_slots(adjoints), tape["adjoint"][index])
        value = values[index + layout.variables]

        argument = tape["argument"][index]
        first_argument = tf.gather(values, argument[0])

        def apply(operator: Operator) -> tf.Tensor:
            arguments = _arguments(operator, values, argument, first_argument)
            passed = _pass_on(operator, arguments, value, adjoint, lanes)
            passed += [adjoint] * (layout.arity - operator.arity)
            return tf.stack(passed)

        branches = [lambda operator=operator: apply(operator) for operator in operators]
        return index - 1, put(adjoints, index, tf.switch_case(tape["operator"][index], branches))

    _, adjoints = tf.while_loop(
        lambda index, _: index >= tape["loads"],
        backward,
        (tape["used"] - 1, adjoints),
        parallel_iterations=1,
    )
    return values, adjoints


def _arguments(
    operator: Operator, slots: tf.Tensor, argument: tf.Tensor, first: tf.Tensor
) -> list[tf.Tensor]:
    return [first, *(tf.gather(slots, argument[side]) for side in range(1, operator.arity))]


def _split(slot: tf.Tensor, lanes: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Lane 0 as `(rows,)`, the others as `(lanes, rows)`."""
    return (slot[0], slot[1:]) if lanes else (slot, None)


def _join(head: tf.Tensor, tangents: tf.Tensor | None) -> tf.Tensor:
    return head if tangents is None else tf.concat([head[None], tangents], axis=0)


def _value(operator: Operator, arguments: list[tf.Tensor], lanes: int) -> tf.Tensor:
    """v = f(a), v_j = sum_k f_k a_kj."""
    heads, tangents = zip(*(_split(argument, lanes) for argument in arguments))
    value = _rows(operator.value_code(*heads)[0], heads[0])
    if lanes == 0:
        return value
    partials = [_factor(p, value) for p in operator.partials_code(*heads, value)]
    joined = [_times(p, tangent) for p, tangent in zip(partials, tangents)]
    return _join(value, _sum(joined, tf.zeros_like(tangents[0])))


def _pass_on(
    operator: Operator,
    arguments: list[tf.Tensor],
    value: tf.Tensor,
    adjoint: tf.Tensor,
    lanes: int,
) -> list[tf.Tensor]:
    """d_k = g f_k, d_kj = g_j f_k + g sum_m f_km a_mj."""
    heads, tangents = zip(*(_split(argument, lanes) for argument in arguments))
    value, _ = _split(value, lanes)
    adjoint, adjoint_tangents = _split(adjoint, lanes)
    nothing = tf.zeros_like(adjoint)
    if lanes == 0:
        partials = [_factor(p, value) for p in operator.partials_code(*heads, value)]
        return [_sum([_times(p, adjoint)], nothing) for p in partials]
    code = [_factor(p, value) for p in operator.curvature_code(*heads, value)]
    partials, seconds = code[: operator.arity], code[operator.arity :]
    no_tangents = tf.zeros_like(adjoint_tangents)
    passed = []
    for side, slope in enumerate(partials):
        row = seconds[side * operator.arity : (side + 1) * operator.arity]
        terms = [_times(_times(s, adjoint), t) for s, t in zip(row, tangents)]
        terms.append(_times(slope, adjoint_tangents))
        passed.append(_join(_sum([_times(slope, adjoint)], nothing), _sum(terms, no_tangents)))
    return passed


def _factor(code: Any, like: tf.Tensor) -> tf.Tensor | float:
    """A partial as a tensor of rows, or as the number that it is.

    XLA may not leave out a product with the zeros that most second partials are, for it would be
    NaN for an infinite row. So they are left out here, which makes the program smaller.
    """
    return _rows(code, like) if tf.is_tensor(code) else float(code)


def _times(factor: tf.Tensor | float, other: tf.Tensor | float) -> tf.Tensor | float:
    if 0.0 in [one for one in (factor, other) if isinstance(one, float)]:
        return 0.0
    return other if isinstance(factor, float) and factor == 1.0 else factor * other


def _sum(terms: list[tf.Tensor | float], nothing: tf.Tensor) -> tf.Tensor:
    """The sum of those terms that are no zeros."""
    kept = [term for term in terms if not isinstance(term, float)]
    return sum(kept[1:], kept[0]) if kept else nothing


def _rows(code: object, like: tf.Tensor) -> tf.Tensor:
    """Result of `lambdify`, which may be a Python number, as a tensor of the given shape."""
    if not tf.is_tensor(code):
        code = tf.constant(code, like.dtype)
    # A constant branch of a Piecewise is float32 whatever the dtype of its arguments.
    code = tf.cast(code, like.dtype)
    return code if code.shape == like.shape else tf.broadcast_to(code, like.shape)
