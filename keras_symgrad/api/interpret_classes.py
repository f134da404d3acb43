"""Interpret a classifier of several classes, pair by pair: `interpret_classes`.

Between classes k and j a softmax decides by the difference of their scores, z_k - z_j, which is the
logit of a classifier of two classes. It is meaningful where these two are the likeliest: elsewhere
both are wrong, and no label constrains which of two wrong answers is better. So each pair is read
near its own boundary, at points where its classes are the two likeliest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import keras
import numpy as np

from keras_symgrad.api.arguments import check_options
from keras_symgrad.api.interpret import interpret
from keras_symgrad.files import check_names, check_width, finite_rows, in_model_order, read_points
from keras_symgrad.gradients import Domain, Sampling, split
from keras_symgrad.neurons import ClassLogits, LayerChoice, layer_path
from keras_symgrad.results import ClassInterpretation, Pair, margins
from keras_symgrad.results.assessment import decisions
from keras_symgrad.search.core import call, keeps_what_was_found, recorded, versions

# With fewer points where two classes are the likeliest, the boundary of the pair is not read.
MIN_BOUNDARY_ROWS_PER_PAIR = 20
# Draws for each point wanted where two classes are the likeliest.
DRAWS_PER_POINT = 200


@keeps_what_was_found
def interpret_classes(
    model: keras.Model | str | os.PathLike[str],
    x: Any,
    *,
    layer: LayerChoice = None,
    signature: str | None = None,
    classes: Sequence[str] | None = None,
    pairs: Sequence[Pair] | None = None,
    names: Sequence[str] | None = None,
    sampling: Sampling = Sampling(),
    seed: int = 0,
    **options: Any,
) -> ClassInterpretation:
    """Find a formula for each pair of a classifier's classes, and the classifier they make.

    For one class against all others, use
    `interpret(Neuron.of(model, unit=k, kind="probability"), x)`.

    Args:
        model: a built Keras model of several classes, with a softmax or without, or its path.
        x: points of shape `(rows, inputs)` from where the model was trained, as in `interpret`.
        layer: of the scores, where the model has several outputs.
        signature: of a SavedModel that has several; `serving_default` by default.
        classes: their names, in the order of the model's output; numbers by default.
        pairs: which pairs of classes to read, as numbers; by default all that meet.
        names: of the variables.
        sampling: where the gradients of each pair are read, as in `interpret`.
        seed: of all random choices.
        **options: of `interpret`, for each pair: `time_limit`, `operators`, `priors`, `search`...

    Returns:
        A `ClassInterpretation`: `.pairs`, `.agreement`, `.predict(x)`.

    Raises:
        ValueError: something about the model, the data or an option is wrong, with what to do.

    Example:

    >>> import tensorflow as tf
    >>> x = keras.Input((2,))
    >>> radius = keras.ops.sum(x**2, axis=1, keepdims=True)
    >>> scores = [3 * radius, keras.ops.ones_like(radius) * 3, 0 * radius - 9]
    >>> model = keras.Model(x, keras.ops.softmax(keras.ops.concatenate(scores, axis=1)))
    >>> points = np.random.default_rng(0).uniform(-2, 2, (3000, 2))
    >>> found = interpret_classes(model, points, operators="polynomial", verbose=False)
    >>> found.pairs[1, 0].best.expression, list(found.unread)
    (x1**2 + x2**2, [(2, 0), (2, 1)])
    """
    layer = layer_path(model, layer) if isinstance(model, keras.Layer) else layer
    given = {name: value for name, value in locals().items() if name != "options"} | options
    check_options(sampling=sampling)
    if options.get("near") is not None:
        raise ValueError(
            "A row is explained for one pair of classes: `interpret(model, x, unit=(k, j), "
            "near=row)` tells class k from class j around it. "
            f"Received: near={options['near']!r}"
        )
    scores = ClassLogits.of(model, layer, signature)
    classes = _class_names(classes, scores.classes)
    chosen = _check_pairs(pairs, scores.classes)
    points, found = in_model_order(*read_points(x, sampling.columns), scores.names)
    names = found if names is None else check_names(names, points.shape[1])
    check_width(found, scores.inputs, f"'{scores.name}'")
    if sampling.column_map is not None:
        scores = sampling.column_map.scores(scores, names)
    shown, kept = split(points[finite_rows(points)], seed)
    likeliest = _two_likeliest(scores(shown))

    read, unread, failure = {}, {}, None
    for pair in chosen:
        here = np.all(likeliest == pair, axis=1)
        if here.sum() < MIN_BOUNDARY_ROWS_PER_PAIR:
            unread[pair] = f"they are the two likeliest at {here.sum()} of {len(shown):,} points"
            continue
        draw = _sampler(scores, pair, shown, sampling.sampler) if sampling.draw else None
        try:
            read[pair] = interpret(
                scores.pair(*pair),
                shown[here],
                names=names,
                sampling=replace(sampling, columns=None, sampler=draw, preprocessing=None),
                seed=seed,
                **options,
            )
        except ValueError as error:
            # An error in one pair must not discard the others.
            unread[pair], failure = str(error), error
    if not read:
        reasons = " ".join(f"Of {pair}: {reason}." for pair, reason in list(unread.items())[:3])
        raise ValueError(f"No pair of classes of '{scores.name}' could be read. {reasons}") from (
            failure
        )
    # Points that were not used in any fit: held-out rows, and others of the domain.
    fresh, _ = decisions(scores.pair(1, 0), kept, shown, sampling.sampler, sampling.draw, seed)
    decided = np.argmax(scores(fresh), axis=1)
    same = np.argmax(margins(fresh, scores.classes, read), axis=1) == decided
    recall = [
        float(same[decided == k].mean()) if np.any(decided == k) else np.nan
        for k in range(scores.classes)
    ]
    settings = recorded(given)
    return ClassInterpretation(
        scores.name,
        classes,
        tuple(names),
        read,
        unread,
        float(same.mean()),
        tuple(recall),
        len(fresh),
        settings,
        versions(),
        call(settings, interpret_classes, interpret),
    )


def _two_likeliest(scores: np.ndarray) -> np.ndarray:
    """The two classes of the largest scores, the later class first, `(rows, 2)`."""
    return -np.sort(-np.argsort(scores, axis=1)[:, -2:], axis=1)


def _sampler(
    scores: ClassLogits, pair: Pair, x: np.ndarray, given: Callable[..., Any] | None
) -> Callable[[int, np.random.Generator], np.ndarray]:
    """Draw points of the data's domain where a pair is the two likeliest."""
    domain = Domain(x)

    def draw(rows: int, rng: np.random.Generator) -> np.ndarray:
        found, left = [], rows * DRAWS_PER_POINT
        wanted = rows
        while wanted > 0 and left > 0:
            size = min(max(1000, 4 * wanted), left)
            left -= size
            if given is None:
                points = domain.draw(size, rng)
                points = points[domain.holds(points)]
            else:
                points = np.asarray(given(size, rng), np.float64)
            points = points[np.all(_two_likeliest(scores(points)) == pair, axis=1)]
            found.append(points[:wanted])
            wanted -= len(found[-1])
        return np.concatenate(found)

    return draw


def _class_names(classes: Sequence[str] | None, number: int) -> tuple[str, ...]:
    if classes is None:
        return tuple(f"class {k}" for k in range(number))
    classes = tuple(map(str, classes))
    if len(classes) != number or len(set(classes)) != number:
        raise ValueError(
            f"`classes` has one name for each of the model's {number} classes, all different. "
            f"Received: {', '.join(classes)}"
        )
    return classes


def _check_pairs(pairs: Sequence[Pair] | None, number: int) -> list[Pair]:
    if pairs is None:
        return [(k, j) for j, k in combinations(range(number), 2)]
    checked = []
    for pair in pairs:
        whole = len(pair) == 2 and all(isinstance(k, (int, np.integer)) for k in pair)
        if not whole or pair[0] == pair[1] or not all(0 <= k < number for k in pair):
            raise ValueError(
                f"`pairs` holds pairs of different classes from 0 to {number - 1}. Received: {pair}"
            )
        checked.append((int(max(pair)), int(min(pair))))
    return checked
