"""`Regions`: the formula of a neuron in each part of its data, with the part's condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.files import Record, points_by_name
from keras_symgrad.formulas import Fidelity, Formula
from keras_symgrad.results.assessment import HeldOutRows, Match
from keras_symgrad.results.regions.conditions import Condition

if TYPE_CHECKING:
    from keras_symgrad.formulas import SymbolicLayer


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the data with its formula.

    Attributes:
        where: the condition of the part. The conditions of all regions together cover all points.
        formula: the concept in this part, up to an invertible function of its own.
        value: the neuron's value there as a formula; for a classifier a quantity that is positive
            where the network says yes; `None` where neither is known.
        matches: what may be promised of the formula on the rows of `core`.
        core: the condition away from the other regions; near a switch a network is in between.
        share: share of held-out rows that satisfy `where`.
        explained: share of these whose gradient is within 10 degrees of the formula's.
        angle: angle in degrees between the gradients on held-out rows of `core`, as that of
            `Interpretation`.
        fidelity: of phi(formula) on the held-out data rows of `core`; `None` without values.
    """

    where: Condition
    formula: Formula
    value: Formula | None
    matches: Match
    core: Condition
    share: float
    explained: float
    angle: float
    fidelity: Fidelity | None

    @property
    def written(self) -> str:
        """The neuron's value where it is known, else the concept, for people."""
        return (self.value or self.formula).to_pretty()

    def __str__(self) -> str:
        core = "" if self.core == self.where else f" where {self.core}"
        return (
            f"where {self.where} ({100 * self.share:.0f} % of the rows): {self.written} "
            f"({self.matches}{core}, gradients {self.angle:.2g} degrees off; explains "
            f"{100 * self.explained:.0f} % of its rows)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Conditions, formulas and numbers as plain data."""
        names = self.formula.names
        return {
            "where": self.where.to_dict(names),
            "formula": self.formula.to_dict(),
            "value": self.value.to_dict() if self.value else None,
            "matches": str(self.matches),
            "core": self.core.to_dict(names),
            "share": self.share,
            "explained": self.explained,
            "angle": self.angle,
            "fidelity": self.fidelity.to_dict() if self.fidelity else None,
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Region:
        """Read a region from the plain data of `to_dict`; see `Regions.from_dict`."""
        record = Record.of(content)

        def read(formula: Record) -> Formula:
            return Formula.from_dict(formula, names)

        formula = read(record.record("formula"))
        return cls(
            Condition.from_dict(record.record("where"), names),
            formula,
            record.maybe("value", read),
            Match(record.one_of("matches", tuple(map(str, Match)))),
            Condition.from_dict(record.record("core"), names),
            record.number("share"),
            record.number("explained"),
            record.number("angle", np.nan),
            record.maybe("fidelity", Fidelity.from_dict),
        )


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a neuron; a neuron with one concept has one.

    Attributes:
        regions: the regions. Their conditions cover each point once.
        unexplained: share of held-out rows that no region's formula explains: their gradients are
            more than 10 degrees from the formula of their region.
        unexplained_by_one: the same for the best single formula.
        rows: number of held-out rows that shares were counted on.
        widths: standard deviation of each variable in the data, `(variables,)`; smooth gates are
            as wide as a share of them.
        complete: False if the time limit ended the search for regions, or it was left out since the
            data have too few rows or more than 12 columns.
        fidelity: of all regions together on held-out data rows, each row with the value of its
            region; `None` without the network's values.
    """

    regions: tuple[Region, ...]
    unexplained: float
    unexplained_by_one: float
    rows: int
    widths: np.ndarray
    complete: bool = True
    fidelity: Fidelity | None = None

    def __len__(self) -> int:
        return len(self.regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self.regions)

    def __getitem__(self, index: int) -> Region:
        return self.regions[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables."""
        return self.regions[0].formula.names

    def number_of(self, x: Any) -> np.ndarray:
        """Number of the region that each point is in.

        Args:
            x: points `(rows, variables)`; a DataFrame or a dict by names.

        Returns:
            Whole numbers from 0, `(rows,)`; -1 for points that hold NaN.
        """
        points = np.atleast_2d(points_by_name(x, self.names, "The regions"))
        found = np.full(len(points), -1)
        for number, region in enumerate(self.regions):
            found[region.where.holds(points, self.names)] = number
        return found

    def __call__(self, x: Any) -> np.ndarray:
        """The neuron's values, by the formula of the region that each point is in.

        Args:
            x: points, as in `number_of`.

        Returns:
            Values `(rows,)`; for a classifier positive ones say yes. NaN for points that hold NaN.

        Raises:
            ValueError: the value of a region is not known.
        """
        points = np.atleast_2d(points_by_name(x, self.names, "The regions"))
        number, values = self.number_of(points), np.full(len(points), np.nan)
        for index, formula in enumerate(self._values):
            inside = number == index
            if inside.any():
                values[inside] = formula(points[inside])
        return values

    def counted_on(self, counted: HeldOutRows) -> Regions:
        """The regions with the fidelity of all of them together.

        Args:
            counted: data rows that nothing was fitted on, in the user's units.
        """
        if any(region.value is None for region in self.regions):
            return self
        return replace(self, fidelity=counted.fidelity(self(counted.rows.points)))

    def to_formula(self, smoothness: float = 0.0) -> Formula:
        """One formula of all regions: a formula with conditions, or a sum with smooth gates.

            sum_k gate_k(x) value_k(x)

        Args:
            smoothness: width of the gates between regions, as a share of the quantity's spread in
                the data; 0 for sharp ones.

        Returns:
            A `Formula`, with `to_layer`, `to_python`, `to_latex` and all other exports.

        Raises:
            ValueError: the value of a region is not known, or `smoothness` is negative.
        """
        if not 0 <= smoothness < np.inf:
            raise ValueError(
                "`smoothness` is the width of the gates as a share of the spread of the data, at "
                f"least 0. Received: smoothness={smoothness!r}"
            )
        formulas = self._values
        values = [formula.expression for formula in formulas]
        if len(values) == 1:
            return formulas[0]
        if smoothness:
            expression = sympy.Add(
                *(self._gate(region.where, smoothness) * v for region, v in zip(self, values))
            )
        else:
            conditions = [region.where.to_sympy() for region in self]
            expression = sympy.Piecewise(
                *zip(values[:-1], conditions[:-1]), (values[-1], True), evaluate=False
            )
        complexity = sum(formula.complexity for formula in formulas)
        return replace(
            Formula(expression, complexity, formulas[0].loss, self.names),
            operators=formulas[0].operators,
        )

    def to_layer(self, smoothness: float = 0.0, **options: Any) -> SymbolicLayer:
        """A Keras layer that computes the formulas of all regions.

        Args:
            smoothness: of the gates, as in `to_formula`.
            **options: of `SymbolicLayer`, such as `trainable`.

        Returns:
            The layer; its constants, thresholds among them, can be trained. Those of a sharp gate
            have no gradient.
        """
        return self.to_formula(smoothness).to_layer(**options)

    @property
    def _values(self) -> list[Formula]:
        values = [region.value for region in self.regions if region.value is not None]
        if len(values) < len(self.regions):
            raise ValueError(
                "The values of the neuron are not known in each region, only the directions of its "
                "gradients. Pass the network and its data to `interpret`."
            )
        return values

    def _gate(self, where: Condition, smoothness: float) -> sympy.Expr:
        """A sigmoid in the place of each threshold; the gates of all regions have the sum 1."""
        terms = []
        for comparisons in where.alternatives:
            factors = []
            for one in comparisons:
                width = smoothness * self._spread(one.quantity)

                def above(cut: float, quantity: Any = one.quantity, width: Any = width) -> Any:
                    if cut == -np.inf:
                        return sympy.Integer(1)
                    if cut == np.inf:
                        return sympy.Integer(0)
                    return 1 / (1 + sympy.exp(-(quantity - sympy.Float(cut)) / sympy.Float(width)))

                factors.append(above(one.low) - above(one.high))
            terms.append(sympy.Mul(*factors))
        return sympy.Add(*terms)

    def _spread(self, quantity: sympy.Expr) -> float:
        slopes = [float(quantity.coeff(symbol(name))) for name in self.names]
        return float(np.linalg.norm(np.array(slopes) * self.widths)) or 1.0

    def __str__(self) -> str:
        return "\n".join([*map(str, self.regions), self.remainder])

    @property
    def remainder(self) -> str:
        """The share of rows that no region explains, for people."""
        return (
            f"no formula explains {100 * self.unexplained:.0f} % of {self.rows:,} held-out rows "
            f"(without regions {100 * self.unexplained_by_one:.0f} %)"
        )

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Regions:
        """Read regions from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: they are something else.
        """
        record = Record.of(content)
        regions = tuple(Region.from_dict(one, names) for one in record.records("regions"))
        if not regions:
            raise record.refused("regions", "one region at least")
        widths = np.array(record.numbers("widths"))
        if len(widths) != len(names):
            raise record.refused("widths", "a number for each variable")
        return cls(
            regions,
            record.number("unexplained"),
            record.number("unexplained_by_one"),
            record.whole("rows"),
            widths,
            "complete" not in record or record.flag("complete"),
            record.maybe("fidelity", Fidelity.from_dict),
        )

    def to_dict(self) -> dict[str, Any]:
        """All regions and the rest as plain data."""
        return {
            "regions": [region.to_dict() for region in self.regions],
            "unexplained": self.unexplained,
            "unexplained_by_one": self.unexplained_by_one,
            "rows": self.rows,
            "widths": self.widths.tolist(),
            "complete": self.complete,
            "fidelity": self.fidelity.to_dict() if self.fidelity else None,
        }
