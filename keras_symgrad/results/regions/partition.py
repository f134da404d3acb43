"""Partitions of data rows by small decision trees, with thresholds that people can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.gradients import few_values, level_names, one_hot_blocks, roundest
from keras_symgrad.results.regions.conditions import Comparison, Condition, Level

MAX_DEPTH = 2
# Fewest rows in a leaf, and the same as a share of all rows.
MIN_LEAF_ROWS = 12
MIN_LEAF_SHARE = 0.04
# Share of the rows that may change sides for a threshold of fewer digits.
ROUNDED_ROWS = 0.004
# A threshold on a sum of two columns must put this share of the rows more right than a threshold
# on one column does.
GAIN_OF_PAIR = 0.02
# Columns whose pairs are tried.
MAX_PAIRED_COLUMNS = 10
# Relative change of a weight in a sum of two columns for the number 1.
NEARLY_EQUAL = 0.1


@dataclass(frozen=True, eq=False)
class _Quantity:
    """A column, or a sum of two, with its values at the rows."""

    expression: sympy.Expr
    values: np.ndarray
    levels: tuple[float, ...] = ()
    level: Level | None = None


def partition(
    points: np.ndarray,
    names: Sequence[str],
    labels: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    depth: int = MAX_DEPTH,
    seed: int = 0,
) -> dict[int, Condition]:
    """Conditions under which rows have one label or another.

    Args:
        points: `(rows, variables)`.
        names: of the variables.
        labels: whole numbers, `(rows,)`.
        weights: of the rows, `(rows,)`; equal ones by default.
        depth: largest number of comparisons that hold together.
        seed: of the tree.

    Returns:
        A condition by label; together they cover all points, and each point once. Labels that no
        leaf of the tree has most of are missing.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> found = partition(x, ("a", "b"), (x[:, 1] > 0.3).astype(int))
    >>> print(found[0], "|", found[1])
    b <= 0.3 | b > 0.3
    """
    from sklearn.tree import DecisionTreeClassifier

    plain = _columns(points, names)
    pair = _best_pair(points, names, plain, labels, weights, seed)
    quantities = [*plain, *pair]
    if not quantities:
        return {int(labels[0]): Condition.everywhere()}
    columns = np.column_stack([quantity.values for quantity in quantities])
    least = max(MIN_LEAF_ROWS, int(MIN_LEAF_SHARE * len(labels)))
    model = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=min(least, len(labels)), random_state=seed
    )
    # Trees compare in float32.
    size = np.maximum(np.abs(columns).max(axis=0), np.finfo(float).tiny)
    model.fit(columns / size, labels, sample_weight=weights)
    leaves: dict[int, list[tuple[Comparison, ...]]] = {}
    for label, comparisons in _joined(model.tree_, 0, model.classes_, quantities, size):
        leaves.setdefault(label, []).append(comparisons)
    return {label: Condition(tuple(found)) for label, found in sorted(leaves.items())}


def _columns(points: np.ndarray, names: Sequence[str]) -> list[_Quantity]:
    levels = few_values(points)
    categories = _categories(points, names)
    return [
        _Quantity(symbol(name), points[:, k], levels.get(k, ()), categories.get(k))
        for k, name in enumerate(names)
        if np.ptp(points[:, k]) > 0
    ]


def _categories(points: np.ndarray, names: Sequence[str]) -> dict[int, Level]:
    """Levels by the columns of one-hot blocks whose columns have a name in common."""
    found: dict[int, Level] = {}
    for block in one_hot_blocks(points):
        named = level_names([names[k] for k in block])
        if named is not None and named[0] not in names:
            category, levels = named
            found |= {k: Level(category, level, levels) for k, level in zip(block, levels)}
    return found


def _best_pair(
    points: np.ndarray,
    names: Sequence[str],
    plain: Sequence[_Quantity],
    labels: np.ndarray,
    weights: np.ndarray | None,
    seed: int,
) -> list[_Quantity]:
    """The sum of two columns that divides the labels clearly better than any column does."""
    from sklearn.linear_model import LogisticRegression

    weights = np.ones(len(labels)) if weights is None else weights
    found = None
    for label in np.unique(labels)[:1] if len(np.unique(labels)) == 2 else np.unique(labels):
        target = labels == label
        if target.all():
            return []
        shares = [_divided(quantity.values, target, weights) for quantity in plain]
        best = max(shares, default=0.0)
        smooth = [k for k in np.argsort(shares)[::-1] if not plain[k].levels]
        for one, other in combinations(sorted(smooth[:MAX_PAIRED_COLUMNS]), 2):
            two = np.column_stack([plain[one].values, plain[other].values])
            widths = two.std(axis=0)
            model = LogisticRegression(C=100.0, max_iter=200)
            model.fit((two - two.mean(axis=0)) / widths, target, sample_weight=weights)
            slopes = model.coef_[0] / widths
            if not (slopes != 0).all():
                continue
            slopes = slopes / slopes[0]
            share = _divided(two @ slopes, target, weights)
            if share > best + GAIN_OF_PAIR and (found is None or share > found[0]):
                found = share, plain[one], plain[other], float(slopes[1]), target
    if found is None:
        return []
    share, first, second, slope, target = found
    for way in _simple_slopes(slope):
        values = first.values + way * second.values
        if way == slope or _divided(values, target, weights) >= share - ROUNDED_ROWS:
            number = sympy.Integer(int(way)) if way in (1, -1) else sympy.Float(way)
            return [_Quantity(first.expression + number * second.expression, values)]
    return []


def _simple_slopes(slope: float) -> Iterator[float]:
    if abs(abs(slope) - 1) < NEARLY_EQUAL:
        yield float(np.sign(slope))
    yield from (float(f"{slope:.{digits}g}") for digits in (1, 2, 3))
    yield slope


def _divided(values: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Largest share of the weight that one threshold puts on the right sides."""
    order = np.argsort(values, kind="stable")
    signed = np.where(target, weights, -weights)[order]
    below = np.concatenate([[0.0], np.cumsum(signed)])
    # Between equal values there is no threshold.
    ends = np.concatenate([[True], np.diff(values[order]) > 0, [True]])
    right = np.where(ends, 2 * below - below[-1], 0.0)
    return float(0.5 + 0.5 * np.abs(right).max() / weights.sum())


