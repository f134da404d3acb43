"""Formulas as text: exact for files, rounded for people, and as LaTeX."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence

import sympy
from deap import gp
from sympy.core.alphabets import greeks
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from keras_symgrad.expressions.formats.parser import FUNCTIONS, NUMBERS, from_text
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import to_sympy
from keras_symgrad.files import printable

__all__ = ["from_text", "to_latex", "to_pretty", "to_text"]

# Offset and scale by the name of a variable: (x - offset)/scale stands in its place.
Units = Mapping[str, tuple[float, float]]
NO_UNITS: Units = {}
# Offsets with at most this many digits are written without an exponent.
MOST_PLAIN_DIGITS = 7
_RESERVED = {*FUNCTIONS, *NUMBERS, "Piecewise"}
_LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # What LaTeX sets for it; in Markdown it would begin code.
    "`": "‘",
    **{character: "\\" + character for character in "{}$&#_%"},
}
# Markup elsewhere, and other characters than these in some fonts of LaTeX's text.
_LATEX_MATHEMATICS = re.compile("([<>|])")
_LATEX_RELATIONS = {"|": r"\vert"}


def to_text(
    expression: sympy.Expr | gp.PrimitiveTree,
    operators: OperatorSet | None = None,
    *,
    names: Sequence[str] = (),
) -> str:
    """The text of a formula that `from_text` reads back exactly.

    Floats are written with all digits of a double. A variable whose name is not a plain identifier,
    or already has another meaning, is written in quotation marks.

    Args:
        expression: a SymPy expression, or a tree.
        operators: the tree's operator set; not needed for an expression.
        names: names of all variables, also of those that are not in the formula. Needed only when
            one of them is called `pi`.

    Returns:
        One line of Python's and SymPy's syntax.

    Raises:
        ValueError: the formula contains a value that is not a real number or known function, or a
            tree is given without its operators.

    Example:

    >>> x = sympy.Symbol("petal length (cm)", real=True)
    >>> to_text(0.1 * sympy.exp(-x**2) + sympy.Rational(1, 3))
    "1/3 + 0.1*exp(-'petal length (cm)'**2)"
    """
    expression = _expression(expression, operators)
    own = {*names, *(symbol.name for symbol in expression.free_symbols)}
    return _TextPrinter("pi" in own).doprint(expression)


def to_pretty(
    expression: sympy.Expr | gp.PrimitiveTree,
    digits: int = 3,
    operators: OperatorSet | None = None,
    *,
    units: Units = NO_UNITS,
) -> str:
    """The text of a formula for people: floats rounded, and written as integers where whole.

    Args:
        expression: a SymPy expression, or a tree.
        digits: number of significant digits, at least 1.
        operators: the tree's operator set; not needed for an expression.
        units: offset and scale of rescaled variables; they are written out, with all digits.

    Returns:
        One line of Python's and SymPy's syntax.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> to_pretty(x1**2 + 2.0004 * x2**2 - 0.318309)
    'x1**2 + 2*x2**2 - 0.318'
    >>> to_pretty(x1**2 + 2.0004 * x2**2, units={"x1": (101325.0, 1.0), "x2": (0.0, 1e-9)})
    '(x1 - 101325)**2 + 2*(x2/1e-09)**2'
    """
    rounded_expression = rounded(_expression(expression, operators), digits)
    return _TextPrinter(False, digits, units).doprint(rounded_expression)


def to_latex(
    expression: sympy.Expr | gp.PrimitiveTree,
    digits: int = 3,
    operators: OperatorSet | None = None,
    *,
    units: Units = NO_UNITS,
) -> str:
    r"""The formula in LaTeX's mathematics mode, floats rounded.

    Names such as `x1` or `alpha` are set as indexed or Greek letters; a name that is not a plain
    identifier is set as text, with LaTeX's special characters escaped.

    Args:
        expression: a SymPy expression, or a tree.
        digits: number of significant digits, at least 1.
        operators: the tree's operator set; not needed for an expression.
        units: as of `to_pretty`.

    Returns:
        LaTeX without dollar signs.

    Example:

    >>> x1, y = sympy.Symbol("x1", real=True), sympy.Symbol("width_%", real=True)
    >>> print(to_latex(x1**2 + 2.5 * y))
    2.5 \text{width\_\%} + x_{1}^{2}
    """
    rounded_expression = rounded(_expression(expression, operators), digits)
    printer = _LatexPrinter(digits, rounded_expression.free_symbols, units)
    return printer.doprint(rounded_expression)


def rounded(expression: sympy.Expr, digits: int = 3) -> sympy.Expr:
    """The expression with floats rounded to significant digits, whole ones as integers.

    Args:
        expression: a SymPy expression.
        digits: number of significant digits, at least 1.

    Returns:
        A SymPy expression.

    Example:

    >>> x1 = sympy.Symbol("x1", real=True)
    >>> rounded(1.0001 * x1**1.9996 - 123456.7)
    x1**2 - 123000
    """
    if not isinstance(digits, int) or digits < 1:
        raise ValueError(f"`digits` must be a positive integer. Received: digits={digits!r}")
    values = {
        number: float(f"{float(number):.{digits}g}") for number in expression.atoms(sympy.Float)
    }
    return expression.xreplace(
        {
            number: sympy.Integer(int(value))
            if value.is_integer() and abs(value) < 10 ** max(digits, 6)
            else sympy.Float(value)
            for number, value in values.items()
        }
    )


def _expression(
    expression: sympy.Expr | gp.PrimitiveTree, operators: OperatorSet | None
) -> sympy.Expr:
    if isinstance(expression, gp.PrimitiveTree) and operators is not None:
        expression = to_sympy(expression, operators)
    if isinstance(expression, sympy.Expr):
        # SymPy cannot prove that log(x1) is real where it is defined; formulas are real.
        return expression.replace(sympy.re, lambda u: u).replace(sympy.im, lambda _: sympy.S.Zero)
    raise ValueError(
        "Expected a SymPy expression, or a tree together with its `operators`. "
        f"Received: {expression!r} (of type {type(expression).__name__}), operators={operators}"
    )


class _TextPrinter(StrPrinter):
    """SymPy's own text, restricted to the syntax of the parser."""

    def __init__(self, pi_is_a_variable: bool, digits: int = 17, units: Units = NO_UNITS):
        super().__init__()
        self._pi_is_a_variable = pi_is_a_variable
        self._digits = digits
        self._units = units

    def _print_Symbol(self, symbol: sympy.Symbol) -> str:
        name = symbol.name
        # Python reads some characters as others, the micro sign as the letter mu: not in quotes.
        is_itself = unicodedata.normalize("NFKC", name) == name
        if not is_itself or not name.isidentifier() or keyword.iskeyword(name) or name in _RESERVED:
            name = repr(name)
        offset, scale = self._units.get(symbol.name, (0.0, 1.0))
        if offset:
            name = f"{name} {'-' if offset > 0 else '+'} {written(abs(offset))}"
        if scale == 1:
            return name
        return f"({name})/{scale:g}" if offset else f"{name}/{scale:g}"

    _print_Dummy = _print_Symbol

    def parenthesize(self, item: sympy.Basic, level: int, strict: bool = False) -> str:
        """SymPy's, extended to rescaled variables."""
        if item.is_Symbol and (found := own_precedence(item, self._units)) is not None:
            return f"({self._print(item)})" if found <= level else self._print(item)
        return super().parenthesize(item, level, strict)

    def _print_Float(self, number: sympy.Float) -> str:
        value = float(number)
        if not abs(value) < float("inf"):
            raise ValueError(f"A formula holds doubles only. Received: {number!s}")
        return repr(value) if self._digits >= 17 else f"{value:.{self._digits}g}"

    def _print_Pi(self, _: sympy.Expr) -> str:
        return "acos(-1)" if self._pi_is_a_variable else "pi"

    def _print_Exp1(self, _: sympy.Expr) -> str:
        return "exp(1)"  # a variable may be called E

    def _print_Function(self, function: sympy.Function) -> str:
        if type(function).__name__ not in FUNCTIONS:
            return self.emptyPrinter(function)
        return super()._print_Function(function)

    def _print_Piecewise(self, piecewise: sympy.Piecewise) -> str:
        branches = (f"({self._print(e)}, {self._print(c)})" for e, c in piecewise.args)
        return f"Piecewise({', '.join(branches)})"

    def emptyPrinter(self, part: object) -> str:  # noqa: N802 - SymPy's name
        raise ValueError(f"A formula cannot hold {part!s} in its text form.")

    def _print_unwritable(self, part: sympy.Basic) -> str:
        return self.emptyPrinter(part)

    _print_NaN = _print_Infinity = _print_NegativeInfinity = _print_unwritable
    _print_ComplexInfinity = _print_ImaginaryUnit = _print_Derivative = _print_unwritable


