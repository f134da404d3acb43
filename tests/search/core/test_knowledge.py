"""Prior knowledge changes the result, on trained networks, as it should."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pint
import pytest
import sympy

from keras_symgrad import Priors, Sampling, Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.callbacks import LambdaCallback
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.priors.constraints import Constraints
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.search.core.provenance import call
from keras_symgrad.search.core.stopping import Stopping

MODELS = Path(__file__).parents[3] / "examples" / "models"
UNITS = {"height": "m", "speed": "m/s", "gravity": "m/s**2"}
# The quick stages of the dictionary.
QUICK = {
    "sampling": Sampling(rows=600),
    "search": Search(methods="dictionary", stopping=Stopping(None, evaluations=100)),
    "verbose": False,
}


def searched(network: str, **options) -> Interpretation:
    """Result on a network with a part of its rows, which is enough here."""
    return interpret(MODELS / f"{network}.keras", MODELS / f"{network}.csv", **QUICK | options)


@cache
def found(network: str) -> Interpretation:
    """Result without prior knowledge."""
    return searched(network)


@cache
def throws_in_units() -> Interpretation:
    return searched("throws", priors=Priors(dimensions=UNITS))


def until(**limits) -> Search:
    """The dictionary with other limits."""
    return replace(QUICK["search"], stopping=Stopping(None, **limits))


REGISTRY = pint.UnitRegistry()


def has_a_dimension(expression: sympy.Expr) -> bool:
    """Return whether pint can do the arithmetic of an expression with quantities."""
    names = list(UNITS)
    code = sympy.lambdify([sympy.Symbol(name, real=True) for name in names], expression, "numpy")
    try:
        code(*(REGISTRY.Quantity(np.array([1.5]), UNITS[name]) for name in names))
    except pint.DimensionalityError:
        return False
    return True


def off_the_law(concept: Interpretation) -> float:
    """1 - |cos| between what was found of a throw and h + v^2/(2 g), on fresh points."""
    height, speed, gravity = (sympy.Symbol(name, real=True) for name in UNITS)
    x = np.random.default_rng(0).uniform([1.0, 4.0, 9.0], [2.2, 6.0, 10.5], (5000, 3))
    law, formula = (
        gradient(expression, tuple(UNITS), x)
        for expression in (height + speed**2 / (2 * gravity), concept.best.expression)
    )
    return direction_error(formula, law)


@pytest.mark.slow
def test_with_units_a_consistent_formula_is_found_where_another_would_be_preferred():
    # The labels are a person's, 10 cm off: whether h + v^2/(2 g) is above a bar.
    free, known = found("throws"), throws_in_units()
    assert not has_a_dimension(free.best.expression)
    assert has_a_dimension(known.best.expression)
    assert off_the_law(known) < 1e-3 < off_the_law(free)


@pytest.mark.slow
def test_everything_that_is_shown_keeps_the_rules():
    known = throws_in_units()
    shown = [*known.front, *(other.formula for other in (*known.rivals, *known.alternatives))]
    assert len(shown) > 3
    assert all(has_a_dimension(formula.expression) for formula in shown)


@pytest.mark.slow
def test_a_template_writes_a_product_as_a_sum_of_parts():
    free = found("barrier").best.expression
    form = "f(mass) + g(velocity_1, velocity_2)"
    concept = searched("barrier", priors=Priors(template=form), search=until(target_loss=3e-4))
    mass, first, second = (sympy.Symbol(name, real=True) for name in concept.names)
    assert free.diff(mass, first) != 0
    for row in concept.front:
        assert row.expression.diff(mass, first) == 0
        assert row.expression.diff(mass, second) == 0
    # Kinetic energy, whose logarithm is a sum.
    x = np.random.default_rng(0).uniform([800, 5, 5], [2400, 25, 25], (2000, 3))
    energy = gradient(mass * (first**2 + second**2), concept.names, x)
    assert direction_error(gradient(concept.best.expression, concept.names, x), energy) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules", [Constraints(arguments={"exp": 1}), Constraints(forbidden={"exp": "add, sub"})]
)
def test_a_nesting_rule_takes_an_exponential_apart(rules):
    free = found("C").best.expression
    # Two products of exponentials are found later than one exponential of a difference.
    concept = searched("C", priors=Priors(constraints=rules), search=until(evaluations=500))
    assert any(power.args[0].is_Add for power in free.atoms(sympy.exp))
    for row in concept.front:
        assert not any(power.args[0].is_Add for power in row.expression.atoms(sympy.exp))
    # The same decisions in other words.
    assert concept.best.loss < 1e-4
    assert concept.rule.agreement > 0.995


@pytest.mark.slow
def test_a_guess_is_where_a_search_starts_with_coefficients_of_the_network():
    begun, guess = until(evaluations=1), Priors(guesses="height + speed**2/gravity")
    without, helped = (
        searched("throws", search=begun),
        searched("throws", priors=guess, search=begun),
    )
    assert off_the_law(without) > 1e-3
    assert off_the_law(helped) < 1e-9
    height, speed, gravity = (sympy.Symbol(name, real=True) for name in UNITS)
    assert helped.best.expression == 2 * height + speed**2 / gravity


def test_a_result_says_what_was_known_and_how_to_repeat_it():
    known = throws_in_units()
    assert known.settings["dimensions"] == UNITS
    rules = Constraints({"exp": "exp"}, {"exp": 5}, 4)
    given = {"model": "a.keras", "constraints": rules.to_dict(), "guesses": ["x1"]}
    lines = call(given, interpret).splitlines()
    written = "ks.Constraints(forbidden={'exp': ['exp']}, arguments={'exp': 5}, depth=4)"
    assert lines[2] == f"    priors=ks.Priors(constraints={written}, guesses=('x1',)),"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priors": Priors(dimensions={"width": "m"})}, "no variable: width"),
        ({"priors": Priors(dimensions={"height": "foo"})}, "'foo' is not defined"),
        ({"priors": Priors(template="f(width)")}, "may hold variables, not width"),
        ({"priors": Priors(template="f(height) + f(speed)")}, "Part 'f' stands 2 times"),
        ({"priors": Priors(guesses=["tanh(height)"])}, "cannot be written with the operators"),
        ({"priors": Priors(guesses=["height + speed"], dimensions=UNITS)}, "has no dimension"),
        ({"priors": Priors(constraints=Constraints({"sinh": "sin"}))}, "not made of: sinh"),
    ],
)
def test_what_cannot_be_is_told_before_the_search(options, message):
    started = []
    told = LambdaCallback(on_search_begin=started.append)
    gradients = found("throws").gradients
    with pytest.raises(ValueError, match=message):
        interpret(gradients, callbacks=[told], verbose=False, **options)
    assert not started
