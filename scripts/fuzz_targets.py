"""What is fuzzed: how each target makes an input of bytes, and reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fuzz_inputs
from fuzz_inputs import Choices

if TYPE_CHECKING:
    import sympy

# The errors that reading is allowed to end in.
REFUSALS = (ValueError, FileNotFoundError)
LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Target:
    """A reader, and the inputs for it.

    Attributes:
        make: takes the bytes' choices to an input.
        read: reads the input; raises one of `REFUSALS` if it is none.
        use: what is done with the result; it must not fail.
        seeds: bytes to begin with.
        words: that the inputs are made of.
    """

    make: Callable[[Choices], Any]
    read: Callable[[Any], Any]
    use: Callable[[Any], object]
    seeds: tuple[bytes, ...] = ()
    words: tuple[str, ...] = ()


def expression(_: Path) -> Target:
    """Texts of formulas; one that is read must be written and read again."""
    from keras_symgrad.expressions.text import from_text, to_text
    from keras_symgrad.operators import OperatorSet

    names, operators = fuzz_inputs.NAMES, OperatorSet("full")

    def read(text: str) -> sympy.Expr:
        return from_text(text, names, operators)

    def again(formula: sympy.Expr) -> None:
        try:
            from_text(to_text(formula, names=names), names)
        except ValueError as error:
            # SymPy multiplies 9*(x1 + 1e308) out when it is read anew, and 9e308 is no double.
            if "too large" not in str(error):
                raise

    texts = (
        *("x1**2 + 2*x2**2", "2.5*x1**2 + gauss('petal length (cm)')", "exp(-x1/2)*'lambda'"),
        *("Piecewise((x1, x1 > 1), (x1**3, (x1 > -1) & (x1 < 0)), (0, True))", "Max(x1, x2, 0)"),
        *("ITE(x1 > 2, x1 < 1, x2 > 2)", "atan2(x1, x2)/(x1 - x2)**2.5", "1e-3*hypot(x1, 3)"),
    )
    words = (*fuzz_inputs.FUNCTIONS, *fuzz_inputs.SYMBOLS, *fuzz_inputs.NUMBERS, *names, "(", ")")
    # The first byte says that a text follows as it is.
    seeds = tuple(b"\x01" + text.encode() for text in texts)
    seeds += tuple(b"\x00" + bytes([k] * 100) for k in (1, 3, 5, 6))
    return Target(fuzz_inputs.expression, read, again, seeds, words)


TARGETS: dict[str, Callable[[Path], Target]] = {"expression": expression}
