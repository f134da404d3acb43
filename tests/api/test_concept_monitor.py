"""A monitor reads while `fit` runs, says what it reads, and stops it when nothing changes."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from keras_symgrad.callbacks import ConceptMonitor

X = np.random.default_rng(0).uniform(0.5, 2, (300, 2))


def product_network() -> keras.Model:
    """A network that computes the product from the start, so that nothing is left to learn."""
    entry = keras.Input((2,))
    dense = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")
    model = keras.Model(entry, dense(2 * entry[:, :1] * entry[:, 1:] - 3.0))
    model.compile(keras.optimizers.SGD(1e-6), "binary_crossentropy")
    return model


def test_a_settled_concept_ends_the_training_and_is_written_down(tmp_path):
    said = []
    monitor = ConceptMonitor(
        X,
        every=1,
        patience=1,
        csv_file=tmp_path / "log.csv",
        log_dir=tmp_path / "tb",
        show=said.append,
    )
    model = product_network()
    past = model.fit(X, np.prod(X, axis=1) > 1.5, epochs=6, verbose=0, callbacks=[monitor])
    assert len(past.epoch) == 2
    assert [reading.epoch for reading in monitor.history] == [1, 2]
    assert all(r.matches == "concept" and r.angle < 1 for r in monitor.history)
    points = np.array([[2.0, 3.0], [1.0, 6.0], [2.0, 2.0]])
    values = monitor.concept.predict(points)
    assert values[0] == pytest.approx(values[1], rel=1e-3) and values[0] >= values[2]
    assert len(said) == 2 and said[0].startswith("epoch 1: ")
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert rows[1]["formula"] == monitor.history[1].formula
    assert list((tmp_path / "tb").glob("events*"))
    assert len(monitor.plot().axes) == 3


def test_a_network_that_has_no_gradient_yet_is_said_and_not_raised():
    entry = keras.Input((2,))
    model = keras.Model(entry, keras.layers.Dense(1, kernel_initializer="zeros")(entry))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    monitor = ConceptMonitor(X, every=5, show=None)
    model.fit(X, X[:, 0], epochs=1, verbose=0, callbacks=[monitor])
    assert monitor.history[0].epoch == 1 and np.isnan(monitor.history[0].angle)
    assert monitor.concept is None


@pytest.mark.parametrize("faulty", [{"every": 0}, {"every": 1.5}, {"patience": 0}])
def test_faulty_numbers_are_refused(faulty):
    with pytest.raises(ValueError, match="whole number of at least 1"):
        ConceptMonitor(X, **faulty)
