"""Formulas as MathML, which browsers render themselves, as text that reads aloud and wraps."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE

from keras_symgrad.expressions.formats.text import NO_UNITS, Units, is_plain, rounded, written
from keras_symgrad.files import printable


def to_mathml(
    expression: sympy.Expr,
    digits: int = 3,
    relation: str = "",
    other: str | sympy.Expr = "",
    *,
    units: Units = NO_UNITS,
) -> str:
    """The formula in MathML, floats rounded.

    Browsers break lines between `<math>` elements and not inside them, so each term of a sum is an
    element of its own. A term that is wider than a phone has its fractions on one line, in
    brackets, and is divided at the signs in them.

    Args:
        expression: a SymPy expression.
        digits: number of significant digits, at least 1.
        relation: what follows, such as `>`.
        other: what follows the relation: a formula, or a number as Python writes it.
        units: offset and scale of rescaled variables; see `text.to_pretty`.

    Returns:
        Elements with spaces between them, in which variable names cannot act as markup.

    Example:

    >>> print(to_mathml(sympy.Symbol("a<b") + 1.5))
    <math displaystyle="true"><mtext>a&lt;b</mtext></math> <math
    displaystyle="true"><mo form="infix">+</mo><mn>1.5</mn></math>
    """
    parts = list(_Printer(digits, units).terms(rounded(expression, digits)))
    if relation:
        first, *rest = _other_side(other, digits, units)
        parts += [f'<mo form="infix">{html.escape(relation)}</mo>{first}', *rest]
    # Fractions of full size, as in a line of their own.
    return " ".join(f'<math displaystyle="true">{part}</math>' for part in parts)


def _other_side(other: str | sympy.Expr, digits: int, units: Units) -> list[str]:
    if isinstance(other, str) and "e" not in other:
        return [f"<mn>{other.replace('-', '−')}</mn>"]
    number = sympy.Float(other) if isinstance(other, str) else rounded(other, digits)
    return list(_Printer(digits, units).terms(number))


# Characters that fit on one line of a phone.
MAX_CHARACTERS = 28
# Fences grow with their content; SymPy writes products with this sign.
TALL = ("mfrac", "msqrt", "mroot", "mtable")
TIMES = "&InvisibleTimes;"


class _Printer(MathMLPresentationPrinter):
    """SymPy's MathML with rounded numbers and names that cannot break out."""

    def __init__(self, digits: int, units: Units = NO_UNITS):
        super().__init__()
        self._digits, self._units = digits, units

    def terms(self, expression: sympy.Expr) -> Iterator[str]:
        """Markup of the terms of a sum, each with the sign before it."""
        row = self._print(expression)
        _set_well(self._element("mrow", row))
        yield from self._at_signs(row) if expression.is_Add else self._pieces(row)

    def _pieces(self, node: Any) -> list[str]:
        """Markup of a part of a formula, in pieces where it is wider than a line of a phone."""
        if _width(node) > MAX_CHARACTERS:
            if node.tagName == "mrow":
                return self._at_signs(node)
            if node.tagName == "mfrac":
                above, below = map(self._bracketed, list(node.childNodes))
                return [*above[:-1], above[-1] + _markup(self._element("mo", "/")), *below]
            if node.tagName == "msqrt":
                half = (
                    self._element("mn", "1"),
                    self._element("mo", "/"),
                    self._element("mn", "2"),
                )
                return self._raised(node.childNodes, self._element("mrow", *half))
            base, *rest = node.childNodes
            if node.tagName == "msup" and base.tagName == "mrow" and _closes(base.lastChild):
                return self._raised(base.childNodes[1:-1], *rest)
        return [_markup(node)]

    def _at_signs(self, row: Any) -> list[str]:
        """Pieces of the children of a row, each with the sign before it."""
        pieces = [""]
        # A part that is printed in pieces is taken out of the row.
        for part in list(row.childNodes):
            is_sign = part.tagName == "mo" and part.firstChild.data in ("+", "-")
            if is_sign and pieces[-1]:
                # At the beginning of an element it would look like the sign of a number.
                part.setAttribute("form", "infix")
                pieces.append("")
            first, *rest = self._pieces(part)
            pieces[-1] += first
            pieces += rest
        return pieces

    def _bracketed(self, node: Any) -> list[str]:
        """Pieces of a numerator or denominator that stands on the line."""
        if node.tagName == "mrow" and len(node.childNodes) > 1:
            return self._raised([node])
        return self._pieces(node)

    def _raised(self, inside: Sequence[Any], power: Any = None) -> list[str]:
        """Pieces in brackets, and the power of all of them."""
        opens, closes = (self._element("mo", sign) for sign in "()")
        for sign in (opens, closes):
            sign.setAttribute("stretchy", "false")
        end = closes if power is None else self._element("msup", closes, power)
        first, *rest = self._at_signs(self._element("mrow", *inside))
        pieces = [_markup(opens) + first, *rest]
        return [*pieces[:-1], pieces[-1] + _markup(end)]

    def _print_Symbol(self, symbol: sympy.Symbol, style: str = "plain") -> Any:
        if is_plain(symbol.name):
            name = super()._print_Symbol(symbol, style)
        else:
            name = self._element("mtext", html.escape(printable(" ".join(symbol.name.split()))))
        offset, scale = self._units.get(symbol.name, (0.0, 1.0))
        if offset:
            sign = self._element("mo", "-" if offset > 0 else "+")
            name = self._element("mrow", name, sign, self._number(written(abs(offset))))
        if scale != 1:
            return self._element("mfrac", name, self._number(f"{scale:g}"))
        return self._in_brackets(name) if offset else name

    _print_Dummy = _print_Symbol

    def parenthesize(self, item: sympy.Basic, level: int, strict: bool = False) -> Any:
        """SymPy's, with brackets around a fraction that has an exponent."""
        if item.is_Symbol and self._units.get(item.name, (0.0, 1.0))[1] != 1:
            printed = self._print(item)
            return printed if level < PRECEDENCE["Pow"] else self._in_brackets(printed)
        return super().parenthesize(item, level, strict)

    def _print_Float(self, number: sympy.Float) -> Any:
        return self._number(f"{float(number):.{self._digits}g}")

    def _number(self, text: str) -> Any:
        """A number as Python writes it."""
        mantissa, _, exponent = text.partition("e")
        if not exponent:
            return self._element("mn", mantissa)
        power = self._element("msup", self._element("mn", "10"), self._print(int(exponent)))
        if mantissa == "1":
            return power
        return self._element("mrow", self._element("mn", mantissa), self._element("mo", "·"), power)

    def _in_brackets(self, part: Any) -> Any:
        return self._element("mrow", self._element("mo", "("), part, self._element("mo", ")"))

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
            # The printer writes text unchanged: a string here is already markup.
            element.appendChild(self.dom.createTextNode(part) if isinstance(part, str) else part)
        return element


def _width(node: Any) -> int:
    """Characters of a line that a part takes; those of a fraction stand one above the other."""
    if not node.childNodes:
        return 0 if node.data == TIMES else len(node.data)
    widths = list(map(_width, node.childNodes))
    stacked = getattr(node, "tagName", "") in ("mfrac", "mtable")
    return max(widths) if stacked else sum(widths)


def _closes(node: Any) -> bool:
    return node.tagName == "mo" and node.firstChild.data == ")"


def _markup(node: Any) -> str:
    # SymPy writes a hyphen; a minus sign is wider.
    return re.sub(r"(<m[no][^>]*>)-", r"\1−", node.toxml())


def _set_well(whole: Any) -> None:
    """Typographic corrections: indices, parentheses and the space before functions."""
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
