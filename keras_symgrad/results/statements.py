"""Statements about a result, each a name and a text, which all outputs set in type.

The terminal, notebooks, reports and `str` choose among them and lay them out; none words them anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from keras_symgrad.files import listed_ranges
from keras_symgrad.formulas import R2
from keras_symgrad.results.assessment import (
    SAME_CLASS,
    Match,
    described,
    described_interactions,
    few_valued,
    not_looked_at,
)
from keras_symgrad.results.regions import MAX_VARIABLES
from keras_symgrad.search.core import Ending

if TYPE_CHECKING:
    from keras_symgrad.formulas import Formula
    from keras_symgrad.results.assessment import Alternative
    from keras_symgrad.results.class_interpretation import ClassInterpretation
    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.joint_interpretation import JointInterpretation

Statement = tuple[str, str]

# A share of the gradient that counts as all of it, given float32 and noise.
EXPLAINED = 0.99
# Largest ratio of a listed formula's length to that of the best one.
MAX_RELATIVE_LENGTH_SHOWN = 1.5
# Names, and ranges of names, in one line.
MAX_LISTED = 12
# A closed form of the value is listed if its R2 is less than this below that of phi(formula), which
# bounds extreme values of the formula.
MAX_LOSS_OF_R2 = 0.05
ONE_VARIABLE = (
    "in one dimension a direction is a sign: values were fitted, up to a factor and an offset"
)


def statements_of(concept: Interpretation) -> Iterator[Statement]:
    """All statements about a result: what moves the neuron, the answer, and how near it is.

    Args:
        concept: result of `interpret`.

    Yields:
        Names and texts: "influence" and "interactions"; "rule" and "agreement", or "formula";
        "1 - |cos|"; then the other remarks. Of several regions "formula" and all that is about them
        comes before the single formula, which the rest is about.
    """
    yield from _moving(concept)
    rule = concept.shown_rule
    if rule is None or concept.is_divided:
        yield "formula", headline(concept)
    yield from _divided(concept)
    if rule is not None:
        yield "rule", rule.text
        yield "agreement", f"with the model on {rule.share}"
    if not concept.is_of_one_variable:
        rows = concept.rows["held_out"]
        yield (
            "1 - |cos|",
            f"{concept.cosine_error:.1e} between gradients, on {rows:,} held-out rows",
        )
    yield from _of_formula(concept)


def headline(concept: Interpretation) -> str:
    """The best formula, with a note if it is not what the network computes; see `Interpretation`.

    Args:
        concept: result of `interpret`.
    """
    if concept.regions is not None and concept.is_divided:
        parts = [f"{region.written} where {region.where}" for region in concept.regions]
        return f"{len(parts)} regions: {'; '.join(parts)}"
    return _of_all(concept)


def _of_all(concept: Interpretation) -> str:
    formula = concept.best.to_pretty()
    off = f"gradients {concept.angle:.0f} degrees off"
    if concept.is_of_one_variable:
        off = str(concept.fidelity)
    if concept.matches == Match.NOTHING:
        return f"no simple formula fits; the closest found is {formula} ({off})"
    if concept.matches == Match.APPROXIMATION:
        return f"{formula} (an approximation, {off})"
    return formula


def ending(concept: Interpretation) -> str:
    """End of the search.

    Args:
        concept: result of `interpret`.
    """
    if isinstance(concept.stopped, Ending):
        return concept.stopped.text
    return f"until a callback ended it: {concept.stopped}"


def searched(concepts: Sequence[Interpretation]) -> str:
    """Length and end of the searches.

    Args:
        concepts: results of `interpret`.
    """
    evaluations = sum(concept.evaluations for concept in concepts)
    seconds = sum(concept.timings["search"] for concept in concepts)
    endings = " or ".join(dict.fromkeys(map(ending, concepts)))
    return f"{evaluations:,} formulas in {seconds:.1f} s, {endings}"


def remarks(concept: Interpretation) -> Iterator[Statement]:
    """Statements about the formula and their limits.

    Args:
        concept: result of `interpret`.

    Yields:
        Names and texts.
    """
    yield from _moving(concept)
    yield from _divided(concept)
    yield from _of_formula(concept)


def _moving(concept: Interpretation) -> Iterator[Statement]:
    """The statements on inputs: their influence and their interactions."""
    if concept.influence:
        yield "influence", described(concept.influence)
    if concept.interactions:
        yield "interactions", described_interactions(concept.interactions)


def _divided(concept: Interpretation) -> Iterator[Statement]:
    """The regions, where there are several, and the formula of all data."""
    if concept.regions is None or not concept.is_divided:
        return
    for number, region in enumerate(concept.regions, 1):
        yield f"region {number}", str(region)
    yield "no region", concept.regions.remainder
    if concept.regions.fidelity is not None:
        yield "all regions", str(concept.regions.fidelity)
    yield "single formula", f"{_of_all(concept)}; the lines below are about it"


def _of_formula(concept: Interpretation) -> Iterator[Statement]:
    """The other remarks."""
    simple = concept.matches != Match.NOTHING
    if concept.near is not None:
        yield from concept.near.remarks
    yield "matches", f"{concept.matches} ({reason(concept)})"
    if concept.fidelity is not None:
        yield "fidelity", str(concept.fidelity)
    if concept.holds is not None and not concept.holds.is_everywhere:
        yield "holds", str(concept.holds)
    if concept.front.picked is not None:
        number = concept.front.picked
        of_itself = concept.near is not None and concept.near.farthest == number
        why = "which holds farther around the row" if of_itself else "by hand"
        yield "picked", f"row {number} of the front, {why}"
    if concept.stopped == Ending.TIME_LIMIT:
        yield "unfinished", "the time limit ended the search; a longer one may find better"
    if concept.stopped == Ending.WORKERS_LOST:
        yield "unfinished", "the search lost its workers; another one may find better"
    if concept.settings.get("preprocessing") is not None:
        yield "units", "those of the table; the network receives (x - mean)/width"
    if concept.regions is not None and not concept.regions.complete:
        yield "regions", _unsought(concept)
    if concept.constants and simple:
        yield "constants", "; ".join(map(str, concept.constants))
    rule = concept.shown_rule
    if rule is not None and rule.level.is_fixed:
        yield "threshold", str(rule.level)
    if concept.value is not None and simple and _is_faithful(concept):
        yield "value", f"{concept.value.value.to_pretty()}   (R2 = {concept.value.r2:.5f})"
    if plateau := concept.rows.get("plateau"):
        yield (
            "plateau",
            f"{plateau:,} data rows were left out, where the network is undecided far from its "
            "decision boundary",
        )
    if concept.ignored:
        yield "ignored", listed_ranges(concept.ignored, MAX_LISTED)
    if unsought := not_looked_at(concept.influence):
        listed = listed_ranges(unsought, MAX_LISTED)
        yield "not looked at", f"groups were not looked for among {listed}"
    if columns := few_valued(concept.influence):
        yield "columns of few values", columns
    if concept.symmetries:
        yield "symmetries", "; ".join(map(str, concept.symmetries))
    yield from _surface(concept)
    if concept.groups:
        more = len(concept.groups) - MAX_LISTED
        listed = ", ".join(map(str, concept.groups[:MAX_LISTED]))
        yield "enter only as", f"{listed}; {more} more" if more > 0 else listed
    # A much longer formula fits the network's errors and is not listed.
    longest = MAX_RELATIVE_LENGTH_SHOWN * concept.best.complexity
    others = [
        other
        for other in concept.alternatives
        if other.class_distance > SAME_CLASS and other.formula.complexity <= longest
    ]
    if others and simple:
        more = f"; {len(others) - 1} more" if len(others) > 1 else ""
        yield "also fits", f"{others[0]}{more}"


def _is_faithful(concept: Interpretation) -> bool:
    """Return whether the closed form of the value is nearly as good as phi(formula)."""
    fidelity, value = concept.fidelity, concept.value
    if fidelity is None or value is None or fidelity.metric != R2:
        return True
    return value.r2 >= fidelity.formula - MAX_LOSS_OF_R2


def _unsought(concept: Interpretation) -> str:
    """Reason why regions were not looked for to the end."""
    if len(concept.names) > MAX_VARIABLES:
        return f"they are not looked for among more than {MAX_VARIABLES} inputs"
    return "the time limit, or too few rows, ended the search for them; there may be several"


def _surface(concept: Interpretation) -> Iterator[Statement]:
    """Note on directions that the gradients could not show, because the data lack them."""
    surface = concept.surface
    if surface.explained < EXPLAINED:
        yield "explained", f"{surface.explained:.1%} of the gradient is due to these"
    # Each previous concept removes one direction, and the data the others.
    variables, axes = len(concept.names), surface.axes + len(concept.given)
    if concept.given:
        found = " and ".join(formula.to_pretty() for formula in concept.given)
        verb, them = ("is", "it") if len(concept.given) == 1 else ("are", "them")
        yield (
            "looked for",
            f"where {found} {verb} constant; any function of this and {them} does as well",
        )
    if axes == variables:
        return
    yield (
        "surface",
        f"the data have {axes} directions in {variables} variables; formulas that agree along "
        "them are one concept",
    )
    if planes := surface.never_left(concept.names):
        yield "never left", "; ".join(planes)


def reason(concept: Interpretation) -> str:
    """Evidence for the class of the result.

    Args:
        concept: result of `interpret`.
    """
    off = f"gradients {_degrees(concept.angle)} off"
    if concept.is_of_one_variable:
        return ONE_VARIABLE
    if concept.matches == Match.NOTHING:
        return off
    nearest = concept.rivals[0] if concept.rivals else None
    if concept.matches == Match.APPROXIMATION:
        if nearest is not None and concept.boundary_error is None:
            return f"{off}, {nearest.formula.to_pretty()} fits {_apart(nearest)}"
        return f"{off}, or values off, by more than a network's own error or noise"
    if concept.surface.joint:
        return f"{off}, its gradient lies in the span of the neurons' over all the data"
    if nearest is None and concept.boundary_error is None:
        # Directions that were given may be noisy; those of a network are not.
        noise = "" if "drawn" in concept.rows else ", noise included"
        where = "over all the data" if concept.near is None else "over the points around the row"
        return f"{off}{noise}, parallel {where}"
    if nearest is None:
        return f"{off}, no other formula shares its boundary"
    shown = nearest.formula.to_pretty()
    if concept.matches == Match.CONCEPT:
        return f"{off}, the nearest rival, {shown}, fits {_apart(nearest)}"
    shared = " has the same boundary and" if nearest.same_boundary else ""
    return f"{off}, {shown}{shared} fits {_apart(nearest)}"


def _apart(rival: Alternative) -> str:
    # Gradients are unbounded on some rows: the medians are compared.
    apart = f"with {rival.error_ratio:#.2g} times the error"
    if rival.longer > 0:
        apart += f" in {rival.longer} more word{'s' if rival.longer > 1 else ''}"
    return apart


def _degrees(angle: float) -> str:
    # Below it are rounding errors.
    return "less than 0.01 degrees" if angle < 0.01 else f"{angle:.2g} degrees"


def number_of_formulas(found: ClassInterpretation) -> str:
    """Number of the formulas that decide among several classes, and of which kind they are.

    Args:
        found: result of `interpret_classes`.
    """
    if found.scores is None:
        return f"{len(found.pairs)} formulas"
    return f"{len(found.classes)} scores, the largest of which decides"


def share_of_classes(found: ClassInterpretation) -> str:
    """Agreement of all formulas together with a classifier of several classes.

    Args:
        found: result of `interpret_classes`.
    """
    fidelity = found.fidelity
    share = f"{100 * found.agreement:.1f} % of {found.points:,} rows"
    references = [
        f"{name} {100 * number:.1f} %"
        for name, number in (
            ("softmax regression", fidelity.linear),
            ("tree of depth 3", fidelity.tree),
            ("majority", fidelity.majority),
        )
        if number is not None and math.isfinite(number)
    ]
    beside = f" ({', '.join(references)})" if references else ""
    text = f"all together choose as the model does on {share} that nothing was fitted on{beside}"
    if found.scores is None and all(c.matches.is_exact for c in found.pairs.values()):
        return text
    text = f"{text}; formulas are approximations of the model"
    if found.scores is None or found.scores.complete:
        return text
    return f"{text}; unfinished: longer scores were not tried, give `time_limit` more seconds"


def scores_of(found: ClassInterpretation) -> list[tuple[str, Formula]]:
    """The scores of the classes, by the names of the classes; none where pairs decide.

    Args:
        found: result of `interpret_classes`.
    """
    return [] if found.scores is None else list(zip(found.classes, found.scores.best.formulas))


def shorter_scores(found: ClassInterpretation) -> Iterator[str]:
    """Shorter scores of the classes with their agreement, a line each.

    Args:
        found: result of `interpret_classes`.

    Yields:
        A heading and one line a size; nothing without scores.
    """
    if found.scores is None:
        return
    yield "\nmean complexity of a score, and agreement"
    for scores in found.scores.front:
        best = "  <-- best" if scores is found.scores.best else ""
        yield f"{scores.complexity:10.0f}  {100 * scores.fidelity.formula:5.1f} %{best}"


def pairs(found: ClassInterpretation) -> Iterator[tuple[str, Interpretation]]:
    """The pairs of classes that were read.

    Args:
        found: result of `interpret_classes`.

    Yields:
        A title and the interpretation. Without a rule, scores never cross on the points: one of the
        two classes always has the larger one.
    """
    for (k, j), concept in found.pairs.items():
        between = "against" if concept.rule is None else "rather than"
        yield f"{found.classes[k]} {between} {found.classes[j]}", concept


def unread_pairs(found: ClassInterpretation) -> Iterator[Statement]:
    """The pairs of classes that were not read, and why.

    Args:
        found: result of `interpret_classes`.

    Yields:
        Names and texts.
    """
    for (k, j), reason in found.unread.items():
        yield f"{found.classes[k]} against {found.classes[j]}", f"not read: {reason}"


def number_of_concepts(found: JointInterpretation) -> str:
    """Number of concepts that several neurons carry, and of those found.

    Args:
        found: result of `interpret_jointly`.
    """
    count = f"{found.independent} independent concept{'s' if found.independent != 1 else ''}"
    missing = found.independent - len(found.concepts)
    rest = f"; for {missing} of them nothing simple fits" if missing else ""
    return f"{len(found.neurons)} neurons carry {count}{rest}"


def spectrum(found: JointInterpretation) -> str:
    """Singular values of the gradients of several neurons.

    Args:
        found: result of `interpret_jointly`.
    """
    return ", ".join(f"{size:.2g}" for size in found.spectrum)


def to_span(error: float) -> Statement:
    """Distance of a concept from the gradients of several neurons.

    Args:
        error: mean of 1 - |cos|.
    """
    return "1 - |cos|", f"{error:.1e} to the span of the neurons' gradients"


def statements_of_concepts(found: JointInterpretation) -> Iterator[list[Statement]]:
    """Statements about each concept of several neurons.

    Args:
        found: result of `interpret_jointly`.

    Yields:
        The distance to the neurons' gradients, and the remarks.
    """
    for concept, error in zip(found.concepts, found.errors):
        yield [to_span(error), *remarks(concept)]
