"""Formulas as text, and back."""

import time

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.codegen.numpy_code import numpy_function
from keras_symgrad.expressions.formats import parser as parsing
from keras_symgrad.expressions.formats.mathml import to_mathml
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.formats.text import rounded, to_latex, to_pretty, to_text
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol
from keras_symgrad.formulas.formula import Formula

pytestmark = pytest.mark.slow

NAMES = ("x1", "x2", "x3")
SYMBOLS = x1, x2, x3 = tuple(map(symbol, NAMES))
STRANGE = (
    "petal length (cm)",
    "x 1",
    "<script>",
    "lambda",
    "pi",
    "E",
    "exp",
    "Piecewise",
    'it\'s "q"',
    "back\\slash",
    "__import__('os').system('x')",
    "two\nlines",
    "größe",
    "",
)


# From formula to text and back. -------------------------------------------------------------


def test_every_formula_comes_back(real_formulas, operators):
    points = np.random.default_rng(4).uniform(-2, 2, (30, 3))
    identical = total = 0
    for _, expression in real_formulas(operators, 80, seed=12):
        back = from_text(to_text(expression), NAMES)
        total += 1
        identical += back == expression
        values = numpy_function([expression, back], SYMBOLS)(points)
        np.testing.assert_allclose(values[:, 1], values[:, 0], rtol=1e-12, equal_nan=True)
    # SymPy's own evaluation is not always where it stays when it is done again.
    assert identical >= 0.97 * total


def test_floats_keep_all_their_digits():
    rng = np.random.default_rng(0)
    for value in [*rng.normal(size=50), 1e-300, 1.7e308, 1 / 3, -2.5e-7, 123456789.123456789]:
        back = from_text(to_text(sympy.Float(value) * x1 + value), NAMES)
        assert float(back.coeff(x1)) == value
        assert float(back.subs(x1, 0)) == value


@pytest.mark.parametrize("operator", OperatorSet("full"), ids=lambda o: o.name)
def test_every_shipped_operator_comes_back(operator):
    text = to_text(operator.expression)
    assert from_text(text, ["a", "b"]) == operator.expression
    call = f"{operator.name}({', '.join(['a', 'b'][: operator.arity])})"
    assert from_text(call, ["a", "b"], OperatorSet(operator)) == operator.expression


def test_an_operator_of_a_user_comes_back_without_being_known():
    a = sympy.Symbol("a", real=True)
    conditions = sympy.Piecewise((a, a > 1), (a**3, (a > -1) & (a < 0)), (0, True))
    kink = Operator("kink", conditions)
    expression = kink(x1 + 2.5) + kink(kink(x2))
    assert from_text(to_text(expression), NAMES) == expression
    assert from_text("kink(x1 + 2.5) + kink(kink(x2))", NAMES, OperatorSet(kink)) == expression


@pytest.mark.parametrize("name", STRANGE)
def test_variables_may_have_any_name(name):
    expression = 1.5 * symbol(name) ** 2 + sympy.pi * x1 + sympy.exp(symbol(name)) + sympy.E
    names = [name, "x1"]
    text = to_text(expression, names=names)
    assert from_text(text, names) == expression
    assert "\n" not in text


def test_a_variable_hides_a_number_of_the_same_name():
    assert from_text("E*B", ["E", "B"]) == symbol("E") * symbol("B")
    assert from_text("E*B", ["B"]) == sympy.E * symbol("B")
    text = to_text(sympy.pi * x1, names=["x1", "pi"])
    assert from_text(text, ["x1", "pi"]) == sympy.pi * x1


def test_products_that_sympy_would_multiply_out_stay_together():
    for expression in (
        2 * (x1 + x2) / x3,
        x1 - 3 * (x1 + x2) * x3,
        -(x1 + x2) / x3,
        -(x1 + x2) * (x1 - x2) ** 2 / 7,
        x1 ** (-x2) - (-x1) ** 3,
        (x1 + x2) ** -2.5,
        sympy.Rational(-2, 3) * x1 ** sympy.Rational(1, 3),
    ):
        assert from_text(to_text(expression), NAMES) == expression


def test_a_tree_is_written_with_its_operators():
    alphabet = Alphabet(OperatorSet("add, gauss"), NAMES)
    tree = alphabet.tree(["add", 2.5, "gauss", 0])
    assert to_text(tree, alphabet.operators) == "2.5 + exp(-x1**2)"
    with pytest.raises(ValueError, match="tree together with its `operators`"):
        to_text(tree)


@pytest.mark.parametrize("part", [sympy.I, sympy.zoo, sympy.nan, sympy.oo, sympy.gamma(x2)])
def test_what_is_no_real_formula_has_no_text(part):
    with pytest.raises(ValueError, match="A formula cannot hold"):
        to_text(x1 + part)


# Untrusted text. -----------------------------------------------------------------------------


