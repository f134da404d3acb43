"""The interpreter: one XLA program that walks the tapes of a whole population.

Forward for values, backward for adjoints, both with tangent lanes for the constants, then the
sums over rows that losses and constant refinement need. XLA compiles it once per layout and
number of rows, never per candidate. The mathematics of an operator enters through the
TensorFlow code of its value and its first and second partials, and nowhere else.

A slot holds lanes of rows: lane 0 is the value v, lane j its derivative dv/dc_j with respect to
the j-th constant of its tree. The adjoints have the same lanes, which makes the pass
forward-over-reverse: exact second derivatives at the price of the lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf

from keras_symgrad.engine.tapes import Layout
from keras_symgrad.losses import SQUARED, Loss
from keras_symgrad.operators import Operator, OperatorSet

Tensors = dict[str, tf.Tensor]


@lru_cache(maxsize=32)
def compiled_sums(
    operators: OperatorSet, layout: Layout, lanes: int, shape: tuple, loss: Loss = SQUARED
) -> Callable:
    """The program that reduces every tree to sums over rows.

    Args:
        operators: the operator set of the tapes.
        layout: their layout.
        lanes: tangent lanes for constants; 0 for losses only.
        shape: of the field's arrays, and their dtype. A function of its own for every shape is
            never traced twice, which TensorFlow would warn of.
        loss: how much a difference of directions counts.

    Returns:
        A compiled function of (tape arrays, field arrays, number of chunks) that returns a
        tensor `(chunks, trees, 4 + lanes + lanes**2)`. With unit gradients u of the field and
        U of the tree, weights w, and U_j = dU/dc_j, its columns are the sums over rows of
        `w (1 - u.U)`, `w (1 + u.U)`, `w [U = 0]`, rows that are not finite, `w u.U_j` and
        `w U_j.U_k`. The first two are small numbers where the match is good, which keeps
        their sum exact to 1e-8 in float32, ten times better than that of u.U.

        Of any other loss rho, the first two are `w rho(|u - U|^2)` and `w rho(|u + U|^2)`, and
        there are `4 + 2 (lanes + lanes**2)` columns: the last sums weighted by rho'(|u - U|^2),
        and the same by rho'(|u + U|^2), for which sign is the better one is only known at the end.
    """
    columns = 4 + (lanes + lanes**2) * (1 if loss.is_squared else 2)
    collect = _collect_losses if lanes == 0 else _collect_normal_equations

    def sums(tapes: Tensors, field: Tensors, chunks: tf.Tensor) -> tf.Tensor:
        dtype = field["points"].dtype

        def each_chunk(index: tf.Tensor, buffers: tuple, result: tf.Tensor) -> tuple:
            tape = {name: array[index] for name, array in tapes.items()}

            def each_tile(tile: tf.Tensor, buffers: tuple, total: tf.Tensor) -> tuple:
                rows = {name: array[tile] for name, array in field.items()}
                buffers = _walk(operators, layout, lanes, tape, rows, buffers)
                return tile + 1, buffers, total + collect(layout, lanes, loss, tape, rows, buffers)

            tiles = field["points"].shape[0]
            total = tf.zeros([layout.trees, columns], dtype)
            _, buffers, total = _loop(0, tiles, each_tile, buffers, total)
            return index + 1, buffers, _put(result, index, total)

        result = tf.zeros([layout.chunks, layout.trees, columns], dtype)
        buffers = _buffers(layout, lanes, field)
        return _loop(0, chunks, each_chunk, buffers, result)[-1]

    return _compiled(sums)


@lru_cache(maxsize=32)
def compiled_fields(operators: OperatorSet, layout: Layout, lanes: int, shape: tuple) -> Callable:
    """The program that returns every tree's values and gradients instead of sums.

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
        buffers = _buffers(layout, lanes, {name: array[None] for name, array in rows.items()})
        values, adjoints = _walk(operators, layout, lanes, tape, rows, buffers)
        shape = [1 + lanes, rows["points"].shape[-1]]
        # (groups, leaves, width) -> (groups, width, leaves): all leaves of a tree together.
        by_tree = {
            name: tf.reshape(tf.transpose(tape[name], [0, 2, 1]), [layout.trees, layout.leaves])
            for name in ("leaf", "leaf_variable", "leaf_state")
        }
        owner = tf.range(layout.trees)[:, None] * layout.variables + by_tree["leaf_variable"]
        owner = tf.where(by_tree["leaf_state"] > 0, owner, layout.trees * layout.variables)
        leaves = tf.gather(_slots(adjoints), tf.reshape(by_tree["leaf"], [-1]))
        gradients = tf.math.unsorted_segment_sum(
            leaves, tf.reshape(owner, [-1]), layout.trees * layout.variables + 1
        )[:-1]
        roots = tf.gather(_slots(values), tape["root"])
        return tf.reshape(roots, [layout.trees, *shape]), tf.reshape(
            gradients, [layout.trees, layout.variables, *shape]
        )

    return _compiled(fields)


