"""A switch between two formulas is told from one formula that is steep, has a kink or a pole."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import sympy

from keras_symgrad import Formula, GradientField
from keras_symgrad.results.regions.conditions import Comparison, Condition
from keras_symgrad.results.regions.parts import Part
from keras_symgrad.results.regions.switch import is_switch

NAMES = ("a", "b", "c")
A, B, C = sympy.symbols("a b c", real=True)
POINTS = np.random.default_rng(0).uniform(-2, 2, (1000, 3))
# Rows within this distance of the switch are in neither core.
AWAY = 0.3


def part(expression: sympy.Expr, sign: int) -> Part:
    """The rows on one side of c = 0, with a formula and no function around it."""
    where, core = (
        Condition(((Comparison(C, low=cut) if sign > 0 else Comparison(C, high=-cut),),))
        for cut in (0.0, AWAY)
    )
    formula = Formula(expression, 5.0, 0.0, NAMES)
    return Part(where, core, SimpleNamespace(best=formula, phi=None, predict=formula))


def field(network: sympy.Expr) -> GradientField:
    """Values and gradients of a function."""
    values = sympy.lambdify((A, B, C), [network, *(network.diff(s) for s in (A, B, C))])
    found = np.stack([np.broadcast_to(column, len(POINTS)) for column in values(*POINTS.T)], axis=1)
    return GradientField.from_gradients(POINTS, found[:, 1:], values=found[:, 0], names=NAMES)


def way(steepness: float) -> sympy.Expr:
    """From 0 for negative c to 1 for positive c."""
    return (1 + sympy.tanh(steepness * C)) / 2


@pytest.mark.parametrize(
    ("network", "above", "below", "expected"),
    [
        (A * B * way(40) + (A + B**2) * (1 - way(40)), A * B, A + B**2, True),
        # Between the formulas lies a tenth of the rows.
        (A * B * way(5) + (A + B**2) * (1 - way(5)), A * B, A + B**2, False),
        (B + A * sympy.tanh(4 * C), B + A, B - A, False),
        # The kink of max(c, 0) has no jump.
        (A * B + 3 * sympy.Max(C, 0), A * B + 3 * C, A * B, False),
        # A pole at the switch.
        (
            B + A * sympy.atan(8 * C),
            B + A * sympy.pi / 2 - A / (8 * C),
            B - A * sympy.pi / 2 - A / (8 * C),
            False,
        ),
        # One formula on both sides.
        (A * B + C, A * B + C, A * B + C, False),
    ],
)
def test_a_switch_is_one_formula_or_the_other_at_nearly_every_row(network, above, below, expected):
    parts = [part(above, 1), part(below, -1)]
    rows = field(network)
    assert is_switch(parts, rows.take(slice(0, 600)), rows.take(slice(600, None))) is expected
