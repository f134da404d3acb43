"""Gradient fields: where they are read, that they are the truth's, and that they can be kept."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.engine.directions import direction_error
from keras_symgrad.gradients.boundary_sampling import DATA_ROWS_TRIED_PER_ROW
from keras_symgrad.gradients.domain import Domain
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron

pytestmark = pytest.mark.slow

MODELS = Path(__file__).parents[2] / "examples" / "models"
TRAINED = ["A1", "A", "B", "C", "D"]
SLAB = np.log(0.99 / 0.01)


@pytest.fixture(scope="module")
def neurons() -> dict[str, Neuron]:
    return {id: Neuron.of(MODELS / f"{id}.keras") for id in TRAINED}


def plane(**options) -> Neuron:
    """A classifier whose boundary is x1 + x2 = 1, with the gradient (20, 20) everywhere."""
    return Neuron(
        "plane/logit",
        lambda x: 20 * (tf.reduce_sum(x[:, :2], axis=1) - 1),
        is_classifier=True,
        **options,
    )


def uniform(rows: int = 1000, columns: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(rows, columns))


@pytest.mark.parametrize("id", TRAINED)
def test_the_directions_of_a_trained_network_are_those_of_the_concept(id, neurons):
    system = SYSTEMS[id]
    field = GradientField.from_neuron(neurons[id], MODELS / f"{id}.csv")

    assert (field.rows, field.variables) == (2000, len(system.names))
    assert field.names == system.names
    assert sum(field.origin.values()) == 2000
    np.testing.assert_allclose(np.linalg.norm(field.directions, axis=1), 1, rtol=1e-12)
    low, high = np.array(system.box).T
    assert np.all((field.points >= low) & (field.points <= high))
    assert np.all(np.abs(field.values) <= SLAB + 1e-6)
    # The noise floor of these networks is 1e-6 (A) to 3e-4 (D).
    assert (
        direction_error(field.directions, field.directions_of(system.gradients(field.points)))
        < 1e-3
    )


@pytest.mark.parametrize("id", ["A1", "D"])
def test_moved_points_are_as_good_as_the_data(id, neurons):
    field = GradientField.from_neuron(neurons[id], MODELS / f"{id}.csv", draw=False)

    assert field.origin["drawn"] == 0
    assert field.origin["moved"] > 1500
    assert field.rows == 2000
    assert np.all(np.abs(field.values) <= SLAB + 1e-6)
    assert (
        direction_error(field.directions, field.directions_of(SYSTEMS[id].gradients(field.points)))
        < 1e-3
    )


def test_rows_off_the_slab_are_far_worse_which_is_why_there_is_a_slab(neurons):
    on = GradientField.from_neuron(neurons["B"], MODELS / "B.csv")
    off = GradientField.from_neuron(neurons["B"], MODELS / "B.csv", delta=None)
    truth = SYSTEMS["B"]

    assert off.origin == {"data": 2000, "drawn": 0, "moved": 0}
    error = direction_error(off.directions, off.directions_of(truth.gradients(off.points)))
    assert error > 20 * direction_error(on.directions, on.directions_of(truth.gradients(on.points)))


def test_values_and_directions_belong_to_the_points(neurons):
    field = GradientField.from_neuron(neurons["C"], MODELS / "C.csv", rows=300)
    values, gradients = neurons["C"].values_and_gradients(field.points)

    np.testing.assert_allclose(field.values, values, rtol=1e-3, atol=1e-3)
    assert direction_error(field.directions, gradients) < 1e-9


def test_a_saved_model_gives_the_same_directions(tmp_path):
    model = keras.models.load_model(MODELS / "A1.keras", compile=False)
    model.export(tmp_path / "A1", verbose=False)
    field = GradientField.from_neuron(Neuron.of(tmp_path / "A1"), MODELS / "A1.csv", rows=500)

    assert field.rows == 500
    assert np.all(np.abs(field.values) <= SLAB + 1e-6)
    assert (
        direction_error(
            field.directions, field.directions_of(SYSTEMS["A1"].gradients(field.points))
        )
        < 1e-3
    )


def test_the_same_seed_gives_the_same_field(neurons):
    fields = [
        GradientField.from_neuron(neurons["C"], MODELS / "C.csv", seed=seed) for seed in (1, 1, 2)
    ]

    assert fields[0].origin["moved"] > 0
    np.testing.assert_array_equal(fields[0].points, fields[1].points)
    np.testing.assert_array_equal(fields[0].directions, fields[1].directions)
    assert np.any(fields[0].points != fields[2].points)


def test_rows_of_the_data_are_enough_where_there_are_enough():
    x = uniform(20_000)
    field = GradientField.from_neuron(plane(), x, rows=100)
    assert field.origin == {"data": 100, "drawn": 0, "moved": 0}
    everything = GradientField.from_neuron(plane(), x, rows=None)
    expected = np.sum(np.abs(20 * (x.sum(axis=1) - 1)) <= SLAB)
    assert everything.origin["data"] == everything.rows == expected


def test_a_regression_keeps_rows_wherever_they_are():
    neuron = Neuron("square", lambda x: x[:, 0] ** 2 + x[:, 1], inputs=2)
    x = uniform(500)
    field = GradientField.from_neuron(neuron, x)

    assert field.rows == 500
    assert {tuple(row) for row in field.points} == {tuple(row) for row in x}
    assert GradientField.from_neuron(neuron, x, rows=50).rows == 50


def test_unlabelled_points_stay_near_data_that_leave_their_box_empty():
    angle = np.linspace(0, 2 * np.pi, 400)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    neuron = Neuron("half/logit", lambda x: 5 * x[:, 0], inputs=2, is_classifier=True)
    field = GradientField.from_neuron(neuron, ring, rows=600)
    radius = np.linalg.norm(field.points, axis=1)

    assert field.origin["drawn"] + field.origin["moved"] > 50
    assert np.abs(radius - 1).max() < 0.05


def test_constants_and_categories_keep_their_values():
    rng = np.random.default_rng(0)
    x = np.column_stack([uniform(500, 2), np.full(500, 7.0), rng.integers(0, 3, size=500)])

    def logit(x):
        return 20 * (x[:, 0] + x[:, 1] + x[:, 2] + 0.1 * x[:, 3] - 8.2)

    neuron = Neuron("mixed/logit", logit, inputs=4, is_classifier=True)
    for options in ({}, {"draw": False}):
        field = GradientField.from_neuron(neuron, x, rows=500, **options)
        assert field.rows == 500
        assert field.origin["data"] < 400
        assert set(np.unique(field.points[:, 2])) == {7.0}
        assert set(np.unique(field.points[:, 3])) == {0.0, 1.0, 2.0}


def test_a_thin_slab_that_no_draw_meets_is_reached_by_moving():
    def logit(x):
        return 1e4 * (tf.reduce_sum(x, axis=1) - 4)

    neuron = Neuron("thin/logit", logit, inputs=8, is_classifier=True)
    field = GradientField.from_neuron(neuron, uniform(500, 8), rows=500)

    assert field.rows == 500
    assert field.origin["moved"] > 300
    np.testing.assert_allclose(field.points.sum(axis=1), 4, atol=1e-3)


def test_a_sampler_of_ones_own_draws_the_points():
    def sampler(rows: int, rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(size=rows)
        return np.stack([x, x], axis=1)

    x = sampler(100, np.random.default_rng(0))
    field = GradientField.from_neuron(plane(), x, rows=400, sampler=sampler, move=False)

    assert field.rows == 400
    np.testing.assert_array_equal(field.points[:, 0], field.points[:, 1])
    with pytest.raises(ValueError, match=r"`sampler\(n, rng\)` returns finite points of shape"):
        GradientField.from_neuron(plane(), x, rows=400, sampler=lambda n, rng: np.zeros((n, 3)))


def test_names_come_from_the_user_the_data_frame_or_the_columns(neurons):
    frame = pd.read_csv(MODELS / "A1.csv")
    frame["label"] = 1.0
    renamed = frame.rename(columns={"x1": "width (cm)"})

    field = GradientField.from_neuron(neurons["A1"], renamed, columns=["width (cm)", "x2"], rows=50)
    assert field.names == ("width (cm)", "x2")
    given = GradientField.from_neuron(neurons["A1"], frame[["x1", "x2"]], names=["a", "b"], rows=50)
    assert given.names == ("a", "b")
    with pytest.raises(ValueError, match="takes 2 columns, but the data have 3: x1, x2, label"):
        GradientField.from_neuron(neurons["A1"], frame)


def test_weights_follow_their_rows():
    x = uniform(1000)
    weights = 1 + x[:, 0]
    field = GradientField.from_neuron(plane(), x, rows=800, weights=weights)
    data = np.isin(field.points[:, 0], x[:, 0])

    assert data.sum() == field.origin["data"] < 800
    np.testing.assert_allclose(field.weights[data], 1 + field.points[data, 0])
    np.testing.assert_allclose(field.weights[~data], weights.mean())


def test_rows_with_nan_are_left_out_and_counted():
    x = uniform(1000)
    x[:3, 1] = np.nan
    with pytest.warns(UserWarning, match="3 of 1000 rows"):
        field = GradientField.from_neuron(plane(), x, rows=50, weights=np.ones(1000))
    assert field.dropped == 3
    assert np.all(np.isfinite(field.points))


def test_rows_whose_gradient_is_not_finite_are_left_out_and_counted():
    neuron = Neuron("root", lambda x: tf.sqrt(x[:, 0]) + x[:, 1], inputs=2)
    x = np.concatenate([uniform(50), [[0.0, 0.5], [-1.0, 0.5]]])
    field = GradientField.from_neuron(neuron, x)

    assert (field.rows, field.dropped) == (50, 2)
    pole = Neuron("pole/logit", lambda x: 1 / x[:, 0] - 2, inputs=2, is_classifier=True)
    assert GradientField.from_neuron(pole, np.concatenate([x[:50], x[50:51]]), rows=20).dropped == 1


def test_a_row_without_gradient_has_no_direction():
    field = GradientField.from_gradients(uniform(3), [[1e-30, 0], [0, 0], [0, 1e30]])
    np.testing.assert_array_equal(field.directions, [[1, 0], [0, 0], [0, 1]])


def test_too_few_rows_are_warned_of():
    # On a line of distinct values there is no way onto the slab but along it.
    x = np.repeat([[0.2, 0.2], [0.5, 0.5], [0.9, 0.9]], 10, axis=0)
    with pytest.warns(UserWarning, match="Only .* of 5000 rows"):
        field = GradientField.from_neuron(
            plane(), x, rows=5000, sampler=lambda n, rng: np.tile([[0.1, 0.1]], (n, 1)), move=False
        )
    assert field.rows == 10


def test_a_split_shares_no_rows_and_a_subset_repeats_none():
    field = GradientField.from_gradients(uniform(100), np.ones((100, 2)), values=np.arange(100))
    first, second = field.split(0.7, seed=1)

    assert (first.rows, second.rows, len(field.subset(30))) == (70, 30, 30)
    assert sorted([*first.values, *second.values]) == list(range(100))
    assert len(set(field.subset(30).values)) == 30
    assert field.subset(1000).rows == 100
    np.testing.assert_array_equal(field.subset(30, seed=4).values, field.subset(30, seed=4).values)
    tiny = GradientField.from_gradients(uniform(2), np.ones((2, 2)))
    assert [part.rows for part in tiny.split(0.999)] == [1, 1]
    for fraction in (0.0, 1.0):
        with pytest.raises(ValueError, match="`split` needs a fraction between 0 and 1"):
            field.split(fraction)


def test_a_field_is_the_same_after_saving_and_loading(tmp_path, neurons):
    field = GradientField.from_neuron(
        neurons["D"], MODELS / "D.csv", names=["α", "b (cm)", "c"], rows=200, weights=np.ones(3000)
    )
    path = field.save(tmp_path / "field")
    again = GradientField.load(path)

    assert path == tmp_path / "field.npz"
    assert (again.names, again.dropped, again.origin) == (field.names, 0, field.origin)
    for name in ("points", "directions", "weights", "values"):
        np.testing.assert_array_equal(getattr(again, name), getattr(field, name))
    bare = GradientField.from_gradients(uniform(2), np.ones((2, 2)))
    assert GradientField.load(bare.save(path)).weights is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_lost(tmp_path):
    field = GradientField.from_gradients(uniform(2), np.ones((2, 2)))
    (tmp_path / "file").write_text("hello")
    for path in (tmp_path / "nowhere" / "field.npz", tmp_path / "file" / "field.npz"):
        with pytest.raises(ValueError, match="cannot be written to .* Choose a folder"):
            field.save(path)
    assert (tmp_path / "file").read_text() == "hello"


def test_a_file_that_is_no_field_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "points.npz", x=uniform(2))
    for name in ("text.npz", "points.npz"):
        with pytest.raises(ValueError, match="Expected a file that `GradientField.save` wrote"):
            GradientField.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="There is no file at"):
        GradientField.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros((0, 2)), {}, "at least one row"),
        (np.full((5, 2), np.nan), {}, "each of the 5 rows holds NaN"),
        (uniform(columns=3), {}, "takes 2 columns, but the data have 3"),
        (uniform(), {"delta": 0.5}, "between 0 and 0.5.*delta=0.5"),
        (uniform(), {"delta": 0}, "delta=0"),
        (uniform(), {"rows": 0}, "`rows` is a positive integer.*rows=0"),
        (uniform(), {"rows": 10.5}, "rows=10.5"),
        (uniform(), {"names": ["a"]}, "Received 1: a"),
        (uniform(), {"weights": [1, 2]}, "each of 1000 rows"),
    ],
)
def test_wrong_data_or_options_end_in_one_clear_error(x, options, message):
    with pytest.raises(ValueError, match=message):
        GradientField.from_neuron(plane(inputs=2), x, **options)


def test_a_delta_that_leaves_no_rows_says_which_one_would():
    far = Neuron("far/logit", lambda x: 8 + x[:, 0] / 100, inputs=2, is_classifier=True)
    with pytest.raises(
        ValueError, match=r"from 1 to 1.*`ks.Sampling\(delta=1e-04\)`.*Received: delta=0.01"
    ):
        GradientField.from_neuron(far, uniform())
    assert GradientField.from_neuron(far, uniform(), delta=1e-4).rows == 2000


def test_a_gradient_that_is_zero_everywhere_is_an_error():
    bias = keras.initializers.Constant(-100)
    dead = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, "relu", bias_initializer=bias, name="dead")]
    )
    with pytest.raises(ValueError, match="zero at every row"):
        GradientField.from_neuron(Neuron.of(dead, unit=0), uniform())
    # Before the activation, where the message sends the user, there is a gradient.
    assert GradientField.from_neuron(Neuron.of(dead, "dead", unit=0), uniform()).rows == 1000


def test_gradients_of_the_wrong_shape_or_never_finite_are_refused():
    with pytest.raises(ValueError, match=r"points \(3, 2\), gradients \(2, 2\)"):
        GradientField.from_gradients(uniform(3), np.ones((2, 2)))
    with pytest.raises(ValueError, match="every row holds NaN"):
        GradientField.from_gradients(uniform(3), np.full((3, 2), np.nan))


def test_uniform_data_accept_nearly_their_whole_box():
    for columns in (1, 2, 5):
        domain = Domain(uniform(2000, columns))
        fresh = domain.draw(1000, np.random.default_rng(1))
        assert domain.holds(fresh).mean() > 0.95
    correlated = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.99], [0.99, 1]], 2000)
    domain = Domain(correlated)
    assert domain.holds(domain.draw(1000, np.random.default_rng(1))).mean() < 0.3


def test_logits_beyond_the_largest_float32_are_told_of_without_a_warning():
    certain = Neuron("certain", lambda x: 1000 * x[:, 0], inputs=1, is_classifier=True)
    x = np.linspace(-2, -1, 50)[:, None]
    with pytest.raises(ValueError, match="'certain' gives probabilities from 0 to 0"):
        GradientField.from_neuron(certain, x, draw=False, move=False)


def test_of_many_rows_a_few_for_each_that_is_taken_are_differentiated_and_no_others():
    differentiated = []

    class Counted(Neuron):
        def values_and_gradients(self, x, batch_size=4096):
            differentiated.append(len(x))
            return super().values_and_gradients(x, batch_size)

    ring = Counted(
        "ring", lambda x: 4 * (tf.reduce_sum(x**2, axis=1) - 1), inputs=2, is_classifier=True
    )
    field = GradientField.from_neuron(ring, uniform(20_000), rows=100)
    assert field.rows == 100 and sum(differentiated) == DATA_ROWS_TRIED_PER_ROW * 100
