"""Sums over rows: losses and normal equations of a population.

They are reduced tree by tree in the program of `interpreter`, so that no array of all trees and all
rows is ever written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from keras_symgrad.engine.losses import Loss
from keras_symgrad.engine.tapes import Layout
from keras_symgrad.engine.xla import as_slots, loop, put

Tensors = dict[str, tf.Tensor]


def collect_losses(
    layout: Layout, lanes: int, loss: Loss, tape: Tensors, rows: Tensors, buffers: tuple[Any, ...]
) -> tf.Tensor:
    """The four columns that losses need, shape `(trees, 4)`."""
    values, adjoints = buffers[0], as_slots(buffers[1])
    dtype, count = values.dtype, rows["points"].shape[-1]

    def each_tree(index: tf.Tensor, result: tf.Tensor) -> tuple[Any, ...]:
        def each_leaf(step: tf.Tensor, column: tf.Tensor, *sums: tf.Tensor) -> tuple[Any, ...]:
            is_last = tf.cast(tape["leaf_is_last"][index, step], dtype)
            column += tf.gather(adjoints, tape["leaf"][index, step])
            done = is_last * column
            return step + 1, column - done, *add(tape["leaf_variable"][index, step], done, *sums)

        def add_partial(
            variable: tf.Tensor, done: tf.Tensor, dot: tf.Tensor, square: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            scaled = done * tf.gather(rows["scales"], variable)
            dot += scaled * tf.gather(rows["directions"], variable)
            return dot, square + scaled * scaled

        def add_coordinates(
            variable: tf.Tensor, done: tf.Tensor, coordinates: tf.Tensor
        ) -> tuple[tf.Tensor]:
            return (coordinates + done * tf.gather(rows["frame"], variable),)

        zeros, leaves = tf.zeros([count], dtype), tape["leaf_count"][index]
        if "frame" in rows:
            add = add_coordinates
            start = tf.zeros([rows["directions"].shape[-2], count], dtype)
            *_, coordinates = loop(0, leaves, each_leaf, zeros, start)
            square = tf.reduce_sum(coordinates**2, axis=0)
            direction = _nearest(rows["directions"], coordinates)
            dot = tf.reduce_sum(direction * coordinates, axis=0)
        else:
            add = add_partial
            *_, dot, square = loop(0, leaves, each_leaf, zeros, zeros, zeros)
        finite = tf.math.is_finite(square)
        finite &= tf.math.is_finite(tf.gather(values, tape["root"][index]))
        inverse = _inverse_length(square)
        if loss.is_squared:
            cosine = dot * inverse
            apart, opposite = 1 - cosine, 1 + cosine
        else:
            distances = _squared_distances(direction, coordinates * inverse)
            apart, opposite = (loss.code(each)[0] for each in distances)
        sums = _loss_columns(rows["weights"], apart, opposite, inverse, finite)
        return index + 1, put(result, index, tf.stack(sums))

    return loop(0, layout.trees, each_tree, tf.zeros([layout.trees, 4], dtype))[-1]


def collect_normal_equations(
    layout: Layout, lanes: int, loss: Loss, tape: Tensors, rows: Tensors, buffers: tuple[Any, ...]
) -> tf.Tensor:
    """The same columns and, with G the unnormalized gradient, those of the constants.

    U_j = (G_j - U (U.G_j)) / |G|, so the rows need only the products G.G_j, u.G_j and G_j.G_k.
    For a span, u is its direction nearest to G; it turns with G, which changes the loss only in
    second order.
    """
    values, adjoints = buffers[0], as_slots(buffers[1])
    dtype, count = values.dtype, rows["points"].shape[-1]

    def each_tree(index: tf.Tensor, result: tf.Tensor) -> tuple[Any, ...]:
        def each_leaf(step: tf.Tensor, column: tf.Tensor, sums: tf.Tensor) -> tuple[Any, ...]:
            is_last = tape["leaf_is_last"][index, step]
            # An index from an array must go through `gather`: XLA takes the start of a slice for a
            # compile-time constant and would compile anew for every population.
            column += tf.gather(adjoints, tape["leaf"][index, step])

            variable = tape["leaf_variable"][index, step]
            sums = tf.cond(is_last > 0, lambda: add(variable, column, sums), lambda: sums)
            return step + 1, column * tf.cast(1 - is_last, dtype), sums

        def add_partials(variable: tf.Tensor, column: tf.Tensor, products: tf.Tensor) -> tf.Tensor:
            direction = tf.gather(rows["directions"], variable)
            # Row 0 is u, the others G, G_1, ...: all products of them at once.
            scaled = column * tf.gather(rows["scales"], variable)
            vectors = tf.concat([direction[None], scaled], axis=0)
            return products + vectors[:, None] * vectors[None]

        def add_coordinates(
            variable: tf.Tensor, column: tf.Tensor, vectors: tf.Tensor
        ) -> tf.Tensor:
            return vectors + tf.gather(rows["frame"], variable)[:, None] * column[None]

        column = tf.zeros([1 + lanes, count], dtype)
        leaves = tape["leaf_count"][index]
        if "frame" in rows:
            add = add_coordinates
            vectors = tf.zeros([rows["directions"].shape[-2], 1 + lanes, count], dtype)
            *_, vectors = loop(0, leaves, each_leaf, column, vectors)
            direction = _nearest(rows["directions"], vectors[:, 0])
            vectors = tf.concat([direction[:, None], vectors], axis=1)
            products = tf.einsum("air,ajr->ijr", vectors, vectors)
        else:
            add = add_partials
            products = tf.zeros([2 + lanes, 2 + lanes, count], dtype)
            *_, products = loop(0, leaves, each_leaf, column, products)
        square = products[1, 1]
        # Not evaluated on the lanes of constants: the exponent of a negative base has NaN there.
        finite = tf.math.is_finite(tf.gather(values, tape["root"][index])[0])
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
            pairs = [loss.code(d) for d in _squared_distances(direction, candidate)]
            apart, opposite = (rho for rho, _ in pairs)
            weightings = [weights * weight for _, weight in pairs]
        sums = [tf.stack(_loss_columns(weights, apart, opposite, inverse, finite))]
        for each in weightings:
            sums.append(tf.reduce_sum(each * projected, axis=1))
            sums.append(tf.reshape(tf.reduce_sum(each * curved, axis=2), [-1]))
        return index + 1, put(result, index, tf.concat(sums, axis=0))

    columns = 4 + (lanes + lanes**2) * (1 if loss.is_squared else 2)
    result = tf.zeros([layout.trees, columns], dtype)
    return loop(0, layout.trees, each_tree, result)[-1]


def _nearest(directions: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """The directions `(axes, rows)`, or those of spans `(k, axes, rows)` nearest to a gradient."""
    if directions.shape.rank == 2:
        return directions
    dots = tf.einsum("ar,kar->kr", gradient, directions)
    inverse = _inverse_length(tf.reduce_sum(dots**2, axis=0))
    return tf.einsum("kr,kar->ar", dots * inverse, directions)


def _inverse_length(square: tf.Tensor) -> tf.Tensor:
    """1/|G| from |G|^2, and zero for a gradient of zero length.

    Below the smallest normal number, squares of components lose their digits, and the direction
    made from them could have any length: a gradient so short that this would show (3e-16 in
    float32) counts as zero.
    """
    limits = np.finfo(square.dtype.name)
    return tf.where(square >= limits.tiny / limits.eps, tf.math.rsqrt(square), 0)


def _squared_distances(direction: tf.Tensor, candidate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """|u - U|^2 and |u + U|^2 by components: 2 (1 - cos) has no digits for small angles."""
    return (
        tf.reduce_sum((direction - candidate) ** 2, axis=0),
        tf.reduce_sum((direction + candidate) ** 2, axis=0),
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
