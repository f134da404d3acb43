"""Formulas found, Pareto fronts, decision rules, phi, and their Keras layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.formulas.closed_forms import G
    from keras_symgrad.formulas.exporters import check_path
    from keras_symgrad.formulas.fidelity import AGREEMENT, R2, Fidelity
    from keras_symgrad.formulas.formula import Formula, ScaledFormula
    from keras_symgrad.formulas.front_table import NOTEBOOK_STYLE, front_markdown, html_table
    from keras_symgrad.formulas.monotone_fit import MonotoneFit
    from keras_symgrad.formulas.monotone_layer import DEFAULT_SEGMENTS, MonotoneLayer
    from keras_symgrad.formulas.pareto_front import ParetoFront
    from keras_symgrad.formulas.phi_formula import PhiFormula
    from keras_symgrad.formulas.rule import FEWEST_DIGITS, MOST_DIGITS, Rule
    from keras_symgrad.formulas.scale_factors import in_users_units
    from keras_symgrad.formulas.symbolic_layer import SymbolicLayer
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "AGREEMENT",
    "DEFAULT_SEGMENTS",
    "FEWEST_DIGITS",
    "Fidelity",
    "Formula",
    "G",
    "MOST_DIGITS",
    "MonotoneFit",
    "MonotoneLayer",
    "NOTEBOOK_STYLE",
    "ParetoFront",
    "PhiFormula",
    "R2",
    "Rule",
    "ScaledFormula",
    "SymbolicLayer",
    "check_path",
    "front_markdown",
    "html_table",
    "in_users_units",
]
