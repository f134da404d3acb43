"""Interpretations: results that print, plot, save and report themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.results.approximation import ClassScores
    from keras_symgrad.results.assessor import Assessor
    from keras_symgrad.results.base import CallOf
    from keras_symgrad.results.class_interpretation import ClassInterpretation, Pair, margins
    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.joint_interpretation import JointInterpretation
    from keras_symgrad.results.sample import Sample
    from keras_symgrad.results.statements import searched, statements_of
    from keras_symgrad.results.surface import Surface
    from keras_symgrad.results.users_units import groups_in_users, in_users
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Assessor",
    "CallOf",
    "ClassInterpretation",
    "ClassScores",
    "Interpretation",
    "JointInterpretation",
    "Pair",
    "Sample",
    "Surface",
    "groups_in_users",
    "in_users",
    "margins",
    "searched",
    "statements_of",
]
