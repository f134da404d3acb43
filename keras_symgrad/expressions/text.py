"""Formulas as text: exactly for files, rounded for people, and as LaTeX."""

from __future__ import annotations

import keyword
from collections.abc import Sequence

import sympy
from deap import gp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from keras_symgrad.expressions.parsing import FUNCTIONS, NUMBERS, from_text
from keras_symgrad.expressions.trees import to_sympy
from keras_symgrad.operators import OperatorSet

__all__ = ["from_text", "to_latex", "to_pretty", "to_text"]

_RESERVED = {*FUNCTIONS, *NUMBERS, "Piecewise"}
_LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "{}$&#_%"},
}


def to_text(
    expression: sympy.Expr | gp.PrimitiveTree,
    operators: OperatorSet | None = None,
    *,
    names: Sequence[str] = (),
) -> str:
    """The text of a formula that `from_text` reads back exactly.

    Floats are written with all digits of a double. A variable whose name is not a plain
    identifier, or means something else already, is written in quotation marks.

    Args:
        expression: a SymPy expression, or a tree.
        operators: the tree's operator set; not needed for an expression.
        names: names of all variables, also those that the formula does not hold. Needed only
            when one of them is called `pi`.

    Returns:
        One line of Python's and SymPy's syntax.

    Raises:
        ValueError: the formula holds something that is no real number or known function, or a
            tree comes without its operators.

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
) -> str:
    """The text of a formula for people: floats rounded, those that become whole as integers.

    Args:
        expression: a SymPy expression, or a tree.
        digits: number of significant digits, at least 1.
        operators: the tree's operator set; not needed for an expression.

    Returns:
        One line of Python's and SymPy's syntax.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> to_pretty(x1**2 + 2.0004 * x2**2 - 0.318309)
    'x1**2 + 2*x2**2 - 0.318'
    """
    rounded_expression = rounded(_expression(expression, operators), digits)
    return _TextPrinter(False, digits).doprint(rounded_expression)


def to_latex(
    expression: sympy.Expr | gp.PrimitiveTree,
    digits: int = 3,
    operators: OperatorSet | None = None,
) -> str:
    r"""The formula in LaTeX's mathematics mode, floats rounded.

    Names such as `x1` or `alpha` are set as indexed or Greek letters; a name that is not a plain
    identifier is set as text, with what LaTeX would take for commands escaped.

    Args:
        expression: a SymPy expression, or a tree.
        digits: number of significant digits, at least 1.
        operators: the tree's operator set; not needed for an expression.

    Returns:
        LaTeX without dollar signs.

    Example:

    >>> x1, y = sympy.Symbol("x1", real=True), sympy.Symbol("width_%", real=True)
    >>> print(to_latex(x1**2 + 2.5 * y))
    2.5 \text{width\_\%} + x_{1}^{2}
    """
    rounded_expression = rounded(_expression(expression, operators), digits)
    return _LatexPrinter(digits, rounded_expression.free_symbols).doprint(rounded_expression)


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
        # SymPy does not know that log(x1) is real where it is defined; formulas are.
        return expression.replace(sympy.re, lambda u: u).replace(sympy.im, lambda _: sympy.S.Zero)
    raise ValueError(
        "Expected a SymPy expression, or a tree together with its `operators`. "
        f"Received: {expression!r} (of type {type(expression).__name__}), operators={operators}"
    )


class _TextPrinter(StrPrinter):
    """SymPy's own text, restricted to what the parser knows."""

    def __init__(self, pi_is_a_variable: bool, digits: int = 17):
        super().__init__()
        self._pi_is_a_variable = pi_is_a_variable
        self._digits = digits

    def _print_Symbol(self, symbol: sympy.Symbol) -> str:
        name = symbol.name
        if name.isidentifier() and not keyword.iskeyword(name) and name not in _RESERVED:
            return name
        return repr(name)

    _print_Dummy = _print_Symbol

    def _print_Float(self, number: sympy.Float) -> str:
        value = float(number)
        if not abs(value) < float("inf"):
            raise ValueError(f"A formula holds doubles only. Received: {number!s}")
        return repr(value) if self._digits >= 17 else f"{value:.{self._digits}g}"

    def _print_Pi(self, _: sympy.Expr) -> str:
        return "acos(-1)" if self._pi_is_a_variable else "pi"

    def _print_Exp1(self, _: sympy.Expr) -> str:
        return "exp(1)"  # a variable may well be called E

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

    def __init__(self, digits: int, symbols: set[sympy.Symbol]):
        strange = {s: _latex_text(s.name) for s in symbols if not is_plain(s.name)}
        super().__init__({"symbol_names": strange})
        self._digits = digits

    def _print_Float(self, number: sympy.Float) -> str:
        mantissa, _, exponent = f"{float(number):.{self._digits}g}".partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def is_plain(name: str) -> bool:
    return name.isascii() and name.replace("_", "").isalnum() and name[0].isalpha()


def _latex_text(name: str) -> str:
    return rf"\text{{{''.join(_LATEX_SPECIALS.get(c, c) for c in ' '.join(name.split()))}}}"
