"""`ScaledFormula`: a formula in the user's units that is computed in rescaled variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.formats import Units, folded, rounded, to_latex, to_pretty, to_text
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.gradients import OwnUnits, checked_units

if TYPE_CHECKING:
    from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

# Digits to which two numbers are compared that are equal up to rounding.
SAME_VALUES = 1e-9
# The same in float32.
SAME_SINGLES = 1e-4
# Significant digits of a double.
EVERY_DIGIT = 17
# Share of the rows whose values float32 must represent; in other rows terms may cancel.
MOST_ROWS = 0.95
# Rows that a formula's scales are tried on.
TRIED_ROWS = 64


@dataclass(frozen=True)
class ScaledFormula(Formula):
    """A formula in the user's units that is written and computed in rescaled variables.

    Attributes:
        scaled: the same expression in z = (x - offset)/scale. It is printed, with z written out,
            and computed by layers: SymPy would merge all scales to one number, which may be too
            large or too small for float32.
        units: offset and scale by the name of a variable.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> found = Formula(x1**2 + 2.0 * x2**2, 9, 1e-4, ("x1", "x2"))
    >>> units = OwnUnits(("x1", "x2"), {"x1": (0.0, 1e-25), "x2": (1e6, 1.0)})
    >>> formula = ScaledFormula.of(found, units)
    >>> print(formula.to_pretty())
    (x1/1e-25)**2 + 2*(x2 - 1000000)**2
    >>> formula(np.array([[3e-25, 1000002.0]]))
    array([17.])
    """

    scaled: sympy.Expr = field(kw_only=True, repr=False)
    units: OwnUnits = field(kw_only=True, repr=False, compare=False)

    # A data class would make one of its own.
    __repr__ = Formula.__repr__

    @classmethod
    def of(cls, formula: Formula, units: OwnUnits) -> Formula:
        """Convert a formula in rescaled variables to one in the user's units, of the same values.

        Args:
            formula: in rescaled variables.
            units: of the variables.

        Returns:
            The formula unchanged, if none of its variables is rescaled.
        """
        units = units.among(formula.expression)
        if not units.units:
            return formula
        return cls(
            units.in_users(formula.expression),
            formula.complexity,
            formula.loss,
            formula.names,
            formula.operators,
            formula.fidelity,
            scaled=formula.expression,
            units=units,
        )

    @property
    def own(self) -> sympy.Expr:
        """The expression in rescaled variables."""
        return self.scaled

    @cached_property
    def _own_code(self) -> Callable[[np.ndarray], np.ndarray]:
        return numpy_function([self.scaled], [symbol(name) for name in self.names])

    def _values(self, points: np.ndarray) -> np.ndarray:
        return self._own_code(self.units.points(points))[:, 0]

    @property
    def as_computed(self) -> sympy.Expr:
        """The expression in rescaled variables."""
        return self.own

    def __str__(self) -> str:
        return self.to_pretty(EVERY_DIGIT)

    def rewritten(self, rewrite: Callable[[sympy.Expr], sympy.Expr]) -> ScaledFormula:
        """The formula with its expression in rescaled variables rewritten."""
        own = rewrite(self.scaled)
        return replace(self, expression=self.units.in_users(own), scaled=own)

    def to_pretty(self, digits: int = 3) -> str:
        """The expression as text for people, constants rounded and units written out."""
        own, units = self._written(digits)
        return to_pretty(own, digits, units=units)

    def to_latex(self, digits: int = 3) -> str:
        """The expression as LaTeX, constants rounded and units written out."""
        own, units = self._written(digits)
        return to_latex(own, digits, units=units)

    def to_mathml(self, digits: int = 3, relation: str = "", other: str | sympy.Expr = "") -> str:
        """The expression as MathML, constants rounded and units written out."""
        from keras_symgrad.expressions.formats import to_mathml

        own, units = self._written(digits)
        return to_mathml(own, digits, relation, other, units=units)

    def _written(self, digits: int) -> tuple[sympy.Expr, Units]:
        """Expression in rescaled variables and their units, with x - 2005 for x - 2000 - 5.04."""
        return folded(rounded(self.scaled, digits), self.units.units)

    def to_layer(self, *, trainable: bool = True, **kwargs: Any) -> SymbolicLayer:
        """Make a Keras layer that computes in rescaled variables; see `Formula.to_layer`."""
        from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

        return SymbolicLayer(
            self.scaled,
            self.names,
            operators=self.operators,
            trainable=trainable,
            units=self.units.units,
            **kwargs,
        )

    def own_to_dict(self) -> dict[str, Any]:
        """The units of its variables, and its expression in them, as plain data."""
        return {
            "own": to_text(self.scaled, names=self.names),
            "units": {name: list(unit) for name, unit in self.units.units.items()},
        }


def in_users_units(formula: Formula, units: OwnUnits, x: np.ndarray) -> tuple[Formula, float]:
    """Prepare a formula in rescaled variables for display, without scales that are only a factor.

    (q1/1e-19)*(q2/1e-19)/r**2 is 1e38 times q1*q2/r**2, which carries the same concept. Scales are
    kept where float32, in which layers compute, needs them.

    Args:
        formula: in rescaled variables.
        units: of the variables.
        x: points in the user's units, `(rows, variables)`.

    Returns:
        The formula in the user's units, and the ratio of its values to those of `formula`.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> units = OwnUnits(("x1", "x2"), {"x1": (0.0, 1e-6), "x2": (0.0, 1e6)})
    >>> x = np.random.default_rng(0).uniform(1, 2, (50, 2)) * [1e-6, 1e6]
    >>> found = Formula(x1 / x2**2, 4, 0.0, ("x1", "x2"))
    >>> formula, factor = in_users_units(found, units, x)
    >>> print(formula, factor)
    x1/x2**2 1e-18
    """
    units, x = units.among(formula.expression), x[:TRIED_ROWS]
    code = _Code(formula.expression, units.names)
    spare = _only_factors(code, units, x)
    fewer = units.without(spare)
    factor = _factor(code, units, fewer, x) if spare else None
    if factor is None or not code.fits_singles(fewer.points(x)):
        return ScaledFormula.of(formula, units), 1.0
    return ScaledFormula.of(formula, fewer), factor


class _Code:
    """An expression as a function of points in any units."""

    def __init__(self, expression: sympy.Expr, names: Sequence[str]):
        variables = [symbol(name) for name in names]
        self._double = numpy_function([expression], variables)
        self._single = numpy_function([expression], variables, dtype=np.float32)

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self._double(z)[:, 0]

    def fits_singles(self, z: np.ndarray) -> bool:
        """Return whether float32 can represent the values, and the products on the way to them."""
        exact, single = self(z), self._single(z)[:, 0]
        defined = np.isfinite(exact) & (exact != 0)
        near = np.abs(single - exact) <= SAME_SINGLES * np.abs(exact)
        return bool(defined.any() and near[defined].mean() > MOST_ROWS)


def _only_factors(code: _Code, units: OwnUnits, x: np.ndarray) -> list[str]:
    """Variables without an offset whose scales are a common factor, alone or together."""
    scaled = [name for name, (offset, _) in units.units.items() if not offset]
    by_scale: dict[float, list[str]] = {}
    for name in scaled:
        by_scale.setdefault(units.units[name][1], []).append(name)
    # One unit for all, a factor, and scales that cancel, as in q1/q2.
    spare: list[str] = []
    for names in (*by_scale.values(), *([name] for name in scaled), *combinations(scaled, 2)):
        if not set(names) & set(spare):
            if _factor(code, units, units.without(names), x) is not None:
                spare += names
    return spare


def _factor(code: _Code, units: OwnUnits, fewer: OwnUnits, x: np.ndarray) -> float | None:
    """Ratio of an expression's values with fewer units to the original; `None` if it varies."""
    values, others = code(units.points(x)), code(fewer.points(x))
    with np.errstate(all="ignore"):
        ratios = others / values
    ratios = ratios[np.isfinite(values) & (values != 0)]
    if not len(ratios) or not np.isfinite(ratios).all() or not ratios[0] > 0:
        return None
    if not (np.abs(ratios - ratios[0]) <= SAME_VALUES * ratios[0]).all():
        return None
    # Scales are powers of ten, and so is their ratio up to rounding.
    factor = float(np.median(ratios))
    power = float(f"1e{round(float(np.log10(factor)))}")
    return power if abs(factor - power) <= SAME_VALUES * power else factor


def read_scaled(
    formula: Formula, own: sympy.Expr, units: Mapping[str, Sequence[float]]
) -> ScaledFormula:
    """Restore a formula from a file that has units for it.

    Args:
        formula: as stored without units.
        own: its expression in rescaled variables.
        units: offset and scale by the name of a variable.

    Raises:
        ValueError: the units are invalid.
    """
    checked = checked_units(units, formula.names)
    return ScaledFormula(
        checked.in_users(own),
        formula.complexity,
        formula.loss,
        formula.names,
        formula.operators,
        formula.fidelity,
        scaled=own,
        units=checked,
    )
