"""Basis functions of approximations: products of powers, hinges, steps and transforms of columns.

A column of few values is bent only in ways that its values can tell: one of zeros and ones enters
by itself, one of three values by its square besides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import sympy

from keras_symgrad.expressions import Complexity, OperatorSet, symbol
from keras_symgrad.gradients import roundest

# Quantiles of a column at which hinges and steps stand.
THRESHOLDS = (0.1, 0.25, 0.4, 0.6, 0.75, 0.9)
# How far a threshold may be moved to a rounder number, in standard deviations.
THRESHOLD_TOLERANCE = 0.08
# The width of a smooth step, in standard deviations.
STEP_WIDTH = 0.25
# Share of a term's variance that one row may have.
MOST_OF_ONE_ROW = 0.25
# Columns whose middle is further from zero, in standard deviations, are squared around it as well.
FAR_FROM_ZERO = 0.5
# Columns whose least value is above this share of the greatest enter quotients and logarithms.
CLEARLY_POSITIVE = 1e-3
# Where zero is not far below the least value: how much longer the least tenth of the values is than
# the next four, in logarithms (1.3 for 300 rows of a lognormal law, 2.1 for a uniform one, 6 for a
# normal law that happens to be positive), and the least number of things counted.
LONGEST_TAIL = 1.7
FEWEST_OF_COUNTS = 10
# The exponential of a column is tried where its exponents stay below it.
LARGEST_EXPONENT = 10.0
# A column of at most this number of values gets no bend at its quantiles.
MAX_LEVELS = 12
# Quotients are tried among so few columns: there are twice as many as pairs.
MAX_QUOTIENT_COLUMNS = 12


@dataclass(frozen=True)
class Transform:
    """A function of one column, in NumPy and in SymPy.

    Attributes:
        compute: of an array and the parameters.
        write: of a symbol and the parameters.
        operators: that it is written with.
        constants: number of constants in it that weigh as such.
    """

    compute: Callable[..., np.ndarray]
    write: Callable[..., sympy.Expr]
    operators: tuple[str, ...] = ()
    constants: int = 0


TRANSFORMS = {
    "itself": Transform(lambda x: x, lambda x: x),
    "shifted": Transform(lambda x, c: x - c, lambda x, c: x - c, ("sub",), 1),
    "square": Transform(lambda x: x**2, lambda x: x**2, ("square",)),
    "shifted square": Transform(
        lambda x, c: (x - c) ** 2, lambda x, c: (x - c) ** 2, ("sub", "square"), 1
    ),
    "above": Transform(
        lambda x, c: np.maximum(x - c, 0), lambda x, c: sympy.Max(x - c, 0), ("sub", "relu"), 1
    ),
    "below": Transform(
        lambda x, c: np.maximum(c - x, 0), lambda x, c: sympy.Max(c - x, 0), ("sub", "relu"), 1
    ),
    "step": Transform(
        lambda x, c, s: np.tanh(s * x - s * c),
        lambda x, c, s: sympy.tanh(s * x - exact(float(f"{float(s * c):.12g}"))),
        ("sub", "mul", "tanh"),
        2,
    ),
    "logarithm": Transform(np.log, sympy.log, ("log",)),
    "root": Transform(np.sqrt, sympy.sqrt, ("sqrt",)),
    "inverse": Transform(lambda x: 1 / x, lambda x: 1 / x, ("div",)),
    "exponential": Transform(np.exp, sympy.exp, ("exp",)),
}


@dataclass(frozen=True)
class Factor:
    """A transform of one column.

    Attributes:
        column: its number.
        transform: name of the transform.
        parameters: of the transform.
    """

    column: int
    transform: str = "itself"
    parameters: tuple[float, ...] = ()

    def values(self, x: np.ndarray) -> np.ndarray:
        """At points `(rows, columns)`, `(rows,)`."""
        return TRANSFORMS[self.transform].compute(x[:, self.column], *self.parameters)

    def expression(self, names: Sequence[str]) -> sympy.Expr:
        """In real symbols."""
        numbers = [exact(number) for number in self.parameters]
        return TRANSFORMS[self.transform].write(symbol(names[self.column]), *numbers)

    def cost(self, complexity: Complexity) -> float:
        """Its complexity."""
        transform = TRANSFORMS[self.transform]
        numbers = list(self.parameters)[: transform.constants]
        operators = transform.operators
        if self.parameters and self.parameters[0] == 0:  # nothing is subtracted
            operators, numbers = operators[1:], numbers[1:]
        if self.transform == "inverse":
            numbers = [1.0]
        nodes: list[str | int | float] = [*operators, self.column, *numbers]
        return sum(complexity.of_node(node) for node in nodes)


@dataclass(frozen=True)
class BasisFunction:
    """A product of factors of different columns, without a coefficient.

    Attributes:
        factors: one at least.

    Example:

    >>> hinge = BasisFunction((Factor(0), Factor(1, "above", (0.5,))))
    >>> hinge.expression(["x", "y"])
    x*Max(0, y - 0.5)
    >>> hinge.values(np.array([[2.0, 1.5], [3.0, 0.0]])).tolist()
    [2.0, 0.0]
    """

    factors: tuple[Factor, ...]

    def values(self, x: np.ndarray) -> np.ndarray:
        """At points `(rows, columns)`, `(rows,)`."""
        product = self.factors[0].values(x)
        for factor in self.factors[1:]:
            product = product * factor.values(x)
        return product

    def expression(self, names: Sequence[str]) -> sympy.Expr:
        """In real symbols."""
        return sympy.Mul(*(factor.expression(names) for factor in self.factors))

    def cost(self, complexity: Complexity) -> float:
        """Its complexity."""
        whole = sum(factor.cost(complexity) for factor in self.factors)
        inverses = sum(factor.transform == "inverse" for factor in self.factors)
        joined = (len(self.factors) - 1) * complexity.of_node("mul")
        if 0 < inverses < len(self.factors):  # x/y is one operation, and 1/y two words more
            whole -= inverses * (complexity.of_node("mul") + complexity.of_node(1.0))
        return whole + joined

    @property
    def is_linear(self) -> bool:
        """True if it is a column as it is."""
        return len(self.factors) == 1 and self.factors[0].transform == "itself"

    def times(self, other: BasisFunction) -> BasisFunction | None:
        """The product with another one; `None` if they have a column in common."""
        mine, others = ({f.column for f in one.factors} for one in (self, other))
        if mine & others:
            return None
        factors = (*self.factors, *other.factors)
        return BasisFunction(tuple(sorted(factors, key=lambda f: (f.column, f.transform))))


@dataclass(frozen=True, eq=False)
class GivenFunction:
    """A function that a search found, as a term.

    Attributes:
        found: its expression.
        weight: its complexity.
        compute: its values at points.
    """

    found: sympy.Expr
    weight: float
    compute: Callable[[np.ndarray], np.ndarray]

    @cached_property
    def is_linear(self) -> bool:
        """True for a sum of columns as they are, with any coefficients."""
        return all(self.found.diff(one).is_number for one in self.found.free_symbols)

    def values(self, x: np.ndarray) -> np.ndarray:
        """At points `(rows, columns)`, `(rows,)`."""
        return self.compute(x)

    def expression(self, names: Sequence[str]) -> sympy.Expr:
        """In real symbols."""
        return self.found

    def cost(self, complexity: Complexity) -> float:
        """Its complexity."""
        return self.weight


Term = BasisFunction | GivenFunction


@dataclass(frozen=True)
class Column:
    """A column of the data, as basis functions need it.

    Attributes:
        index: its number.
        values: finite, `(rows,)`.
        levels: number of distinct values, where they are few; else 0.
    """

    index: int
    values: np.ndarray
    levels: int

    @classmethod
    def of(cls, index: int, values: np.ndarray) -> Column:
        """The column of a number, from its values."""
        distinct = len(np.unique(values))
        return cls(index, values, distinct if distinct <= MAX_LEVELS else 0)

    @cached_property
    def width(self) -> float:
        """Standard deviation."""
        return float(self.values.std())

    def near(self, number: float) -> float:
        """A rounder number near one."""
        tolerance = THRESHOLD_TOLERANCE * self.width
        low, high = number - tolerance, number + tolerance
        return 0.0 if low <= 0 <= high else roundest(low, high)

    @cached_property
    def middle(self) -> float:
        """A round number near the median."""
        return self.near(float(np.median(self.values)))

    @cached_property
    def is_positive(self) -> bool:
        """True if all values are above zero, and the next ones are likely to be."""
        least, low, middle = np.quantile(self.values, [0, 0.1, 0.5])
        if not least > CLEARLY_POSITIVE * self.values.max():
            return False
        if least < FEWEST_OF_COUNTS and bool((self.values == np.round(self.values)).all()):
            return bool(2 * least > middle)
        # The least tenth goes on for as long again, on a linear scale or on that of logarithms.
        if 2 * least > low:
            return True
        return bool(np.log(low / least) < LONGEST_TAIL * np.log(middle / low))

    def factors(self) -> Iterable[Factor]:
        """Its transforms that differ on its values."""
        if self.width == 0:
            return
        yield Factor(self.index)
        if self.levels == 2:
            return
        yield Factor(self.index, "square")
        if self.levels == 3:
            return
        if self.is_off_zero:
            yield Factor(self.index, "shifted square", (self.middle,))
        low, high = self.values.min(), self.values.max()
        thresholds = dict.fromkeys(self.near(float(q)) for q in self.quantiles)
        for threshold in (c for c in thresholds if low < c < high):
            yield Factor(self.index, "above", (threshold,))
            yield Factor(self.index, "below", (threshold,))
            if not self.levels:
                steepness = float(f"{1 / (STEP_WIDTH * self.width):.1g}")
                yield Factor(self.index, "step", (threshold, steepness))
        if self.is_positive:
            yield Factor(self.index, "logarithm")
            yield Factor(self.index, "root")
            yield Factor(self.index, "inverse")
        if np.abs(self.values).max() < LARGEST_EXPONENT:
            yield Factor(self.index, "exponential")

    @property
    def quantiles(self) -> np.ndarray:
        """Where hinges may stand: between its values, where they are few."""
        if self.levels:
            return np.unique(self.values)[1:-1]
        return np.quantile(self.values, THRESHOLDS)

    @property
    def around_middle(self) -> Factor:
        """The column, less a number in its middle if that is off zero."""
        if self.is_off_zero:
            return Factor(self.index, "shifted", (self.middle,))
        return Factor(self.index)

    @property
    def is_off_zero(self) -> bool:
        """True if squares and products around zero are nearly linear functions of the column."""
        return abs(self.middle) > FAR_FROM_ZERO * self.width


def basis(x: np.ndarray, paired: Collection[int] | None = None) -> list[BasisFunction]:
    """Transforms of single columns, products and quotients of two.

    Args:
        x: data `(rows, columns)`, finite.
        paired: numbers of the columns whose transforms, products and quotients are taken; all by
            default. The others are only taken as they are.

    Returns:
        Basis functions: the columns that vary first.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> x[:, 1] = x[:, 1] > 0
    >>> both = basis(x)
    >>> [one.is_linear for one in both[:3]], both[-1].expression(["x", "male"])
    ([True, True, False], male*x)
    """
    columns = [Column.of(index, values) for index, values in enumerate(x.T)]
    columns = [column for column in columns if column.width > 0]
    singles = [
        factor
        for column in columns
        for factor in column.factors()
        if factor.transform == "itself" or paired is None or column.index in paired
    ]
    singles.sort(key=lambda factor: factor.transform != "itself")
    found = [BasisFunction((factor,)) for factor in singles]
    if paired is not None:
        columns = [column for column in columns if column.index in paired]
    few = len(columns) <= MAX_QUOTIENT_COLUMNS
    for one, other in combinations(columns, 2):
        found.append(BasisFunction((Factor(one.index), Factor(other.index))))
        if one.is_off_zero or other.is_off_zero:
            # Around zero it would say nearly what its columns say.
            if 2 not in (one.levels, other.levels):
                found.append(BasisFunction((one.around_middle, other.around_middle)))
        if few:
            for above, below in ((one, other), (other, one)):
                if below.is_positive and not below.levels:
                    found.append(
                        BasisFunction((Factor(above.index), Factor(below.index, "inverse")))
                    )
    return found


def most_used(points: np.ndarray, values: np.ndarray, most: int) -> list[int]:
    """Numbers of the columns that values are correlated with most, linearly or in their squares.

    Args:
        points: data `(rows, columns)`.
        values: of one function or several there, `(rows, functions)`.
        most: number of columns.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> most_used(x, x[:, 1:2] - x[:, 3:] ** 2, 2)
    [1, 3]
    """
    if points.shape[1] <= most:
        return list(range(points.shape[1]))
    values, centred = _unit(values), _unit(points)
    squares = _unit(centred**2)
    strength = np.maximum(
        np.abs(centred.T @ values).max(axis=1), np.abs(squares.T @ values).max(axis=1)
    )
    return sorted(np.argsort(-strength, kind="stable")[:most].tolist())


def _unit(columns: np.ndarray) -> np.ndarray:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def products(
    chosen: Sequence[BasisFunction], singles: Sequence[BasisFunction]
) -> list[BasisFunction]:
    """Products of chosen basis functions with each other and with more.

    Args:
        chosen: that did well.
        singles: functions of one column that they are multiplied with.

    Returns:
        Different basis functions, none of two factors of one column.
    """
    found = [one.times(other) for one in chosen for other in (*chosen, *singles)]
    return list(dict.fromkeys(product for product in found if product is not None))


def exact(number: float) -> sympy.Number:
    """A whole number as such, any other as a float."""
    return sympy.Integer(int(number)) if float(number).is_integer() else sympy.Float(number)


def writable(terms: Iterable[BasisFunction], operators: OperatorSet) -> list[BasisFunction]:
    """The terms whose transforms a set of operators can write.

    Args:
        terms: any.
        operators: the set.
    """

    def fits(term: BasisFunction) -> bool:
        needed = {name for f in term.factors for name in TRANSFORMS[f.transform].operators}
        if len(term.factors) > 1:
            needed.add("mul")
        return all(name in operators for name in needed)

    return [term for term in terms if fits(term)]


def standardized(
    terms: Sequence[BasisFunction], points: np.ndarray, rows: int
) -> tuple[list[BasisFunction], np.ndarray, np.ndarray, np.ndarray]:
    """Values of terms, of mean 0 and standard deviation 1 at the first rows.

    Args:
        terms: any.
        points: `(points, columns)`.
        rows: how many of the points are data rows.

    Returns:
        The terms that are finite at all points and not constant at the rows, their standardized
        values `(points, terms)`, and their means and standard deviations, `(terms,)`.
    """
    with np.errstate(all="ignore"):
        columns = np.column_stack([term.values(points) for term in terms])
    at = columns[:rows]
    spread = at.std(axis=0)
    fits = np.isfinite(columns).all(axis=0) & (spread > 0)
    # A product that one row makes is no more than that row.
    with np.errstate(all="ignore"):
        most = np.square(at - at.mean(axis=0)).max(axis=0) / (rows * spread**2)
    linear = np.array([term.is_linear for term in terms], bool)
    kept = np.flatnonzero(fits & (linear | (most <= MOST_OF_ONE_ROW)))
    centres, widths = columns[:rows, kept].mean(axis=0), spread[kept]
    return [terms[int(k)] for k in kept], (columns[:, kept] - centres) / widths, centres, widths
