"""Formulas in the user's units, without scales that are only a factor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.formulas.formula import Formula, ScaledFormula
from keras_symgrad.gradients import OwnUnits

# Digits to which two numbers are compared that are equal up to rounding.
SAME_VALUES = 1e-9
# The same in float32.
SAME_SINGLES = 1e-4
# Share of the rows whose values float32 must represent; in other rows terms may cancel.
MOST_ROWS = 0.95
# Rows that a formula's scales are tried on.
TRIED_ROWS = 64


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
