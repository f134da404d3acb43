"""The published latent systems: what triplets share, where they lie, and the networks shipped."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.datasets.latent import LATENT_SYSTEMS
from keras_symgrad.datasets.recovery import judge_latent, tangent_error
from keras_symgrad.files.tables import read_points
from keras_symgrad.neurons.neuron import Neuron

SHIPPED = ("002", "007", "008")
FORCES = {
    "007": lambda x: -x,
    "008": lambda x: -(x + x**3),
    "009": lambda x: -np.cos(x),
    "010": lambda x: -(x + np.exp(x + 1)),
}

every_system = pytest.mark.parametrize("system", LATENT_SYSTEMS.values(), ids=lambda s: s.id)


@pytest.fixture(scope="module")
def triplets():
    """Triplets of every system, drawn once."""
    return {id: system.triplets(1500, seed=4) for id, system in LATENT_SYSTEMS.items()}


@every_system
def test_anchor_and_positive_share_the_invariant_and_the_negative_does_not(system, triplets):
    anchors, positives, negatives = triplets[system.id]
    a, p, n = (system.values(x) for x in (anchors, positives, negatives))
    # A point that was thrown far out has lost digits.
    scale = 1 + (positives**2).sum(axis=1)

    assert anchors.shape == positives.shape == negatives.shape == (1500, len(system.names))
    np.testing.assert_allclose((a - p) / scale, 0, atol=1e-6)
    assert np.median(np.abs(a - n)) > 0.1 * a.std()
    assert np.median(np.abs(anchors - positives).max(axis=1)) > 0.1 * anchors.std()


@every_system
def test_triplets_repeat_with_the_seed(system):
    first, again, other = (system.triplets(20, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert all(np.any(one != two) for one, two in zip(first, other))
    np.testing.assert_array_equal(system.points(20, seed=1), first[0])


@every_system
def test_gradients_equal_finite_differences(system):
    x = system.points(100, seed=2)
    steps = 1e-5 * np.eye(x.shape[1])
    expected = [(system.values(x + h) - system.values(x - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(system.gradients(x), np.stack(expected, axis=1), atol=1e-7)


@pytest.mark.parametrize("id", FORCES)
def test_an_energy_does_not_change_along_the_motion(id):
    system = LATENT_SYSTEMS[id]
    states = system.points(500, seed=3)
    velocity = np.stack([states[:, 1], FORCES[id](states[:, 0])], axis=1)
    np.testing.assert_allclose((system.gradients(states) * velocity).sum(axis=1), 0, atol=1e-12)


@every_system
def test_anchors_span_the_tangent_space_and_nothing_else(system, triplets):
    differences = np.diff(triplets[system.id][0], axis=0)
    tangent = np.eye(len(system.names)) if system.tangent is None else system.tangent

    assert np.linalg.matrix_rank(differences) == len(tangent)
    np.testing.assert_allclose(tangent @ tangent.T, np.eye(len(tangent)), atol=1e-12)
    np.testing.assert_allclose(differences @ tangent.T @ tangent, differences, atol=1e-9)


def test_negatives_tell_which_of_two_invariants_of_a_field_is_wanted():
    anchors, _, negatives = LATENT_SYSTEMS["006"].triplets(20_000, seed=1)
    along = [(x[:, :3] * x[:, 3:]).sum(axis=1) for x in (anchors, negatives)]
    squares = [(x[:, :3] ** 2 - x[:, 3:] ** 2).sum(axis=1) for x in (anchors, negatives)]

    # E . B of a negative is four times smaller, E^2 - B^2 is zero on average for both.
    assert along[0].mean() == pytest.approx(4 * along[1].mean(), rel=0.05)
    assert abs(squares[0].mean()) < 0.1 and abs(squares[1].mean()) < 0.1


def test_a_formula_is_judged_along_the_surface_of_the_data():
    system = LATENT_SYSTEMS["002"]
    x1, x2, x3, x4 = system.variables
    determinant, trace = x1 * x4 - x2 * x3, x1 + x4

    for same in (determinant, determinant / trace, sympy.atan(determinant) + trace**3):
        assert judge_latent(same, system).kind == "concept"
    for other in (trace, x1 * x4, sympy.Integer(2)):
        assert judge_latent(other, system).kind == "missed"
    # In full space the same formula is another one.
    x = system.points(2000, seed=1)
    a, b, c, d = x.T
    quotient = np.stack([d**2 + b * c, -c * (a + d), -b * (a + d), a**2 + b * c], axis=1)
    assert tangent_error(quotient, system.gradients(x), system.tangent) < 1e-12
    assert tangent_error(quotient, system.gradients(x)) > 0.01


def test_an_invariant_that_is_too_long_is_missed():
    system = LATENT_SYSTEMS["012"]
    verdict = judge_latent(system.expression, system, complexity=16, truth_complexity=10)
    assert (verdict.kind, verdict.short_enough, verdict.boundary_error) == ("missed", False, None)


def test_the_sum_of_minors_is_a_sum_of_squares_where_matrices_are_antisymmetric():
    system = LATENT_SYSTEMS["004"]
    x = system.variables
    assert judge_latent(x[1] ** 2 + x[2] ** 2 + x[5] ** 2, system).kind == "concept"
    assert judge_latent(x[3] ** 2 + x[2] ** 2 - x[5] * x[7], system).kind == "concept"
    assert judge_latent(x[1] + x[3], system).kind == "missed"


@pytest.mark.parametrize("id", SHIPPED)
def test_a_shipped_encoder_carries_the_invariant_along_its_data(id, models):
    system = LATENT_SYSTEMS[id]
    encoder = keras.models.load_model(models / f"{id}.keras")
    x, _ = read_points(models / f"{id}.csv")
    gradients = Neuron.of(encoder, "latent").values_and_gradients(x)[1]

    assert tangent_error(gradients, system.gradients(x), system.tangent) < 1e-4


def test_an_encoder_of_matrices_of_one_trace_knows_nothing_across_them(models):
    system = LATENT_SYSTEMS["002"]
    encoder = keras.models.load_model(models / "002.keras")
    x = system.points(2000, seed=9)
    gradients = Neuron.of(encoder).values_and_gradients(x)[1]

    assert tangent_error(gradients, system.gradients(x)) > 5e-3
    assert tangent_error(gradients, system.gradients(x), system.tangent) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("id", ["002", "008"])
def test_the_latent_number_of_a_shipped_encoder_is_read_as_its_invariant(id, models):
    concept = ks.interpret(
        *(models / f"{id}.keras", models / f"{id}.csv"),
        verbose=False,
        search=ks.Search(methods=("dictionary",)),
    )
    assert judge_latent(concept.best.expression, LATENT_SYSTEMS[id]).kind == "concept"
