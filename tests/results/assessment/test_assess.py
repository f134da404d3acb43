"""Assessment of a formula: its rule is tested on held-out points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import sympy

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.pareto_front import ParetoFront
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.formula_errors import errors
from keras_symgrad.gradients.reading import Reading, split
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.assessment.assess import (
    decisions,
    faithful,
    of_like_values,
    stable,
    true_to_boundary,
)
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.held_out import HeldOutRows

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


def test_a_longer_formula_that_is_worse_at_the_boundary_is_not_trusted():
    """It has less loss on the slab, because it follows how the network bends away from it."""
    bent = Neuron(
        "bent",
        lambda x: 3 * (x[:, 0] * x[:, 1] - 1) + 30 * (x[:, 0] * x[:, 1] - 1) ** 2 * x[:, 0],
        inputs=2,
        is_classifier=True,
    )
    field = GradientField.from_neuron(bent, POINTS, seed=0)
    truth = formula(x1 * x2, 3, 1e-2)
    bend = 3 * x1 * x2 + 30 * x1 * (x1 * x2 - 1) ** 2
    twisted = formula(bend + 0.8 * x1, 15, 1e-3)
    front = ParetoFront([truth, twisted])
    assert errors(twisted.expression, field).mean() < errors(truth.expression, field).mean()
    assert true_to_boundary(front, field) == [truth]
    # One that is as good there is trusted.
    better = formula(bend, 13, 1e-4)
    assert true_to_boundary(ParetoFront([truth, better]), field) == [truth, better]


def test_a_formula_whose_phi_explains_less_of_the_values_is_not_trusted():
    saddle = Neuron("saddle", lambda x: 9 * x[:, 0] * x[:, 1], inputs=2)
    shown, kept = split(POINTS, seed=0)
    reading = Reading(*[GradientField.from_neuron(saddle, shown, seed=0)] * 2, saddle, shown, kept)
    # The sine has the same gradients, but turns at pi / 2.
    product, sine = formula(x1 * x2, 3, 2e-3), formula(sympy.sin(x1 * x2), 5, 1e-6)
    counted = HeldOutRows.of(reading, *reading.field.split())
    rows = counted.with_fidelity([product, sine], reading.field)
    assert of_like_values(ParetoFront(rows)) == [product]


def test_a_formula_that_either_half_of_the_rows_fits_otherwise_is_not_chosen():
    rng = np.random.default_rng(0)
    points = rng.uniform(0.5, 1.5, size=(60, 2))
    noisy = points[:, ::-1] + rng.normal(0, 0.2, size=(60, 2))
    field = GradientField.from_gradients(points, noisy, names=["x1", "x2"])
    operators = OperatorSet("default")
    alphabet = Alphabet(operators, field.names)
    finisher = FormulaRefiner(alphabet, Complexity().over(operators), *field.split())
    # Waves shorter than the rows are apart follow the noise.
    waves = (
        0.011 * sympy.sin(21.01 * x1 + 3.3)
        + 0.012 * sympy.cos(18.5 * x2 + 1.1)
        + 0.013 * sympy.sin(14.3 * x1 - 11.1 * x2)
    )
    product = formula(x1 * x2, 3, 1e-2)
    wavy = replace(finisher.fitted(x1 * x2 + waves), complexity=29, loss=1e-9)
    front = ParetoFront([product, wavy])
    assert front.best == wavy
    chosen, _ = stable(front, finisher)
    assert chosen.best == product
