"""Operators from a small text file, for those who do not write Python."""

from __future__ import annotations

import os
import re
from pathlib import Path

import sympy

from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.operators import ARGUMENT_NAMES, Operator
from keras_symgrad.expressions.trees import symbol

LARGEST_FILE = 2**16
LINE = re.compile(r"(?P<name>\w+)\s*\((?P<arguments>[^()=]*)\)\s*=\s*(?P<expression>.+)")


def read_operators(path: str | os.PathLike[str]) -> list[Operator]:
    """Read operators, one a line: a name, its arguments and an expression in them.

        # lines that begin with # are remarks
        bump(a) = exp(-a**2)
        saturation(s, k) = s/(k + s)

    The expression is in the syntax of formulas; it is parsed and never run.

    Args:
        path: of a text file in UTF-8.

    Returns:
        The operators, in the order of the lines.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: a line does not define an operator, or the file has no operators.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "own.txt")
    ...     _ = path.write_text("saturation(s, k) = s/(k + s)")
    ...     read_operators(path)
    [Operator('saturation', a/(a + b))]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of operators. There is no file at: {path}")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(
            f"A file of operators has {LARGEST_FILE:,} bytes at most. Received: {path}"
        )
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"Expected operators in a text file in UTF-8. Received: {path}") from None
    operators = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                operators.append(_operator(line.strip()))
            except ValueError as error:
                raise ValueError(f"Line {number} of {path}: {error}") from None
    if not operators:
        raise ValueError(
            f"Expected an operator a line, such as `bump(a) = exp(-a**2)`. {path} has none."
        )
    return operators


def _operator(line: str) -> Operator:
    found = LINE.fullmatch(line)
    if found is None:
        raise ValueError(
            f"Expected an operator such as `bump(a) = exp(-a**2)`. Received: {line!r:.80}"
        )
    arguments = [name.strip() for name in found["arguments"].split(",")]
    if not all(name.isidentifier() for name in arguments) or len(set(arguments)) < len(arguments):
        raise ValueError(
            f"The arguments of '{found['name']}' are different names with commas between them. "
            f"Received: ({found['arguments']})"
        )
    if len(arguments) > len(ARGUMENT_NAMES):
        raise ValueError(f"An operator has {len(ARGUMENT_NAMES)} arguments at most.")
    expression = from_text(found["expression"], arguments)
    unused = [name for name in arguments if symbol(name) not in expression.free_symbols]
    if unused:
        raise ValueError(f"'{found['name']}' does not use its argument '{unused[0]}'.")
    # An `Operator` takes its arguments in alphabetical order; here they stand in that of the line.
    standard = (sympy.Symbol(name, real=True) for name in ARGUMENT_NAMES)
    in_order = dict(zip(map(symbol, arguments), standard))
    return Operator(found["name"], expression.subs(in_order, simultaneous=True))
