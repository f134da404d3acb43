"""phi as a layer: monotone whatever happens to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_symgrad as ks

RNG = np.random.default_rng(0)
G = RNG.uniform(-2, 3, 2000)


@pytest.mark.parametrize("f", [np.exp, lambda g: -(g**3), lambda g: np.tanh(4 * g)])
def test_it_follows_a_monotone_function_closely(f):
    layer = ks.MonotoneLayer.through(G, f(G))
    found = np.asarray(layer(G[:, None]))[:, 0]
    assert np.var(found - f(G)) < 1e-3 * np.var(f(G))
    assert layer.rising == (f(3.0) > f(-2.0))


def test_one_segment_is_the_least_squares_line():
    f = 3 * G - 2 + RNG.normal(size=len(G))
    weights = RNG.uniform(0.1, 1, len(G))
    layer = ks.MonotoneLayer.through(G, f, segments=1, weights=weights)
    line = np.polyfit(G, f, 1, w=np.sqrt(weights))
    far = np.array([-10.0, 0.0, 50.0])
    np.testing.assert_allclose(
        np.asarray(layer(far[:, None]))[:, 0], np.polyval(line, far), rtol=1e-4
    )


@pytest.mark.slow
def test_training_against_its_direction_makes_it_flat_and_never_turns_it():
    model = keras.Sequential([keras.Input((1,)), ks.MonotoneLayer.through(G, G, segments=4)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(G, -3 * G, epochs=8, verbose=0)
    grid = np.linspace(-5, 5, 300)[:, None]
    assert np.all(np.diff(np.asarray(model(grid))[:, 0]) >= -1e-6)


def test_a_saved_layer_is_the_same_function(tmp_path):
    model = keras.Sequential([keras.Input((1,)), ks.MonotoneLayer.through(G, -np.exp(G))])
    model.save(tmp_path / "phi.keras")
    again = keras.models.load_model(tmp_path / "phi.keras", safe_mode=True)
    np.testing.assert_array_equal(again(G[:, None]), model(G[:, None]))


def test_rows_without_a_value_are_left_out_and_ends_go_on():
    g = np.array([0.0, 1.0, np.nan, 2.0, 3.0])
    layer = ks.MonotoneLayer.through(g, np.array([0.0, 2.0, 5.0, 4.0, np.inf]), segments=2)
    assert np.asarray(layer(np.array([[5.0]])))[0, 0] == pytest.approx(10, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"knots": [1.0]}, "two ascending"),
        ({"knots": [1.0, 1.0]}, "two ascending"),
        ({"knots": [0.0, 1.0], "slopes": [-1.0]}, "not negative"),
        ({"knots": [0.0, 1.0], "slopes": [1.0, 1.0]}, "1 numbers"),
    ],
)
def test_what_is_no_monotone_function_is_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        ks.MonotoneLayer(**arguments)


def test_segments_are_a_positive_number():
    with pytest.raises(ValueError, match="segments=0"):
        ks.MonotoneLayer.through(G, G, segments=0)
