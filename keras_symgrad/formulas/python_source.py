"""Formulas as the source of a Python function."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy
from sympy.printing.numpy import NumPyPrinter

if TYPE_CHECKING:
    from keras_symgrad.formulas.formula import Formula


def to_python(formula: Formula, name: str = "formula") -> str:
    """Write a formula as the source of a Python function that needs only NumPy.

    Args:
        formula: with its variables.
        name: of the function.

    Returns:
        Source code: an import and a function of one argument a variable, numbers or arrays. A name
        that is not an identifier becomes one; the docstring lists such names.

    Raises:
        ValueError: the name is not an identifier, or NumPy lacks a function of the formula.

    Example:

    >>> from keras_symgrad import Formula
    >>> v, angle = sympy.symbols("speed angle", real=True)
    >>> print(to_python(Formula(v**2 / 2 - 0.5 * sympy.cos(angle), 9, 0.0, ("angle", "speed"))))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def formula(angle, speed):
        \"\"\"speed**2/2 - 0.5*cos(angle)\"\"\"
        return (1/2)*speed**2 - 0.5*np.cos(angle)
    <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise ValueError(f"`name` must be a name of a Python function. Received: name={name!r}")
    arguments = identifiers(formula.names, taken=("np", name))
    renamed = {
        symbol: sympy.Symbol(arguments[formula.names.index(symbol.name)], real=True)
        for symbol in formula.expression.free_symbols
    }
    printer = _Printer({"fully_qualified_modules": True, "strict": True})
    try:
        code = printer.doprint(formula.expression.xreplace(renamed))
    except sympy.printing.codeprinter.PrintMethodNotImplementedError as error:
        raise ValueError(f"The formula cannot be written with NumPy: {error}") from None
    meanings = [
        f"    {mine} is {own!r}." for mine, own in zip(arguments, formula.names) if mine != own
    ]
    doc = "\n".join([f"{formula}", *(["", *meanings, "    "] if meanings else [])])
    doc = doc.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"{printer.imports}import numpy as np\n\n\ndef {name}({', '.join(arguments)}):\n"
        f'    """{doc}"""\n    return {code}\n'
    )


def identifiers(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Convert names of variables to different Python identifiers.

    Args:
        names: of any characters.
        taken: identifiers that must not be used.

    Returns:
        One identifier for each name; names that are identifiers already do not change.

    Example:

    >>> identifiers(["x1", "petal length (cm)", "lambda", "2nd", "petal length [cm]"])
    ['x1', 'petal_length_cm', 'lambda_', 'x_2nd', 'petal_length_cm_']
    """
    # Valid names first: they are kept.
    found = {name: name for name in names if _is_usable(name) and name not in taken}
    for name in names:
        if name in found:
            continue
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"
        plain = f"x_{plain}" if plain[0].isdigit() else plain
        while not _is_usable(plain) or plain in (*taken, *found.values()):
            plain += "_"
        found[name] = plain
    return [found[name] for name in names]


class _Printer(NumPyPrinter):
    """SymPy's NumPy code with `np` for NumPy, shortest floats, and arrays of any shapes."""

    imports = ""

    def _module_format(self, fqn: str, register: bool = True) -> str:
        name = super()._module_format(fqn, register)
        return name.replace("numpy.", "np.", 1) if name.startswith("numpy.") else name

    def _print_Float(self, number: sympy.Float) -> str:
        return repr(float(number))

    def _print_Max(self, part: sympy.Max) -> str:
        return self._nested("np.maximum", part.args)

    def _print_Min(self, part: sympy.Min) -> str:
        return self._nested("np.minimum", part.args)

    def _print_erf(self, part: sympy.erf) -> str:
        # The standard library has it for single numbers, NumPy has not.
        self.imports = "import math\n\n"
        return f"np.vectorize(math.erf)({self._print(part.args[0])})"

    def _nested(self, function: str, parts: Sequence[sympy.Expr]) -> str:
        first, *rest = parts
        if not rest:
            return self._print(first)
        return f"{function}({self._print(first)}, {self._nested(function, rest)})"


def _is_usable(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
