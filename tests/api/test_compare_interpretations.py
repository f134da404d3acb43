"""Two results are compared by class, wherever their data let them be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.pareto_front import ParetoFront
from keras_symgrad.formulas.rule import Rule
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.results.surface import Surface

X = np.random.default_rng(0).uniform(1, 2, (300, 3))


def result(text: str, names=("a", "b", "c"), **changes) -> Interpretation:
    """A result with this formula, its data all over the box."""
    formula = Formula(from_text(text, names), 5.0, 1e-4, names)
    empty = dict.fromkeys(
        ("phi", "value", "rule", "boundary_error", "gradients", "network"), None
    ) | dict.fromkeys(("rivals", "alternatives", "constants", "ignored", "groups"), ())
    whole = {
        **empty,
        "neuron": "neuron",
        "names": names,
        "front": ParetoFront([formula]),
        "best": formula,
        "cosine_error": 1e-4,
        "matches": "concept",
        "noise_floor": 0.0,
        "rows": {"held_out": 1},
        "evaluations": 1,
        "stopped": "exhausted",
        "seed": 0,
        "versions": {},
        "timings": {"search": 0.0},
        "settings": {},
        "box": np.array([[1.0] * len(names), [2.0] * len(names)]),
        "surface": Surface(len(names)),
    }
    return Interpretation(**{**whole, **changes})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a*b + c", "(a*b + c)**2", True),
        ("a*b + c", "-3*exp(-a*b - c) + 1", True),
        ("a*b", "log(a) + log(b)", True),
        ("a*b + c", "a*b + 2*c", False),
        ("a + b", "a - b", False),
    ],
)
def test_functions_of_each_other_are_the_same_concept(one, other, same):
    agreement = ks.compare_interpretations(result(one), result(other))
    assert agreement.same == same
    assert agreement.distance < 1e-12 if same else agreement.distance > 2e-3
    assert str(agreement).startswith("the same concept" if same else "different concepts")


def test_the_distance_of_two_planes_is_that_of_their_normals():
    distance = ks.compare_interpretations(result("a"), result("a + b")).distance
    assert distance == pytest.approx(1 - 1 / np.sqrt(2))


def test_it_does_not_matter_in_which_order_variables_and_results_come():
    one = result("a**2 + b - 1/c")
    other = result("a**2 + b - 1/c", names=("c", "a", "b"))
    assert ks.compare_interpretations(one, other).distance < 1e-15
    one, other = result("a*b*c"), result("a*b + c", names=("b", "c", "a"))
    distances = [
        ks.compare_interpretations(*pair).distance for pair in ((one, other), (other, one))
    ]
    # At other random points.
    assert distances[0] == pytest.approx(distances[1], rel=0.05)


def test_rules_are_compared_by_what_they_decide():
    one, other = result("a"), result("a**2", names=("b", "a", "c"))
    rules = (
        Rule(one.best, Constant(1.5), ">", 1.0, 1),
        Rule(other.best, Constant(1.6**2), ">", 1.0, 1),
    )
    pair = [replace(r, rule=rule) for r, rule in zip((one, other), rules)]
    # They differ between 1.5 and 1.6.
    assert ks.compare_interpretations(*pair).decisions == pytest.approx(0.9, abs=0.02)
    assert ks.compare_interpretations(one, other).decisions is None


def test_on_a_plane_gradients_are_compared_along_it():
    # On a + b + c = 4.5 the two are one function.
    one, other = result("a*(4.5 - b - c)"), result("a**2")
    assert not ks.compare_interpretations(one, other).same
    normal = np.ones(3) / np.sqrt(3)
    plane = np.linalg.svd(np.eye(3) - np.outer(normal, normal))[2][:2]
    flat = Surface(2, plane, np.full(3, 1.5))
    pair = [replace(r, surface=flat) for r in (one, other)]
    assert ks.compare_interpretations(*pair).same
    # The same plane in other vectors, and in another order of the variables.
    turned = Surface(2, np.array([[0.6, 0.8], [-0.8, 0.6]]) @ plane, np.full(3, 1.5))
    reordered = replace(result("a**2", names=("c", "b", "a")), surface=turned)
    assert ks.compare_interpretations(pair[0], reordered).same
    with pytest.raises(ValueError, match="lie in different planes"):
        ks.compare_interpretations(pair[0], other)


def test_on_a_curved_surface_points_are_asked_for(tmp_path):
    # On the sphere a**2 + b**2 + c**2 = 1.
    curved = Surface(2, curved=True)
    one, other = result("a**2 + b**2", surface=curved), result("c", surface=curved)
    with pytest.raises(ValueError, match="lie on a curved surface.*Pass points of it"):
        ks.compare_interpretations(one, other)
    x = np.random.default_rng(0).normal(size=(3000, 3))
    x = np.abs(x) / np.linalg.norm(x, axis=1, keepdims=True)
    np.savez(tmp_path / "x.npz", x=x[:, [2, 0, 1]], names=["c", "a", "b"])
    assert ks.compare_interpretations(one, other, tmp_path / "x.npz").same
    assert not ks.compare_interpretations(
        one,
        replace(other, best=one.best.__class__(sympy.Symbol("b", real=True), 1.0, 0.0, one.names)),
        x,
    ).same


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (result("a"), result("a", names=("a", "z")), "same variables. Received: a, b, c and a, z"),
        (
            result("a"),
            result("a", box=np.array([[5.0] * 3, [6.0] * 3])),
            "no values in common of a",
        ),
        (result("a"), result("a", given=(result("b").best,)), "one of many"),
        (result("a"), result("2*a - 2*a + 1"), "both have a gradient"),
        (result("a"), "a.json", "Results of one neuron are compared"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_said(one, other, message):
    with pytest.raises(ValueError, match=message):
        ks.compare_interpretations(one, other)
