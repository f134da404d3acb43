"""The two inputs over which the regions of a result are drawn; a category is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.gradients import few_values, level_names, one_hot_blocks
from keras_symgrad.results.report.slices import strongest

if TYPE_CHECKING:
    from keras_symgrad.results.interpretation import Interpretation

# Rows of one level are spread over this share of the distance to the next one.
SPREAD_OF_LEVELS = 0.6


@dataclass(frozen=True, eq=False)
class RegionAxis:
    """An input of points.

    Attributes:
        name: of a column, or of a category in one-hot columns.
        values: at the points, `(rows,)`; those of levels are spread, so that rows do not hide
            each other.
        levels: where the levels are, and their names; none for a number.
    """

    name: str
    values: np.ndarray
    levels: tuple[tuple[float, str], ...] = ()


def region_axes(concept: Interpretation, points: np.ndarray) -> tuple[RegionAxis, RegionAxis]:
    """The inputs in the conditions of the regions, and then the strongest ones.

    Args:
        concept: result of `interpret`, for a neuron with regions.
        points: of the variables, `(rows, variables)`.

    Returns:
        The horizontal and the vertical axis.
    """
    chosen = dict.fromkeys(_columns(concept, points))
    # With a single input, it is drawn over itself.
    one, other = [*chosen, *chosen][:2]
    rng = np.random.default_rng(0)
    return _axis(concept, points, one, rng), _axis(concept, points, other, rng)


def _columns(concept: Interpretation, points: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Columns, each with those of its category."""
    names = concept.names
    blocks = {column: block for block in one_hot_blocks(points) for column in block}
    inside = [
        names.index(symbol.name)
        for region in concept.regions or ()
        for symbol in sorted(region.where.to_sympy().free_symbols, key=str)
    ]
    strong = map(names.index, strongest(concept))
    for column in (*inside, *strong, *range(len(names))):
        yield blocks.get(column, (column,))


def _axis(
    concept: Interpretation, points: np.ndarray, columns: tuple[int, ...], rng: np.random.Generator
) -> RegionAxis:
    names = [concept.names[k] for k in columns]
    if len(columns) > 1:
        name, texts = level_names(names) or ("/".join(names), tuple(names))
        values = np.argmax(points[:, columns], axis=1).astype(float)
        at = np.arange(len(columns), dtype=float)
    else:
        (column,) = columns
        (name,), values = names, points[:, column]
        at = np.array(few_values(points).get(column, ()))
        texts = tuple(f"{level:g}" for level in at)
    if len(at) > 1:
        width = SPREAD_OF_LEVELS * float(np.diff(at).min())
        values = values + width * rng.uniform(-0.5, 0.5, len(values))
    return RegionAxis(name, values, tuple(zip(at.tolist(), texts)))
