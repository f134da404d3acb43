"""Fits of sums: eigenvalues of whole pencils by SciPy, and many sets as each alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from keras_symgrad.engine.directions import unit
from keras_symgrad.engine.losses import SQUARED, as_loss
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.search.spectral import eigen_fit
from keras_symgrad.search.spectral.eigen_fit import SpectralFit
from keras_symgrad.search.spectral.features import FeatureMaker

ROWS = 200
ALPHABET = Alphabet(OperatorSet("default"), ("x1", "x2", "x3"))


def fit_of(noise: float = 0.1, loss=SQUARED) -> SpectralFit:
    """The dictionary of three variables against noisy directions of x1**2 + sin(x2) + 3*x3."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.3, 2, (ROWS, 3))
    gradients = np.stack([2 * x[:, 0], np.cos(x[:, 1]), np.full(ROWS, 3.0)], axis=1)
    directions = unit(gradients + noise * rng.normal(size=x.shape))
    maker = FeatureMaker(ALPHABET)
    (features,) = maker.summable(maker.dictionary(maker.variables(x, np.eye(3)), 40))[:1]
    return SpectralFit(features, directions, np.full(ROWS, 1 / ROWS), loss=loss)


@pytest.mark.parametrize("members", [(4,), (0, 7), (1, 5, 9), (2, 3, 11, 17, 20)])
def test_an_addition_has_the_smallest_eigenvalue_of_the_larger_pencil(members):
    fit = fit_of()
    _, rows = fit._settled(np.array([members]), 1)
    (a,), (p,) = fit._blocks(np.array([members]), rows)
    chosen = np.array(members)
    best, values = eigen_fit._best_additions(a, a + p, chosen, len(fit.features))
    assert set(best) == set(range(len(fit.features))) - set(members)
    assert np.all(np.diff(values) >= 0)
    for new, value in zip(best, values):
        (left,), (both,) = fit._pencils(np.array([[*members, new]]), rows)
        # Nearly collinear features leave few digits.
        if np.linalg.cond(both) < 1e6:
            exact = scipy.linalg.eigh(left, both, eigvals_only=True)[0]
            assert value == pytest.approx(exact, rel=1e-4, abs=1e-9)


def test_a_feature_that_is_there_already_adds_nothing():
    features = fit_of().features
    twice = SpectralFit([*features, features[0]], fit_of().target, np.full(ROWS, 1 / ROWS))
    _, rows = twice._settled(np.array([[0, 1]]), 1)
    (a,), (p,) = twice._blocks(np.array([[0, 1]]), rows)
    best, values = eigen_fit._best_additions(a, a + p, np.array([0, 1]), len(twice.features))
    (left,), (both,) = twice._pencils(np.array([[0, 1]]), rows)
    alone = scipy.linalg.eigh(left, both, eigvals_only=True)[0]
    again = values[list(best).index(len(features))]
    assert again == pytest.approx(alone, rel=1e-3)


@pytest.mark.parametrize("loss", [SQUARED, as_loss("huber")], ids=str)
def test_many_sets_are_fitted_as_each_alone(loss):
    fit = fit_of(loss=loss)
    rng = np.random.default_rng(1)
    sets = [
        tuple(sorted(rng.choice(len(fit.features), size, replace=False).tolist()))
        for size in (1, 2, 2, 3, 3, 3, 2, *(20 * [4]))
    ]
    together, alone = list(fit.solved(sets)), list(filter(None, map(fit.solve, sets)))
    assert len(together) == len(alone) > 20
    for one, other in zip(together, alone):
        assert one.features == other.features
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9)
        assert one.loss == pytest.approx(other.loss, rel=1e-9)


@pytest.mark.parametrize("loss", [SQUARED, as_loss("huber")], ids=str)
def test_the_terms_of_an_exact_sum_are_grown_with_their_weights(loss):
    fit = fit_of(noise=0.0, loss=loss)
    sets = fit.grown(fit.grown(fit.singles(8), 8), 8)
    best = min(fit.solved(sets), key=lambda one: one.loss)
    weights = {str(f.tree): w for f, w in zip(best.features, best.weights)}
    assert weights == pytest.approx({"square(x1)": 1.0, "sin(x2)": 1.0, "x3": 3.0}, rel=1e-6)
    assert best.loss < 1e-12


def test_pairs_are_those_of_the_smallest_eigenvalues():
    fit = fit_of()
    found = fit._pairs(fit.rows, 5)
    total = (fit.square * fit.rows).sum(axis=1)
    values = {}
    for pair in [(i, j) for j in range(len(fit.features)) for i in range(j)]:
        (left,), (both,) = fit._pencils(np.array([pair]), fit.rows[None])
        scale = np.sqrt(np.outer(total[list(pair)], total[list(pair)]))
        values[pair] = scipy.linalg.eigh(left / scale, both / scale, eigvals_only=True)[0]
    expected = sorted(values, key=values.get)[:5]
    assert [values[pair] for pair in found] == pytest.approx(
        [values[pair] for pair in expected], rel=1e-5
    )


@pytest.mark.parametrize("loss", [SQUARED, as_loss("huber")], ids=str)
def test_features_that_are_huge_on_one_row_have_no_pairs(loss):
    directions = unit(np.random.default_rng(0).normal(size=(ROWS, 3)))
    size = np.where(np.arange(ROWS) == 3, 1e6, 1.0)[:, None]
    spiky = [replace(one, gradients=one.gradients * size) for one in fit_of().features[:2]]
    assert SpectralFit(spiky, directions, np.full(ROWS, 1 / ROWS), loss=loss).pairs(4) == []
