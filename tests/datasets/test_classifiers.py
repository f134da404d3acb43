"""The published systems: their labels, their gradients, and the judge."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.classifiers import JOINT_SYSTEMS, SYSTEMS, JointSystem, System
from keras_symgrad.datasets.ground_truth import real_symbols
from keras_symgrad.datasets.recovery import boundary_points, judge, times_better
from keras_symgrad.engine.directions import direction_error, unit

x1, x2, x3, x4, x5, x6 = real_symbols([f"x{k}" for k in range(1, 7)])


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda s: s.id)
def test_points_fill_the_box_and_repeat_with_the_seed(system):
    x = system.sample(2000, seed=3)
    low, high = np.array(system.box).T

    assert x.shape == (2000, len(system.variables))
    assert np.all((x >= low) & (x <= high))
    np.testing.assert_allclose(x.min(axis=0), low, atol=0.02)
    np.testing.assert_allclose(x.max(axis=0), high, atol=0.02)
    np.testing.assert_array_equal(x, system.sample(2000, seed=3))
    assert np.any(x != system.sample(2000, seed=4))


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda s: s.id)
def test_gradients_equal_finite_differences(system):
    x = system.sample(200, seed=1)
    steps = 1e-6 * np.eye(x.shape[1])
    expected = np.stack(
        [(system.values(x + h) - system.values(x - h)) / 2e-6 for h in steps], axis=1
    )
    gradients = system.gradients(x)
    # Where E's quotient has its pole, finite differences are no judge.
    tame = np.abs(gradients).max(axis=1) < 100
    assert tame.mean() > 0.9
    np.testing.assert_allclose(gradients[tame], expected[tame], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda s: s.id)
def test_both_labels_occur_and_are_noisy_only_near_the_boundary(system):
    x = system.sample(20_000, seed=0)
    exact = system.values(x) > system.threshold
    noisy = system.labels(x, seed=1)

    assert noisy.dtype == np.float32
    assert 0.05 < noisy.mean() < 0.95
    np.testing.assert_array_equal(system.labels(x, noise=0), exact)
    wrong = noisy.astype(bool) != exact
    assert 0 < wrong.mean() < 0.02
    # A factor N(1, 0.01) moves nobody farther than a few per cent.
    assert np.all(np.abs(system.values(x[wrong]) / system.threshold - 1) < 0.06)


@pytest.mark.parametrize("system", [*SYSTEMS.values(), *JOINT_SYSTEMS.values()], ids=lambda s: s.id)
def test_data_hold_points_of_the_box_with_labels_of_both_kinds(system):
    x, labels = system.data(3000, seed=5)

    assert x.shape == (3000, len(system.names))
    assert labels.shape == (3000,) and labels.dtype == np.float32
    assert set(labels) == {0, 1}
    np.testing.assert_array_equal(x, system.data(3000, seed=5)[0])
    assert np.any(x != system.data(3000, seed=6)[0])


@pytest.mark.parametrize("system", JOINT_SYSTEMS.values(), ids=lambda s: s.id)
def test_either_concept_of_a_joint_system_explains_all_labels(system):
    x, labels = system.data(3000)
    for concept in system.concepts:
        wrong = labels != (concept.values(x) > concept.threshold)
        assert wrong.mean() < 0.01
        assert np.all(np.abs(concept.values(x[wrong]) / concept.threshold - 1) < 0.06)


@pytest.mark.parametrize("system", JOINT_SYSTEMS.values(), ids=lambda s: s.id)
def test_a_joint_system_has_no_label_where_its_concepts_disagree(system):
    x = system.sample(3000, seed=1)
    labels = system.labels(x, noise=0)
    first, second = (concept.values(x) > concept.threshold for concept in system.concepts)

    np.testing.assert_array_equal(np.isnan(labels), first != second)
    np.testing.assert_array_equal(labels[first & second], 1)
    np.testing.assert_array_equal(labels[~first & ~second], 0)


def test_a_joint_system_checks_its_concepts():
    one = System("one", x1, 0.5, ((0.0, 1.0),), ("x1",))
    wide = System("wide", x1, 0.5, ((0.0, 2.0),), ("x1",))
    with pytest.raises(ValueError, match="joint system 'Z' need the same box and names"):
        JointSystem("Z", (one, wide))
    opposite = System("opposite", -x1, -0.5, ((0.0, 1.0),), ("x1",))
    with pytest.raises(RuntimeError, match=r"agree on only \d+ of 400 points"):
        JointSystem("Z", (one, opposite)).data(100)


def test_a_combination_explains_gradients_better_than_either_concept_alone():
    system = JOINT_SYSTEMS["G"]
    first, second = system.concepts
    x = system.sample(2000, seed=4)
    directions = unit(first.gradients(x) + 0.9 * second.gradients(x))
    both = first.expression + second.expression

    assert times_better(first.expression, system, x, directions) == pytest.approx(1)
    assert times_better(second.expression, system, x, directions) < 1
    assert times_better(both, system, x, directions) > 50
    assert times_better(-sympy.atan(both), system, x, directions) == pytest.approx(
        times_better(both, system, x, directions)
    )


def test_a_system_checks_that_its_parts_agree():
    with pytest.raises(ValueError, match="one interval in `box` for each of its 2 names"):
        System("Z", x1 + x2, 1.0, ((0.0, 1.0),), ("x1", "x2"))
    with pytest.raises(ValueError, match=r"Received also: \['x3'\]"):
        System("Z", x1 + x3, 1.0, ((0.0, 1.0),), ("x1",))


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda s: s.id)
def test_boundary_points_are_on_the_boundary_and_in_the_box(system):
    x = boundary_points(system, 500, seed=2)
    low, high = np.array(system.box).T

    assert x.shape == (500, len(system.names))
    assert np.all((x >= low) & (x <= high))
    np.testing.assert_allclose(system.values(x), system.threshold, rtol=1e-8)


def test_a_boundary_outside_of_the_box_is_an_error():
    far = System("far", x1 + x2, 10.0, ((0.0, 1.0), (0.0, 1.0)), ("x1", "x2"))
    with pytest.raises(RuntimeError, match="Only 0 of 10 points"):
        boundary_points(far, 10)


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS.values(), ids=lambda s: s.id)
def test_any_transformation_of_the_truth_is_the_concept(system):
    g = system.expression
    for same in (g, -3 * g + 2, sympy.asinh(g), sympy.atan(g)):
        verdict = judge(same, system, rows=5000)
        assert verdict.kind == "concept"
        assert verdict.concept_error < 1e-9


@pytest.mark.slow
def test_a_formula_that_matches_on_the_boundary_only_is_called_so():
    difference = x1 * x2 - (x3 - x4) ** 2 - (x5 - x6) ** 2
    verdict = judge(difference, SYSTEMS["E"])

    assert verdict.kind == "boundary"
    assert verdict.boundary_error < 1e-9
    assert verdict.concept_error > 1e-2


@pytest.mark.slow
def test_a_wrong_or_constant_formula_is_missed():
    for wrong in (x1 + x2, x1**2 + x2**2, sympy.Integer(3), sympy.sqrt(-1 - x1**2)):
        assert judge(wrong, SYSTEMS["A1"]).kind == "missed"


def test_a_concept_that_is_too_long_is_missed():
    truth = SYSTEMS["A1"].expression
    assert judge(truth, SYSTEMS["A1"], complexity=15, truth_complexity=10).kind == "concept"
    verdict = judge(truth, SYSTEMS["A1"], complexity=16, truth_complexity=10)
    assert (verdict.kind, verdict.short_enough) == ("missed", False)


def test_symbols_are_matched_by_name_also_where_they_are_not_declared_real():
    a, b = sympy.symbols("x1 x2")
    assert judge(sympy.Abs(a**2 + 2 * b**2), SYSTEMS["A1"]).kind == "concept"
    with pytest.raises(ValueError, match=r"symbols \['y'\]"):
        judge(sympy.Symbol("y"), SYSTEMS["A1"])


def test_the_direction_error_is_the_angle_and_ignores_sign_and_length():
    angles = np.linspace(0, np.pi, 7)
    candidate = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 1e-180
    for angle, row in zip(angles, candidate, strict=True):
        error = direction_error(row[None], np.array([[1e180, 0.0]]))
        assert error == pytest.approx(1 - abs(np.cos(angle)), abs=1e-12)


def test_a_gradient_that_is_zero_or_not_finite_counts_as_orthogonal():
    broken = np.array([[0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0], [1.0, 0.0]])
    assert direction_error(broken, np.tile([[1.0, 0.0]], (4, 1))) == pytest.approx(0.75)
    np.testing.assert_array_equal(unit(broken)[:3], 0)
    with pytest.raises(ValueError, match="at least one row"):
        direction_error(np.zeros((0, 2)), np.zeros((0, 2)))
