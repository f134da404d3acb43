"""Read the formula that a neuron of a trained Keras model has learned.

This is the list of public names. Each is imported when it is first used: TensorFlow, SymPy and
DEAP together take seconds.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    # Modules that are used by their own names, as `keras.callbacks` is.
    from keras_symgrad import callbacks as callbacks
    from keras_symgrad import datasets as datasets
    from keras_symgrad.api import (
        Agreement,
        compare_interpretations,
        interpret,
        interpret_classes,
        interpret_jointly,
        interpret_many,
        load_interpretation,
    )
    from keras_symgrad.engine import Engine, Huber, Loss
    from keras_symgrad.expressions import Complexity, Operator, OperatorSet
    from keras_symgrad.expressions.formats import read_operators
    from keras_symgrad.formulas import (
        Fidelity,
        Formula,
        MonotoneFit,
        MonotoneLayer,
        ParetoFront,
        Rule,
        SymbolicLayer,
    )
    from keras_symgrad.gradients import GradientField, Sampling
    from keras_symgrad.neurons import Neuron, Quantities, load_model
    from keras_symgrad.priors import (
        Constraints,
        Dimensions,
        Even,
        Exchange,
        Odd,
        Priors,
        Rotation,
        Scaling,
        Symmetry,
        Translation,
    )
    from keras_symgrad.replacement import ModelComparison, compare_models, replace
    from keras_symgrad.results import ClassInterpretation, Interpretation, JointInterpretation
    from keras_symgrad.results.assessment import Match
    from keras_symgrad.results.report import plots as plots
    from keras_symgrad.search import PortfolioSearch, Search
    from keras_symgrad.search.core import GeneticSettings, Stopping
    from keras_symgrad.search.genetic import GeneticSearch
    from keras_symgrad.search.spectral import SpectralSearch
else:
    __getattr__, __dir__ = lazy_imports(__name__)

try:
    __version__ = version("keras-symgrad")
except PackageNotFoundError:  # a copy of the source that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Agreement",
    "ClassInterpretation",
    "Complexity",
    "Constraints",
    "Dimensions",
    "Engine",
    "Even",
    "Exchange",
    "Fidelity",
    "Formula",
    "GeneticSearch",
    "GeneticSettings",
    "GradientField",
    "Huber",
    "Interpretation",
    "JointInterpretation",
    "Loss",
    "Match",
    "ModelComparison",
    "MonotoneFit",
    "MonotoneLayer",
    "Neuron",
    "Odd",
    "Operator",
    "OperatorSet",
    "ParetoFront",
    "PortfolioSearch",
    "Priors",
    "Quantities",
    "Rotation",
    "Rule",
    "Sampling",
    "Scaling",
    "Search",
    "SpectralSearch",
    "Stopping",
    "SymbolicLayer",
    "Symmetry",
    "Translation",
    "__version__",
    "compare_interpretations",
    "compare_models",
    "interpret",
    "interpret_classes",
    "interpret_jointly",
    "interpret_many",
    "load_interpretation",
    "load_model",
    "read_operators",
    "replace",
]
