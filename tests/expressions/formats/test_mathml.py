"""MathML of formulas, read back by a small interpreter of MathML and compared in value."""

from __future__ import annotations

import math
import re
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.formats.mathml import MAX_CHARACTERS, to_mathml

x1, gamma = sympy.symbols("x1 gamma", real=True)
VALUES = {"x1": 0.7, "γ": 1.3, "π": math.pi, "e": math.e}


def python_of(element: ElementTree.Element) -> str:
    """Python code of an element: enough of MathML for formulas without functions of several."""
    parts = [python_of(part) for part in element]
    text = unescape(element.text or "").strip()
    match element.tag:
        case "mfrac":
            return f"(({parts[0]})/({parts[1]}))"
        case "msup" if element[0].text == ")":
            return f")**({parts[1]})"
        case "msup":
            return f"(({parts[0]})**({parts[1]}))"
        case "msub":
            return f"v['{element[0].text}{element[1].text}']"
        case "msubsup":
            return f"(v['{element[0].text}{element[1].text}']**({parts[2]}))"
        case "msqrt":
            return f"(({''.join(parts)})**0.5)"
        case "mn":
            return f"({text.replace('−', '-')})"
        case "mi":
            return f"m.{text}" if hasattr(math, text) and text != "e" else f"v['{text}']"
        case "mo":
            return {"−": "-", "\N{INVISIBLE TIMES}": "*", "·": "*"}.get(text, text)
    return "".join(parts)


@pytest.mark.parametrize(
    "expression",
    [
        x1**2 + 2 * gamma**2,
        -gamma * x1 + (x1 - gamma) ** 2 / 3,
        sympy.Float(0.25) * sympy.exp(-(x1**2) / 2) - sympy.pi * gamma,
        sympy.sqrt(x1 / gamma) - 3,
        sympy.Float(1.2e-7) * x1 - gamma,
        sympy.sin(x1 + gamma) - sympy.tanh(gamma),
        x1**-2 - gamma ** sympy.Float(1.5),
        -x1 - 1,
        1 / (x1 + gamma),
    ],
    ids=str,
)
def test_mathml_means_the_formula(expression):
    written = unescape(to_mathml(expression, digits=6)).replace("&", "&amp;")
    root = ElementTree.fromstring(f"<row>{written}</row>")
    assert all(part.tag == "math" for part in root)
    terms = len(expression.args) if expression.is_Add else 1
    assert len(root) == terms
    code = "".join(python_of(part) for part in root)
    value = eval(code, {"m": math, "v": VALUES})
    truth = float(expression.subs({x1: VALUES["x1"], gamma: VALUES["γ"]}))
    assert np.isclose(value, truth, rtol=1e-5)


LONG = x1**2 + 3.25 * gamma * x1 + sympy.sin(x1 + 2 * gamma) + 1.75 * gamma**3 + 2


@pytest.mark.parametrize(
    "expression",
    [
        LONG / (gamma**2 + 1.5 * x1 * gamma + sympy.exp(-x1) + 4.25 * x1**3 + 3),
        -x1 * LONG / (3 * gamma),
        (x1 - gamma) / LONG - sympy.tanh(x1),
        LONG**3 / gamma,
        sympy.sqrt(LONG) - LONG**-2,
        sympy.cos(LONG) * (LONG - 3 * x1),
    ],
    ids=range(6),
)
def test_a_long_fraction_is_in_pieces_no_wider_than_a_phone_that_mean_the_formula(expression):
    written = unescape(to_mathml(expression, digits=6)).replace("&", "&amp;")
    root = ElementTree.fromstring(f"<row>{written}</row>")
    assert len(root) > 4
    pieces = ["".join(part.itertext()).replace("\N{INVISIBLE TIMES}", "") for part in root]
    assert max(map(len, pieces)) <= MAX_CHARACTERS
    assert not list(root.iter("mfrac"))
    value = eval("".join(map(python_of, root)), {"m": math, "v": VALUES})
    truth = float(expression.subs({x1: VALUES["x1"], gamma: VALUES["γ"]}))
    assert np.isclose(value, truth, rtol=1e-5)


@pytest.mark.parametrize("name", ["<script>", "a & b", 'x" onclick="', "</math>", "&lt;", "$x$"])
def test_a_name_is_text_whatever_it_holds(name):
    written = to_mathml(sympy.Symbol(name, real=True) ** 2 + 1)
    root = ElementTree.fromstring(f"<row>{written}</row>")
    assert "".join(part.text for part in root.iter("mtext")) == name
    assert {part.tag for part in root.iter()} <= {
        "row",
        "math",
        "msup",
        "mtext",
        "mn",
        "mo",
        "mrow",
    }


def test_a_rule_ends_in_its_relation_and_number():
    assert re.sub("<.*?>", "", to_mathml(x1, relation="<", other="-0.5")) == "x1 &lt;−0.5"
    assert "10" in to_mathml(x1, relation=">", other="1.2e-05")


def test_branches_are_written_one_below_the_other():
    written = to_mathml(sympy.Piecewise((x1, x1 > 0), (-x1, True)))
    assert written.count("<mtr>") == 2
    assert "otherwise" in written