def _joined(
    tree: Any, node: int, classes: np.ndarray, quantities: Sequence[_Quantity], size: np.ndarray
) -> list[tuple[int, tuple[Comparison, ...]]]:
    """Label and comparisons of each leaf below a node; leaves side by side of one label join."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        return [(int(classes[int(np.argmax(tree.value[node][0]))]), ())]
    below = _joined(tree, left, classes, quantities, size)
    above = _joined(tree, right, classes, quantities, size)
    if len(below) == len(above) == 1 and below[0][0] == above[0][0]:
        return [(below[0][0], ())]
    quantity = quantities[tree.feature[node]]
    cut = _rounded(float(tree.threshold[node] * size[tree.feature[node]]), quantity)
    below_cut, above_cut = (
        tuple(level for level in quantity.levels if (level <= cut) == wanted)
        for wanted in (True, False)
    )
    under = Comparison(quantity.expression, high=cut, levels=below_cut, level=quantity.level)
    over = Comparison(quantity.expression, low=cut, levels=above_cut, level=quantity.level)
    return [
        (label, _with(side, comparisons))
        for side, found in ((under, below), (over, above))
        for label, comparisons in found
    ]


def _with(outer: Comparison, inner: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """Comparisons together with an outer one; two of one quantity become one."""
    others = tuple(one for one in inner if one.quantity != outer.quantity)
    same = [one for one in inner if one.quantity == outer.quantity]
    return (outer.narrowed(same[0]) if same else outer, *others)


def _rounded(cut: float, quantity: _Quantity) -> float:
    """The threshold of fewest digits with nearly the same rows on either side."""
    values = np.sort(quantity.values)
    place = int(np.searchsorted(values, cut))
    moved = 0 if quantity.levels else int(ROUNDED_ROWS * len(values))
    low = values[max(place - 1 - moved, 0)]
    high = values[min(place + moved, len(values) - 1)]
    if not low < high:
        return cut
    # The value itself belongs to the lower side.
    middle = (low + high) / 2
    low, high = low + 1e-3 * (middle - low), high - 1e-3 * (high - middle)
    return 0.0 if low <= 0 <= high else roundest(low, high)