def _compiled(function: Callable) -> Callable:
    # TensorFlow counts traces by the code they come from, and warns of five programs that only
    # differ in what they close over. A partial has no code of its own.
    return tf.function(partial(function), jit_compile=True, autograph=False)


def _loop(start: object, stop: object, body: Callable, *state: object) -> tuple:
    return tf.while_loop(
        lambda index, *_: index < stop, body, (start, *state), parallel_iterations=1
    )


def _put(buffer: tf.Tensor, index: tf.Tensor, entry: tf.Tensor) -> tf.Tensor:
    """The buffer with one entry replaced; XLA makes it one write in place."""
    return tf.tensor_scatter_nd_update(buffer, [[index]], entry[None])


def _slots(buffer: tf.Tensor) -> tf.Tensor:
    """A buffer of blocks `(blocks, ..., width, lanes * rows)` as `(slots, lanes * rows)`."""
    return tf.reshape(buffer, [-1, buffer.shape[-1]])


def _buffers(layout: Layout, lanes: int, field: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
    """Values and adjoints of one chunk; made once and carried through all loops.

    Lanes and rows share the last axis: a separate axis of length one, where there are no
    lanes, makes XLA choose layouts that it then copies whole buffers for.
    """
    rows, dtype = field["points"].shape[-1], field["points"].dtype
    slot = [layout.width, (1 + lanes) * rows]
    values = tf.zeros([layout.variable_blocks + layout.blocks, *slot], dtype)
    adjoints = tf.zeros([layout.blocks, layout.arity, *slot], dtype)
    unit = tf.ones([1, layout.arity, layout.width, rows], dtype)
    unit = tf.pad(unit, [[0, 0], [0, 0], [0, 0], [0, lanes * rows]])
    return values, tf.concat([adjoints, unit], axis=0)


def _walk(
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
    slot = [layout.width, (1 + lanes) * count]
    first = layout.variable_blocks
    fill = first * layout.width - layout.variables
    columns = tf.pad(rows["points"], [[0, fill], [0, lanes * count]])
    for block in range(first):
        values = _put(values, block, columns[block * layout.width : (block + 1) * layout.width])

    def forward(index: tf.Tensor, values: tf.Tensor) -> tuple:
        slots = _slots(values)

        def apply(operator: Operator) -> tf.Tensor:
            arguments = _arguments(operator, slots, tape["argument"][index])
            return _value(operator, arguments, lanes)

        def load() -> tf.Tensor:
            heads = tf.broadcast_to(tape["constant"][index][:, None], [layout.width, count])
            if lanes == 0:
                return heads
            seeds = tf.one_hot(tape["lane"][index] - 1, lanes, dtype=values.dtype)
            return tf.concat([heads, tf.repeat(seeds, count, axis=1)], axis=1)

        branches = [lambda operator=operator: apply(operator) for operator in operators]
        result = tf.switch_case(tape["operator"][index], [*branches, load])
        return index + 1, _put(values, index + first, result)

    _, values = _loop(0, tape["used"], forward, values)

    def backward(index: tf.Tensor, adjoints: tf.Tensor) -> tuple:
        adjoint = tf.gather(_slots(adjoints), tape["adjoint"][index])
        value = values[index + first]
        slots = _slots(values)

        def apply(operator: Operator) -> tf.Tensor:
            arguments = _arguments(operator, slots, tape["argument"][index])
            passed = _pass_on(operator, arguments, value, adjoint, lanes)
            passed += [adjoint] * (layout.arity - operator.arity)
            return tf.reshape(tf.stack(passed), [layout.arity, *slot])

        branches = [lambda operator=operator: apply(operator) for operator in operators]
        return index - 1, _put(adjoints, index, tf.switch_case(tape["operator"][index], branches))

    _, adjoints = tf.while_loop(
        lambda index, _: index >= tape["loads"],
        backward,
        (tape["used"] - 1, adjoints),
        parallel_iterations=1,
    )
    return values, adjoints


def _arguments(operator: Operator, slots: tf.Tensor, argument: tf.Tensor) -> list[tf.Tensor]:
    return [tf.gather(slots, argument[side]) for side in range(operator.arity)]


def _split(slots: tf.Tensor, lanes: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Lane 0 as `(width, rows)`, the others as `(width, lanes, rows)`."""
    if lanes == 0:
        return slots, None
    rows = slots.shape[-1] // (1 + lanes)
    return slots[:, :rows], tf.reshape(slots[:, rows:], [-1, lanes, rows])


def _join(head: tf.Tensor, tangents: tf.Tensor) -> tf.Tensor:
    return tf.concat([head, tf.reshape(tangents, [head.shape[0], -1])], axis=1)


def _value(operator: Operator, arguments: list[tf.Tensor], lanes: int) -> tf.Tensor:
    """v = f(a), v_j = sum_k f_k a_kj."""
    heads, tangents = zip(*(_split(argument, lanes) for argument in arguments))
    value = _rows(operator.value_code(*heads)[0], heads[0])
    if lanes == 0:
        return value
    partials = [_rows(p, value)[:, None] for p in operator.partials_code(*heads, value)]
    return _join(value, sum(p * tangent for p, tangent in zip(partials, tangents)))


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
    if lanes == 0:
        return [adjoint * _rows(p, value) for p in operator.partials_code(*heads, value)]
    code = [_rows(p, value) for p in operator.curvature_code(*heads, value)]
    partials, seconds = code[: operator.arity], code[operator.arity :]
    passed = []
    for side, slope in enumerate(partials):
        row = seconds[side * operator.arity : (side + 1) * operator.arity]
        bent = sum((adjoint * s)[:, None] * tangent for s, tangent in zip(row, tangents))
        passed.append(_join(adjoint * slope, adjoint_tangents * slope[:, None] + bent))
    return passed


def _rows(code: object, like: tf.Tensor) -> tf.Tensor:
    """What `lambdify` returned, which may be a Python number, as a tensor of that shape."""
    if not tf.is_tensor(code):
        code = tf.constant(code, like.dtype)
    # A constant branch of a Piecewise is float32 whatever its arguments are.
    return tf.broadcast_to(tf.cast(code, like.dtype), like.shape)


def _collect_losses(
    layout: Layout, lanes: int, loss: Loss, tape: Tensors, rows: Tensors, buffers: tuple
) -> tf.Tensor:
    """The four columns that losses need, shape `(trees, 4)`."""
    values, adjoints = map(_slots, buffers)
    dtype, count = values.dtype, rows["points"].shape[-1]

    def each_group(group: tf.Tensor, result: tf.Tensor) -> tuple:
        def each_leaf(step: tf.Tensor, column: tf.Tensor, *sums: tf.Tensor) -> tuple:
            state = tape["leaf_state"][group, step]
            is_leaf = tf.cast(state > 0, dtype)[:, None]
            is_last = tf.cast(state > 1, dtype)[:, None]
            leaf = tf.gather(adjoints, tape["leaf"][group, step])
            column += is_leaf * leaf
            variable = tape["leaf_variable"][group, step]
            done = is_last * column
            return step + 1, column - done, *add(variable, done, *sums)

        def add_partial(variable: tf.Tensor, done: tf.Tensor, dot: tf.Tensor, square: tf.Tensor):
            scaled = done * tf.gather(rows["scales"], variable)[:, None]
            dot += scaled * tf.gather(rows["directions"], variable)
            return dot, square + scaled * scaled

        def add_coordinates(variable: tf.Tensor, done: tf.Tensor, coordinates: tf.Tensor):
            return (coordinates + done[:, None] * tf.gather(rows["frame"], variable),)

        zeros = tf.zeros([layout.width, count], dtype)
        if "frame" in rows:
            add = add_coordinates
            axes = rows["directions"].shape[-2]
            start = tf.zeros([layout.width, axes, count], dtype)
            *_, coordinates = _loop(0, tape["steps"][group], each_leaf, zeros, start)
            square = tf.reduce_sum(coordinates**2, axis=1)
            direction = _nearest(rows["directions"], coordinates)
            dot = tf.reduce_sum(direction * coordinates, axis=1)
        else:
            add = add_partial
            *_, dot, square = _loop(0, tape["steps"][group], each_leaf, zeros, zeros, zeros)
        root = tf.reshape(tape["root"], [-1, layout.width])[group]
        finite = tf.math.is_finite(square) & tf.math.is_finite(tf.gather(values, root))
        inverse = _inverse_length(square)
        if loss.is_squared:
            cosine = dot * inverse
            apart, opposite = 1 - cosine, 1 + cosine
        else:
            candidate = coordinates * inverse[:, None]
            apart, opposite = (loss.code(d)[0] for d in _squared_distances(direction, candidate))
        sums = _loss_columns(rows["weights"], apart, opposite, inverse, finite)
        return group + 1, _put(result, group, tf.stack(sums, axis=1))

    groups = layout.trees // layout.width
    result = tf.zeros([groups, layout.width, 4], dtype)
    _, result = _loop(0, groups, each_group, result)
    return tf.reshape(result, [layout.trees, 4])


def _collect_normal_equations(
    layout: Layout, lanes: int, loss: Loss, tape: Tensors, rows: Tensors, buffers: tuple
) -> tf.Tensor:
    """The same columns and, with G the unnormalized gradient, those of the constants.

    U_j = (G_j - U (U.G_j)) / |G|, so the rows need only the products G.G_j, u.G_j and G_j.G_k.
    Of a span, u is the direction nearest to G; it turns with G, but to first order the loss does
    not notice.
    """
    values, adjoints = map(_slots, buffers)
    dtype, count = values.dtype, rows["points"].shape[-1]
    width = layout.width

    def each_tree(index: tf.Tensor, result: tf.Tensor) -> tuple:
        group, place = index // width, index % width

        def each_leaf(step: tf.Tensor, column: tf.Tensor, sums: tf.Tensor) -> tuple:
            state = tape["leaf_state"][group, step, place]
            # An index that comes from an array must go through `gather`: XLA takes the begin of
            # a slice for a compile-time constant and would compile anew for every population.
            leaf = tf.gather(adjoints, tape["leaf"][group, step, place])
            column += tf.reshape(leaf, [1 + lanes, count])

            variable = tape["leaf_variable"][group, step, place]
            sums = tf.cond(state > 1, lambda: add(variable, column, sums), lambda: sums)
            return step + 1, column * tf.cast(state < 2, dtype), sums

        def add_partials(variable: tf.Tensor, column: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
            direction = tf.gather(rows["directions"], variable)
            # Row 0 is u, the others G, G_1, ...: all products of them at once.
            scaled = column * tf.gather(rows["scales"], variable)
            vectors = tf.concat([direction[None], scaled], axis=0)
            return products + vectors[:, None] * vectors[None]

        def add_coordinates(variable: tf.Tensor, column: tf.Tensor, vectors: tf.Tensor):
            return vectors + tf.gather(rows["frame"], variable)[:, None] * column[None]

        column = tf.zeros([1 + lanes, count], dtype)
        stop = tf.reduce_sum(tf.cast(tape["leaf_state"][group, :, place] > 0, tf.int32))
        if "frame" in rows:
            add = add_coordinates
            vectors = tf.zeros([rows["directions"].shape[-2], 1 + lanes, count], dtype)
            *_, vectors = _loop(0, stop, each_leaf, column, vectors)
            direction = _nearest(rows["directions"], vectors[None, :, 0])[0]
            vectors = tf.concat([direction[:, None], vectors], axis=1)
            products = tf.einsum("air,ajr->ijr", vectors, vectors)
        else:
            add = add_partials
            products = tf.zeros([2 + lanes, 2 + lanes, count], dtype)
            *_, products = _loop(0, stop, each_leaf, column, products)
        square = products[1, 1]
        # Not asked of the constants' lanes: the exponent of a negative base has NaN there.
        finite = tf.math.is_finite(tf.gather(values, tape["root"][index])[:count])
        finite &= tf.math.is_finite(square)
        inverse = _inverse_length(square)
        weights = rows["weights"]
        cosine = products[0, 1] * inverse
        along = products[1, 2:] * inverse
        projected = (products[0, 2:] - cosine * along) * inverse
        curved = (products[2:, 2:] - along[:, None] * along[None]) * inverse**2
        if loss.is_squared:
            apart, opposite, weightings = 1 - cosine, 1 + cosine, [weights]
        else:
            candidate = vectors[:, 1] * inverse
            pairs = [loss.code(d) for d in _squared_distances(direction, candidate, axis=0)]
            apart, opposite = (rho for rho, _ in pairs)
            weightings = [weights * weight for _, weight in pairs]
        sums = [tf.stack(_loss_columns(weights, apart, opposite, inverse, finite))]
        for each in weightings:
            sums.append(tf.reduce_sum(each * projected, axis=1))
            sums.append(tf.reshape(tf.reduce_sum(each * curved, axis=2), [-1]))
        return index + 1, _put(result, index, tf.concat(sums, axis=0))

    columns = 4 + (lanes + lanes**2) * (1 if loss.is_squared else 2)
    result = tf.zeros([layout.trees, columns], dtype)
    return _loop(0, layout.trees, each_tree, result)[-1]


def _nearest(directions: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    """The directions `(axes, rows)`, or those in spans `(k, axes, rows)` nearest to gradients.

    Gradients have the shape `(trees, axes, rows)`, and so have the directions of spans.
    """
    if directions.shape.rank == 2:
        return directions[None]
    dots = tf.einsum("tar,kar->tkr", gradients, directions)
    inverse = _inverse_length(tf.reduce_sum(dots**2, axis=1, keepdims=True))
    return tf.einsum("tkr,kar->tar", dots * inverse, directions)


def _inverse_length(square: tf.Tensor) -> tf.Tensor:
    """1/|G| from |G|^2, and zero for a gradient of no length.

    Below the smallest normal number, squares of components lose their digits, and the direction
    made from them could have any length: a gradient so short that this would show (3e-16 in
    float32) counts as zero.
    """
    limits = np.finfo(square.dtype.name)
    return tf.where(square >= limits.tiny / limits.eps, tf.math.rsqrt(square), 0)


def _squared_distances(
    direction: tf.Tensor, candidate: tf.Tensor, axis: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """|u - U|^2 and |u + U|^2, by their components: 2 (1 - cos) has no digits for small angles."""
    return (
        tf.reduce_sum((direction - candidate) ** 2, axis=axis),
        tf.reduce_sum((direction + candidate) ** 2, axis=axis),
    )


def _loss_columns(
    weights: tf.Tensor,
    apart: tf.Tensor,
    opposite: tf.Tensor,
    inverse: tf.Tensor,
    finite: tf.Tensor,
) -> list[tf.Tensor]:
    of_rows = [
        weights * apart,
        weights * opposite,
        weights * tf.cast(inverse == 0, weights.dtype),
        tf.cast(~finite, weights.dtype),
    ]
    return [tf.reduce_sum(of_row, axis=-1) for of_row in of_rows]
