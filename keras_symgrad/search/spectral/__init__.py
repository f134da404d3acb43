"""Spectral search: sums of features by eigenproblems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.spectral.eigen_fit import SpectralFit
    from keras_symgrad.search.spectral.features import Feature, FeatureMaker
    from keras_symgrad.search.spectral.linear_combination import Candidate, LinearCombination
    from keras_symgrad.search.spectral.outliers import has_outlying_rows
    from keras_symgrad.search.spectral.search import SpectralSearch
    from keras_symgrad.search.spectral.separability import Group, Separability
    from keras_symgrad.search.spectral.tree_loss import TreeLoss
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Candidate",
    "Feature",
    "FeatureMaker",
    "Group",
    "LinearCombination",
    "Separability",
    "SpectralFit",
    "SpectralSearch",
    "TreeLoss",
    "has_outlying_rows",
]
