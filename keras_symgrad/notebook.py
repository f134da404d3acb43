"""What notebooks show of a front and of an interpretation, as HTML and as Markdown.

Jupyter shows the HTML; Markdown, with formulas in LaTeX, is what a notebook that becomes a PDF or
a page of a repository is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_symgrad.formula import ParetoFront
    from keras_symgrad.interpretation import Interpretation


def front_html(front: ParetoFront) -> str:
    """The front as an HTML table, the chosen row marked.

    Args:
        front: of formulas.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render("notebook_front.html", front=front)


def interpretation_html(concept: Interpretation) -> str:
    """The rule, how far to trust it and the front.

    Args:
        concept: what `interpret` returned.

    Returns:
        Markup for a cell of a notebook.
    """
    return _render("notebook_interpretation.html", concept=concept, front=concept.front)


def front_markdown(front: ParetoFront) -> str:
    """The front as a table in Markdown, formulas in LaTeX.

    Args:
        front: of formulas.

    Returns:
        Lines of Markdown.
    """
    lines = ["| complexity | loss | formula | |", "| ---: | ---: | :--- | :--- |"]
    for row in front:
        mark = "**chosen**" if row is front.best else ""
        # A bar would end the cell.
        latex = row.to_latex().replace("|", r"\vert ")
        lines.append(f"| {row.complexity:g} | {row.loss:.2e} | ${latex}$ | {mark} |")
    return "\n".join(lines)


def interpretation_markdown(concept: Interpretation) -> str:
    """The rule, how far to trust it and the front, as Markdown.

    Args:
        concept: what `interpret` returned.

    Returns:
        Lines of Markdown.
    """
    # Where nothing simple fits no rule is named.
    rule = concept.rule if concept.matches != "nothing" else None
    formula = rule.latex if rule else concept.best.to_latex()
    lines = [f"**What {_code(concept.neuron)} computes**", "", f"$$ {formula} $$", ""]
    if rule:
        share = f"{100 * rule.agreement:.1f} % of {rule.points:,} points"
        lines.append(f"- **agreement**: {share}, with the network")
    lines += [f"- **{name}**: {_code(text)}" for name, text in concept.remarks]
    return "\n".join([*lines, "", front_markdown(concept.front)])


def _render(template: str, **values: object) -> str:
    from keras_symgrad.report import templates

    return templates().get_template(template).render(**values)


def _code(text: str) -> str:
    """Text as it is: nothing in it is Markdown."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"
