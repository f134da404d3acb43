"""Pictures: what is drawn is what was found, and nothing of the user's is touched."""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import sympy
from matplotlib import pyplot
from matplotlib.figure import Figure
from small_concepts import NAMES, classifier, network, points, regressor, without_values

from keras_symgrad import plots
from keras_symgrad.formulas.fidelity import Fidelity
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.pareto_front import ParetoFront
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.report import panels
from keras_symgrad.results.report.row_accounts import diagram_of_front
from keras_symgrad.results.report.slices import Plane, strongest

matplotlib.use("Agg")
KINDS = {"classifier": classifier, "regressor": regressor, "without_values": without_values}


@pytest.fixture
def axes():
    return Figure().add_subplot()


def test_approximations_are_drawn_by_the_fidelity_that_they_are_chosen_by(axes):
    x1, x2 = sympy.symbols("x1 x2", real=True)
    rows = [
        Formula(x1, 1, 0.1, ("x1", "x2"), fidelity=Fidelity("R2", 0.8, 0.0, 100)),
        Formula(x1 + x2, 3, 0.2, ("x1", "x2"), fidelity=Fidelity("R2", 0.9, 0.0, 100)),
    ]
    concept = replace(regressor(), front=ParetoFront.by_fidelity(rows, chosen=1))
    plots.front(concept, axes)
    drawn = axes.collections[0].get_offsets()
    assert drawn[:, 1].tolist() == [0.8, 0.9] and axes.get_yscale() == "linear"
    assert axes.get_ylabel() == "R2 on held-out data rows"
    assert "from 0.8 at complexity 1 to 0.9 at complexity 3" in panels.front(concept).text
    assert "R2 on held-out data rows" in diagram_of_front(concept, "row")


def test_the_front_is_drawn_row_by_row(axes):
    concept = classifier()
    assert plots.front(concept, axes) is axes
    rows, chosen = (np.asarray(drawn.get_offsets()) for drawn in axes.collections)
    assert rows[:, 0].tolist() == [row.complexity for row in concept.front]
    assert rows[:, 1].tolist() == [row.loss for row in concept.front]
    best = concept.front.best
    assert chosen.tolist() == [[best.complexity, best.loss]]


def test_phi_crosses_zero_at_the_threshold(axes):
    concept = classifier()
    plots.phi(concept, axes)
    curve = next(line for line in axes.lines if line.get_label() == "phi")
    crossing = np.interp(0, curve.get_ydata(), curve.get_xdata())
    assert crossing == pytest.approx(concept.rule.threshold, abs=1e-3)
    g, logit = np.asarray(axes.collections[0].get_offsets()).T
    # The points are the network's own values, asked again.
    near = np.abs(np.sum(points() ** 2 * [1, 2], axis=1) - 1) < 0.04
    again = np.asarray(Neuron.of(network())(points()[near]))
    assert np.ptp(logit) == pytest.approx(np.ptp(again), rel=0.3)
    assert np.corrcoef(g, logit)[0, 1] > 0.98


def test_parity_is_the_diagonal_where_the_formula_says_it_all(axes):
    concept = regressor()
    plots.parity(concept, axes)
    x, y = np.asarray(axes.collections[0].get_offsets()).T
    assert np.corrcoef(x, y)[0, 1] ** 2 > 0.99
    assert f"{concept.phi.r2:.4f}" in axes.get_title(loc="right")


def test_the_histogram_counts_angles_of_all_held_out_rows(axes):
    concept = classifier()
    plots.angles(concept, axes)
    assert sum(bar.get_height() for bar in axes.patches) == concept.rows["held_out"]
    # The true gradient is (2 a, 4 b): angles to it are those of the formula found.
    _, held_out = concept.gradients.split(seed=concept.seed)
    truth = held_out.points * [2, 4]
    cosine = np.sum(truth * held_out.directions, axis=1) / np.linalg.norm(truth, axis=1)
    median = np.median(np.degrees(np.arccos(np.minimum(np.abs(cosine), 1))))
    assert axes.lines[0].get_xdata()[0] == pytest.approx(median, rel=0.01)


@pytest.mark.parametrize("make", [classifier, without_values])
def test_arrows_of_formula_and_network_point_the_same_way(make, axes):
    plots.directions(make(), axes)
    ours, theirs = (np.stack([arrows.U, arrows.V], axis=1) for arrows in axes.collections)
    assert np.linalg.norm(theirs, axis=1) == pytest.approx(1)
    assert np.sum(ours * theirs, axis=1).min() > 0.9


