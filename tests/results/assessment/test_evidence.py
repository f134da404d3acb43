"""Classes of results: on networks that were trained, and on fields made for the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.datasets.recovery import boundary_points
from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.reference import loss
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.formulas import Fidelity
from keras_symgrad.formulas.monotone_fit import MonotoneFit
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.formula_errors import errors, losses
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.assessment.evidence import Evidence
from keras_symgrad.results.assessment.finalize import FormulaRefiner

OPERATORS = OperatorSet("default")
E = SYSTEMS["E"]
X1, X2, X3, X4, X5, X6 = E.variables
OF_DECISIONS = Fidelity("agreement", 0.99, 0.55, 600)
DIFFERENCE = (X3 - X4) ** 2 + (X5 - X6) ** 2 - X1 * X2


def evidence(field: GradientField, domain, expression, threshold=None, fidelity=None) -> Evidence:
    alphabet = Alphabet(OPERATORS, field.names)
    finisher = FormulaRefiner(alphabet, Complexity().over(OPERATORS), *field.split())
    best = finisher.fitted(expression)
    front = [finisher.fitted(X1 + X2), best]
    return Evidence(best, finisher, field, domain, threshold, fidelity, front)


def slab(expression, noise: float, thickness: float = 0.05) -> GradientField:
    """Noisy gradients of a formula with the boundary of E, on a slab around it."""
    rng = np.random.default_rng(0)
    points = boundary_points(E, 1500) + rng.normal(0, thickness, size=(1500, 6))
    exact = unit(sympy_gradients(expression, points))
    values = E.values(points) - E.threshold
    noisy = exact + rng.normal(0, noise, size=exact.shape)
    return GradientField.from_gradients(points, noisy, names=E.names, values=values)


def sympy_gradients(expression, points) -> np.ndarray:
    partials = [sympy.lambdify(E.variables, expression.diff(v)) for v in E.variables]
    return np.stack([np.broadcast_to(p(*points.T), len(points)) for p in partials], axis=1)


def evidence_of_a_network(models, id: str, expression: sympy.Expr) -> Evidence:
    points = np.loadtxt(models / f"{id}.csv", delimiter=",", skiprows=1)
    field = GradientField.from_neuron(Neuron.of(models / f"{id}.keras"), points)
    found = evidence(field, points, expression)
    threshold = MonotoneFit.through(found.best(field.points), field.values).preimage(0.0)
    return evidence(field, points, expression, threshold)


@pytest.mark.slow
@pytest.mark.parametrize("id", ["A1", "A", "B", "C"])
def test_a_trained_network_tells_the_concept_from_its_rivals(id, models):
    found = evidence_of_a_network(models, id, SYSTEMS[id].expression)
    assert found.matches == "concept"
    assert found.cosine_error < 2e-3
    assert found.boundary_error < 2e-3
    assert found.rivals
    assert all(rival.class_distance > 2e-3 for rival in found.rivals)


@pytest.mark.slow
def test_a_number_that_moves_from_the_threshold_makes_no_rival_longer(models):
    # x1*exp(-r**2/2) > 1/5 and 5*exp(-r**2/2) - 1/x1 > 0 are the same labels.
    found = evidence_of_a_network(models, "D", SYSTEMS["D"].expression)
    x1, x2, x3 = SYSTEMS["D"].variables
    rival = next(r for r in found.rivals if not r.formula.expression.has(5 * x1))
    expected = sympy.simplify(5 * sympy.exp(-(x2**2 + x3**2) / 2) - 1 / x1)
    assert sympy.simplify(rival.formula.expression - expected) == 0
    assert rival.longer == 1 and 1 < rival.error_ratio < 2
    assert found.matches == "boundary" and found.cosine_error < 2e-3
    assert all(rival.same_boundary for rival in found.rivals)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [E.expression, DIFFERENCE], ids=["quotient", "difference"])
def test_exact_gradients_tell_the_concept_from_its_rivals(truth):
    field = slab(truth, noise=0.0)
    threshold = 1.0 if truth is E.expression else 0.0
    assert evidence(field, E.sample(500), truth, threshold).matches == "concept"


@pytest.mark.slow
@pytest.mark.parametrize("truth", [E.expression, DIFFERENCE], ids=["quotient", "difference"])
@pytest.mark.parametrize("shown", [E.expression, DIFFERENCE], ids=["quotient", "difference"])
def test_a_slab_thinner_than_the_noise_shows_a_boundary_whichever_formula_is_shown(truth, shown):
    field = slab(truth, noise=0.05, thickness=0.005)
    found = evidence(field, E.sample(500), shown, 1.0 if shown is E.expression else 0.0)
    assert found.matches == "boundary"
    assert found.rivals[0].class_distance > 0.1


def test_a_few_huge_values_do_not_hide_the_rival_of_a_quotient():
    field = slab(DIFFERENCE, noise=0.05, thickness=0.005)
    # Points where the quotient is nearly divided by zero, as drawn points sometimes are.
    points = np.where(np.arange(1500)[:, None] < 20, [1, 1, 1, 1, 1, 1 + 1e-3], field.points)
    field = replace(field, points=points)
    found = evidence(field, E.sample(500), E.expression, 1.0)
    assert any(sympy.expand(r.formula.expression + DIFFERENCE) == 0 for r in found.rivals) or any(
        sympy.expand(r.formula.expression - DIFFERENCE) == 0 for r in found.rivals
    )


@pytest.mark.slow
def test_a_formula_that_fits_the_boundary_alone_is_not_the_concept():
    field = slab(E.expression, noise=0.0)
    found = evidence(field, E.sample(500), DIFFERENCE, 0.0)
    assert found.matches == "boundary"
    assert found.cosine_error > found.boundary_error


@pytest.mark.slow
def test_a_neuron_that_decides_nothing_has_no_boundary():
    field = slab(E.expression, noise=0.01)
    found = evidence(field, E.sample(500), E.expression)
    assert found.matches == "concept"
    assert found.rivals == ()
    assert found.boundary_error is None


def of_values(r2: float) -> Fidelity:
    return Fidelity("R2", r2, 0.0, 500)


@pytest.mark.parametrize(("r2", "matches"), [(0.3, "nothing"), (0.99, "approximation")])
def test_a_good_fit_of_values_makes_no_concept_of_directions_that_are_off(r2, matches):
    rng = np.random.default_rng(0)
    field = GradientField.from_gradients(rng.normal(size=(500, 6)), rng.normal(size=(500, 6)))
    assert evidence(field, field.points, X1 + X2, fidelity=of_values(r2)).matches == matches


MISSED = {
    "a root that was left out": (X1 - X2 * X4) / sympy.sqrt(1 - X2**2 / X3**2 / 2),
    "a small term": X1 - X2 * X4 + sympy.sin(3 * X3) / 20,
}


def given(truth, noise: float) -> GradientField:
    """Directions of a formula as they are, or with noise, at points of a box."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0.5, 1.5, size=(800, 6)) + [0, 0, 1, 0, 0, 0]
    gradients = unit(sympy_gradients(truth, points))
    gradients += rng.normal(0, noise, size=gradients.shape)
    return GradientField.from_gradients(points, gradients)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("truth", MISSED.values(), ids=MISSED)
