"""Pareto fronts as tables: HTML for notebooks and reports, and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from keras_symgrad.formulas.formula import Formula
    from keras_symgrad.formulas.pareto_front import ParetoFront

# Style of all notebook output. The front-ends of notebooks name their dark themes each in its way.
NOTEBOOK_STYLE = """\
<style>
.keras-symgrad { --network: #0072b2; --formula: #d55e00; --accent: #009e73; --chosen: rgb(213 94 0 / 0.12); --paper: #fff; --mark: #b34f00; }
[data-jp-theme-light="false"] .keras-symgrad, .vscode-dark .keras-symgrad, html[theme="dark"] .keras-symgrad { --network: #56b4e9; --formula: #ff9a4d; --accent: #3fcf9e; --chosen: rgb(255 154 77 / 0.2); --paper: #111; --mark: #ff9a4d; }
.keras-symgrad table { border-collapse: collapse; margin: 0.5em 0; }
.keras-symgrad caption { text-align: left; font-size: 0.9em; opacity: 0.75; }
.keras-symgrad th, .keras-symgrad td { padding: 0.3em 1em 0.3em 0; text-align: left; background: none; }
.keras-symgrad .number { text-align: right; font-variant-numeric: tabular-nums; }
.keras-symgrad .math, .keras-symgrad .formula { word-spacing: -0.12em; }
.keras-symgrad .math math { font-size: 1.1em; }
.keras-symgrad .formula { margin: 0.4em 0; font-size: 1.5em; overflow-x: auto; }
.keras-symgrad .scroll { overflow-x: auto; }
.keras-symgrad .best td { font-weight: 600; }
.keras-symgrad .mark { margin-left: 0.6em; color: var(--mark); }
</style>"""  # noqa: E501 - as long as CSS is


def html_table(
    front: ParetoFront, caption: str, sortable: bool = False, group: str | None = None
) -> Markup:
    """A front as an HTML table, the chosen row marked.

    Args:
        front: of formulas.
        caption: of the table.
        sortable: whether the script of a report may sort it.
        group: name of a group of radio buttons that choose a row, whose ids are `group-0`...; no
            buttons by default.

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
        Markup("<thead><tr>{}</tr></thead>").format(_head(front)),
        Markup("<tbody>"),
    ]
    for number, row in enumerate(front):
        chosen = row is front.best
        best = ' class="best"' if chosen else ""
        button, label, end = "", "", ""
        if group is not None:
            name = f"{group}-{number}"
            pressed = " checked" if chosen else ""
            button = f'<input type="radio" name="{group}" id="{name}" value="{number}"{pressed}/>'
            label, end = f'<label for="{name}">', "</label>"
        # MathML comes from SymPy's printer, which escapes names.
        formula = row.to_mathml() + (' <strong class="mark">chosen</strong>' if chosen else "")
        cells = [
            f'<td class="number" data-value="{row.complexity}">'
            f"{label}{button}{row.complexity:g}{end}</td>",
            f'<td class="number" data-value="{row.loss}">{label}{row.loss:.2e}{end}</td>',
            _cell(front, row, label, end),
            f'<td class="math">{label}{formula}{end}</td>',
        ]
        lines.append(Markup(f"<tr{best}>{''.join(cells)}</tr>"))
    return Markup("\n").join([*lines, Markup("</tbody>\n</table>\n</div>\n")])


def _head(front: ParetoFront) -> Markup:
    from markupsafe import Markup

    numbers = ["complexity", "loss", *(["fidelity"] if front.has_fidelity else [])]
    cells = [f'<th scope="col" class="number">{name}</th>' for name in numbers]
    return Markup("".join([*cells, '<th scope="col">formula</th>']))


def _cell(front: ParetoFront, row: Formula, label: str, end: str) -> str:
    """Fidelity of a row, where it was counted for some."""
    if not front.has_fidelity:
        return ""
    fidelity = row.fidelity
    value, shown = (-1.0, "") if fidelity is None else (fidelity.formula, fidelity.shown)
    return f'<td class="number" data-value="{value}">{label}{shown}{end}</td>'


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
    counted = front.has_fidelity
    lines = [
        f"| complexity | loss |{' fidelity |' if counted else ''} formula | |",
        f"| ---: | ---: |{' ---: |' if counted else ''} :--- | :--- |",
    ]
    for row in front:
        mark = "**chosen**" if row is front.best else ""
        # A bar would end the cell; those of names are written in words already.
        latex = row.to_latex().replace("|", r"\vert ")
        fidelity = f" {row.fidelity.shown if row.fidelity else ''} |" if counted else ""
        lines.append(f"| {row.complexity:g} | {row.loss:.2e} |{fidelity} ${latex}$ | {mark} |")
    return "\n".join(lines)
