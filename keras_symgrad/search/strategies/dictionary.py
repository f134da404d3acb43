"""Strategy "dictionary": sums of short features, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keras_symgrad.search.islands import Evaluators, StagedStrategy
from keras_symgrad.search.spectral import SpectralSearch


@dataclass(frozen=True)
class Dictionary(StagedStrategy):
    """Sums of short features, whose weights are an eigenvector."""

    name: ClassVar[str] = "dictionary"

    def search(self, evaluators: Evaluators) -> SpectralSearch:
        """The spectral search of the evaluators, whose results the evolved features need as well.

        Args:
            evaluators: of the problem.
        """
        return evaluators.spectral


STRATEGY = Dictionary()
