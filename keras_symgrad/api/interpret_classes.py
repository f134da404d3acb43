"""Interpret a classifier of several classes: `interpret_classes`.

Few classes are read pair by pair, which finds what the network computes where it has a formula;
many by one score for each class, which are approximations and quick.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, get_args

import keras
import numpy as np

from keras_symgrad.api.arguments import check_options, check_taken
from keras_symgrad.api.class_pairs import PairsRead, read_pairs
from keras_symgrad.api.class_progress import ClassProgress
from keras_symgrad.api.interpret import interpret
from keras_symgrad.expressions import OperatorSet
from keras_symgrad.files import check_width, finite_rows, read_points
from keras_symgrad.gradients import Sampling, split
from keras_symgrad.neurons import ClassLogits, LayerChoice, layer_path
from keras_symgrad.priors import Priors
from keras_symgrad.results import ClassInterpretation, ClassScores, Pair, margins
from keras_symgrad.results.approximation import MAX_COMPLEXITY, Growth, approximate_classes
from keras_symgrad.results.assessment import DataRows, fidelity_of_classes
from keras_symgrad.search import Search
from keras_symgrad.search.callbacks import open_display
from keras_symgrad.search.core import (
    Stopping,
    call,
    deferred_interrupts,
    keeps_what_was_found,
    limits_of,
    recorded,
    versions,
)

Scheme = Literal["auto", "pairs", "scores"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
# Up to this number of classes "auto" reads pairs: each takes a search of its own, 10 to 20 seconds
# of a processor, and ten classes have 45.
MAX_CLASSES_IN_PAIRS = 4
# Held-out rows that agreement is counted on.
MAX_COUNTED_ROWS = 10_000
# Options of searches, of which scores have none, with their defaults.
_OF_SEARCHES = {"loss": "auto", "callbacks": ()}


@keeps_what_was_found
def interpret_classes(
    model: keras.Model | str | os.PathLike[str],
    x: Any,
    *,
    layer: LayerChoice = None,
    signature: str | None = None,
    classes: Sequence[str] | None = None,
    scheme: Scheme = "auto",
    pairs: Sequence[Pair] | None = None,
    names: Sequence[str] | None = None,
    sampling: Sampling = Sampling(),
    seed: int = 0,
    **options: Any,
) -> ClassInterpretation:
    """Find formulas of a classifier's classes, and the classifier that they make.

    "pairs" finds one for each pair, the logit of one class against the other:

        z_k - z_j = phi_kj(g_kj(x))

    "scores" finds a sum for each class, all fitted together to the network's probabilities; the
    largest decides. They are approximations, whatever the network computes:

        p_k = exp(s_k) / sum_j exp(s_j)

    For one class against all others, use
    `interpret(Neuron.of(model, unit=k, kind="probability"), x)`.

    Args:
        model: a built Keras model of several classes, with a softmax or without, or its path.
        x: points of shape `(rows, inputs)` from where the model was trained, as in `interpret`.
        layer: of the scores, where the model has several outputs.
        signature: of a SavedModel that has several; `serving_default` by default.
        classes: their names, in the order of the model's output; numbers by default.
        scheme: "pairs", "scores", or "auto": pairs for up to four classes, and scores for more or
            where a pair has no exact formula.
        pairs: which pairs of classes to read, as numbers; by default all that meet.
        names: of the variables.
        sampling: where the gradients of each pair are read, as in `interpret`.
        seed: of all random choices.
        **options: of `interpret`: `time_limit`, which is of all pairs or scores together,
            `operators`, `priors`, `search`... After Ctrl-C what was found by then is returned.

    Returns:
        A `ClassInterpretation`: `.pairs`, `.scores`, `.fidelity`, `.predict(x)`.

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
    check_taken(options, inspect.signature(interpret).parameters)
    search = options.get("search", Search())
    check_options(search=search, priors=options.get("priors", Priors()))
    operators = options.get("operators", "default")
    if not isinstance(operators, OperatorSet):
        options["operators"] = OperatorSet(operators)
    stopping = limits_of(options.get("time_limit", "auto"), search.stopping)
    logits = ClassLogits.of(model, layer, signature)
    classes = _class_names(classes, logits.classes)
    chosen = _check_pairs(pairs, logits.classes)
    scheme = _scheme(scheme, logits.classes, pairs, sampling, options)
    points, names = read_points(x, sampling.columns).in_model_order(logits.names, names)
    check_width(names, logits.inputs, f"'{logits.name}'")
    if sampling.column_map is not None:
        if logits.names is None:
            sampling.column_map.check_order(names)
        logits = sampling.column_map.scores(logits, names)
    shown, kept = split(points[finite_rows(points)], seed)
    kept = kept[:MAX_COUNTED_ROWS]

    of_pairs, of_scores = PairsRead(), None
    verbose = options.pop("verbose", True)
    with open_display(verbose) as display:
        progress = ClassProgress(display)
        if scheme != "scores":
            arguments = (sampling, stopping, seed, options, progress)
            of_pairs = read_pairs(logits, chosen, shown, names, classes, *arguments)
        if scheme == "scores" or (scheme == "auto" and not of_pairs.decides):
            arguments = (names, stopping, seed, options, progress)
            of_scores = _scores(logits, shown, kept, *arguments)
    if not of_pairs.read and of_scores is None:
        unread = list(of_pairs.unread.items())[:3]
        reasons = " ".join(f"Of {pair}: {reason}." for pair, reason in unread)
        raise ValueError(
            f"No pair of classes of '{logits.name}' could be read. {reasons}"
            if scheme != "scores"
            else f"Scores are fitted to at least 10 rows. Received: {len(shown)} for the fit"
        ) from of_pairs.failure
    known, held_out = (DataRows(rows, np.argmax(logits(rows), axis=1)) for rows in (shown, kept))
    predicted = (
        np.argmax(margins(kept, logits.classes, of_pairs.read), axis=1)
        if of_scores is None
        else of_scores.best.choose(kept)
    )
    fidelity, _ = fidelity_of_classes(known, held_out, predicted, logits.classes, seed)
    decided = held_out.values
    recall = [
        float(np.mean(predicted[decided == k] == k)) if np.any(decided == k) else np.nan
        for k in range(logits.classes)
    ]
    settings = recorded(given)
    return ClassInterpretation(
        logits.name,
        classes,
        names,
        of_pairs.read,
        of_pairs.unread,
        fidelity,
        tuple(recall),
        settings,
        versions(),
        call(settings, interpret_classes, interpret),
        of_scores,
    )


