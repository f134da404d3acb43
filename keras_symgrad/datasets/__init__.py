"""Published test systems, and the criterion by which recovery is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    # Modules that are used by their own names, as `keras.datasets.mnist` is.
    from keras_symgrad.datasets import classifiers as classifiers
    from keras_symgrad.datasets import feynman as feynman
    from keras_symgrad.datasets import latent as latent
    from keras_symgrad.datasets.classifiers import JOINT_SYSTEMS, SYSTEMS, JointSystem, System
    from keras_symgrad.datasets.feynman import (
        FORMULAS,
        TWENTY,
        concept_error,
        field_of,
        is_product_of_powers,
        truth_complexity,
    )
    from keras_symgrad.datasets.ground_truth import real_symbols
    from keras_symgrad.datasets.latent import LATENT_SYSTEMS, LatentSystem
    from keras_symgrad.datasets.recovery import (
        COMPLEXITY_RATIO,
        RECOVERY_TOLERANCE,
        judge,
        judge_latent,
        tangent_error,
        times_better,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "COMPLEXITY_RATIO",
    "FORMULAS",
    "JOINT_SYSTEMS",
    "JointSystem",
    "LATENT_SYSTEMS",
    "LatentSystem",
    "RECOVERY_TOLERANCE",
    "SYSTEMS",
    "System",
    "TWENTY",
    "concept_error",
    "field_of",
    "is_product_of_powers",
    "judge",
    "judge_latent",
    "real_symbols",
    "tangent_error",
    "times_better",
    "truth_complexity",
]
