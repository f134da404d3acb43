"""Outlying rows are noticed, and the default loss bears them."""

import numpy as np
import pytest

from keras_symgrad import Search, interpret
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.outliers import has_outlying_rows


def rings(share: float, noise: float = 0.01) -> tuple[GradientField, np.ndarray]:
    """Gradients of x1^2 + 2 x2^2, a share of the rows with one and the same wrong direction."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (800, 2))
    exact = x * [2, 4]
    read = exact / np.linalg.norm(exact, axis=1, keepdims=True) + noise * rng.normal(size=x.shape)
    read[rng.uniform(size=len(x)) < share] = [1.0, -0.3]
    return GradientField.from_gradients(x, read), exact


@pytest.mark.slow
@pytest.mark.parametrize("share, expected", [(0.0, False), (0.05, True), (0.2, True)])
def test_a_field_has_outlying_rows_where_most_are_explained_far_better(share, expected):
    field, _ = rings(share)
    alphabet = Alphabet(OperatorSet("default"), field.names)
    assert has_outlying_rows(alphabet, field) == expected


@pytest.mark.slow
def test_noise_of_every_row_is_no_outlier():
    field, _ = rings(0.0, noise=0.2)
    assert not has_outlying_rows(Alphabet(OperatorSet("default"), field.names), field)


@pytest.mark.slow
def test_the_default_loss_finds_the_concept_of_most_rows():
    field, exact = rings(0.15)
    concept = interpret(
        field,
        operators="polynomial",
        time_limit=5,
        verbose=False,
        search=Search(methods=("dictionary",)),
    )
    found = gradient(concept.best.expression, field.names, field.points)
    assert direction_error(found, exact) < 1e-4


@pytest.mark.slow
def test_rows_that_hide_the_formula_of_the_others_are_noticed():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (600, 6))
    exact = np.stack([x[:, 1], x[:, 0], *(2 * x[:, k] for k in range(2, 6))], axis=1)
    read = exact + 0.01 * rng.normal(size=x.shape)
    wrong = rng.uniform(size=len(x)) < 0.25
    read[wrong] = 10 * rng.normal(size=(int(wrong.sum()), 6))
    field = GradientField.from_gradients(x, read)
    assert has_outlying_rows(Alphabet(OperatorSet("polynomial"), field.names), field)