def _scheme(
    scheme: Scheme,
    classes: int,
    pairs: Sequence[Pair] | None,
    sampling: Sampling,
    options: Mapping[str, Any],
) -> Scheme:
    """The scheme that fits a question: "auto" stays where scores may follow the pairs."""
    if scheme not in SCHEMES:
        raise ValueError(
            f"`scheme` is one of {', '.join(map(repr, SCHEMES))}. Received: scheme={scheme!r}"
        )
    # What is known of a formula is known of a boundary between two classes.
    of_pairs = {
        "pairs": pairs is not None,
        "priors": options.get("priors", Priors()) != Priors(),
        "sampling.in_terms_of": sampling.in_terms_of is not None,
    }
    given = [name for name, is_given in of_pairs.items() if is_given]
    if scheme == "auto" and given:
        return "pairs"
    if scheme == "auto" and classes > MAX_CLASSES_IN_PAIRS:
        scheme = "scores"
    if scheme == "scores":
        given += [n for n, unset in _OF_SEARCHES.items() if options.get(n, unset) != unset]
        if given:
            raise ValueError(
                f"Scores of classes are fitted without {', '.join(f'`{name}`' for name in given)}. "
                'Leave this out, or pass `scheme="pairs"` for the formulas of pairs. '
                f"Received: {classes} classes"
            )
    return scheme


def _scores(
    logits: ClassLogits,
    shown: np.ndarray,
    kept: np.ndarray,
    names: Sequence[str],
    stopping: Stopping,
    seed: int,
    options: Mapping[str, Any],
    progress: ClassProgress,
) -> ClassScores | None:
    """Scores of the classes, grown until they gain nothing, the time limit or Ctrl-C."""
    search, began = options.get("search", Search()), time.monotonic()
    progress.begins("scores of the classes")
    # A third of the time is for growing them again on all rows.
    limit = np.inf if stopping.time_limit is None else stopping.time_limit * 2 / 3

    def ends(growth: Growth) -> bool:
        progress.shows(
            f"{growth.terms:.1f} terms a class: choose as the model on "
            f"{100 * growth.agreement:.1f} % of rows that they were not fitted to"
        )
        return interrupts.presses > 0 or time.monotonic() - began > limit

    with deferred_interrupts() as interrupts:
        interrupts.armed = True
        return approximate_classes(
            logits,
            shown,
            kept,
            names,
            operators=options["operators"],
            complexity=search.weights,
            max_complexity=MAX_COMPLEXITY
            if search.max_complexity == Search.max_complexity
            else search.max_complexity,
            seed=seed,
            on_growth=ends,
        )


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
