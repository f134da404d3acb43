"""Dimensions are those of pint's own arithmetic, for every operator and whatever the tree."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pint
import pytest
import sympy
from random_trees import random_trees

from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import CONSTANT_CODE, Alphabet, Variable
from keras_symgrad.priors.dimensional_analysis import ANY, INCONSISTENT, NUMBER, DimensionalAnalysis
from keras_symgrad.priors.dimensions import Dimensions

UNITS = {"length": "m", "time": "s", "speed": "m/s", "mass": "kg", "ratio": ""}
OPERATORS = OperatorSet("arithmetic, square, cube, neg, inv, sqrt, exp, log, sin, abs, max, hypot")
ALPHABET = Alphabet(OPERATORS, list(UNITS))
REGISTRY = pint.UnitRegistry()

# The same operators in pint's own arithmetic of quantities.
IN_PINT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "square": lambda a: a**2,
    "cube": lambda a: a**3,
    "neg": lambda a: -a,
    "inv": lambda a: 1 / a,
    "sqrt": lambda a: a**0.5,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "abs": abs,
    "max": lambda a, b: max(a, b),
    "hypot": lambda a, b: (a**2 + b**2) ** 0.5,
}


def analysis_of(units: dict[str, str] = UNITS, alphabet: Alphabet = ALPHABET, **options):
    return DimensionalAnalysis(Dimensions(units, **options), alphabet)


def in_pint(tree) -> dict[str, Fraction] | None:
    """The dimensions of a tree as pint finds them on quantities of size 1.5."""
    stack = []
    for node in reversed(tree):
        if isinstance(node, Variable):
            stack.append(REGISTRY.Quantity(1.5, UNITS[node.name]))
        elif node.code == CONSTANT_CODE:
            stack.append(REGISTRY.Quantity(node.value, ""))
        else:
            arguments = [stack.pop() for _ in range(node.arity)]
            try:
                # Size 1.5 again: the values are not tested.
                value = IN_PINT[node.name](*arguments)
                stack.append(REGISTRY.Quantity(1.5, value.units))
            except pint.DimensionalityError:
                return None
    found = stack.pop().dimensionality
    return {base: Fraction(float(n)).limit_denominator(12) for base, n in found.items()}


def test_dimensions_are_those_of_pints_own_arithmetic():
    analysis = analysis_of()
    trees = random_trees(ALPHABET, 1500, seed=5, nodes=(1, 9))
    consistent = 0
    for tree in trees:
        number, expected = analysis.of(tree), in_pint(tree)
        if expected is None:
            assert number == INCONSISTENT, str(tree)
            continue
        consistent += 1
        exponents = dict(zip(analysis.bases, analysis._vectors[number]))
        assert {base: n for base, n in exponents.items() if n} == expected, str(tree)
    assert 100 < consistent < 1400


@pytest.mark.parametrize(
    ("expression", "dimension"),
    [
        (lambda a, b: sympy.atan2(a, b), {"length": "a number", "mass": None}),
        (lambda a, b: sympy.Max(a, 0) + b, {"length": "[length]", "mass": None}),
        (lambda a, b: sympy.sign(a) * sympy.Abs(b), {"length": "[length]", "mass": "[length]"}),
        (lambda a, b: sympy.sqrt(a) * b**2 / a, {"length": "[length]**(3/2)"}),
        (
            lambda a, b: sympy.Piecewise((a, a < b), (2 * b, True)),
            {"length": "[length]", "mass": None},
        ),
        (lambda a, b: sympy.exp(-((a / b) ** 2)), {"length": "a number", "mass": None}),
        (lambda a, b: a / (1 + a / b), {"length": "[length]", "mass": None}),
        (lambda a, b: sympy.log(a) - sympy.log(b), {"length": None}),
        (lambda a, b: sympy.sqrt(a**2 + b**2) + 1, {"length": None}),
        (lambda a, b: sympy.erf(a) + b, {"length": None}),
    ],
)
def test_the_rule_of_an_operator_of_ones_own_follows_from_its_expression(expression, dimension):
    own = Operator("own", expression)
    alphabet = Alphabet(OperatorSet([own]), list(UNITS))
    analysis = analysis_of(alphabet=alphabet)
    length = alphabet.names.index("length")
    for name, expected in dimension.items():
        tree = alphabet.tree(["own", alphabet.names.index(name), length])
        assert analysis.satisfies(tree) is (expected is not None)
        if expected is not None:
            assert analysis.text(analysis.of(tree)) == expected


def test_a_power_needs_a_fraction_or_a_base_without_unit():
    alphabet = Alphabet(OperatorSet("pow, div"), list(UNITS))
    analysis = analysis_of(alphabet=alphabet)

    def text(*nodes) -> str | None:
        tree = alphabet.tree(nodes)
        return analysis.text(analysis.of(tree)) if analysis.satisfies(tree) else None

    assert text("pow", 0, 3.0) == "[length]**3"
    assert text("pow", 0, -0.5) == "1/[length]**(1/2)"
    assert text("pow", 0, 1 / 3) == "[length]**(1/3)"
    assert text("pow", 0, 0.3217) is None
    assert text("pow", 0, 4) is None  # a ratio, but which one?
    assert text("pow", 4, 0.3217) == "a number"
    assert text("pow", 4, 0) is None
    assert text("pow", 2.0, "div", 0, 0) == "a number"


def test_zero_has_any_dimension_and_other_numbers_have_none():
    analysis = analysis_of()
    assert analysis.of(ALPHABET.tree(["sub", 0.0, 0])) == analysis.of(ALPHABET.tree([0]))
    assert analysis.of(ALPHABET.tree([2.5])) == NUMBER
    assert not analysis.satisfies(ALPHABET.tree(["add", 2.5, 0]))
    assert not analysis.satisfies(ALPHABET.tree(["add", 0, "mul", 9.81, "square", 1]))


def test_constants_of_any_dimension_are_those_that_were_fitted():
    analysis = analysis_of(constants="any")
    fall = ALPHABET.tree(["add", 0, "mul", 9.81, "square", 1])
    assert analysis.text(analysis.of(fall)) == "[length]"
    assert analysis.of(ALPHABET.tree(["mul", 9.81, 0])) == ANY
    assert analysis.satisfies(ALPHABET.tree(["exp", "mul", 0.1, 0]))
    assert not analysis.satisfies(ALPHABET.tree(["exp", 0]))
    # A 1 is not a fitted constant.
    assert not analysis.satisfies(ALPHABET.tree(["add", 0, "mul", -1.0, 1]))


def test_a_result_is_free_unless_its_unit_is_given():
    time = ALPHABET.tree(["div", 0, 2])
    assert analysis_of().satisfies(time)
    assert analysis_of(result="hour").satisfies(time)
    assert not analysis_of(result="m").satisfies(time)
    assert analysis_of(result="m").violation(time) == "it has the dimension [time], not [length]"


def test_units_count_by_their_dimension_and_variables_without_one_are_numbers():
    analysis = analysis_of({"length": "km", "speed": "mile/hour", "time": "day"})
    assert analysis.satisfies(ALPHABET.tree(["sub", 0, "mul", 1, 2]))
    assert analysis.satisfies(ALPHABET.tree(["exp", "add", 3, 4]))


def test_a_complaint_tells_where_the_dimensions_part():
    tree = ALPHABET.tree(["mul", 3, "add", 0, "div", 2, 1])
    assert (
        analysis_of().violation(tree) == "'add' of [length] and [length]/[time]**2 has no dimension"
    )
    assert analysis_of().violation(ALPHABET.tree(["exp", 3])) == "'exp' of [mass] has no dimension"


def test_what_was_learned_travels_to_another_process():
    analysis = analysis_of()
    trees = random_trees(ALPHABET, 50, seed=6, nodes=(1, 9))
    before = [analysis.satisfies(tree) for tree in trees]
    again = pickle.loads(pickle.dumps(analysis))
    assert [again.satisfies(tree) for tree in trees] == before
    # What it learns then gets numbers of its own.
    more = random_trees(ALPHABET, 200, seed=7, nodes=(1, 9))
    for tree in more:
        number = analysis.of(tree)
        if number >= 0:
            assert again.text(again.of(tree)) == analysis.text(number)


def test_a_unit_of_what_is_no_variable_is_refused():
    with pytest.raises(ValueError, match="no variable: heigth. The variables are length"):
        analysis_of({"heigth": "m"})


def test_the_free_fall_is_what_it_is():
    # t = sqrt(2 h / g): a time, whatever the units.
    alphabet = Alphabet(OperatorSet("sqrt, div, mul"), ["h", "g"])
    units = {"h": "ft", "g": "m/s**2"}
    analysis = DimensionalAnalysis(Dimensions(units, result="s"), alphabet)
    assert analysis.satisfies(alphabet.tree(["sqrt", "div", "mul", 2.0, 0, 1]))
    assert not analysis.satisfies(alphabet.tree(["div", "mul", 2.0, 0, 1]))
    assert math.isfinite(analysis.of(alphabet.tree([0])))
