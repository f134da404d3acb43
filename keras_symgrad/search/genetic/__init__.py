"""Genetic search: evolve trees, and features for the spectral fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.genetic.feature_evolution import FeatureEvolution
    from keras_symgrad.search.genetic.regression import TargetEngine, search_for
    from keras_symgrad.search.genetic.search import GeneticSearch
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "FeatureEvolution",
    "GeneticSearch",
    "TargetEngine",
    "search_for",
]
