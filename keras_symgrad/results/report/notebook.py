"""HTML and Markdown of results for notebooks.

Jupyter shows the HTML; Markdown, with formulas in LaTeX, is used when a notebook is converted to a
PDF or shown by a repository's host.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keras_symgrad.files import printable
from keras_symgrad.formulas import front_markdown
from keras_symgrad.results.assessment import MAX_NAMED

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
    return _render(
        "notebook_interpretation.html",
        concept=concept,
        front=concept.front,
        most_inputs=MAX_NAMED,
    )


def interpretation_markdown(concept: Interpretation) -> str:
    """Markdown of the rule, its evidence and the front.

    Args:
        concept: result of `interpret`.

    Returns:
        Lines of Markdown.
    """
    # No rule is shown where no simple formula fits.
    rule = concept.rule if concept.matches != "nothing" else None
    formula = rule.latex if rule else concept.best.to_latex()
    lines = [f"**What {_code(concept.neuron)} computes**", "", f"$$ {formula} $$", ""]
    if rule:
        share = f"{100 * rule.agreement:.1f} % of {rule.points:,} points"
        lines.append(f"- **agreement**: {share}, with the network")
    lines += [f"- **{name}**: {_code(text)}" for name, text in concept.remarks]
    return "\n".join([*lines, "", front_markdown(concept.front)])


def classes_html(found: ClassInterpretation) -> str:
    """HTML of a rule for each pair of classes, and their joint agreement.

    Args:
        found: result of `interpret_classes`.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render("notebook_classes.html", found=found)


def classes_markdown(found: ClassInterpretation) -> str:
    """Markdown of a rule for each pair of classes, and their joint agreement.

    Args:
        found: result of `interpret_classes`.

    Returns:
        Lines of Markdown.
    """
    lines = [f"**How {_code(found.name)} tells {len(found.classes)} classes apart**", ""]
    for (k, j), concept in found.pairs.items():
        pair = f"{_code(found.classes[k])} rather than {_code(found.classes[j])}"
        formula = concept.rule if concept.rule and concept.matches != "nothing" else None
        latex = formula.latex if formula else concept.best.to_latex()
        lines.append(f"- {pair} ({concept.matches}): ${latex}$")
    for (k, j), reason in found.unread.items():
        pair = f"{_code(found.classes[k])} against {_code(found.classes[j])}"
        lines.append(f"- {pair}: not read, {_code(reason)}")
    share = f"{100 * found.agreement:.1f} % of {found.points:,} points"
    return "\n".join([*lines, "", f"All together choose as the model does on {share}."])


def jointly_html(found: JointInterpretation) -> str:
    """HTML of the concepts of several neurons, with their distances from the neurons' span.

    Args:
        found: result of `interpret_jointly`.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render("notebook_jointly.html", found=found)


def jointly_markdown(found: JointInterpretation) -> str:
    """Markdown of the concepts of several neurons.

    Args:
        found: result of `interpret_jointly`.

    Returns:
        Lines of Markdown.
    """
    count, neurons = len(found.concepts), ", ".join(map(_code, found.neurons))
    lines = [f"**{found.independent} independent concepts**, {count} of them found, in {neurons}"]
    for concept, error in zip(found.concepts, found.errors):
        lines += ["", f"$$ {concept.best.to_latex()} $$", ""]
        lines.append(f"- **1 - |cos|** to the neurons' span: {error:.1e}")
        lines += [f"- **{name}**: {_code(text)}" for name, text in concept.remarks]
    return "\n".join(lines)


def _render(template: str, **values: object) -> str:
    from keras_symgrad.results.report.page import templates

    return printable(templates().get_template(template).render(**values))


def _code(text: str) -> str:
    """Text with Markdown and markup escaped."""
    text = printable(" ".join(text.split()))
    if not MARKUP.search(text):
        return f"`{text}`"
    return f"<code>{MARKDOWN.sub(lambda match: f'&#{ord(match[0])};', text)}</code>"