def test_arrows_are_for_two_variables():
    with pytest.raises(ValueError, match="`angles` compares gradients of any number.*p, q, r, s"):
        plots.directions(regressor())


def lines_of(axes) -> list[np.ndarray]:
    """Points of the contour lines, those of filled areas left out."""
    lines = [drawn for drawn in axes.collections if not np.size(drawn.get_facecolor())]
    return [np.concatenate([path.vertices for path in line.get_paths()]) for line in lines]


def test_the_lines_are_where_network_and_formula_change_their_minds(axes):
    concept, panels = classifier(), Figure().subplots(1, 2)
    assert plots.boundary(concept, panels) is panels
    ((of_network,), (of_formula, again)) = map(lines_of, panels)
    assert len(of_network) > 100
    logit = np.asarray(Neuron.of(network())(of_network))
    # A line is straight between points of the grid: 0.012 wide, where the logit rises by 100.
    assert np.abs(logit).max() < 0.2
    assert concept.best(of_formula) == pytest.approx(concept.rule.threshold, abs=2e-3)
    assert again == pytest.approx(of_network)


def test_a_slice_goes_through_a_row_and_shows_the_strongest_variables():
    concept = regressor()
    assert set(strongest(concept)) == {"p", "q", "r"}
    plane = Plane.of(concept, ["r", "p"])
    network, formula = plane.values
    assert set(plane.others) == {"q"}
    assert (concept.gradients.points == plane.point).all(axis=1).any()
    # Rows of the picture are values of the second variable in the data's order.
    first, second = np.meshgrid(*plane.axes)
    truth = -np.tanh(first**2 + plane.others["q"] * second)
    assert network == pytest.approx(truth)
    inside = np.abs(formula - truth) < 0.05
    assert inside.mean() > 0.9
    left, right = plots.boundary(concept, Figure().subplots(1, 2), ["r", "p"])
    assert [text.get_text() for text in (left.xaxis.label, left.yaxis.label)] == ["p", "r"]


@pytest.mark.parametrize("variables", [["p"], ["p", "p"], ["p", "x9"]])
def test_a_plane_needs_two_of_the_variables(variables):
    with pytest.raises(ValueError, match="two of the variables: p, q, r, s. Received"):
        plots.boundary(regressor(), variables=variables)


@pytest.mark.parametrize("draw", [plots.phi, plots.parity, plots.boundary])
def test_without_values_there_is_nothing_to_compare_them_with(draw):
    with pytest.raises(ValueError, match="gradients came without|from a gradient field alone"):
        draw(without_values())
    assert pyplot.get_fignums() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_overview_needs_no_arguments_and_leaves_nothing_behind(kind, tmp_path):
    settings = dict(matplotlib.rcParams)
    figure = KINDS[kind]().plot()
    figure.savefig(tmp_path / "overview.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "Pareto front"
    assert titles[-2:] == (["network", "formula"] if kind != "without_values" else titles[-2:])
    assert len(titles) == {"classifier": 6, "regressor": 6, "without_values": 3}[kind]
    assert dict(matplotlib.rcParams) == settings
    assert pyplot.get_fignums() == []


def test_given_axes_are_drawn_on_and_pyplot_knows_nothing_of_it(axes):
    concept = classifier()
    mine = pyplot.figure()
    try:
        for draw in (plots.front, plots.phi, plots.parity, plots.angles, plots.directions):
            assert draw(concept, Figure().add_subplot()).has_data()
        plots.boundary(concept, Figure().subplots(1, 2))
        assert pyplot.get_fignums() == [mine.number]
        assert pyplot.gcf() is mine
    finally:
        pyplot.close(mine)


def test_without_axes_pyplot_shows_the_picture():
    drawn = plots.front(classifier())
    assert pyplot.gcf() is drawn.figure
    pyplot.close(drawn.figure)
    left, _ = plots.boundary(classifier())
    assert pyplot.gcf() is left.figure
    pyplot.close(left.figure)


def test_a_name_between_dollar_signs_is_no_formula(axes):
    plots.directions(classifier(), axes)
    assert [axes.get_xlabel(), axes.get_ylabel()] == list(NAMES)
    assert not axes.yaxis.label.get_parse_math()
    plots.front(classifier(), front := Figure().add_subplot())
    assert not any(text.get_parse_math() for text in front.get_legend().get_texts())