def test_what_a_formula_misses_of_given_directions_is_told_from_their_noise(truth, noise):
    field = given(truth, noise)
    missing = evidence(field, field.points, X1 - X2 * X4)
    assert 1e-4 < missing.systematic_error <= missing.cosine_error < 0.02
    assert missing.matches == "approximation"
    whole = evidence(field, field.points, truth)
    assert whole.systematic_error < 1e-10
    assert whole.matches == "concept"


@pytest.mark.slow
def test_a_formula_a_few_degrees_off_is_a_concept_of_a_network_alone():
    field = given(X1 - X2 * X4 + sympy.sin(3 * X3) / 40, 0.0)
    assert evidence(field, field.points, X1 - X2 * X4).matches == "approximation"
    read = replace(field, origin={"data": field.rows, "drawn": 0, "moved": 0})
    for r2, matches in ((0.999, "concept"), (0.9, "approximation")):
        found = evidence(read, field.points, X1 - X2 * X4, fidelity=of_values(r2))
        assert found.matches == matches


def test_a_longer_formula_that_explains_much_more_shows_that_something_is_missing():
    truth = X1 - X2 * X4 + sympy.sin(X3) / 10
    field = given(truth, 0.0)
    field = replace(field, origin={"data": field.rows, "drawn": 0, "moved": 0})
    found = evidence(field, field.points, X1 - X2 * X4, fidelity=of_values(0.999))
    assert found.cosine_error < 0.005
    assert not found.is_incomplete
    found = Evidence(
        found.best,
        found._finisher,
        field,
        field.points,
        None,
        found.fidelity,
        [*found.front, found._finisher.fitted(truth)],
    )
    assert found.is_incomplete
    assert found.matches == "approximation"


