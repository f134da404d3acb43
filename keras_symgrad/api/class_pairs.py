"""Read the boundaries between pairs of classes one after the other, within one time limit.

Between classes k and j a softmax decides by the difference of their scores, z_k - z_j, which is the
logit of a classifier of two classes. It is meaningful where these two are the likeliest: elsewhere
both are wrong, and no label constrains which of two wrong answers is better. So each pair is read
near its own boundary, at points where its classes are the two likeliest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_symgrad.api.class_progress import ClassProgress
from keras_symgrad.api.interpret import interpret
from keras_symgrad.gradients import Domain, Sampling
from keras_symgrad.neurons import ClassLogits
from keras_symgrad.results import Interpretation, Pair
from keras_symgrad.search import Search
from keras_symgrad.search.core import Ending, Stopping, deferred_interrupts

# With fewer points where two classes are the likeliest, the boundary of the pair is not read.
MIN_BOUNDARY_ROWS_PER_PAIR = 20
# Draws for each point wanted where two classes are the likeliest.
DRAWS_PER_POINT = 200
# Seconds of a search that a pair gets at least, while there is time: in less it finds nothing.
SHORTEST_SEARCH = 2.0


@dataclass
class PairsRead:
    """Pairs of classes that were read so far.

    Attributes:
        read: the interpretation of the logit of k against j, by `(k, j)`.
        unread: why pairs were not read.
        failure: the last error.
        interrupted: whether Ctrl-C ended it.
        complete: whether every pair that meets had its turn.
    """

    read: dict[Pair, Interpretation] = field(default_factory=dict)
    unread: dict[Pair, str] = field(default_factory=dict)
    failure: ValueError | None = None
    interrupted: bool = False
    complete: bool = True

    @property
    def decides(self) -> bool:
        """True if the formulas of pairs make the classifier: they are exact, or all there is."""
        exact = all(one.matches.is_exact for one in self.read.values())
        return self.interrupted or (bool(self.read) and self.complete and exact)


def read_pairs(
    scores: ClassLogits,
    pairs: Sequence[Pair],
    shown: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str],
    sampling: Sampling,
    stopping: Stopping,
    seed: int,
    options: Mapping[str, Any],
    progress: ClassProgress,
) -> PairsRead:
    """Interpret the logits of pairs of classes, those that meet most often first.

    Args:
        scores: of the classifier.
        pairs: of classes.
        shown: points that may be read, `(rows, inputs)`.
        names: of the variables.
        classes: their names.
        sampling: where gradients are read.
        stopping: limits; the time limit is of all pairs together, all others of each.
        seed: of all random choices.
        options: further ones of `interpret`.
        progress: where it is shown.

    Returns:
        What was read; an error in one pair does not lose the others.
    """
    found, began = PairsRead(), time.monotonic()
    likeliest = two_likeliest(scores(shown))
    here = {pair: np.all(likeliest == pair, axis=1) for pair in pairs}
    waiting = []
    for pair in pairs:
        if here[pair].sum() < MIN_BOUNDARY_ROWS_PER_PAIR:
            count = here[pair].sum()
            found.unread[pair] = f"they are the two likeliest at {count} of {len(shown):,} points"
        else:
            waiting.append(pair)
    waiting.sort(key=lambda pair: -int(here[pair].sum()))
    # Seconds that reading and assessing the last pair took beside its search.
    beside = 0.0
    for number, pair in enumerate(waiting):
        if found.interrupted:
            found.unread[pair] = "Ctrl-C was pressed before its turn"
            continue
        share = _share(stopping, began, len(waiting) - number, beside)
        if share is not None and share <= 0:
            found.unread[pair] = "the time limit of all pairs left no time for it"
            found.complete = False
            continue
        title = (
            f"pair {number + 1} of {len(waiting)}, {classes[pair[0]]} against {classes[pair[1]]}"
        )
        progress.begins(title, number, len(waiting))
        draw = _sampler(scores, pair, shown, sampling.sampler) if sampling.draw else None
        pair_began = time.monotonic()
        try:
            concept = interpret(
                scores.pair(*pair),
                shown[here[pair]],
                names=names,
                sampling=replace(sampling, columns=None, sampler=draw, preprocessing=None),
                seed=seed,
                verbose=False,
                **_limited(options, stopping, share, progress),
            )
        except ValueError as error:
            found.unread[pair], found.failure = str(error), error
            continue
        except KeyboardInterrupt:
            if not found.read:
                raise
            found.unread[pair], found.interrupted = "Ctrl-C was pressed during its search", True
            continue
        found.read[pair] = concept
        beside = time.monotonic() - pair_began - concept.timings["search"]
        progress.shows(f"{title}: {concept.headline} [{concept.matches}]")
        with deferred_interrupts() as interrupts:
            found.interrupted = concept.stopped == Ending.INTERRUPTED or interrupts.presses > 0
    found.read = {pair: found.read[pair] for pair in pairs if pair in found.read}
    return found


def _share(stopping: Stopping, began: float, left: int, beside: float) -> float | None:
    """Seconds for the search of the next pair; 0 or less for none, `None` without a limit.

    Args:
        stopping: the limit is of all pairs together.
        began: when the first one did.
        left: pairs without their turn.
        beside: seconds that a pair takes beside its search, as far as is known.
    """
    if stopping.time_limit is None:
        return None
    remaining = stopping.time_limit - (time.monotonic() - began)
    return max(remaining / left - beside, min(remaining - beside, SHORTEST_SEARCH))


def _limited(
    options: Mapping[str, Any], stopping: Stopping, share: float | None, progress: ClassProgress
) -> dict[str, Any]:
    """The options of one pair, with its share of the time and its progress shown."""
    search = options.get("search", Search())
    limited = dict(options)
    limited["callbacks"] = [progress, *options.get("callbacks", ())]
    limited["time_limit"] = share
    if search.stopping is not None:
        limited["search"] = replace(search, stopping=replace(stopping, time_limit=share))
        limited["time_limit"] = "auto"
    return limited


def two_likeliest(scores: np.ndarray) -> np.ndarray:
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
            points = points[np.all(two_likeliest(scores(points)) == pair, axis=1)]
            found.append(points[:wanted])
            wanted -= len(found[-1])
        return np.concatenate(found)

    return draw
