"""Around one row: how far a formula holds there, and where the decision changes."""

from __future__ import annotations

from keras_symgrad.results.neighbourhood.boundary_point import BoundaryPoint, nearest_boundary
from keras_symgrad.results.neighbourhood.ellipsoid import Ellipsoid
from keras_symgrad.results.neighbourhood.neighbourhood import Neighbourhood
from keras_symgrad.results.neighbourhood.radius import Nearness, holding, nearness

__all__ = [
    "BoundaryPoint",
    "Ellipsoid",
    "Nearness",
    "Neighbourhood",
    "holding",
    "nearest_boundary",
    "nearness",
]
