"""The metric: the covariance of the data, its limits, and what no metric may change."""

import numpy as np
import pytest

from keras_symgrad.engine.directions import direction_error, unit
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.metric import check_metric, covariance, metric_frame


def normal(rows: int, *columns) -> np.ndarray:
    """Jointly normal data with the given mixing of independent columns."""
    mixing = np.array(columns, float)
    return np.random.default_rng(0).normal(size=(rows, mixing.shape[1])) @ mixing.T


def test_the_covariance_of_many_normal_rows_is_that_of_their_distribution():
    mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 30.0, 40.0]])
    found = covariance(normal(20_000, *mixing))
    widths = np.sqrt(np.diag(mixing @ mixing.T))
    expected = mixing @ mixing.T / np.outer(widths, widths)
    np.testing.assert_allclose(found / np.outer(widths, widths), expected, atol=0.02)


def test_outliers_do_not_rule_the_covariance():
    x = normal(2000, [1.0, 0.0], [0.8, 0.6])
    wild = x.copy()
    wild[:10] = [1e6, -1e6]
    np.testing.assert_allclose(covariance(wild), covariance(x), rtol=0.2)


def test_columns_without_a_certain_correlation_are_independent():
    x = np.random.default_rng(1).uniform(size=(500, 6)) * [1, 1, 2, 3, 4, 5]
    matrix = covariance(x)
    assert (matrix == np.diag(np.diag(matrix))).all()


@pytest.mark.parametrize("scales", [(1e-30, 1e30), (1e-12, 1e12), (1.0, 1e18)])
def test_the_frame_of_other_units_is_the_frame_in_these_units(scales):
    x = normal(3000, [1.0, 0.0], [0.8, 0.6])
    gradients = np.random.default_rng(2).normal(size=(50, 2))
    plain = unit(gradients @ metric_frame(x, x).T)
    scaled = unit(gradients / scales @ metric_frame(x * scales, x * scales).T)
    np.testing.assert_allclose(scaled, plain, atol=1e-9)


def test_a_step_that_the_data_hardly_take_hardly_counts():
    x = normal(3000, [1.0, 0.0], [1.0, 0.02])
    frame = metric_frame(x, x)
    along, across = np.array([[1.0, 1.0]]), np.array([[1.0, -1.0]])
    ratio = np.linalg.norm(across @ frame.T) / np.linalg.norm(along @ frame.T)
    # Shrinkage by one part in a thousand leaves no less than its root.
    assert 0.01 < ratio < 0.05


def test_a_plane_is_the_limit_of_data_that_are_nearly_flat():
    x = normal(4000, [1.0, 0.0], [0.6, 0.8], [1.6, 0.8])
    gradients = np.random.default_rng(3).normal(size=(100, 3))
    across = gradients + 5 * np.array([1.0, 1.0, -1.0])
    frame = metric_frame(x, x, "covariance", "auto")
    assert frame.shape == (2, 3)
    # Gradients that agree along the plane are one; products are those of the covariance.
    np.testing.assert_allclose(unit(gradients @ frame.T), unit(across @ frame.T), atol=1e-9)
    products = (gradients @ frame.T) @ (gradients @ frame.T).T
    exact = gradients @ np.cov(x.T) @ gradients.T
    np.testing.assert_allclose(products / products[0, 0], exact / exact[0, 0], atol=0.05)


def test_one_hot_columns_do_not_hide_a_wide_one():
    rng = np.random.default_rng(0)
    levels = np.eye(3)[rng.integers(0, 3, 2000)]
    x = np.column_stack([rng.uniform(1000, 5000, 2000), rng.uniform(40, 240, 2000), levels])
    gradients = np.tile([-0.006, -0.04, 1.0, 2.0, 0.0], (2000, 1))
    frame = metric_frame(x, x, "covariance", "auto")
    field = GradientField.from_gradients(x, gradients, frame=frame)
    strength = field.strength(np.full(2000, 1 / 2000))
    assert np.argsort(-strength)[:2].tolist() == [0, 1]


def test_strength_is_in_widths_of_the_data():
    x = np.random.default_rng(0).normal(size=(5000, 2)) * [1e-3, 1e3]
    field = GradientField.from_gradients(x, np.tile([2e3, 1e-3], (5000, 1)))
    np.testing.assert_allclose(field.strength(np.full(5000, 1 / 5000)), [0.8, 0.2], atol=0.03)


def test_a_field_column_by_column_has_the_directions_of_its_columns():
    x = normal(4000, [1.0, 0.0], [0.8, 0.6])
    gradients = np.random.default_rng(2).normal(size=x.shape)
    field = GradientField.from_gradients(x, gradients)
    assert not field.keeps_variables_apart
    apart = field.column_by_column()
    assert apart.keeps_variables_apart
    assert direction_error(apart.directions, apart.directions_of(gradients)) < 1e-12


def test_the_metric_of_columns_is_the_published_one():
    x = normal(3000, [1.0, 0.0], [0.8, 0.6])
    assert metric_frame(x, x, "columns") is None
    assert metric_frame(x * [1, 100], x * [1, 100], "columns").shape == (2, 2)


@pytest.mark.parametrize(
    "metric", ["rows", 3.0, np.ones((2, 3)), [[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.4, 1.0]]]
)
def test_what_is_no_metric_is_refused(metric):
    with pytest.raises(ValueError, match="`metric` is .* Received: "):
        check_metric(metric)


def test_a_matrix_of_the_users_own_needs_a_column_for_each_input():
    x = normal(100, [1.0, 0.0], [0.8, 0.6])
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*Received: shape \(3, 3\)"):
        metric_frame(x, x, np.eye(3))
