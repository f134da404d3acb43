"""Prior knowledge: constraints, physical dimensions, symmetries, a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.priors.constraints import Constraints
    from keras_symgrad.priors.dimensional_analysis import NUMBER, DimensionalAnalysis
    from keras_symgrad.priors.dimensions import Dimensions
    from keras_symgrad.priors.priors import Priors
    from keras_symgrad.priors.symmetries import (
        Element,
        Even,
        Exchange,
        Odd,
        Rotation,
        Scaling,
        Symmetry,
        Translation,
        check_symmetries,
        symmetry_group,
    )
    from keras_symgrad.priors.template import Template
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Constraints",
    "DimensionalAnalysis",
    "Dimensions",
    "Element",
    "Even",
    "Exchange",
    "NUMBER",
    "Odd",
    "Priors",
    "Rotation",
    "Scaling",
    "Symmetry",
    "Template",
    "Translation",
    "check_symmetries",
    "symmetry_group",
]
