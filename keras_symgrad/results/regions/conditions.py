"""Conditions on one or two inputs, as thresholds that people can read."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.formats import from_text, to_pretty, to_text
from keras_symgrad.files import Record


@dataclass(frozen=True)
class Level:
    """A level of a category, which a column of zeros and ones stands for.

    Attributes:
        category: its name.
        name: of the level.
        levels: of the category, all of them.

    Example:

    >>> Level("species", "Adelie", ("Adelie", "Gentoo", "Chinstrap")).text({"Gentoo", "Chinstrap"})
    'species is not Adelie'
    """

    category: str
    name: str
    levels: tuple[str, ...]

    def text(self, allowed: Collection[str]) -> str:
        """The condition that the category has one of some levels."""
        inside, outside = (
            [level for level in self.levels if (level in allowed) == wanted]
            for wanted in (True, False)
        )
        if len(inside) == 1:
            return f"{self.category} is {inside[0]}"
        if len(outside) == 1:
            return f"{self.category} is not {outside[0]}"
        return f"{self.category} in {{{', '.join(inside)}}}"

    def to_dict(self) -> dict[str, Any]:
        """The level as plain data."""
        return {"category": self.category, "name": self.name, "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Level:
        """Read a level from the plain data of `to_dict`."""
        record = Record.of(content)
        return cls(record.text("category"), record.text("name"), record.texts("levels"))


@dataclass(frozen=True)
class Comparison:
    """A quantity between two thresholds: low < quantity <= high.

    Attributes:
        quantity: an input, or a sum of two, in real symbols.
        low: infinite where there is no lower end.
        high: infinite where there is no upper end.
        levels: the values in between, of a column that takes only a few.
        level: of a category, where the quantity is one of its columns of zeros and ones.

    Example:

    >>> print(Comparison(symbol("x3"), low=0.5), "|", Comparison(symbol("kind"), 0, 2, (1.0,)))
    x3 > 0.5 | kind = 1
    """

    quantity: sympy.Expr
    low: float = -math.inf
    high: float = math.inf
    levels: tuple[float, ...] = ()
    level: Level | None = None

    @property
    def allowed(self) -> frozenset[str]:
        """Levels of the category that satisfy it."""
        if self.level is None:
            return frozenset()
        is_one = 1.0 in self.levels
        return frozenset(
            level for level in self.level.levels if (level == self.level.name) == is_one
        )

    def values(self, points: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The quantity at points `(rows, variables)`, `(rows,)`."""
        return numpy_function([self.quantity], [symbol(name) for name in names])(points)[:, 0]

    def holds(self, points: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Test which points `(rows, variables)` satisfy it: booleans `(rows,)`."""
        values = self.values(points, names)
        return (values > self.low) & (values <= self.high)

    def narrowed(self, other: Comparison) -> Comparison:
        """Both comparisons of the same quantity in one."""
        levels = tuple(level for level in self.levels if level in other.levels)
        return Comparison(
            self.quantity, max(self.low, other.low), min(self.high, other.high), levels, self.level
        )

    def is_opposite_of(self, other: Comparison) -> bool:
        """Return whether each point satisfies one of two comparisons, and none both."""
        if self.quantity != other.quantity or self.levels or other.levels:
            return False
        ends = {(self.low, self.high), (other.low, other.high)}
        cuts = {end for pair in ends for end in pair if math.isfinite(end)}
        return len(cuts) == 1 and ends == {(-math.inf, *cuts), (*cuts, math.inf)}

    def to_sympy(self) -> sympy.Expr:
        """The comparison as a relation, or two of them."""
        low, high = sympy.Float(self.low), sympy.Float(self.high)
        parts = [] if self.low == -math.inf else [self.quantity > low]
        parts += [] if self.high == math.inf else [self.quantity <= high]
        return sympy.And(*parts)

    def __str__(self) -> str:
        if self.level is not None and len(self.levels) == 1:
            return self.level.text(self.allowed)
        quantity = to_pretty(self.quantity)
        if len(self.levels) == 1:
            return f"{quantity} = {self.levels[0]:g}"
        if self.levels:
            return f"{quantity} in {{{', '.join(f'{level:g}' for level in self.levels)}}}"
        if self.low == -math.inf:
            return f"{quantity} <= {self.high:.10g}"
        if self.high == math.inf:
            return f"{quantity} > {self.low:.10g}"
        return f"{self.low:.10g} < {quantity} <= {self.high:.10g}"

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """The comparison as plain data; an end that is infinite is `None`."""
        level = {} if self.level is None else {"level": self.level.to_dict()}
        return {
            **level,
            "quantity": to_text(self.quantity, names=names),
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "levels": list(self.levels),
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: Sequence[str]) -> Comparison:
        """Read a comparison from the plain data of `to_dict`."""
        record = Record.of(content)
        return cls(
            from_text(record.text("quantity"), names),
            record.number("low", -math.inf),
            record.number("high", math.inf),
            tuple(record.numbers("levels")),
            record.maybe("level", Level.from_dict),
        )


@dataclass(frozen=True)
class Condition:
    """Alternatives, each of comparisons that hold together.

    Attributes:
        alternatives: one of them must hold; none for a condition that is never satisfied. An
            alternative without comparisons is always satisfied.

    Example:

    >>> wide = Condition(((Comparison(symbol("a"), low=1.0), Comparison(symbol("b"), high=0.0)),))
    >>> print(wide, wide.holds(np.array([[2.0, -1.0], [0.0, -1.0]]), ("a", "b")))
    a > 1 and b <= 0 [ True False]
    >>> print(Condition.everywhere())
    everywhere
    """

    alternatives: tuple[tuple[Comparison, ...], ...]

    @classmethod
    def everywhere(cls) -> Condition:
        """The condition that all points satisfy."""
        return cls(((),))

    @property
    def is_everywhere(self) -> bool:
        """True if all points satisfy it."""
        return any(not comparisons for comparisons in self.alternatives)

    def holds(self, points: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Test which points satisfy it.

        Args:
            points: `(rows, variables)`.
            names: of the variables.

        Returns:
            Booleans `(rows,)`.
        """
        found = np.zeros(len(points), bool)
        for comparisons in self.alternatives:
            inside = np.ones(len(points), bool)
            for comparison in comparisons:
                inside &= comparison.holds(points, names)
            found |= inside
        return found

    def to_sympy(self) -> sympy.Expr:
        """The condition as a Boolean expression."""
        return sympy.Or(*(sympy.And(*(c.to_sympy() for c in found)) for found in self.alternatives))

    def __str__(self) -> str:
        if not self.alternatives:
            return "nowhere"
        if self.is_everywhere:
            return "everywhere"
        texts = [" and ".join(_texts(found)) for found in _shortened(list(self._joined()))]
        texts += [level.text(allowed) for level, allowed in self._categories().values()]
        if len(texts) == 1:
            return texts[0]
        return " or ".join(f"({text})" if " and " in text else text for text in texts)

    def _joined(self) -> Iterator[tuple[Comparison, ...]]:
        """The alternatives; levels of one column that stand alone are one list."""
        alone: dict[sympy.Expr, tuple[float, ...]] = {}
        for comparisons in self.alternatives:
            if _category(comparisons):
                continue
            if len(comparisons) == 1 and comparisons[0].levels:
                one = comparisons[0]
                alone[one.quantity] = (*alone.get(one.quantity, ()), *one.levels)
            else:
                yield comparisons
        for quantity, levels in alone.items():
            yield (Comparison(quantity, levels=tuple(sorted(levels))),)

    def _categories(self) -> dict[str, tuple[Level, frozenset[str]]]:
        """Levels that satisfy the alternatives which are of one category alone, by its name."""
        found: dict[str, tuple[Level, frozenset[str]]] = {}
        for comparisons in self.alternatives:
            if level := _category(comparisons):
                _, before = found.get(level.category, (level, frozenset()))
                found[level.category] = level, before | _common(comparisons)
        return found

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """The text and the comparisons as plain data."""
        return {
            "text": str(self),
            "alternatives": [
                {"comparisons": [one.to_dict(names) for one in comparisons]}
                for comparisons in self.alternatives
            ],
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: Sequence[str]) -> Condition:
        """Read a condition from the plain data of `to_dict`."""
        record = Record.of(content)
        return cls(
            tuple(
                tuple(
                    Comparison.from_dict(one, names) for one in alternative.records("comparisons")
                )
                for alternative in record.records("alternatives")
            )
        )


def _shortened(
    alternatives: Sequence[tuple[Comparison, ...]],
) -> list[tuple[Comparison, ...]]:
    """Alternatives without what another one says: of "a or (not a and b)" it leaves "a or b"."""
    alone = [found[0] for found in alternatives if len(found) == 1 and not found[0].levels]
    return [
        tuple(one for one in found if not any(one.is_opposite_of(other) for other in alone))
        if len(found) > 1
        else found
        for found in alternatives
    ]


def _category(comparisons: Sequence[Comparison]) -> Level | None:
    """A level of the category that all comparisons are of, if they are of one."""
    levels = [one.level if len(one.levels) == 1 else None for one in comparisons]
    if not levels or None in levels or len({one.category for one in levels if one}) > 1:
        return None
    return levels[0]


def _common(comparisons: Sequence[Comparison]) -> frozenset[str]:
    """Levels of a category that satisfy all comparisons."""
    return frozenset.intersection(*(one.allowed for one in comparisons))


def _texts(comparisons: Sequence[Comparison]) -> list[str]:
    """The comparisons for people; those of one category are one."""
    found: dict[str, list[Comparison]] = {}
    for one in comparisons:
        level = _category([one])
        found.setdefault(level.category if level else str(one), []).append(one)
    return [
        level.text(_common(same)) if (level := _category(same)) else str(same[0])
        for same in found.values()
    ]