@pytest.mark.slow
def test_a_long_sum_that_follows_a_function_step_by_step_is_no_concept():
    """The Taylor polynomial of a smooth function is near it, and no law."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(600, 6))
    argument = X1 / 2 + X2 / 4
    truth = sympy.tanh(argument) + X2 / 2
    field = GradientField.from_gradients(points, sympy_gradients(truth, points))
    field = replace(field, origin={"data": field.rows, "drawn": 0, "moved": 0})
    sums = [argument + X2 / 2, argument - argument**3 / 3 + X2 / 2]
    long = evidence(field, points, sums[1] + 2 * argument**5 / 15, fidelity=of_values(0.999))
    fitted = long._finisher.fitted
    front = [replace(fitted(form), complexity=5 + 20 * k) for k, form in enumerate(sums)]
    best = replace(long.best, complexity=45)
    found = Evidence(best, long._finisher, field, points, None, long.fidelity, [*front, best])
    assert found.cosine_error < 0.002
    assert found.is_gradual
    assert found.matches == "approximation"
    law = Evidence(
        replace(fitted(truth), complexity=9),
        long._finisher,
        field,
        points,
        None,
        long.fidelity,
        [*front, best],
    )
    assert not law.is_gradual
    assert law.matches == "concept"


@pytest.mark.parametrize(("share", "matches"), [(0.1, "concept"), (0.3, "approximation")])
def test_a_network_between_two_formulas_has_learned_neither(share, matches):
    """The front need not hold the other one, which differs by one function."""
    rng = np.random.default_rng(0)
    points = np.hstack([rng.uniform(0.8, 2.0, (600, 1)), rng.uniform(-1, 1, (600, 5))])
    shown = X1**2 - sympy.Rational(9, 2) * X1 + X2**2
    between = share * (X2**2 + 6 * sympy.exp(-X1)) + (1 - share) * shown
    field = GradientField.from_gradients(points, sympy_gradients(between, points))
    field = replace(field, origin={"data": field.rows, "drawn": 0, "moved": 0})
    found = evidence(field, points, shown, fidelity=of_values(0.999))
    assert found.matches == matches
    of_exp = [rival for rival in found.rivals if rival.formula.expression.has(sympy.exp)]
    assert bool(of_exp) == (matches != "concept")


@pytest.mark.slow
def test_the_rival_of_a_long_formula_comes_from_the_short_one_of_its_boundary():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, size=(600, 1)) + rng.normal(0, 0.01, size=(600, 2))
    noisy = [1.0, -1.0] + rng.normal(0, 0.05, size=(600, 2))
    values = x[:, 0] - x[:, 1]
    field = GradientField.from_gradients(x, noisy, values=values, frame=np.eye(2))
    domain = rng.uniform(0.5, 2, size=(500, 2))
    long = evidence(field, domain, X1 - X2 + sympy.sin(X1) * (X1 - X2) / 50, 0.0)
    quotients = {X1 / X2, X2 / X1}
    assert not quotients & {rival.formula.expression for rival in long.rivals}
    front = [long._finisher.fitted(X1 - X2), long.best]
    found = Evidence(long.best, long._finisher, field, domain, 0.0, None, front)
    assert quotients & {rival.formula.expression for rival in found.rivals}
    assert found.matches == "boundary"


@pytest.mark.parametrize("signed", [False, True])
def test_losses_of_rows_have_the_loss_as_their_mean(signed):
    field = slab(E.expression, noise=0.1)
    args = (field.names, field.points, field.directions)
    whole = loss(-DIFFERENCE, *args, signed=signed, frame=field.frame)
    assert losses(-DIFFERENCE, field, signed).mean() == pytest.approx(whole, rel=1e-12)


@pytest.mark.slow
def test_alternatives_fit_as_well_and_say_how_far_off_they_are():
    field = slab(DIFFERENCE, noise=0.05)
    found = evidence(field, E.sample(500), DIFFERENCE, 0.0)
    fit = found._finisher.fitted
    same, other = fit(DIFFERENCE + 1e-5 * X1), fit(X1 + X2)
    alternatives = found.alternatives([same, other, found.best])
    shown = [a for a in alternatives if not a.same_boundary]
    assert [a.formula for a in shown] == [same]
    assert shown[0].class_distance < 1e-4
    assert errors(other.expression, field).mean() > 0.1


def test_formulas_that_a_search_found_on_the_boundary_are_told_from_rewritings_of_one():
    field = slab(DIFFERENCE, noise=0.02)
    found = evidence(field, E.sample(500), DIFFERENCE, 0.0, OF_DECISIONS)
    margin = found.margin(0.0)
    assert found.rivals and margin.advantage < np.inf
    assert margin.advantage_on_front == np.inf

    longer = found._finisher.fitted(DIFFERENCE * (1 + X1**2))
    front = [*found.front, longer]
    other = Evidence(found.best, found._finisher, field, E.sample(500), 0.0, OF_DECISIONS, front)
    assert longer.complexity > found.best.complexity
    assert other.margin(0.0).advantage_on_front < np.inf


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sum_around_zero_is_not_told_apart_from_its_quotient(seed):
    """The network computes a sum whose level set at 0 is that of x1/x2**2 at 0.6."""
    x1, x2 = sympy.symbols("x1 x2", real=True)
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.5, 2, (40_000, 2))
    values = points[:, 0] / 0.6 - points[:, 1] ** 2
    near = np.abs(values) < 0.1
    points, values = points[near][:1500], values[near][:1500]
    # A network whose gradients are between those of the sum and of the quotient, and bent.
    exact = np.stack([1 / 0.6 - 0.1 * values, -2 * points[:, 1] * (1 - 0.05 * values)], axis=1)
    noisy = unit(exact) + rng.normal(0, 0.01, size=exact.shape)
    field = GradientField.from_gradients(points, noisy, values=values)
    # The constant of a fit on a thin slab moves its threshold off 0.
    found = evidence(field, points, 1.634 * x1 - x2**2, threshold=-0.042)
    quotients = [r for r in found.rivals if r.formula.expression == x1 / x2**2]
    assert quotients and quotients[0].same_boundary and quotients[0].longer < 0
    assert found.matches != "concept"
