"""Make the pictures of the README and the gallery, but those of reports in a browser.

.venv/bin/python scripts/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes

from keras_symgrad import Interpretation, Search, Stopping, interpret, plots
from keras_symgrad.results.report import Plane

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "examples/models"
PICTURES = ROOT / "examples/pictures"
ARROWS = 160


def main() -> None:
    """Interpret the ellipse's network and draw both sides, then all pictures of it."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    stopping = Stopping(time_limit=None, generations=20)
    concept = interpret(
        MODELS / "A1.keras", MODELS / "A1.csv", verbose=False, search=Search(stopping=stopping)
    )
    figure, (network, formula) = pyplot.subplots(
        1, 2, figsize=(9, 4.4), sharey=True, layout="constrained"
    )
    plots.boundary(concept, (network, formula))
    arrows(concept, network)
    network.set_title("the network: directions of its gradients", loc="left")
    formula.set_title(f"the formula: ${concept.rule.latex}$", loc="left")
    formula.set_ylabel("")
    for axes in (network, formula):
        axes.get_legend().remove()
        axes.set_aspect("equal")
    save(figure, "ellipse.png")
    save(concept.plot(), "overview.png")
    switch = interpret(MODELS / "switch.keras", MODELS / "switch.csv", time_limit=20, verbose=False)
    figure, axes = pyplot.subplots(figsize=(5.4, 3.8), layout="constrained")
    plots.regions(switch, axes)
    save(figure, "regions.png")
    save(switch.plot_influence(), "influence.png")


def arrows(concept: Interpretation, axes: Axes) -> None:
    """Directions of the network's gradients."""
    field = concept.gradients.subset(ARROWS)
    axes.quiver(*field.points.T, *field.directions.T, color="#b03a2e", width=0.004, scale=18)
    Plane.of(concept).frame(axes)


def save(figure, name: str) -> None:
    """Write a picture and print its path."""
    path = PICTURES / name
    figure.savefig(path, dpi=110)
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