class _LatexPrinter(LatexPrinter):
    """SymPy's LaTeX with rounded numbers and names that cannot break out."""

    def __init__(self, digits: int, symbols: set[sympy.Symbol], units: Units = NO_UNITS):
        strange = {s: _latex_text(s.name) for s in symbols if not is_plain(s.name)}
        super().__init__({"symbol_names": strange})
        self._digits = digits
        self._units = units

    def _print_Float(self, number: sympy.Float) -> str:
        return _latex_number(f"{float(number):.{self._digits}g}")

    def _print_Symbol(self, symbol: sympy.Symbol, style: str = "plain") -> str:
        name = super()._print_Symbol(symbol, style)
        offset, scale = self._units.get(symbol.name, (0.0, 1.0))
        if offset:
            name = f"{name} {'-' if offset > 0 else '+'} {_latex_number(written(abs(offset)))}"
        if scale == 1:
            # SymPy puts no brackets around a symbol in a product.
            return rf"\left({name}\right)" if offset else name
        return rf"\frac{{{name}}}{{{_latex_number(f'{scale:g}')}}}"

    def parenthesize(
        self, item: sympy.Basic, level: int, is_neg: bool = False, strict: bool = False
    ) -> str:
        """SymPy's, with brackets around a fraction that has an exponent."""
        if item.is_Symbol and self._units.get(item.name, (0.0, 1.0))[1] != 1:
            printed = self._print(item)
            return printed if level < PRECEDENCE["Pow"] else rf"\left({printed}\right)"
        return super().parenthesize(item, level, is_neg, strict)

    def parenthesize_super(self, s: str) -> str:
        """SymPy's, without a second pair of brackets."""
        return s if s.startswith(r"\left(") else super().parenthesize_super(s)


