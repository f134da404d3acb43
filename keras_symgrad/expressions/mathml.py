"""Formulas as MathML, which browsers render themselves, as text that reads aloud and wraps."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from keras_symgrad.expressions.text import is_plain, rounded


def to_mathml(
    expression: sympy.Expr, digits: int = 3, relation: str = "", other: str | sympy.Expr = ""
) -> str:
    """The formula in MathML, floats rounded.

    Browsers break lines between `<math>` elements and not inside of them, so that each term of a
    sum is an element of its own.

    Args:
        expression: a SymPy expression.
        digits: number of significant digits, at least 1.
        relation: what follows, such as `>`.
        other: what follows the relation: a formula, or a number as Python writes it.

    Returns:
        Elements with spaces between them, in which nothing of a variable's name is markup.

    Example:

    >>> print(to_mathml(sympy.Symbol("a<b") + 1.5))
    <math displaystyle="true"><mtext>a&lt;b</mtext></math> <math
    displaystyle="true"><mo form="infix">+</mo><mn>1.5</mn></math>
    """
    parts = list(_Printer(digits).terms(rounded(expression, digits)))
    if relation:
        first, *rest = _other_side(other, digits)
        parts += [f'<mo form="infix">{html.escape(relation)}</mo>{first}', *rest]
    # Fractions of full size, as in a line of their own.
    return " ".join(f'<math displaystyle="true">{part}</math>' for part in parts)


def _other_side(other: str | sympy.Expr, digits: int) -> list[str]:
    if isinstance(other, str) and "e" not in other:
        return [f"<mn>{other.replace('-', '−')}</mn>"]
    number = sympy.Float(other) if isinstance(other, str) else rounded(other, digits)
    return list(_Printer(digits).terms(number))


# What parentheses grow with, and how SymPy writes a product.
TALL = ("mfrac", "msqrt", "mroot", "mtable")
TIMES = "&InvisibleTimes;"


class _Printer(MathMLPresentationPrinter):
    """SymPy's MathML with rounded numbers and names that cannot break out."""

    def __init__(self, digits: int):
        super().__init__()
        self._digits = digits

    def terms(self, expression: sympy.Expr) -> Iterator[str]:
        """Markup of the terms of a sum, each with the sign before it."""
        row = self._print(expression)
        _set_well(self._element("mrow", row))
        if not expression.is_Add:
            yield _markup(row)
            return
        term = ""
        for k, part in enumerate(row.childNodes):
            if part.tagName == "mo" and k > 0:
                yield term
                term = ""
                # At the beginning of an element it would be taken for the sign of a number.
                part.setAttribute("form", "infix")
            term += _markup(part)
        yield term

    def _print_Symbol(self, symbol: sympy.Symbol, style: str = "plain") -> Any:
        if is_plain(symbol.name):
            return super()._print_Symbol(symbol, style)
        return self._element("mtext", html.escape(" ".join(symbol.name.split())))

    _print_Dummy = _print_Symbol

    def _print_Float(self, number: sympy.Float) -> Any:
        mantissa, _, exponent = f"{float(number):.{self._digits}g}".partition("e")
        if not exponent:
            return self._element("mn", mantissa)
        power = self._element("msup", self._element("mn", "10"), self._print(int(exponent)))
        return self._element("mrow", self._element("mn", mantissa), self._element("mo", "·"), power)

    def _print_Exp1(self, _: sympy.Expr) -> Any:
        return self._element("mi", "e")

    def _print_Piecewise(self, piecewise: sympy.Piecewise) -> Any:
        rows = []
        for value, condition in piecewise.args:
            words = "otherwise" if condition == sympy.true else "if "
            cell = self._element("mtd", self._element("mtext", words))
            if condition != sympy.true:
                cell.appendChild(self._print(condition))
            rows.append(self._element("mtr", self._element("mtd", self._print(value)), cell))
        return self._element("mrow", self._element("mo", "{"), self._element("mtable", *rows))

    def _element(self, tag: str, *content: Any) -> Any:
        element = self.dom.createElement(tag)
        for part in content:
            # The printer writes text as it is: what comes here as a string is markup already.
            element.appendChild(self.dom.createTextNode(part) if isinstance(part, str) else part)
        return element


def _markup(node: Any) -> str:
    # SymPy writes a hyphen; a minus is longer.
    return re.sub(r"(<m[no][^>]*>)-", r"\1−", node.toxml())


def _set_well(whole: Any) -> None:
    """What a compositor would change: indices, parentheses and the space before functions."""
    for part in whole.getElementsByTagName("msup"):
        base, exponent = part.childNodes
        if base.tagName == "msub":
            # Index and exponent one above the other.
            part.tagName = part.nodeName = "msubsup"
            part.childNodes[:] = [*base.childNodes, exponent]
    for sign in whole.getElementsByTagName("mo"):
        written = sign.firstChild.data
        if written in ("(", ")") and not any(map(sign.parentNode.getElementsByTagName, TALL)):
            sign.setAttribute("stretchy", "false")
        if written == TIMES and _begins_with_a_word(sign.nextSibling):
            sign.setAttribute("rspace", "0.17em")


def _begins_with_a_word(node: Any) -> bool:
    while node.firstChild.firstChild:
        node = node.firstChild
    text = node.firstChild.data
    return node.tagName == "mtext" or (node.tagName == "mi" and len(text) > 1 and text.isalpha())
