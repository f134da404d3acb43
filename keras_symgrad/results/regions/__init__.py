"""Regions: where in the data a formula holds, and which formula holds where."""

from __future__ import annotations

from keras_symgrad.results.regions.conditions import Comparison, Condition
from keras_symgrad.results.regions.division import MAX_VARIABLES, Division
from keras_symgrad.results.regions.holds import Holds, where_it_holds
from keras_symgrad.results.regions.regions import Region, Regions

__all__ = [
    "Comparison",
    "Condition",
    "Division",
    "Holds",
    "MAX_VARIABLES",
    "Region",
    "Regions",
    "where_it_holds",
]
