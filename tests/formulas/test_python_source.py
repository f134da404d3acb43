"""Formulas as source code that says what the formula says, whatever its variables are called."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text

X = np.random.default_rng(0).uniform(0.1, 0.9, (50, 2))
EVERYTHING = (
    "0.1*x1**2 + exp(-x2)/3 + log(x1)*sin(x2) - tan(x1)*cos(x2) + sqrt(x1) + x1**-3 + x2**2.5",
    "Max(x1, x2, 0.5) - Min(x1, x2) + Abs(x1 - x2) + sign(x1 - x2) + floor(7*x1) + ceiling(x2)",
    "asin(x1) + acos(x2) + atan(x1) + atan2(x1, x2) + sinh(x1) + cosh(x2) + tanh(x1) + pi + E",
    "asinh(x1) + acosh(1 + x2) + atanh(x1) + erf(x2)",
    "Piecewise((x1, (x1 < x2) & (x1 > 0.2)), (x2**2, x2 < 0.4), (1, True))",
)


def function_of(formula: ks.Formula):
    # What a user does with the file: import it.
    names: dict = {}
    exec(compile(formula.to_python("f"), "formula.py", "exec"), names)
    return names["f"]


@pytest.mark.parametrize("text", EVERYTHING)
def test_the_function_computes_the_formula_of_arrays_and_of_numbers(text):
    formula = ks.Formula(from_text(text, ["x1", "x2"]), 5.0, 0.0, ("x1", "x2"))
    f = function_of(formula)
    np.testing.assert_allclose(f(*X.T), formula(X), rtol=1e-12)
    assert float(f(*X[0])) == pytest.approx(formula(X)[0], rel=1e-12)


def test_floats_keep_all_of_their_digits():
    x = sympy.Symbol("x", real=True)
    formula = ks.Formula(sympy.Float(0.1 + 0.2, 17) * x, 1.0, 0.0, ("x",))
    assert "0.30000000000000004*x" in formula.to_python()


@pytest.mark.slow
def test_a_formula_nested_hundreds_of_levels_deep_is_python_all_the_same():
    x, y = sympy.symbols("x step_1", real=True)
    expression, expected = x, 0.3
    for _ in range(300):
        expression, expected = sympy.sin(expression) + y, np.sin(expected) + 0.1
    f = function_of(ks.Formula(expression, 600.0, 0.0, ("x", "step_1")))
    assert f(0.3, 0.1) == pytest.approx(expected, rel=1e-12)


def test_names_of_any_characters_become_identifiers_and_never_code():
    names = ("lambda", "np", '"""\nimport os', "a b", "a-b", "Länge", "2", "f", "\\")
    symbols = [sympy.Symbol(name, real=True) for name in names]
    formula = ks.Formula(sum(2**k * s for k, s in enumerate(symbols)), 1.0, 0.0, names)
    source = formula.to_python("f")
    assert "\nimport os" not in source
    f = function_of(formula)
    identifiers = "lambda_ np_ import_os a_b a_b_ L_nge x_2 f_ x"
    assert " ".join(f.__code__.co_varnames) == identifiers
    rows = np.random.default_rng(0).normal(size=(20, len(names)))
    np.testing.assert_allclose(f(*rows.T), formula(rows), rtol=1e-12)
    assert "a_b_ is 'a-b'." in f.__doc__


def test_the_source_runs_where_only_numpy_is_known(tmp_path):
    formula = ks.Formula(from_text(EVERYTHING[3], ["x1", "x2"]), 5.0, 0.0, ("x1", "x2"))
    path = formula.export(tmp_path / "concept.py")
    line = "import sys, concept; print(concept.formula(0.5, 0.25), 'sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", line], cwd=path.parent, capture_output=True)
    value, loaded = done.stdout.decode().split()
    assert float(value) == pytest.approx(formula(np.array([[0.5, 0.25]]))[0])
    assert loaded == "False"


@pytest.mark.parametrize("name", ["2x", "class", "a b", "größe"])
def test_a_name_that_is_none_is_refused(name):
    x = sympy.Symbol("x", real=True)
    with pytest.raises(ValueError, match="name of a Python function"):
        ks.Formula(x, 1.0, 0.0, ("x",)).to_python(name)
