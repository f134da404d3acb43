"""Regions: where in the data a formula holds, and which formula holds where."""

from __future__ import annotations

from keras_symgrad.results.regions.conditions import Comparison, Condition
from keras_symgrad.results.regions.holds import Holds, where_it_holds

__all__ = ["Comparison", "Condition", "Holds", "where_it_holds"]
