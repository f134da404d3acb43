"""Custom gradients end with the graph that they belong to."""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from keras_symgrad.neurons import graph_cleanup
from keras_symgrad.neurons.class_logits import ClassLogits
from keras_symgrad.neurons.neuron import Neuron


def _custom() -> set[str]:
    gc.collect()
    return {name for name in gradient_registry.list() if name.startswith("CustomGradient")}


def _swish(outputs: int = 1) -> keras.Model:
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(4, activation="swish")
    return keras.Sequential([keras.Input((2,)), hidden, keras.layers.Dense(outputs)])


@pytest.mark.slow
def test_swish_networks_leave_nothing_behind() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    before = _custom()
    neuron, scores = Neuron.of(_swish()), ClassLogits.of(_swish(3))
    neuron.values(x), neuron.values_and_gradients(x), scores(x)
    assert _custom() - before, "swish has no custom gradient any more"
    del neuron, scores
    assert _custom() == before


@pytest.mark.slow
def test_a_gradient_is_there_as_long_as_its_neuron() -> None:
    first, second = Neuron.of(_swish()), Neuron.of(_swish())
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    _, expected = first.values_and_gradients(x)
    second.values_and_gradients(x)
    del second
    gc.collect()
    assert first.values_and_gradients(x)[1] == pytest.approx(expected)
    points = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(points)
        value, _ = first._compiled(points)
    assert tape.gradient(value, points).numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_gradients_of_others_stay() -> None:
    mine = tf.function(tf.nn.silu).get_concrete_function(tf.TensorSpec((None,)))
    before = _custom()
    graph_cleanup.end_with(tf.function(tf.nn.silu).get_concrete_function(tf.TensorSpec(())))
    assert _custom() == before
    with tf.GradientTape() as tape:
        point = tf.zeros(1)
        tape.watch(point)
        value = mine(point)
    assert tape.gradient(value, point).numpy() == pytest.approx([0.5])