def own_precedence(symbol: sympy.Symbol, units: Units) -> int | None:
    """Precedence of a rescaled variable; `None` for any other."""
    offset, scale = units.get(symbol.name, (0.0, 1.0))
    if scale != 1:
        return PRECEDENCE["Mul"]
    return PRECEDENCE["Add"] if offset else None


def written(number: float) -> str:
    """A number of a unit with all its digits, in the shorter of two notations.

    >>> written(1000000.0), written(1.7e9), written(1e6 / 1e-3), written(0.12345678)
    ('1000000', '1.7e+09', '1e+09', '0.12345678')
    """
    whole = number.is_integer() and abs(number) < 2**53
    plain = str(int(number)) if whole else repr(number)
    exact = (f"{number:.{digits}g}" for digits in range(1, 18))
    shortest = next(text for text in exact if float(text) == number)
    return plain if len(plain) <= MOST_PLAIN_DIGITS or len(plain) <= len(shortest) else shortest


def _latex_number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def is_plain(name: str) -> bool:
    """Return whether a name can be set as a letter with indices, and is not a text.

    >>> is_plain("v_max"), is_plain("alpha_1"), is_plain("mean_radius"), is_plain("b (cm)")
    (True, True, False, False)
    """
    letter, *indices = name.split("_")
    letter = letter.rstrip("0123456789")
    # Columns of tables are words: all but the first one would be small and below the line.
    is_word = len(letter) > 1 and letter.lower() not in (*greeks, "lambda")
    plain = name.isascii() and name.replace("_", "").isalnum() and name[0].isalpha()
    return plain and not (indices and is_word)


def _latex_text(name: str) -> str:
    """A name as text; what Markdown and HTML would take for markup stands between texts."""
    parts = _LATEX_MATHEMATICS.split(printable(" ".join(name.split())))
    written = [
        f"{{{_LATEX_RELATIONS.get(part, part)}}}"
        if _LATEX_MATHEMATICS.fullmatch(part)
        else rf"\text{{{''.join(_LATEX_SPECIALS.get(c, c) for c in part)}}}"
        for part in parts
        if part
    ]
    return written[0] if len(written) == 1 else f"{{{''.join(written)}}}"
