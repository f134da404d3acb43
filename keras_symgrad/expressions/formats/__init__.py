"""Formulas as text, LaTeX and MathML, and a parser for untrusted text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.expressions.formats.mathml import to_mathml
    from keras_symgrad.expressions.formats.offsets import (
        completed_squares,
        folded,
        own_shift,
        with_unit_slopes,
        with_zeros,
        without_shift,
    )
    from keras_symgrad.expressions.formats.operator_file import read_operators
    from keras_symgrad.expressions.formats.parser import FUNCTIONS, from_text
    from keras_symgrad.expressions.formats.text import (
        NO_UNITS,
        Units,
        rounded,
        to_latex,
        to_pretty,
        to_text,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "FUNCTIONS",
    "NO_UNITS",
    "Units",
    "completed_squares",
    "folded",
    "from_text",
    "own_shift",
    "read_operators",
    "rounded",
    "to_latex",
    "to_mathml",
    "to_pretty",
    "to_text",
    "with_unit_slopes",
    "with_zeros",
    "without_shift",
]
