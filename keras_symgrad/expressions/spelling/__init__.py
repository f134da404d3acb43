"""The ways to write an expression with the operators of a set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.expressions.spelling.chains import Spelling
    from keras_symgrad.expressions.spelling.spellings import Spellings
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Spelling",
    "Spellings",
]
