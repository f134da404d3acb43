"""Gradient fields of neurons: sampled, smoothed, projected and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.gradients.domain import Domain
    from keras_symgrad.gradients.ensemble import mean_neuron
    from keras_symgrad.gradients.field import ARRAYS, GradientField
    from keras_symgrad.gradients.formula_errors import (
        CERTAIN_STANDARD_ERRORS,
        errors,
        exceeds,
        losses,
    )
    from keras_symgrad.gradients.levels import (
        block_name,
        few_values,
        level_names,
        one_hot_blocks,
    )
    from keras_symgrad.gradients.metric import Metric, check_metric, deviations, steps_of_data
    from keras_symgrad.gradients.own_units import (
        FARTHEST_OF_NETWORK,
        MAX_OFFSET_IN_WIDTHS,
        OwnUnits,
        checked_units,
        roundest,
    )
    from keras_symgrad.gradients.piecewise_linear import (
        gradient_spread,
        is_piecewise_constant,
        weights_of,
    )
    from keras_symgrad.gradients.reading import Reading, Sampling, smoothing_width, split
    from keras_symgrad.gradients.smoothing import averaged, choose_width, smoothed
    from keras_symgrad.gradients.symmetrization import across, generators, with_mapped_rows
    from keras_symgrad.gradients.tangent_space import (
        Tangent,
        can_be_drawn,
        tangent_frame,
        undetermined_directions,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "ARRAYS",
    "CERTAIN_STANDARD_ERRORS",
    "Domain",
    "FARTHEST_OF_NETWORK",
    "GradientField",
    "MAX_OFFSET_IN_WIDTHS",
    "Metric",
    "OwnUnits",
    "Reading",
    "Sampling",
    "Tangent",
    "across",
    "averaged",
    "block_name",
    "can_be_drawn",
    "check_metric",
    "checked_units",
    "choose_width",
    "deviations",
    "errors",
    "exceeds",
    "few_values",
    "generators",
    "gradient_spread",
    "is_piecewise_constant",
    "level_names",
    "losses",
    "mean_neuron",
    "one_hot_blocks",
    "roundest",
    "smoothed",
    "smoothing_width",
    "split",
    "steps_of_data",
    "tangent_frame",
    "undetermined_directions",
    "weights_of",
    "with_mapped_rows",
]