REFUSED = {
    "__import__('os').system('touch pwned')": "A call of something",
    "exec('1')": "Unknown function 'exec'",
    "x1.__class__": "An attribute is not allowed in column 1",
    "x1[0]": "A subscript is not allowed",
    "(lambda: x1)()": "A call of something",
    "[x1 for x1 in (1, 2)]": "not allowed",
    "f'{x1}'": "A formatted string is not allowed",
    "b'x1'": "not a number that is allowed",
    "x1 if x2 else x3": "not allowed",
    "(x1 := 2)": "not allowed",
    "x1 @ x2": "operation is not allowed",
    "x1 // 2": "operation is not allowed",
    "x1 ^ 2": "operation is not allowed",
    "~(x1 < 2)": "is a condition, not a formula",
    "~x1": "A number in the place of a condition",
    "x1 < x2": "is a condition, not a formula",
    "True": "is a condition, not a formula",
    "1 < x1 < 2": "comparison is not allowed",
    "1 + (x1 < 2)": "A condition in the place of a number in column 6",
    "True + x1": "A condition in the place of a number in column 1",
    "exp(x1 < 2)": "A condition in the place of a number in column 5",
    "(x1 < 2)**x2": "A condition in the place of a number",
    "-(x1 < 2)": "A condition in the place of a number",
    "(x1 < 2) < 3": "A condition in the place of a number",
    "Piecewise((x1, 2))": "A number in the place of a condition",
    "Piecewise((x1 < 2, x1 < 2))": "A condition in the place of a number",
    "ITE(x1, x1 < 2, x1 > 2)": "A number in the place of a condition",
    "Piecewise((x1, Piecewise((x1, x1 > 2), (x2, True)) > 0), (0, True))": "inside a condition",
    "x1 & x2": "A number in the place of a condition",
    "Piecewise(x1)": "A branch of 'Piecewise'",
    "x1 + foo": "Unknown name 'foo'; the variables are x1, x2, x3 in column 6",
    "'foo' + x1": "Unknown variable 'foo'",
    "foo(x1)": "Unknown function 'foo'",
    "gauss(x1)": "Unknown function 'gauss'",
    "exp(x1, x2)": "'exp' with 2 arguments, not 1",
    "exp()": "'exp' with 0 arguments",
    "exp(*x1)": "with names or stars",
    "exp(a=x1)": "with names or stars",
    "1j*x1": "not a number that is allowed",
    "None": "not a number that is allowed",
    "...": "not a number that is allowed",
    "sqrt(-1)*x1": "too large or not real",
    "log(0)": "too large or not real",
    "x1/(2 - 2)": "A division by zero in column 5",
    "1/1e-320*(x1 + x2)": "too large or not real",
    "1e999": "not a number that is allowed",
    "9**9**9**9": "An exponent beyond 10000",
    "x1**(10**9)": "An exponent beyond 10000",
    "(x1**10000)**3": "An exponent beyond 10000",
    "x1**9000*x1**9000": "An exponent beyond 10000",
    "(((9*x1)**9999)**9999)**9999": "too large or not real",
    "exp(exp(exp(20.0)))": "too large or not real",
    "exp(exp(exp(20)))*x1": "too large or not real",
    "9" * 5000: "Exceeds the limit",
    "x1" * 6000: "10000 characters at most",
    "(" * 500 + "x1" + ")" * 500: "too many nested parentheses",
    "-" * 9000 + "x1": "nested too deeply",
    "sin(1 + " * 80 + "x1" + ")" * 80: "nested too deeply",
    "x1" + "**x1" * 80: "nested too deeply",
    "": "invalid syntax",
    "x1 +": "invalid syntax",
    "x1; x2": "invalid syntax",
    "x1 = 2": "invalid syntax",
    "x1\n+ x2": "invalid syntax",
    "x1 \x00": "",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:30])
def test_text_that_is_no_formula_is_refused_at_once_and_in_one_line(text):
    start = time.process_time()
    with pytest.raises(ValueError) as raised:
        from_text(text, NAMES)
    assert time.process_time() - start < 3
    message = str(raised.value)
    assert REFUSED[text] in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_sum_of_thousands_of_terms_is_read_or_refused_at_once():
    # Python's own parser has a limit of nesting, which is higher in 3.13 than in 3.11.
    start = time.process_time()
    try:
        assert from_text("+".join(["x1"] * 3000), NAMES) == 3000 * symbol("x1")
    except ValueError as error:
        assert "nested too deeply" in str(error)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pow(9, 1000000000000)", "An exponent beyond 10000"),
        ("pow(pow(9, 9999), 9999)", "too large"),
        ("9" * 300 + "**9999", "too large"),
        (f"({'9' * 300}/{'7' * 299})**(9999/10000)", "too large"),
        (f"({'9' * 300}*x1)**9999", "too large"),
        ("pow5(pow5(pow5(pow5(99999))))", "too large"),
    ],
    ids=["operator", "nested", "integer", "fraction", "coefficient", "operators"],
)
def test_powers_that_nothing_could_stop_are_refused_before_they_are_taken(text, message):
    # Python multiplies integers of any size, and no time limit can interrupt it.
    with pytest.raises(ValueError, match=message):
        from_text(text, NAMES, OperatorSet("full"))


