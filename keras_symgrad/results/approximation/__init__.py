"""Approximations: faithful accounts of networks that no formula describes exactly."""

from __future__ import annotations

from keras_symgrad.results.approximation.approximate import (
    MAX_COMPLEXITY,
    Approximation,
    approximate,
)
from keras_symgrad.results.approximation.class_scores import (
    ClassScores,
    ScoreFormulas,
    approximate_classes,
)
from keras_symgrad.results.approximation.score_selection import Growth

__all__ = [
    "MAX_COMPLEXITY",
    "Approximation",
    "ClassScores",
    "Growth",
    "ScoreFormulas",
    "approximate",
    "approximate_classes",
]
