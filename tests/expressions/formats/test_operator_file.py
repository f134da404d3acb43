"""Operators from a text file are those that Python makes, and nothing in the file is run."""

from __future__ import annotations

import pytest
import sympy

from keras_symgrad.expressions import Operator
from keras_symgrad.expressions.formats import read_operators


def test_arguments_stand_in_the_order_of_the_line(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("# of a chemist\n\nsaturation(s, k) = s/(k + s)\nbump(x) = exp(-x**2)\n")
    saturation, bump = read_operators(path)
    assert saturation(sympy.Integer(1), sympy.Integer(3)) == sympy.Rational(1, 4)
    assert bump == Operator("bump", lambda a: sympy.exp(-(a**2)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bump = exp(-x**2)", "Line 1 .*Expected an operator such as"),
        ("f(a) = __import__('os')", "Line 1 .*Unknown function '__import__'"),
        ("f(a) = b", "Line 1 .*'b'"),
        ("f(a, b) = a**2", "does not use its argument 'b'"),
        ("f(a, a) = a**2", "different names"),
        ("sin(a) = cos(a)", "'sin' is the function of that name"),
        ("# nothing\n", "Expected an operator a line"),
    ],
)
def test_a_line_that_is_no_operator_is_refused(text, message, tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_operators(path)
