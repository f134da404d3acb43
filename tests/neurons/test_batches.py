"""Rows a batch at a time."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad.neurons.batches import in_batches
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.neurons.quantities import Quantities


@pytest.mark.parametrize("rows", [0, 1, 63, 65, 1000, 1024, 1025])
@pytest.mark.parametrize("batch_size", [1, 100, 256, 4096])
def test_every_row_stands_once_and_in_order(rows: int, batch_size: int) -> None:
    x = np.arange(3.0 * rows).reshape(rows, 3)
    parts = [batch[: s.stop - s.start] for s, batch in in_batches(x, batch_size)]
    slices = [s for s, _ in in_batches(x, batch_size)]
    assert np.array_equal(np.concatenate([x[:0], *parts]), x)
    assert [i for s in slices for i in range(s.start, s.stop)] == list(range(rows))


def test_batches_have_few_sizes_and_repeat_rows_that_are_there() -> None:
    sizes = set()
    for rows in range(1, 1500):
        x = np.arange(1.0, rows + 1)[:, None]
        for _, batch in in_batches(x, 1000):
            sizes.add(len(batch))
            assert batch.min() >= 1 and batch.max() <= rows
    assert sizes == {64, 128, 256, 512, 1000}


def test_a_model_sees_few_sizes_and_its_gradients_stay_the_same() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
    )
    sizes: list[int] = []

    def seen(x: tf.Tensor) -> tf.Tensor:
        tf.py_function(lambda n: sizes.append(int(n)), [tf.shape(x)[0]], [])
        return model(x)

    neuron = Neuron("seen", seen, inputs=3)
    x = np.random.default_rng(1).normal(size=(700, 3)).astype(np.float32)
    for rows in (1, 77, 300, 555, 700):
        points = tf.constant(x[:rows])
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = model(points)
        values, gradients = neuron.values_and_gradients(x[:rows])
        assert values == pytest.approx(value.numpy()[:, 0], abs=1e-6)
        assert gradients == pytest.approx(tape.gradient(value, points).numpy(), abs=1e-6)
        assert neuron.values(x[:rows]) == pytest.approx(values, abs=1e-6)
    assert set(sizes) == {64, 128, 512, 1024}


def test_quantities_come_back_for_their_own_rows() -> None:
    quantities = Quantities(
        lambda x: tf.stack([x[:, 0] * x[:, 1], tf.sin(x[:, 1])], 1), names=("p", "s")
    )
    x = np.random.default_rng(2).normal(size=(130, 2))
    values, jacobians = quantities.values_and_jacobians(x, batch_size=100)
    expected = np.stack([x[:, 0] * x[:, 1], np.sin(x[:, 1])], 1)
    assert values == pytest.approx(expected, abs=1e-6)
    assert quantities.values(x, batch_size=100) == pytest.approx(expected, abs=1e-6)
    assert jacobians[:, 0] == pytest.approx(x[:, ::-1], abs=1e-6)
