"""The functions that users call: `interpret` and its relatives."""

from __future__ import annotations

from keras_symgrad.api.compare_interpretations import Agreement, compare_interpretations
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.api.interpret_many import interpret_many
from keras_symgrad.api.load_interpretation import load_interpretation

__all__ = [
    "Agreement",
    "compare_interpretations",
    "interpret",
    "interpret_classes",
    "interpret_jointly",
    "interpret_many",
    "load_interpretation",
]
