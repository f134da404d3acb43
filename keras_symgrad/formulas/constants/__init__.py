"""Constants of a formula: intervals by profile, and simple numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.formulas.constants.number_recognition import simple_numbers
    from keras_symgrad.formulas.constants.simple_constants import with_simple_constants
    from keras_symgrad.formulas.constants.thresholds import threshold_interval
    from keras_symgrad.formulas.constants.uncertainty import Constant, constants, released
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Constant",
    "constants",
    "released",
    "simple_numbers",
    "threshold_interval",
    "with_simple_constants",
]
