"""HTML and Markdown of results for notebooks.

Jupyter shows the HTML; Markdown, with formulas in LaTeX, is used when a notebook is converted to a
PDF or shown by a repository's host.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from keras_symgrad.files import printable
from keras_symgrad.formulas import front_markdown
from keras_symgrad.results.assessment import MAX_NAMED
from keras_symgrad.results.statements import (
    number_of_concepts,
    pairs,
    scores_of,
    share_of_classes,
    statements_of,
    statements_of_concepts,
    unread_pairs,
)

if TYPE_CHECKING:
    from keras_symgrad.results.class_interpretation import ClassInterpretation
    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.joint_interpretation import JointInterpretation

# Not all that shows Markdown keeps code from being read as markup or its end.
MARKUP = re.compile(r"[<>&`]")
# What means something in Markdown, in markup or between dollar signs.
MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")


def interpretation_html(concept: Interpretation) -> str:
    """HTML of the rule, its evidence and the front.

    Args:
        concept: result of `interpret`.

    Returns:
        Markup for a cell of a notebook.
    """
    from keras_symgrad.results.report.page import explorer_style
    from keras_symgrad.results.report.row_accounts import diagram_of_front, row_accounts

    accounts = row_accounts(concept)
    # The same result may be shown by several cells of a page, each with its own buttons.
    group = f"row-{secrets.token_hex(4)}"
    return _render(
        "notebook_interpretation.html",
        concept=concept,
        told=dict(statements_of(concept)),
        accounts=accounts,
        diagram=diagram_of_front(concept, group) if accounts else "",
        group=group,
        style=explorer_style(len(accounts)),
        most_inputs=MAX_NAMED,
    )


def interpretation_markdown(concept: Interpretation) -> str:
    """Markdown of the rule, its evidence and the front.

    Args:
        concept: result of `interpret`.

    Returns:
        Lines of Markdown.
    """
    lines = [f"**What {_code(concept.neuron)} computes**", ""]
    if concept.regions is not None and concept.is_divided:
        for region in concept.regions:
            formula = (region.value or region.formula).to_latex()
            lines += [f"$$ {formula} $$", "", f"where {_code(str(region.where))}", ""]
        lines += ["A single formula for all the data:", ""]
    lines += [f"$$ {_latex(concept)} $$", ""]
    lines += [
        f"- **{name}**: {_code(text)}"
        for name, text in statements_of(concept)
        if name not in ("formula", "rule")
    ]
    return "\n".join([*lines, "", front_markdown(concept.front)])


def classes_html(found: ClassInterpretation) -> str:
    """HTML of a score for each class or a rule for each pair, and their joint agreement.

    Args:
        found: result of `interpret_classes`.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render(
        "notebook_classes.html",
        found=found,
        share=share_of_classes(found),
        scores=scores_of(found),
        pairs=pairs(found),
        unread=unread_pairs(found),
    )


def classes_markdown(found: ClassInterpretation) -> str:
    """Markdown of a score for each class or a rule for each pair, and their joint agreement.

    Args:
        found: result of `interpret_classes`.

    Returns:
        Lines of Markdown.
    """
    lines = [f"**How {_code(found.name)} tells {len(found.classes)} classes apart**", ""]
    for name, score in scores_of(found):
        lines.append(f"- score of {_code(name)}: ${score.to_latex()}$")
    for title, concept in pairs(found):
        lines.append(f"- {_code(title)} ({concept.matches}): ${_latex(concept)}$")
    lines += [f"- {_code(title)}: {_code(text)}" for title, text in unread_pairs(found)]
    return "\n".join([*lines, "", f"{share_of_classes(found).capitalize()}."])


def jointly_html(found: JointInterpretation) -> str:
    """HTML of the concepts of several neurons, with their distances from the neurons' span.

    Args:
        found: result of `interpret_jointly`.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render(
        "notebook_jointly.html",
        number=number_of_concepts(found),
        concepts=zip(found.concepts, statements_of_concepts(found)),
    )


def jointly_markdown(found: JointInterpretation) -> str:
    """Markdown of the concepts of several neurons.

    Args:
        found: result of `interpret_jointly`.

    Returns:
        Lines of Markdown.
    """
    neurons = ", ".join(map(_code, found.neurons))
    lines = [f"**{number_of_concepts(found)}**: {neurons}"]
    for concept, statements in zip(found.concepts, statements_of_concepts(found)):
        lines += ["", f"$$ {concept.best.to_latex()} $$", ""]
        lines += [f"- **{name}**: {_code(text)}" for name, text in statements]
    return "\n".join(lines)


def _render(template: str, **values: object) -> str:
    from keras_symgrad.results.report.page import templates

    return printable(templates().get_template(template).render(**values))


def _latex(concept: Interpretation) -> str:
    rule = concept.shown_rule
    return concept.best.to_latex() if rule is None else rule.latex


def _code(text: str) -> str:
    """Text with Markdown and markup escaped."""
    text = printable(" ".join(text.split()))
    if not MARKUP.search(text):
        return f"`{text}`"
    return f"<code>{MARKDOWN.sub(lambda match: f'&#{ord(match[0])};', text)}</code>"
