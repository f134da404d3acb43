"""Problem, archive, stopping and variation: what all search strategies share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.core.archive import Archive, Individual
    from keras_symgrad.search.core.constant_fit import ConstantFit
    from keras_symgrad.search.core.interrupts import (
        Interrupts,
        deferred_interrupts,
        keeps_what_was_found,
    )
    from keras_symgrad.search.core.model_selection import (
        FINEST_OF_LABELS,
        NATS_PER_UNIT,
        POOR_FIT,
        SMALLEST_LOSS,
        choose_model,
        scores,
    )
    from keras_symgrad.search.core.prior_knowledge import PriorKnowledge
    from keras_symgrad.search.core.problem import SPECTRAL_ROWS, Problem
    from keras_symgrad.search.core.provenance import (
        IN_MEMORY,
        Clock,
        as_plain,
        box_of,
        call,
        call_without_folders,
        recorded,
        versions,
        without_folders,
    )
    from keras_symgrad.search.core.replacements import Replacements
    from keras_symgrad.search.core.serialization import (
        Plain,
        array_from_text,
        array_to_text,
        individual_from_plain,
        individual_to_plain,
        number,
        number_from_plain,
        number_to_plain,
        numbers_to_plain,
        random_to_plain,
        restore_numbers,
        restore_random,
        tree_from_plain,
        tree_to_plain,
        whole,
    )
    from keras_symgrad.search.core.settings import GeneticSettings
    from keras_symgrad.search.core.stagnation import StagnationCounter
    from keras_symgrad.search.core.stopping import (
        EFFORTS,
        Effort,
        Ending,
        Progress,
        Stopping,
        check_effort,
        limits_of,
    )
    from keras_symgrad.search.core.variation import Variation
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Archive",
    "Clock",
    "ConstantFit",
    "EFFORTS",
    "Effort",
    "Ending",
    "FINEST_OF_LABELS",
    "GeneticSettings",
    "IN_MEMORY",
    "Individual",
    "Interrupts",
    "NATS_PER_UNIT",
    "POOR_FIT",
    "Plain",
    "PriorKnowledge",
    "Problem",
    "Progress",
    "Replacements",
    "SMALLEST_LOSS",
    "SPECTRAL_ROWS",
    "StagnationCounter",
    "Stopping",
    "Variation",
    "array_from_text",
    "array_to_text",
    "as_plain",
    "box_of",
    "call",
    "call_without_folders",
    "check_effort",
    "choose_model",
    "deferred_interrupts",
    "individual_from_plain",
    "individual_to_plain",
    "keeps_what_was_found",
    "limits_of",
    "number",
    "number_from_plain",
    "number_to_plain",
    "numbers_to_plain",
    "random_to_plain",
    "recorded",
    "restore_numbers",
    "whole",
    "restore_random",
    "scores",
    "tree_from_plain",
    "tree_to_plain",
    "versions",
    "without_folders",
]
