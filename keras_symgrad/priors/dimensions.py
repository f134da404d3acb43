"""Physical units of variables.

Units are read by `pint`, once for each variable. `dimensional_analysis` goes on with the exponents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

CONSTANTS = ("dimensionless", "any")
LONGEST_UNIT = 100
# Exponents are fractions of such a denominator at most.
LARGEST_DENOMINATOR = 12


@dataclass(frozen=True)
class Dimensions:
    """Units of variables, and what is known of the dimension of a formula.

    Units count by their dimension alone: kilometres and metres are lengths. Numbers have none, so
    that `height + time` is no formula whatever weights its terms have. What the formula is wrapped
    in is not known to gradients, so that its own dimension is free unless `result` says otherwise.

    Args:
        variables: units by variable, such as `{"height": "m", "mass": "kg", "drag": "N*s/m"}`.
            Variables that are left out are numbers without a unit.
        result: unit of the whole formula; any by default.
        constants: "dimensionless", or "any" where a number in a formula may stand for a quantity
            that is not among the variables, such as the acceleration of gravity. The numbers
            1 and -1, which nobody fitted, have no dimension even then.

    Raises:
        ValueError: a unit is none that `pint` knows, or `constants` is neither of the two.

    Example:

    >>> import keras_symgrad as ks
    >>> ks.Dimensions({"height": "m", "time": "s"}, constants="any").constants
    'any'
    """

    variables: Mapping[str, str]
    result: str | None = None
    constants: str = "dimensionless"

    def __post_init__(self) -> None:
        if not isinstance(self.variables, Mapping) or not self.variables:
            raise ValueError(
                "`dimensions` gives units by variable, such as {'height': 'm', 'time': 's'}. "
                f"Received: {self.variables!r}"
            )
        if self.constants not in CONSTANTS:
            raise ValueError(
                "`constants` of `Dimensions` are 'dimensionless' or of 'any' dimension. "
                f"Received: constants={self.constants!r}"
            )
        for name, unit in self.variables.items():
            dimensionality(unit, f"variable '{name}'")
        if self.result is not None:
            dimensionality(self.result, "the result")

    def to_dict(self) -> dict[str, object]:
        """Units and what is known of the formula's as plain data."""
        variables = dict(self.variables)
        return {"variables": variables, "result": self.result, "constants": self.constants}


def dimensionality(unit: str, whose: str = "a quantity") -> dict[str, Fraction]:
    """Exponents of the base dimensions of a unit, those that are not zero.

    Args:
        unit: such as "m", "kg*m/s**2" or "km/hour"; "" or "1" for none.
        whose: for the error.

    Returns:
        Exponents by dimension.

    Raises:
        ValueError: `pint` does not know the unit.

    Example:

    >>> dimensionality("N")
    {'[length]': Fraction(1, 1), '[mass]': Fraction(1, 1), '[time]': Fraction(-2, 1)}
    """
    if not isinstance(unit, str) or len(unit) > LONGEST_UNIT:
        raise ValueError(
            f"The unit of {whose} must be a text such as 'm/s**2', of {LONGEST_UNIT} characters "
            f"at most. Received: {str(unit)[:LONGEST_UNIT]!r}"
        )
    try:
        found = _registry().parse_units(unit).dimensionality
    except Exception as error:  # whatever a text makes of pint's parser
        reason = " ".join(str(error).split()) or "it is no unit"
        raise ValueError(
            f"The unit of {whose} cannot be read: {reason}. Write it as in 'kg*m/s**2', with units "
            f"that `pint` knows; '' is a number without one. Received: {unit!r}"
        ) from None
    exponents = {base: _fraction(n) for base, n in found.items()}
    return {base: n for base, n in sorted(exponents.items()) if n}


def _fraction(exponent: Any) -> Fraction:
    return Fraction(float(exponent)).limit_denominator(LARGEST_DENOMINATOR)


@cache
def _registry() -> pint.UnitRegistry[Any]:
    # Half a second, which nobody needs who gives no units.
    import pint

    return pint.UnitRegistry()
