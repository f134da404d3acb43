"""The report on one neuron: a self-contained HTML page.

Jinja2 escapes all text from the user's model and data. The page's content security policy forbids
loading anything and running other scripts than its own, as a second barrier. Pictures are embedded
SVG images; formulas are MathML, which browsers render themselves.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files import printable
from keras_symgrad.formulas import NOTEBOOK_STYLE, html_table
from keras_symgrad.results.assessment import Match, in_ranges
from keras_symgrad.results.report import panels, plots
from keras_symgrad.results.report.panels import Panel
from keras_symgrad.results.report.row_accounts import diagram_of_front, row_accounts
from keras_symgrad.results.report.slices import decided
from keras_symgrad.results.statements import reason, searched, statements_of
from keras_symgrad.search.core import (
    IN_MEMORY,
    SMALLEST_LOSS,
    call_without_folders,
    without_folders,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.axes import Axes

    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.report.slices import Plane

# Width of a picture in inches; on a phone it shrinks a little and its text stays legible.
PICTURE_INCHES = 4.6, 3.5

# For a neuron that is not a classifier, other formulas with the same boundary are meaningless.
VERDICT_OF_VALUES = (
    "The formula is what the neuron computes, up to an invertible function: their gradients are "
    "parallel over all the data."
)
VERDICT_AROUND_ROW = (
    "The formula is what the neuron computes around the row, up to an invertible function: their "
    "gradients are parallel at all points there that were read."
)
VERDICT_OF_SPANS = (
    "The formula can be read from the neurons together: its gradient lies in the span of theirs "
    "over all the data."
)
# Largest number of variables that are listed with their ranges.
MOST_NAMES = 12
# Remarks that have a separate section or table.
SHOWN = (
    *("near", "outside", "radius", "stay as in the row", "nearest boundary"),
    "no region",
    "all regions",
    "single formula",
    "matches",
    "fidelity",
    "constants",
    "ignored",
    "enter only as",
    "also fits",
)
AROUND = "points drawn around the row"
ORIGINS = {
    "data": "rows of the data",
    "drawn": "drawn from the data's domain",
    "moved": "moved to the decision boundary along the gradient",
    "dropped": "left out because a number was missing or infinite",
    "plateau": "left out because the decision boundary is far from them",
    "flat": "left out because the gradient was zero",
    "search": "searched on",
    "train": "used to fit constants",
    "held_out": "held out: losses and angles are measured on these",
}


def page_of_interpretation(concept: Interpretation) -> str:
    """Make the report on an interpretation as HTML.

    The same interpretation gives the same page, byte for byte.

    Args:
        concept: result of `interpret`.

    Returns:
        The whole page as text.
    """
    return render(
        "report.html",
        kind="Interpretation of a neuron",
        heading=f"What {concept.neuron} computes",
        versions=concept.versions,
        concept=concept,
        view=view(concept, "The network says yes where", "The neuron is an invertible function of"),
        values=[_image(panel) for panel in panels.values(concept)],
        influence=[_image(panel) for panel in panels.influence(concept)],
        regions=[_image(panel) for panel in panels.regions(concept)],
        planes=[side_by_side(plane) for plane in panels.planes(concept)],
        around=_around(concept),
        rows=[
            (concept.rows[name], AROUND if name == "data" and concept.near else text)
            for name, text in ORIGINS.items()
            if concept.rows.get(name)
        ],
        ranges=_ranges(concept),
        most_inputs=MOST_NAMES,
        call=call_without_folders(concept.call, concept.settings),
        settings=without_folders(concept.settings),
        searched=searched([concept]),
    )


def view(
    concept: Interpretation, says_yes: str, is_function: str, *, group: str = "row"
) -> dict[str, Any]:
    """Values of one concept for the templates.

    Args:
        concept: result of `interpret`.
        says_yes: the words before a rule.
        is_function: the words before the formula of a neuron that decides nothing.
        group: name of the radio buttons that choose a row of the front, one of the page's own.

    Returns:
        Values for the macros of `parts.html`.
    """
    simple, rule = concept.matches != Match.NOTHING, concept.shown_rule
    label = says_yes if rule else is_function
    if concept.matches == Match.APPROXIMATION:
        label = f"Approximately: {label[0].lower()}{label[1:]}"
    # Approximations are drawn by their fidelity, where losses have no line.
    floor = concept.noise_floor if concept.front.chosen is None else 0.0
    return {
        "concept": concept,
        "rule": rule,
        "label": label if simple else "No simple formula fits. The closest found:",
        "median_angle": degrees(np.median(plots.held_out_angles(concept))),
        "verdict": _verdict(concept),
        "reason": reason(concept),
        "told": dict(statements_of(concept)),
        "remarks": [(name, text) for name, text in concept.remarks if not _is_shown(name)],
        "floor": scientific(floor) if floor > SMALLEST_LOSS else "",
        "accounts": row_accounts(concept),
        "diagram": diagram_of_front(concept, group),
        "group": group,
        "gradients": [_image(panel) for panel in panels.gradients(concept)],
    }


def render(template: str, **values: Any) -> str:
    """Render a page from one of the package's templates, with its style, script and policy.

    Args:
        template: name of the file.
        **values: values for the template.

    Returns:
        The whole page as text.
    """
    script = source("report.js")
    style = source("report.css") + "\n" + explorer_style(_most_rows(values))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    page = templates().get_template(template)
    return printable(page.render(style=style, script=script, policy=policy, **values))


def explorer_style(rows: int) -> Markup:
    """The style of fronts in which a row can be chosen.

    Args:
        rows: largest number of rows of a front on the page: each has rules of its own.
    """
    from markupsafe import Markup

    rules = [source("explorer.css")]
    for k in range(rows):
        chosen = f'.explorer:has(input[value="{k}"]:checked)'
        rules += [
            f'{chosen} .account[data-row="{k}"] {{ display: block; }}',
            f'{chosen} .account.diagrams[data-row="{k}"] {{ display: grid; }}',
            f'{chosen} .dot[data-row="{k}"] {{ r: 8px; fill: var(--formula); }}',
        ]
    return Markup("\n").join(map(Markup, rules))


@cache
def templates() -> Environment:
    """The package's templates; everything that is not marked as markup is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    texts = Environment(
        loader=PackageLoader("keras_symgrad.results.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # MathML comes from SymPy's printer, which escapes names.
    texts.filters["math"] = lambda formula: Markup(formula.to_mathml())
    texts.filters["degrees"] = degrees
    texts.globals |= {
        "front_table": html_table,
        "in_ranges": in_ranges,
        "notebook_style": Markup(NOTEBOOK_STYLE),
        "described": _described,
        "listed": listed,
        "percent": panels.percent,
        "scientific": scientific,
    }
    return texts


def source(name: str) -> Any:
    """A file of the package's own, style or script, as markup.

    Args:
        name: of the file among the templates.
    """
    from markupsafe import Markup

    environment = templates()
    if environment.loader is None:
        raise ValueError("The templates have no folder to be read from.")
    return Markup(environment.loader.get_source(environment, name)[0].strip())


def scientific(number: float) -> str:
    """A small number for people: `9.4 × 10⁻⁵`."""
    mantissa, exponent = f"{number:.1e}".split("e")
    if number == 0 or -2 <= int(exponent) <= 2:
        return f"{number:.2g}"
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{power}"


def listed(names: Sequence[str]) -> str:
    """Names for people, shortened if there are many."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _most_rows(values: dict[str, Any]) -> int:
    views = values.get("views", [values["view"]] if "view" in values else [])
    return max((len(view["accounts"]) for view in views), default=0)


def _is_shown(remark: str) -> bool:
    return remark in SHOWN or remark.startswith("region ")


def degrees(angle: float) -> str:
    """An angle for people."""
    # Below it are rounding errors.
    return "below 0.001°" if angle < 1e-3 else f"{angle:.2g}°"


def _described(value: Any) -> str:
    """A setting in readable form."""
    if isinstance(value, dict):
        if IN_MEMORY in value:
            return f"{value[IN_MEMORY]} (in memory)"
        return ", ".join(f"{name} {_described(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_described, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _verdict(concept: Interpretation) -> str:
    if concept.matches == Match.CONCEPT and concept.boundary_error is None:
        if concept.near is not None:
            return VERDICT_AROUND_ROW
        together = concept.gradients.directions.ndim == 3
        return VERDICT_OF_SPANS if together else VERDICT_OF_VALUES
    return concept.matches.promise


def _ranges(concept: Interpretation) -> list[tuple[str, float, float]]:
    """Names and ranges of the variables; if there are many, those in the formula."""
    inside = {symbol.name for symbol in concept.best.expression.free_symbols}
    few = len(concept.names) <= MOST_NAMES
    return [
        (name, low, high)
        for name, low, high in zip(concept.names, *concept.box)
        if few or name in inside
    ]


def _around(concept: Interpretation) -> dict[str, Any] | None:
    """The row that was interpreted, input by input, and the nearest decision boundary."""
    near = concept.near
    if near is None:
        return None
    at = near.boundary.point if near.boundary else near.row
    widths = near.around.widths
    steps = np.divide(at - near.row, widths, out=np.zeros(len(widths)), where=widths > 0)
    inputs = list(zip(near.around.names, near.row, at, steps))
    if near.boundary is not None:
        inputs.sort(key=lambda one: -abs(one[3]))
    return {
        "remarks": [(name.capitalize(), text) for name, text in near.remarks],
        "inputs": inputs[:MOST_NAMES],
        "more": max(len(inputs) - MOST_NAMES, 0),
        "boundary": near.boundary is not None,
    }


def _image(panel: Panel) -> dict[str, str]:
    return {"title": panel.title, "text": panel.text, "source": svg(panel.draw)}


def side_by_side(plane: Plane) -> dict[str, Any]:
    """Both sides of a plane as two images, which stand one below the other on a phone."""
    return {
        "names": [plane.concept.names[column] for column in plane.columns],
        "others": plane.others,
        "agreement": panels.agreement(*plane.values, decides=decided(plane.concept)),
        "sides": [svg(partial(plots.boundary_side, plane, k)) for k in (0, 1)],
    }


def svg(draw: Callable[[Axes], object]) -> str:
    """A picture as the source of an image: an SVG file in a `data:` address.

    As an image it can neither run code nor load anything, and its ids are separate from other
    images'. Its text is rendered by the browser, which has glyphs that Matplotlib's own font lacks.

    Args:
        draw: function that draws on axes.

    Returns:
        A `data:` address.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.style import context

    # Independent of the user's style; the page has the background, in its light and dark modes.
    with (
        context("default"),
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "k"}),
        matplotlib.rc_context({"savefig.transparent": True}),
    ):
        figure = Figure(figsize=PICTURE_INCHES, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(file, format="svg", metadata=nothing)
    # Matplotlib writes each text a second time, as a comment.
    text = re.sub(r"<!--.*?-->", "", file.getvalue(), flags=re.DOTALL)
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
