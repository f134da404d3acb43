"""Physical units of variables.

Units are read by `pint`, once for each variable; `dimensional_analysis` uses the exponents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from keras_symgrad.files import Record

if TYPE_CHECKING:
    import pint

CONSTANTS = ("dimensionless", "any")
MAX_UNIT_CHARACTERS = 100
# Exponents are fractions of such a denominator at most, and no larger than this.
LARGEST_DENOMINATOR = 12
MAX_EXPONENT = 100
# An exponent is a number or a fraction in brackets, and has none itself: towers of powers of a few
# characters take any time and memory.
_NUMBER = r"[+-]?\s*\d{1,6}(?:\.\d{0,6})?"
_POWER = re.compile(r"\*\*|\^")
_EXPONENT = re.compile(
    rf"\s*(?:{_NUMBER}|\(\s*{_NUMBER}\s*(?:/\s*{_NUMBER}\s*)?\))(?![\w.])(?!\s*(?:\*\*|\^))"
)


@dataclass(frozen=True)
class Dimensions:
    """Units of variables, and prior knowledge of the dimension of a formula.

    Only the dimension of a unit matters: kilometres and metres are lengths. Numbers have none, so
    `height + time` is not a formula, whatever weights its terms have. Gradients do not determine
    the function around the formula, so its own dimension is free unless `result` is given.

    Args:
        variables: units by variable, such as `{"height": "m", "mass": "kg", "drag": "N*s/m"}`.
            Variables that are left out are numbers without a unit.
        result: unit of the whole formula; any by default.
        constants: "dimensionless", or "any" where a number in a formula may stand for a quantity
            that is not among the variables, such as the acceleration of gravity. The numbers 1 and
            -1, which are not fitted, have no dimension even then.

    Raises:
        ValueError: `pint` does not define a unit, or `constants` is neither of the two.

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
        """Units of the variables and of the formula as plain data."""
        variables = dict(self.variables)
        return {"variables": variables, "result": self.result, "constants": self.constants}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Dimensions:
        """Read the units from what `to_dict` returns.

        Args:
            content: the data.

        Raises:
            ValueError: they are no units.

        Example:

        >>> units = Dimensions({"height": "m", "time": "s"}, result="m/s")
        >>> Dimensions.from_dict(units.to_dict()) == units
        True
        """
        record = Record.of(content)
        result = record.text("result") if "result" in record else None
        return cls(record.by_name("variables", str), result, record.text("constants"))


def dimensionality(unit: str, whose: str = "a quantity") -> dict[str, Fraction]:
    """Exponents of the base dimensions of a unit, those that are not zero.

    Args:
        unit: such as "m", "kg*m/s**2" or "km/hour"; "" or "1" for none.
        whose: owner of the unit, for the error.

    Returns:
        Exponents by dimension.

    Raises:
        ValueError: `pint` does not define the unit.

    Example:

    >>> dimensionality("N")
    {'[length]': Fraction(1, 1), '[mass]': Fraction(1, 1), '[time]': Fraction(-2, 1)}
    """
    if not isinstance(unit, str) or len(unit) > MAX_UNIT_CHARACTERS or not unit.isprintable():
        raise ValueError(
            f"The unit of {whose} must be a text such as 'm/s**2', of {MAX_UNIT_CHARACTERS} "
            f"characters at most. Received: {str(unit)[:MAX_UNIT_CHARACTERS]!r}"
        )
    try:
        _check_exponents(unit)
        found = _registry().parse_units(unit).dimensionality
        _check_sizes(dict(found))
    except Exception as error:  # pint's parser raises many exceptions
        reason = " ".join(str(error).split()) or "it is no unit"
        raise ValueError(
            f"The unit of {whose} cannot be read: {reason.rstrip('.')}. Write it as in "
            "'kg*m/s**2', with units that `pint` knows; '' is a number without one. "
            f"Received: {unit!r}"
        ) from None
    exponents = {base: _fraction(n) for base, n in found.items()}
    return {base: n for base, n in sorted(exponents.items()) if n}


def _check_exponents(unit: str) -> None:
    """Raise for powers of powers, before they are computed."""
    from pint.util import string_preprocessor

    # With "squared", "cubic" and raised digits as powers too.
    text = string_preprocessor(unit)
    if not all(_EXPONENT.match(text, power.end()) for power in _POWER.finditer(text)):
        raise ValueError("an exponent is a number such as 2, -1.5 or (1/2), without one of its own")


def _check_sizes(exponents: Mapping[str, Any]) -> None:
    if not all(abs(exponent) <= MAX_EXPONENT for exponent in exponents.values()):
        raise ValueError(f"an exponent is {MAX_EXPONENT} at most")


def _fraction(exponent: Any) -> Fraction:
    return Fraction(float(exponent)).limit_denominator(LARGEST_DENOMINATOR)


@cache
def _registry() -> pint.UnitRegistry[Any]:
    # Importing pint takes half a second, which is not spent without units.
    import pint

    return pint.UnitRegistry()
