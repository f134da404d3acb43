"""Formulas as the source of a Python function."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING

import sympy
from sympy.printing.numpy import NumPyPrinter

if TYPE_CHECKING:
    from keras_symgrad.formulas.formula import Formula


# Levels of an expression in one statement: each may take several brackets.
MAX_NESTING = 30


def to_python(formula: Formula, name: str = "formula") -> str:
    """Write a formula as the source of a Python function that needs only NumPy.

    Args:
        formula: with its variables.
        name: of the function.

    Returns:
        Source code: an import and a function of one argument a variable, numbers or arrays. A name
        that is not an identifier becomes one; the docstring lists such names. A formula that is
        deeply nested is computed in several steps, because Python reads about 200 brackets at most.

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
    steps, last = _steps(formula.expression, dict(zip(formula.names, arguments)), name)
    printer = _Printer({"fully_qualified_modules": True, "strict": True})
    try:
        lines = [f"    {symbol} = {printer.doprint(step)}\n" for symbol, step in steps]
        code = printer.doprint(last)
    except sympy.printing.codeprinter.PrintMethodNotImplementedError as error:
        raise ValueError(f"The formula cannot be written with NumPy: {error}") from None
    meanings = [
        f"    {mine} is {own!r}." for mine, own in zip(arguments, formula.names) if mine != own
    ]
    doc = "\n".join([_described(formula), *(["", *meanings, "    "] if meanings else [])])
    doc = doc.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"{printer.imports}import numpy as np\n\n\ndef {name}({', '.join(arguments)}):\n"
        f'    """{doc}"""\n{"".join(lines)}    return {code}\n'
    )


def _described(formula: Formula) -> str:
    try:
        return str(formula)
    except RecursionError:
        return "A formula that is nested too deeply for one line."


def _steps(
    expression: sympy.Expr, arguments: Mapping[str, str], name: str
) -> tuple[list[tuple[sympy.Symbol, sympy.Expr]], sympy.Expr]:
    """An expression in its arguments as assignments that are each nested `MAX_NESTING` deep.

    A walk with a stack of its own, for that of Python holds some hundred levels.
    """
    steps: list[tuple[sympy.Symbol, sympy.Expr]] = []
    done: dict[sympy.Basic, tuple[sympy.Basic, int]] = {}
    left = [(expression, False)]
    while left:
        part, is_open = left.pop()
        if part in done:
            continue
        if part.is_Symbol:
            done[part] = sympy.Symbol(arguments[part.name], real=True), 0
        elif not part.args:
            done[part] = part, 0
        elif not is_open:
            left += [(part, True), *((inner, False) for inner in part.args)]
        else:
            inner = [done[argument][0] for argument in part.args]
            depth = 1 + max(done[argument][1] for argument in part.args)
            rebuilt = part.func(*inner)
            if depth >= MAX_NESTING and isinstance(rebuilt, sympy.Expr) and part is not expression:
                taken = (name, "np", *arguments.values())
                step = next(
                    step for k in count(len(steps)) if (step := f"step_{k + 1}") not in taken
                )
                steps.append((sympy.Symbol(step, real=True), rebuilt))
                rebuilt, depth = steps[-1][0], 0
            done[part] = rebuilt, depth
    return steps, done[expression][0]


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
    used = {*taken, *found.values()}
    tried: dict[str, Iterator[str]] = {}
    for name in names:
        if name in found:
            continue
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"
        plain = f"x_{plain}" if plain[0].isdigit() else plain
        # Each further name of the same letters goes on where the last one found a free one.
        ways = tried.setdefault(plain, chain((plain, f"{plain}_"), _numbered(plain)))
        found[name] = next(way for way in ways if _is_usable(way) and way not in used)
        used.add(found[name])
    return [found[name] for name in names]


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}_{k}" for k in count(2))


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
        if len(parts) == 1:
            return self._print(parts[0])
        half = len(parts) // 2
        first, second = parts[:half], parts[half:]
        return f"{function}({self._nested(function, first)}, {self._nested(function, second)})"


def _is_usable(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