def test_text_that_keeps_sympy_busy_is_given_up(monkeypatch):
    # SymPy asks whether it is real, and each layer multiplies the questions by fifteen.
    monkeypatch.setattr(parsing, "LONGEST_READING", 0.5)
    text = "sin(tanh(" * 6 + "acos(x1)" + "/2)/2 + 1/3)**3" * 6
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"SymPy needs longer than 0\.5 s to read"):
        from_text(text, NAMES)
    assert time.perf_counter() - start < 20


def test_only_text_is_read():
    with pytest.raises(ValueError, match="A formula must be a string"):
        from_text(3, NAMES)


def test_random_garbage_is_refused_or_read_but_never_breaks():
    rng = np.random.default_rng(11)
    pieces = ["x1", "x2", "+", "-", "*", "/", "**", "(", ")", "exp(", "sqrt(", "2", "0.5", ","]
    pieces += ["Max(", "1e308", "'x1'", "pi", "Abs(", "log(", "<", "~", "tan(", "atan2(", " "]
    read = 0
    start = time.process_time()
    for _ in range(1000):
        text = "".join(rng.choice(pieces, size=rng.integers(1, 9)))
        try:
            read += isinstance(from_text(text, NAMES), sympy.Expr)
        except ValueError:
            pass
    assert read > 20
    assert time.process_time() - start < 60


def test_what_is_read_can_be_written_again_however_deep():
    text = "sin(1 + " * 29 + "x1" + ")" * 29
    assert to_text(from_text(text, NAMES)).count("sin") == 29


# Text for people. ---------------------------------------------------------------------------


def test_numbers_are_rounded_for_people():
    assert to_pretty(x1**2 + 2.0004 * x2**2 - 0.318309) == "x1**2 + 2*x2**2 - 0.318"
    assert to_pretty(1.00001 * x1 - 0.99999 * x2) == "x1 - x2"
    assert to_pretty(3.14159 * x1, digits=5) == "3.1416*x1"
    assert to_pretty(1.23456e-9 * x1) == "1.23e-09*x1"
    assert to_pretty(x1**1.9999) == "x1**2"
    assert to_pretty(symbol("petal length (cm)") * 2.0) == "2*'petal length (cm)'"
    assert rounded(123456.7 * x1) == 123000 * x1


def test_a_rounded_text_is_still_a_formula():
    expression = 1.23456e-9 * x1**2.3456 - 7.89e20 * sympy.exp(-0.5 * x2)
    assert from_text(to_pretty(expression), NAMES) == rounded(expression)


@pytest.mark.parametrize("digits", [0, -1, 2.5, None])
def test_a_number_of_digits_that_is_none_is_refused(digits):
    with pytest.raises(ValueError, match="`digits` must be a positive integer"):
        to_pretty(x1, digits=digits)


def test_latex_rounds_numbers_and_knows_indices_and_greek_letters():
    alpha = symbol("alpha")
    expression = x1**2 + 2.0004 * alpha + 1.23456e-7 * sympy.sqrt(x2)
    text = to_latex(expression)
    assert text == r"2 \alpha + x_{1}^{2} + 1.23 \cdot 10^{-7} \sqrt{x_{2}}"


def test_latex_escapes_what_names_might_do():
    name = r"a_b $x^2$ 100% \input{f} #1 & ~ <script>"
    text = to_latex(symbol(name) ** 2)
    assert text == (
        r"{\text{a\_b \$x\textasciicircum{}2\$ 100\% \textbackslash{}input\{f\} \#1 \& "
        r"\textasciitilde{} }{<}\text{script}{>}}^{2}"
    )
    assert "\n" not in to_latex(symbol("two\nlines"))


@pytest.mark.parametrize("write", [to_latex, to_mathml, to_pretty, to_text, repr])
def test_no_name_turns_the_direction_of_writing_or_commands_a_terminal(write):
    name = "a\x1b[2J\u202eb\u2066c\x00\x07\u2028|`d`"
    formula = Formula(symbol(name) ** 2, 3, 0.0, (name,)) if write is repr else symbol(name) ** 2
    text = write(formula)
    assert text.isprintable()
    assert "x1b" in text and "u202e" in text and "x00" in text


def test_latex_is_accepted_by_matplotlib():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for expression in (
        x1**2 / (2.5 + sympy.exp(-x2)),
        sympy.Abs(x1) * sympy.sqrt(x2 + sympy.pi),
        sympy.atan2(x1, x2) + sympy.Max(x1, x2, 0),
        symbol("petal length (cm)") * 1.2e-5,
    ):
        parser.parse(f"${to_latex(expression)}$")
