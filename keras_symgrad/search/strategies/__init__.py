"""Strategies of a search by name: the dictionary, evolved features, evolved trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.strategies.registry import METHODS, check_methods, strategies_of
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "METHODS",
    "check_methods",
    "strategies_of",
]
