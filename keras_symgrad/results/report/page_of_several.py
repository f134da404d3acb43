"""The report on several formulas: pairs of classes, or neurons read jointly.

Each formula has a section with its class, its front and a plane. Further details are in its own
report: `found.pairs[1, 0].report(path)`, `found.concepts[0].report(path)`.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from keras_symgrad.results.report import panels
from keras_symgrad.results.report.page import listed, render, side_by_side, view
from keras_symgrad.results.statements import (
    number_of_concepts,
    pairs,
    scores_of,
    searched,
    share_of_classes,
    spectrum,
    to_span,
    unread_pairs,
)
from keras_symgrad.search.core import call_without_folders, without_folders

if TYPE_CHECKING:
    from keras_symgrad.results.class_interpretation import ClassInterpretation
    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.joint_interpretation import JointInterpretation

# Sections for each formula.
MOST_PLANES = 1


def page_of_classes(found: ClassInterpretation) -> str:
    """Make the report on a classifier of several classes as HTML.

    Args:
        found: result of `interpret_classes`.

    Returns:
        The whole page as text; the same result gives the same page.
    """
    views = [
        _section(
            concept,
            title,
            f"The model prefers {found.classes[k]} to {found.classes[j]} where",
            f"By how much it prefers {found.classes[k]} to {found.classes[j]} is an invertible "
            "function of",
            group=f"row-{number}",
        )
        for number, ((k, j), (title, concept)) in enumerate(zip(found.pairs, pairs(found)))
    ]
    return render(
        "classes.html",
        kind="Interpretation of a classifier of several classes",
        heading=f"How {found.name} tells {len(found.classes)} classes apart",
        versions=found.versions,
        found=found,
        views=views,
        recall=[(name, share) for name, share in zip(found.classes, found.recall) if share >= 0],
        facts=[
            ("Classes", listed(found.classes)),
            ("Variables", listed(found.names)),
            *unread_pairs(found),
        ],
        share=share_of_classes(found),
        scores=scores_of(found),
        sizes=[] if found.scores is None else found.scores.front,
        call=call_without_folders(found.call, found.settings),
        settings=without_folders(found.settings),
        searched=searched(list(found.pairs.values())) if found.pairs else None,
    )


def page_of_neurons(found: JointInterpretation) -> str:
    """Make the report on several neurons together as HTML.

    Args:
        found: result of `interpret_jointly`.

    Returns:
        The whole page as text; the same result gives the same page.
    """
    words = "From the neurons together one can read an invertible function of"
    views = [
        _section(concept, f"Concept {number}", words, words, group=f"row-{number}")
        for number, concept in enumerate(found.concepts, start=1)
    ]
    return render(
        "jointly.html",
        kind="Interpretation of several neurons together",
        heading=f"What {len(found.neurons)} neurons encode together",
        versions=found.versions,
        found=found,
        views=views,
        number=number_of_concepts(found),
        spectrum=spectrum(found),
        spans=list(map(to_span, found.errors)),
        facts=[
            ("Neurons", listed(found.neurons)),
            *([("Variables", listed(found.concepts[0].names))] if found.concepts else []),
        ],
        call=call_without_folders(found.call, found.settings),
        settings=without_folders(found.settings),
        searched=searched(found.concepts),
    )


def _section(concept: Interpretation, title: str, *words: str, group: str) -> dict[str, Any]:
    planes = islice(panels.planes(concept), MOST_PLANES)
    return {
        "title": title,
        "planes": [side_by_side(plane) for plane in planes],
        **view(concept, *words, group=group),
    }
