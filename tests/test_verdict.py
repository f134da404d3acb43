"""What is said of a formula: its rule is tested where nothing was fitted."""

from __future__ import annotations

import numpy as np
import sympy

from keras_symgrad.expressions.trees import symbol
from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.reading import split
from keras_symgrad.verdict import decisions, faithful

x1, x2 = symbol("x1"), symbol("x2")
NEURON = Neuron("saddle", lambda x: 9 * (x[:, 0] * x[:, 1] - 1), inputs=2, is_classifier=True)
POINTS = np.random.default_rng(0).uniform(0, 2, size=(3000, 2))


def formula(expression, complexity: float, loss: float) -> Formula:
    return Formula(expression, complexity, loss, ("x1", "x2"))


def test_a_formula_that_decides_otherwise_far_from_the_boundary_is_not_trusted():
    shown, kept = split(POINTS, seed=0)
    field = GradientField.from_neuron(NEURON, shown, seed=0)
    points, yes = decisions(NEURON, kept, shown, None, True, 0)
    # Around x1*x2 = 1 both have the same gradients; beyond pi/2 the sine comes down again.
    product, sine = formula(x1 * x2, 3, 2e-3), formula(sympy.sin(x1 * x2), 5, 1e-6)
    trusted = faithful(ParetoFront([product, sine]), field, points, yes)
    assert trusted == [product]
    assert ParetoFront([product, sine]).best == sine
    assert ParetoFront([product, sine], trusted=trusted).best == product


def test_decisions_are_the_networks_on_points_that_nothing_was_fitted_on():
    shown, kept = split(POINTS, seed=0)
    points, yes = decisions(NEURON, kept, shown, None, False, 0)
    assert len(points) == len(kept) == 600
    np.testing.assert_array_equal(yes, points[:, 0] * points[:, 1] > 1)
    more, _ = decisions(NEURON, kept, shown, None, True, 0)
    assert len(more) > 9000
    assert not {tuple(p) for p in more} & {tuple(p) for p in shown}
