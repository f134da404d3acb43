"""Pareto fronts as tables: HTML for notebooks and reports, and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from keras_symgrad.formulas.formula import ParetoFront

# Style of all notebook output.
NOTEBOOK_STYLE = """\
<style>
.keras-symgrad table { border-collapse: collapse; margin: 0.5em 0; }
.keras-symgrad caption { text-align: left; font-size: 0.9em; opacity: 0.75; }
.keras-symgrad th, .keras-symgrad td { padding: 0.3em 1em 0.3em 0; text-align: left; background: none; }
.keras-symgrad .number { text-align: right; font-variant-numeric: tabular-nums; }
.keras-symgrad .math, .keras-symgrad .formula { word-spacing: -0.12em; }
.keras-symgrad .math math { font-size: 1.1em; }
.keras-symgrad .formula { margin: 0.4em 0; font-size: 1.5em; overflow-x: auto; }
.keras-symgrad .scroll { overflow-x: auto; }
.keras-symgrad .best td { font-weight: 600; }
.keras-symgrad .mark { margin-left: 0.6em; color: #b34f00; }
</style>"""  # noqa: E501 - as long as CSS is
TABLE_HEAD = (
    '<th scope="col" class="number">complexity</th><th scope="col" class="number">loss</th>'
    '<th scope="col">formula</th>'
)


def html_table(front: ParetoFront, caption: str, sortable: bool = False) -> Markup:
    """A front as an HTML table, the chosen row marked.

    Args:
        front: of formulas.
        caption: of the table.
        sortable: whether the script of a report may sort it.

    Returns:
        Markup; text from the user's data is escaped.
    """
    from markupsafe import Markup

    region = Markup('<div class="scroll" role="region" aria-label="{0}" tabindex="0">')
    kind = ' class="sortable"' if sortable else ""
    lines = [
        region.format(caption),
        Markup(f"<table{kind}>"),
        Markup("<caption>{}</caption>").format(caption),
        Markup(f"<thead><tr>{TABLE_HEAD}</tr></thead>"),
        Markup("<tbody>"),
    ]
    for row in front:
        chosen = row is front.best
        best = ' class="best"' if chosen else ""
        # MathML comes from SymPy's printer, which escapes names.
        formula = row.to_mathml() + (' <strong class="mark">chosen</strong>' if chosen else "")
        lines.append(
            Markup(
                f"<tr{best}>"
                f'<td class="number" data-value="{row.complexity}">{row.complexity:g}</td>'
                f'<td class="number" data-value="{row.loss}">{row.loss:.2e}</td>'
                f'<td class="math">{formula}</td></tr>'
            )
        )
    return Markup("\n").join([*lines, Markup("</tbody>\n</table>\n</div>\n")])


def front_html(front: ParetoFront) -> str:
    """A front for a cell of a notebook.

    Args:
        front: of formulas.

    Returns:
        Markup with its style.
    """
    table = html_table(front, "Pareto front")
    return f'<div class="keras-symgrad">\n{NOTEBOOK_STYLE}\n{table}\n</div>'


def front_markdown(front: ParetoFront) -> str:
    """A front as a table in Markdown, formulas in LaTeX.

    Args:
        front: of formulas.

    Returns:
        Lines of Markdown.
    """
    lines = ["| complexity | loss | formula | |", "| ---: | ---: | :--- | :--- |"]
    for row in front:
        mark = "**chosen**" if row is front.best else ""
        # A bar would end the cell; those of names are written in words already.
        latex = row.to_latex().replace("|", r"\vert ")
        lines.append(f"| {row.complexity:g} | {row.loss:.2e} | ${latex}$ | {mark} |")
    return "\n".join(lines)
