"""A verdict on formulas in units of the variables' own, as one on formulas in the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.own_units import OwnUnits
from keras_symgrad.provenance import box_of
from keras_symgrad.reading import Reading
from keras_symgrad.scaled_formula import ScaledFormula, in_users_units
from keras_symgrad.search.structure import Group


def in_users(said: dict[str, Any], units: OwnUnits, reading: Reading) -> dict[str, Any]:
    """What was said of a neuron in own units, in the user's.

    Formulas keep their values, or a positive multiple of them: what is said of the values, such as
    a threshold, goes with them. Losses, angles and shares do not depend on units.

    Args:
        said: what `verdict` returned for `reading.in_units(units)`.
        units: of the variables.
        reading: in the user's units.
    """
    x = reading.field.points

    def shown(formula: Formula) -> Formula:
        return in_users_units(formula, units, x)[0]

    front = said["front"]
    rows = [shown(row) for row in front]
    trusted = [mine for mine, row in zip(rows, front) if front.is_trusted(row)]
    best, factor = in_users_units(said["best"], units, x)
    phi, value, rule = said["phi"], said["value"], said["rule"]
    return said | {
        "front": ParetoFront(rows, front.floor, trusted),
        "best": best,
        "phi": phi and phi.of_multiple(factor),
        "value": value and value.of_multiple(ScaledFormula.of(value.value, units), factor),
        "rule": rule and rule.of_multiple(best, factor),
        **{
            name: tuple(replace(other, formula=shown(other.formula)) for other in said[name])
            for name in ("rivals", "alternatives")
        },
        "box": box_of(reading.domain),
    }


def groups_in_users(groups: Sequence[Group], units: OwnUnits) -> tuple[Group, ...]:
    """Groups of variables in own units, in the user's."""
    return tuple(replace(group, expression=units.in_users(group.expression)) for group in groups)
