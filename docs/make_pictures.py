"""Make the pictures of the page on the method from the networks in `examples/models`.

.venv/bin/python docs/make_pictures.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import sympy
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from keras_symgrad import GradientField, Neuron, Search, Stopping, interpret, plots
from keras_symgrad.engine import gradient, unit
from keras_symgrad.expressions import symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.files import read_points
from keras_symgrad.gradients import errors, smoothed
from keras_symgrad.results.report import FORMULA, GREY, NETWORK

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "examples/models"
PICTURES = ROOT / "docs/pictures"
NAMES = ("x1", "x2")
X1, X2 = map(symbol, NAMES)
DELTA = 1e-2


def one_class() -> Figure:
    """Plot three functions of one class: other values, the same directions."""
    g = X1**2 + 2 * X2**2
    functions = {
        "$g = x_1^2 + 2x_2^2$": g,
        "sigmoid$(8(g - 1))$": 1 / (1 + sympy.exp(-8 * (g - 1))),
        r"$\log g$": sympy.log(g),
    }
    figure, row = pyplot.subplots(1, 3, figsize=(9, 3.3), sharey=True, layout="constrained")
    for axes, (title, expression) in zip(row, functions.items()):
        values_and_directions(axes, expression, (-1, 1))
        axes.set_title(title, loc="left")
    return figure


def one_boundary() -> Figure:
    """Plot a difference and a quotient: one boundary, and other directions off it."""
    functions = {"$x_1 - x_2$": X1 - X2, "$x_1/x_2$": X1 / X2}
    figure, row = pyplot.subplots(1, 2, figsize=(6.6, 3.5), sharey=True, layout="constrained")
    for axes, (title, expression) in zip(row, functions.items()):
        values_and_directions(axes, expression, (0.2, 2))
        axes.axline((1, 1), slope=1, color="black", linewidth=2, label="boundary")
        axes.set_title(title, loc="left")
    row[0].legend(loc="lower right")
    return figure


def values_and_directions(axes: Axes, expression: sympy.Expr, box: tuple[float, float]) -> None:
    """Values of an expression in colours, and the directions of its gradients."""
    line = np.linspace(*box, 101)
    points = mesh(line, line)
    values = numpy_function([expression], [X1, X2])(points)[:, 0].reshape(101, 101)
    levels = np.linspace(*np.quantile(values[np.isfinite(values)], (0.02, 0.98)), 10)
    axes.contourf(line, line, values, levels=levels, cmap="cividis", alpha=0.6, extend="both")
    coarse = np.linspace(*box, 13)[1:-1]
    starts = mesh(coarse, coarse)
    arrows = unit(gradient(expression, NAMES, starts))
    axes.quiver(*starts.T, *arrows.T, pivot="mid", color="black", width=0.006, scale=18)
    axes.set(xlabel="$x_1$", ylabel="$x_2$" if axes.get_subplotspec().is_first_col() else "")
    axes.set_aspect("equal")


def slab() -> Figure:
    """Plot the error of a classifier's gradients, and the slab where it is undecided."""
    neuron = Neuron.of(MODELS / "A1.keras")
    line = np.linspace(-1, 1, 161)
    points = mesh(line, line)
    logits, gradients = neuron.values_and_gradients(points)
    field = GradientField.from_gradients(points, gradients)
    error = errors(X1**2 + 2 * X2**2, field).reshape(161, 161)
    figure, axes = pyplot.subplots(figsize=(5.6, 4.4), layout="constrained")
    colours = axes.pcolormesh(
        line, line, error, cmap="viridis", norm=LogNorm(1e-6, 1e-1), rasterized=True
    )
    figure.colorbar(colours, label=r"1 $-$ |cos| to the gradient of the concept", extend="both")
    undecided = np.log((1 - DELTA) / DELTA)
    logits = logits.reshape(161, 161)
    axes.contour(line, line, logits, levels=[-undecided, undecided], colors="white", linestyles="-")
    axes.contour(line, line, logits, levels=[0], colors="white", linestyles="--")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return figure


def front() -> Figure:
    """Plot a front with its steep drop."""
    stopping = Stopping(time_limit=None, generations=20)
    concept = interpret(
        MODELS / "B.keras", MODELS / "B.csv", verbose=False, search=Search(stopping=stopping)
    )
    figure, axes = pyplot.subplots(figsize=(5.6, 3.6), layout="constrained")
    plots.front(concept, axes)
    return figure


def tangent() -> Figure:
    """Plot errors of an encoder's gradients, raw and along the surface of its data."""
    points, names = read_points(MODELS / "002.csv")
    neuron = Neuron.of(MODELS / "002.keras")
    a, b, c, d = map(symbol, names)
    figure, axes = pyplot.subplots(figsize=(5.6, 3.4), layout="constrained")
    bins = np.geomspace(1e-9, 1, 55)
    for how, colour, label in (
        (None, GREY, "as they are"),
        ("auto", NETWORK, "projected on the data's tangent space"),
    ):
        field = GradientField.from_neuron(neuron, points, names=names, tangent=how)
        found = np.maximum(errors(a * d - b * c, field), bins[0])
        axes.hist(found, bins, color=colour, alpha=0.7, label=label)
    axes.set(xscale="log", xlabel=r"1 $-$ |cos| to the determinant's gradient", ylabel="rows")
    axes.legend(loc="upper left")
    return figure


def kinks() -> Figure:
    """Plot the direction of a ReLU network's gradient along a line, raw and averaged."""
    points, _ = read_points(MODELS / "B.csv")
    neuron = Neuron.of(MODELS / "B-relu.keras")
    # Along the decision boundary, x1 = -sqrt(1 - sin(s)) where s = x2 + x3.
    s = np.linspace(-3, -0.2, 600)
    line = np.stack([-np.sqrt(1 - np.sin(s)), s / 2, s / 2], axis=1)
    true = np.stack([2 * line[:, 0], np.cos(s), np.cos(s)], axis=1)
    figure, axes = pyplot.subplots(figsize=(6.4, 3.4), layout="constrained")
    for gradients, colour, width, label in (
        (neuron.values_and_gradients(line)[1], GREY, 1, "the network"),
        (smoothed(neuron, points).values_and_gradients(line)[1], NETWORK, 2, "averaged"),
        (true, FORMULA, 1.5, "$x_1^2 + \\sin(x_2 + x_3)$"),
    ):
        directions = unit(np.asarray(gradients, float))
        axes.plot(s, directions[:, 1], color=colour, linewidth=width, label=label)
    axes.set(xlabel="along the decision boundary: $x_2 + x_3$", ylabel="second component of $u$")
    axes.legend(loc="best")
    return figure


def mesh(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The points of a grid, `(points, 2)`."""
    return np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)


DRAWN: dict[str, Callable[[], Figure]] = {
    "class.png": one_class,
    "boundary.png": one_boundary,
    "slab.png": slab,
    "front.png": front,
    "tangent.png": tangent,
    "kinks.png": kinks,
}


def main() -> None:
    """Draw all of them."""
    matplotlib.use("Agg")
    PICTURES.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        path = PICTURES / name
        draw().savefig(path, dpi=110)
        print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
