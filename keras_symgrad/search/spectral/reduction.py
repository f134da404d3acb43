"""Reduction: fewer coordinates, from ratios of partial derivatives that are products of powers.

`separability` joins variables that enter through a function of theirs alone. Here the function may
have other coordinates as parameters, such as x3 in h = x1 + x2*x3**2:

    f = F(h(a, b; c), c)   =>   f_a : f_b = h_a : h_b

where the partial derivatives are those among the coordinates a, b, c. Where the ratio is a product
of powers of coordinates, its logarithm is linear in theirs, and h follows by integration:

    f_a : f_b = k p(c) a**m b**n   =>   h = k p(c) a**(m + 1)/(m + 1) + b**(1 - n)/(1 - n)

h replaces a and b, and the ratios among the coordinates that are left are read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, combinations_with_replacement

import numpy as np

from keras_symgrad.gradients import GradientField
from keras_symgrad.search.spectral.features import Feature, FeatureMaker, Nodes
from keras_symgrad.search.spectral.linear_combination import as_sum, product_of_powers

# More coordinates than these are not reduced: there would be too many pairs.
MOST_COORDINATES = 10
# Exponents are multiples of one half, up to the largest, and at most this far from one.
MAX_EXPONENT = 6.0
NEARLY_HALVES = 0.05
# Smallest share of the rows that have a ratio, and largest mean squared error of its logarithm.
MIN_ROWS = 0.9
MAX_ERROR = 0.1
# Error of a law that is exact but for rounding.
EXACT_ERROR = 1e-14
# Largest ratio of the error of a law to that of a quadratic function, on held-out rows.
MAX_ERROR_RATIO = 1.3
# Sets of coordinates that are reduced further, and that are returned.
BEAM = 6
MAX_FOUND = 2
# A weight is rounded to a multiple of 1/12 within this relative distance, or within this many
# standard deviations.
NEARLY_SIMPLE = 1e-6
MAX_DEVIATIONS = 3.0

_Chart = tuple[Feature, ...]


@dataclass(frozen=True, eq=False)
class _PowerLaw:
    """A factor, with its relative standard deviation, times powers of all coordinates."""

    factor: float
    deviation: float
    exponents: np.ndarray


class Reduction:
    """Search for coordinates that are fewer than the variables.

    Args:
        maker: makes the functions.
        field: directions in a metric that keeps variables apart.
        rows: weights of the rows, of sum 1.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> from keras_symgrad.expressions import Alphabet
    >>> a, b, c = x = np.random.default_rng(0).uniform(0.5, 2, (3, 300))
    >>> gradients = np.stack([1 / b, c**2 - a / b**2, 2 * b * c], axis=1)  # a/b + b*c**2
    >>> field = GradientField.from_gradients(x.T, gradients, names=["a", "b", "c"])
    >>> maker = FeatureMaker(Alphabet(OperatorSet("default"), field.names))
    >>> reduction = Reduction(maker, field, np.full(300, 1 / 300))
    >>> [str(coordinate.tree) for coordinate in reduction.coordinates([0, 1, 2])[0]]
    ['div(b, add(a, mul(square(b), square(c))))']
    """

    def __init__(self, maker: FeatureMaker, field: GradientField, rows: np.ndarray):
        self.maker, self.field, self.rows = maker, field, rows
        self.variables = maker.variables(field.points, field.frame)

    def coordinates(self, columns: Sequence[int]) -> list[_Chart]:
        """The smallest sets of coordinates to which variables can be reduced.

        Args:
            columns: of the variables.

        Returns:
            Sets of coordinates, the shortest first; none if no two variables can be joined.
        """
        if not 2 <= len(columns) <= MOST_COORDINATES or not self.field.keeps_variables_apart:
            return []
        charts: list[_Chart] = [tuple(self.variables[k] for k in columns)]
        found: list[_Chart] = []
        while charts:
            shortest: dict[frozenset[bytes], _Chart] = {}
            for chart in sorted(chain.from_iterable(map(self._joined, charts)), key=_length):
                # The same coordinates, or functions of one of them, in any order.
                shortest.setdefault(frozenset(c.level_sets for c in chart), chart)
            charts = list(shortest.values())[:BEAM]
            found = charts or found
        return found[:MAX_FOUND]

    def _joined(self, chart: _Chart) -> Iterator[_Chart]:
        """Charts in which two coordinates have become one."""
        if len(chart) < 2:
            return
        partials = self._partials(chart)
        for pair in combinations(range(len(chart)), 2):
            ratio = self._ratio(chart, partials, *pair)
            for nodes in self._integrals(chart, *pair, ratio) if ratio else ():
                feature = self.maker.of_tree(nodes, self.variables)
                if self.maker.is_usable(feature):
                    yield (feature, *(c for k, c in enumerate(chart) if k not in pair))

    def _partials(self, chart: _Chart) -> np.ndarray:
        """The partial derivatives of the field by the coordinates, `(rows, coordinates)`."""
        jacobian = np.stack([c.gradients for c in chart], axis=2)
        widths = np.sqrt((jacobian**2).mean(axis=(0, 1)))
        inverse = np.linalg.pinv(jacobian / widths)
        return np.einsum("rca,ra->rc", inverse, self.field.directions) / widths

    def _ratio(self, chart: _Chart, partials: np.ndarray, a: int, b: int) -> _PowerLaw | None:
        """The ratio of two partial derivatives, if it is a product of powers.

        An error of the direction in the plane of a and b by an angle t changes log(f_a/f_b) by
        t/(sin cos): rows have the weights with which squared residuals are squares of angles.
        """
        first, second = partials[:, a], partials[:, b]
        values = np.stack([c.values for c in chart], axis=1)
        with np.errstate(all="ignore"):
            logs, target = np.log(np.abs(values)), np.log(np.abs(first / second))
            weights = self.rows / (1 / first**2 + 1 / second**2)
        usable = np.flatnonzero(np.isfinite(logs).all(axis=0))
        good = np.isfinite(target) & (weights > 0)
        if good.mean() < MIN_ROWS:
            return None
        target, values, weights = target[good], values[good], weights[good]
        weights = weights / weights.sum()
        linear = np.column_stack([np.ones(len(target)), logs[good][:, usable]])
        exponents = np.zeros(len(chart))
        exponents[usable] = _fitted(linear, target, weights)[1:]
        halves = np.round(2 * exponents) / 2
        if np.abs(exponents - halves).max() > NEARLY_HALVES or np.abs(halves).max() > MAX_EXPONENT:
            return None
        roots, odd = values[:, halves % 1 != 0], values[:, halves % 2 == 1]
        sign = weights @ (np.sign(first * second)[good] * np.sign(odd).prod(axis=1))
        rest = target - linear[:, 1:] @ halves[usable]
        squares = (rest - weights @ rest) ** 2
        if (
            abs(sign) < MIN_ROWS
            or (roots < 0).any()
            or not _holds(linear, target, weights, squares)
        ):
            return None
        factor = np.sign(sign) * np.exp(weights @ rest)
        deviation = np.sqrt((weights @ squares) * (weights @ weights))
        return _PowerLaw(float(factor), float(deviation), halves)

    def _integrals(self, chart: _Chart, a: int, b: int, ratio: _PowerLaw) -> Iterator[Nodes]:
        """Functions h with h_a : h_b = ratio: a sum of a power of a and one of b.

        h may be divided by a product of powers of the other coordinates: as it is, with the
        parameters at b, and without denominators.
        """
        parameters = ratio.exponents.copy()
        parameters[[a, b]] = 0
        powers = ratio.exponents[a] + 1, 1 - ratio.exponents[b]
        factor = _simple(ratio.factor * (powers[1] or 1) / (powers[0] or 1), ratio.deviation)
        if powers == (0, 0) and not parameters.any():
            yield from self._product(chart, a, b, factor)
            return
        scales = {tuple(0 * parameters), tuple(parameters), tuple(np.minimum(parameters, 0))}
        for scale in map(np.array, sorted(scales)):
            terms = [
                (factor, self._power(chart, parameters - scale, a, powers[0])),
                (1.0, self._power(chart, -scale, b, powers[1])),
            ]
            written = [(weight, nodes) for weight, nodes in terms if nodes]
            nodes = as_sum(written, self.maker.alphabet) if len(written) == 2 else None
            if nodes:
                yield nodes

    def _product(self, chart: _Chart, a: int, b: int, factor: float) -> Iterator[Nodes]:
        """a**factor * b, or a power of it that does not hide the sign of a or b."""
        bases = [chart[a], chart[b]]
        for multiple in (1, 2, 3):
            powers = np.array([round(multiple * factor), multiple])
            if powers[0] and abs(multiple * factor - powers[0]) < NEARLY_HALVES:
                signed = [
                    p % 2 == 0 and f.values.min() < 0 < f.values.max()
                    for f, p in zip(bases, powers)
                ]
                exponents = powers / 2 if any(signed) else powers
                nodes = product_of_powers(
                    [f.nodes for f in bases], exponents.tolist(), self.maker.alphabet
                )
                if nodes:
                    yield nodes
                return

    def _power(self, chart: _Chart, scale: np.ndarray, k: int, power: float) -> Nodes | None:
        """A product of powers, and a power of one coordinate; its logarithm for the power 0."""
        bases = [c.nodes for c in chart]
        exponents = scale.copy()
        if power:
            exponents[k] = power
        else:
            name = next((n for n in ("log", "log_abs") if n in self.maker.alphabet.primitives), "")
            if not name:
                return None
            bases.append((self.maker.alphabet.primitives[name], *bases[k]))
            exponents = np.append(exponents, 1.0)
        return product_of_powers(bases, exponents.tolist(), self.maker.alphabet)


def _length(chart: _Chart) -> int:
    return sum(len(coordinate.nodes) for coordinate in chart)


def _holds(
    linear: np.ndarray, target: np.ndarray, weights: np.ndarray, squares: np.ndarray
) -> bool:
    """Return whether the errors of a power law are those of the field, and not of the law.

    A quadratic function of the logarithms is fitted to half of the rows. On the others its errors
    are smaller than the law's if the law is an approximation.
    """
    if weights @ squares < EXACT_ERROR:
        return True
    if weights @ squares > MAX_ERROR:
        return False
    pairs = combinations_with_replacement(linear.T, 2)
    quadratic = np.stack([one * other for one, other in pairs], axis=1)
    fitted = np.arange(len(target)) % 2 == 0
    solution = _fitted(quadratic[fitted], target[fitted], weights[fitted])
    errors = (target - quadratic @ solution) ** 2
    return bool(
        (weights * squares)[~fitted].sum() < MAX_ERROR_RATIO * (weights * errors)[~fitted].sum()
    )


def _fitted(matrix: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights)
    return np.linalg.lstsq(matrix * root[:, None], target * root, rcond=1e-12)[0]


def _simple(weight: float, deviation: float) -> float:
    near = round(12 * weight) / 12
    close = abs(weight - near) <= max(NEARLY_SIMPLE, MAX_DEVIATIONS * deviation) * abs(weight)
    return near if close else weight
