"""Reports, plots and notebook output of interpretations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.results.report.notebook import (
        classes_html,
        classes_markdown,
        interpretation_html,
        interpretation_markdown,
        jointly_html,
        jointly_markdown,
    )
    from keras_symgrad.results.report.page import page_of_interpretation
    from keras_symgrad.results.report.page_of_several import page_of_classes, page_of_neurons
    from keras_symgrad.results.report.panels import influence_figure, overview
    from keras_symgrad.results.report.plots import FORMULA, GREY, NETWORK
    from keras_symgrad.results.report.slices import Plane
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "FORMULA",
    "GREY",
    "NETWORK",
    "Plane",
    "classes_html",
    "classes_markdown",
    "influence_figure",
    "interpretation_html",
    "interpretation_markdown",
    "jointly_html",
    "jointly_markdown",
    "overview",
    "page_of_classes",
    "page_of_interpretation",
    "page_of_neurons",
]
