"""Assess a Pareto front: choose, refit, and list rivals and evidence."""

from __future__ import annotations

from keras_symgrad.results.assessment.assess import assess, decisions, is_stable, value_of
from keras_symgrad.results.assessment.assessment import Assessment
from keras_symgrad.results.assessment.evidence import (
    FAITHFUL,
    NEAR_BOUNDARY_SHARE,
    SAME_CLASS,
    Alternative,
    Evidence,
)
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.group_support import supported_groups
from keras_symgrad.results.assessment.held_out import (
    DataRows,
    HeldOutRows,
    fidelity_of_classes,
    finite_points,
    predictions,
)
from keras_symgrad.results.assessment.influence import (
    MAX_NAMED,
    SIGNS,
    Influence,
    described,
    few_valued,
    ignored,
    in_ranges,
    influences_of_reading,
    not_looked_at,
)
from keras_symgrad.results.assessment.interactions import (
    Interaction,
    described_interactions,
    interactions_of_reading,
)
from keras_symgrad.results.assessment.margin import angle_of
from keras_symgrad.results.assessment.match import Match
from keras_symgrad.results.assessment.one_variable import (
    Graph,
    assess_one_variable,
    assess_row_of_one_variable,
)
from keras_symgrad.results.assessment.symmetry_checks import (
    SymmetryCheck,
    warn_of_broken_symmetries,
)

__all__ = [
    "Alternative",
    "Assessment",
    "DataRows",
    "Evidence",
    "FAITHFUL",
    "FormulaRefiner",
    "Graph",
    "HeldOutRows",
    "Influence",
    "Interaction",
    "MAX_NAMED",
    "Match",
    "NEAR_BOUNDARY_SHARE",
    "SAME_CLASS",
    "SIGNS",
    "SymmetryCheck",
    "angle_of",
    "assess",
    "assess_one_variable",
    "assess_row_of_one_variable",
    "decisions",
    "described",
    "described_interactions",
    "few_valued",
    "fidelity_of_classes",
    "finite_points",
    "ignored",
    "in_ranges",
    "influences_of_reading",
    "interactions_of_reading",
    "is_stable",
    "not_looked_at",
    "predictions",
    "supported_groups",
    "value_of",
    "warn_of_broken_symmetries",
]
