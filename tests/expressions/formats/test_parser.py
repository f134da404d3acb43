"""Whatever text comes, it is a formula or one line that says why not; formulas come back."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from any_input import EXAMPLES, one_line
from hypothesis import assume, given
from hypothesis import strategies as st

from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.formats.parser import FUNCTIONS, from_text
from keras_symgrad.expressions.formats.text import to_text
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import symbol

NAMES = ("x1", "x2", "petal length (cm)")
WORDS = (
    *FUNCTIONS,
    *("x1", "x2", "'petal length (cm)'", "gauss", "foo", "pi", "E", "True", "None", "lambda"),
    *("(", ")", ",", "+", "-", "*", "/", "**", "<", ">=", "==", "&", "|", "~", ".", ":", "=", "'"),
    *(
        "0",
        "1",
        "2.5",
        "1e308",
        "1e-320",
        "9999999999",
        "0x10",
        "1j",
        "1_0",
        " ",
        "\n",
        "Piecewise",
    ),
)
finite = st.floats(-1e6, 1e6, allow_nan=False, allow_infinity=False)


def formulas() -> st.SearchStrategy[sympy.Expr]:
    """SymPy expressions of the functions that a text may hold, where they are real."""
    leaves = st.one_of(
        st.sampled_from([symbol(name) for name in NAMES]),
        finite.map(sympy.Float),
        st.integers(-9, 9).map(sympy.Integer),
        st.sampled_from([sympy.pi, sympy.Rational(1, 3), sympy.E]),
    )
    smooth = [sympy.sin, sympy.cos, sympy.tanh, sympy.exp, sympy.Abs, sympy.atan, sympy.sign]

    def larger(part: st.SearchStrategy) -> st.SearchStrategy:
        two = st.tuples(part, part)
        return st.one_of(
            two.map(lambda p: p[0] + p[1]),
            two.map(lambda p: p[0] * p[1]),
            two.map(lambda p: sympy.Max(*p)),
            two.map(lambda p: sympy.Piecewise((p[0], p[0] > 1), (p[1], True))),
            st.tuples(part, st.sampled_from(smooth)).map(lambda p: p[1](p[0])),
            st.tuples(part, st.integers(2, 4)).map(lambda p: p[0] ** p[1]),
        )

    return st.recursive(leaves, larger, max_leaves=5)


@pytest.mark.slow
@EXAMPLES
@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_one_line_that_says_why_not(text):
    check(text)


@EXAMPLES
@given(st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
def test_any_words_of_formulas_are_one_or_one_line_that_says_why_not(text):
    check(text)


def check(text: str) -> None:
    try:
        found = from_text(text, NAMES, OperatorSet("gauss"))
    except ValueError as error:
        assert one_line(error)
    else:
        assert isinstance(found, sympy.Expr)
        assert found.free_symbols <= set(map(symbol, NAMES))


@pytest.mark.slow
@EXAMPLES
@given(formulas())
def test_a_formula_comes_back_from_its_text(formula):
    assume(not formula.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I))
    text = to_text(formula, names=NAMES)
    try:
        back = from_text(text, NAMES)
    except ValueError as error:
        # Six powers of a million in one another are no double.
        assert "too large" in str(error) or "nested too deeply" in str(error)
        assume(False)
    points = np.random.default_rng(0).uniform(-2, 2, (7, 3))
    values = numpy_function([formula, back], list(map(symbol, NAMES)))(points)
    np.testing.assert_allclose(values[:, 1], values[:, 0], rtol=1e-9, atol=1e-9, equal_nan=True)
    # Read and written once more it stays as it is.
    assert to_text(from_text(to_text(back, names=NAMES), NAMES), names=NAMES) == to_text(
        back, names=NAMES
    )


@pytest.mark.slow
@EXAMPLES
@given(st.text(min_size=1, max_size=30), finite)
def test_a_variable_may_have_any_name(name, number):
    expression = sympy.Float(number) * symbol(name) ** 2 + sympy.exp(-symbol(name))
    text = to_text(expression, names=[name])
    assert text.isprintable() or not name.isprintable()
    assert len(text.splitlines()) == 1
    assert from_text(text, [name]) == expression


@pytest.mark.parametrize("text", ["x1\x1b[2J", "'\x1b]0;title\x07'", "x1 + \u202e2", "\x9b31m"])
def test_a_message_does_not_command_the_terminal(text):
    with pytest.raises(ValueError) as raised:
        from_text(text, NAMES)
    assert one_line(raised.value)
