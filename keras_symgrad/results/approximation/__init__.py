"""Approximations: faithful accounts of networks that no formula describes exactly."""

from __future__ import annotations

from keras_symgrad.results.approximation.approximate import (
    MAX_COMPLEXITY,
    Approximation,
    approximate,
)

__all__ = ["MAX_COMPLEXITY", "Approximation", "approximate"]
