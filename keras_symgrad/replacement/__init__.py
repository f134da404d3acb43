"""Replace a part of a model by a formula, and compare the two models."""

from __future__ import annotations

from keras_symgrad.replacement.compare_models import ModelComparison, compare_models
from keras_symgrad.replacement.replace import replace

__all__ = [
    "ModelComparison",
    "compare_models",
    "replace",
]
