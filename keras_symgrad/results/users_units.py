"""Convert an assessment from rescaled variables to the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy

from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.formats import own_shift, without_shift
from keras_symgrad.formulas import Formula, ParetoFront, ScaledFormula, in_users_units
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.gradients import OwnUnits, Reading
from keras_symgrad.results.assessment import Alternative, Assessment, FormulaRefiner
from keras_symgrad.search.core import box_of
from keras_symgrad.search.spectral import Group

# Largest relative difference at which a refitted constant counts as the same number.
SAME = 1e-2


def in_users(
    assessment: Assessment, units: OwnUnits, reading: Reading, finisher: FormulaRefiner
) -> Assessment:
    """An assessment in units of the variables' own, in the user's.

    Formulas keep their values, or a positive multiple of them; statements about values, such as a
    threshold, are converted too. Losses, angles and shares do not depend on units.

    Args:
        assessment: of `reading.in_units(units)`.
        units: of the variables.
        reading: in the user's units.
        finisher: refiner that made the formulas.
    """
    x = reading.field.points

    def scaled(formula: Formula) -> tuple[Formula, float]:
        own, fewer = at_zero(formula.expression, units)
        if own != formula.expression:
            weight = min(formula.complexity, finisher.weight(own))
            formula = replace(formula, expression=own, complexity=weight)
        return in_users_units(formula, fewer, x)

    def shown(formula: Formula) -> Formula:
        return scaled(formula)[0]

    front = assessment.front
    rows = [shown(row) for row in front]
    trusted = [mine for mine, row in zip(rows, front) if front.agrees_with_network(row)]
    best, factor = scaled(assessment.best)
    phi, value, rule = assessment.phi, assessment.value, assessment.rule

    def compared(others: Sequence[Alternative]) -> tuple[Alternative, ...]:
        return tuple(replace(other, formula=shown(other.formula)) for other in others)

    return replace(
        assessment,
        front=ParetoFront(rows, front.floor, trusted),
        best=best,
        phi=phi and phi.of_multiple(factor),
        value=value and value.of_multiple(ScaledFormula.of(value.value, units), factor),
        rule=rule and rule.of_multiple(best, factor),
        rivals=compared(assessment.rivals),
        alternatives=compared(assessment.alternatives),
        constants=constants_in_users(assessment.constants, assessment.best.expression, units),
        box=box_of(reading.domain),
    )


def at_zero(expression: sympy.Expr, units: OwnUnits) -> tuple[sympy.Expr, OwnUnits]:
    """Replace z + k by x in a formula, where x = scale (z + k), and drop units not needed then.

    Args:
        expression: in rescaled variables.
        units: of the variables.
    """
    left = dict(units.units)
    for variable, zero in units.zeros.items():
        if own_shift(expression, variable) == zero:
            scale = units.units[variable.name][1]
            expression = without_shift(expression, variable, zero)
            left[variable.name] = (0.0, scale)
    return expression, OwnUnits(units.names, {n: u for n, u in left.items() if u != (0.0, 1.0)})


def groups_in_users(groups: Sequence[Group], units: OwnUnits) -> tuple[Group, ...]:
    """Convert groups in rescaled variables to the user's units, without an outer factor."""

    def shown(expression: sympy.Expr) -> sympy.Expr:
        expression = units.in_users(expression)
        factor = expression.as_ordered_terms()[0].as_coeff_Mul()[0]
        if factor == 1:
            return expression
        return sympy.Add(*(term / factor for term in sympy.Add.make_args(expression)))

    return tuple(replace(group, expression=shown(group.expression)) for group in groups)


def constants_in_users(
    constants: Sequence[Constant], expression: sympy.Expr, units: OwnUnits
) -> tuple[Constant, ...]:
    """Constants as printed: for z + 5, in z = x - 2000, the number is 1995.

    Args:
        constants: of the expression.
        expression: in rescaled variables.
        units: of the variables.
    """
    shifts: dict[sympy.Number, tuple[float, float]] = {}
    for name, (offset, scale) in units.units.items():
        shift = own_shift(expression, symbol(name)) if offset else None
        if shift is not None:
            shifts[shift] = offset, scale
    zeros = set(units.zeros.values())
    found = []
    for constant in constants:
        # A refitted number may differ in its last digits.
        shift = next((s for s in shifts if _is_same(constant, s)), None)
        if shift is not None:
            offset, scale = shifts.pop(shift)
            if shift in zeros:
                continue  # x itself is printed
            constant = _moved(constant, offset, scale)
        found.append(constant)
    return tuple(found)


def _is_same(constant: Constant, number: sympy.Number) -> bool:
    if constant.shown is not None:
        return bool(constant.shown == number)
    return abs(float(number) - constant.value) <= SAME * abs(constant.value)


def _moved(constant: Constant, offset: float, scale: float) -> Constant:
    """The k of x - k, for the c of z + c with z = (x - offset)/scale."""
    shown = constant.shown
    if shown is not None:
        shown = sympy.Rational(offset) - sympy.Rational(scale) * shown
    low, high = offset - scale * constant.high, offset - scale * constant.low
    return Constant(offset - scale * constant.value, low, high, shown)
