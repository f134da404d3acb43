"""Derivatives of SymPy expressions, and NumPy and TensorFlow code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.expressions.codegen.derivatives import differentiate
    from keras_symgrad.expressions.codegen.numpy_code import (
        anonymous,
        numpy_function,
        with_float_constants,
    )
    from keras_symgrad.expressions.codegen.tensorflow_code import tensorflow_function
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "anonymous",
    "differentiate",
    "numpy_function",
    "tensorflow_function",
    "with_float_constants",
]
