"""Formulas: operators, trees, complexity, canonical forms and conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.expressions.canonical import canonicalize
    from keras_symgrad.expressions.complexity import Complexity, is_small_integer
    from keras_symgrad.expressions.conversion import from_sympy
    from keras_symgrad.expressions.fingerprint import Fingerprint
    from keras_symgrad.expressions.free_coefficients import with_free_coefficients
    from keras_symgrad.expressions.operators import PRESETS, Operator, OperatorSet, shipped
    from keras_symgrad.expressions.patterns import unify
    from keras_symgrad.expressions.shortening import shortest, weight, with_whole_numbers
    from keras_symgrad.expressions.simplification import simplify
    from keras_symgrad.expressions.time_limit import within_time_limit
    from keras_symgrad.expressions.trees import (
        CONSTANT_CODE,
        FIRST_VARIABLE_CODE,
        Alphabet,
        Constant,
        Variable,
        symbol,
        to_sympy,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Alphabet",
    "CONSTANT_CODE",
    "Complexity",
    "Constant",
    "FIRST_VARIABLE_CODE",
    "Fingerprint",
    "Operator",
    "OperatorSet",
    "PRESETS",
    "Variable",
    "canonicalize",
    "from_sympy",
    "is_small_integer",
    "shipped",
    "shortest",
    "simplify",
    "symbol",
    "to_sympy",
    "unify",
    "weight",
    "with_free_coefficients",
    "with_whole_numbers",
    "within_time_limit",
]
