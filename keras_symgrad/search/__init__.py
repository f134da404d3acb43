"""Search a gradient field for formulas: the portfolio of all strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.islands import EvolvedStrategy, StagedStrategy, Strategy
    from keras_symgrad.search.options import Search
    from keras_symgrad.search.portfolio import PortfolioSearch
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "EvolvedStrategy",
    "PortfolioSearch",
    "Search",
    "StagedStrategy",
    "Strategy",
]
