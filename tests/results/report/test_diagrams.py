"""Diagrams of a page: their lines lie where the values are, and no value breaks them."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from keras_symgrad.results.report.diagrams import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    front_diagram,
    level_diagram,
    phi_diagram,
)

SVG = "{http://www.w3.org/2000/svg}"
GRID = np.linspace(-1, 1, 41)
FIRST, SECOND = np.meshgrid(GRID, GRID)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg).replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1))


def points_of(root: ElementTree.Element, kind: str) -> np.ndarray:
    """Corners of all paths of a kind, `(corners, 2)`."""
    paths = [path for path in root.iter(f"{SVG}path") if path.get("class") == kind]
    numbers = re.findall(r"-?[\d.]+", " ".join(path.get("d") for path in paths))
    return np.array(numbers, float).reshape(-1, 2)


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(
    ("low", "high"), [(0.02, 0.05), (1e-12, 3.0), (7.0, 7.0), (1e150, 1e200), (2.5, 2.6)]
)
def test_a_scale_maps_its_ends_and_has_a_few_round_numbers_between(low, high, logarithmic):
    scale = Scale.along(np.array([low, high]), logarithmic=logarithmic)
    ends = scale(np.array([scale.low, scale.high]))
    assert np.allclose(ends, [LEFT, WIDTH - RIGHT])
    assert 1 <= len(scale.ticks) <= 12
    places = scale(np.array(scale.ticks))
    assert np.all((places >= LEFT - 1) & (places <= WIDTH - RIGHT + 1))


@pytest.mark.parametrize("span", [(0.0, 1e-310), (-1e308, 1e308), (-math.inf, math.inf)])
def test_a_scale_of_extreme_values_stays_finite(span):
    scale = Scale.up(np.array(span))
    assert np.isfinite(scale(np.array([*span, 0.0]))).all()
    assert len(scale.ticks) <= 12


def test_level_lines_lie_on_their_circles():
    radius = FIRST**2 + SECOND**2
    svg = level_diagram((GRID, GRID), radius - 0.5, radius - 0.25, [0.0], ("a", "b"), "circles")
    root = parsed(svg)
    for kind, squared in (("network", 0.5), ("formula", 0.25)):
        x, y = points_of(root, kind).T
        a = (x - LEFT) / (WIDTH - LEFT - RIGHT) * 2 - 1
        b = 1 - (y - TOP) / (HEIGHT - TOP - BOTTOM) * 2
        assert len(a) > 20
        assert np.allclose(a**2 + b**2, squared, atol=0.01)


def test_values_that_are_missing_are_left_out():
    values = np.where(FIRST > 0.5, np.nan, FIRST + SECOND)
    nothing = np.full_like(values, np.nan)
    root = parsed(level_diagram((GRID, GRID), values, nothing, [0.0], ("a", "b"), "half"))
    assert len(points_of(root, "network")) > 10 and len(points_of(root, "formula")) == 0
    assert "nan" not in ElementTree.tostring(root).decode()
    root = parsed(level_diagram((GRID, GRID), nothing, values, [0.0, 1.0], ("a", "b"), "none"))
    assert len(points_of(root, "network")) == 0 and len(points_of(root, "formula")) > 10


def test_a_point_of_the_front_presses_the_button_of_its_row():
    root = parsed(front_diagram([1, 3, 7], [1.0, 1e-2, 1e-5], 2, "row", 1e-4, "loss", "three"))
    targets = [label.get("for") for label in root.iter(f"{SVG}label")]
    assert targets == ["row-0", "row-1", "row-2"]
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]
    boxes = [(float(b.get("x")), float(b.get("y"))) for b in root.iter(f"{SVG}foreignObject")]
    assert np.allclose(np.array(circles) - np.array(boxes), 14)
    across, down = np.array(circles).T
    assert (np.diff(across) > 0).all() and (np.diff(down) > 0).all()
    # Two decades down are as far as the scale says: 2 of the 2 and 3 between the points.
    assert np.isclose((down[1] - down[0]) / (down[2] - down[1]), 2 / 3, atol=0.01)


def test_names_and_descriptions_are_text():
    name = "<script>alert('x')</script>"
    g = np.linspace(0, 1, 20)
    svg = phi_diagram(g, 2 * g, (g, 2 * g), 0.5, (name, 'a"b'), f'{name} "quoted"')
    root = parsed(svg)
    assert root.get("aria-label") == f'{name} "quoted"'
    assert {name, 'a"b'} <= {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert not list(root.iter(f"{SVG}script"))
    x, y = points_of(root, "threshold").T
    assert np.allclose(x, (LEFT + WIDTH - RIGHT) / 2, atol=0.1)
