"""Units of variables: what pint reads, and what is refused."""

import json
from fractions import Fraction

import pytest

from keras_symgrad.priors.dimensions import Dimensions, dimensionality

UNITS = {"length": "m", "time": "s"}


@pytest.mark.parametrize(
    ("unit", "exponents"),
    [
        ("km/hour", {"[length]": 1, "[time]": -1}),
        ("m**0.5", {"[length]": Fraction(1, 2)}),
        ("m/km", {}),
        ("m**(1/3) / s ** -2", {"[length]": Fraction(1, 3), "[time]": 2}),
        ("square meter per second cubed", {"[length]": 2, "[time]": -3}),
        ("m²·s⁻¹", {"[length]": 2, "[time]": -1}),
        ("", {}),
    ],
)
def test_a_unit_counts_by_the_exponents_of_its_dimension(unit, exponents):
    assert dimensionality(unit) == exponents


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variables": {"length": "furlongs_per_fortnight2"}}, "variable 'length' cannot be read"),
        ({"variables": {"length": "m +"}}, "variable 'length' cannot be read"),
        ({"variables": {"length": "9.81 m"}}, "variable 'length' cannot be read"),
        ({"variables": {"length": "__import__('os')"}}, "variable 'length' cannot be read"),
        ({"variables": {"length": 3}}, "must be a text"),
        ({"variables": {"length": "m\x1b[2J"}}, "must be a text"),
        ({"variables": {"length": "m**9**9**9"}}, "an exponent is a number"),
        ({"variables": {"length": "9**9**9*m"}}, "an exponent is a number"),
        ({"variables": {"length": "m**(9**9**9)"}}, "an exponent is a number"),
        ({"variables": {"length": "m" + " squared" * 8}}, "cannot be read"),
        ({"variables": {"length": "square cubic cubic m cubed"}}, "cannot be read"),
        ({"variables": {"length": "m⁹⁹ ** 99 ^ 99"}}, "an exponent is a number"),
        ({"variables": {"length": "m**1e400"}}, "an exponent is a number"),
        ({"variables": {"length": "m**99999"}}, "an exponent is 100 at most"),
        ({"variables": {"length": "m" * 101}}, "100 characters"),
        ({"variables": {}}, "units by variable"),
        ({"variables": "m"}, "units by variable"),
        ({"variables": UNITS, "result": "foo"}, "the result cannot be read"),
        ({"variables": UNITS, "constants": "free"}, "Received: constants='free'"),
    ],
)
def test_what_is_no_unit_is_refused(options, words):
    with pytest.raises(ValueError, match=words) as caught:
        Dimensions(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("result", [None, "m/s"])
def test_units_are_read_from_json_as_they_were_written(result):
    units = Dimensions({"height": "m", "time": "s"}, result, constants="any")
    assert Dimensions.from_dict(json.loads(json.dumps(units.to_dict()))) == units


def test_data_that_are_no_units_are_refused():
    content = Dimensions({"height": "m"}).to_dict()
    with pytest.raises(ValueError, match="nonsense"):
        Dimensions.from_dict({**content, "variables": {"height": "nonsense"}})
    with pytest.raises(ValueError, match="Expected a text at `constants`"):
        Dimensions.from_dict({**content, "constants": 3})
