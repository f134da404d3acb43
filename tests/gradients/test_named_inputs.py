"""Columns belong to a model's inputs by their names, in whatever order the data have them."""

from __future__ import annotations

import keras
import numpy as np

from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron


def test_a_field_of_named_inputs_takes_columns_by_name():
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    model = keras.Model({"a": a, "b": b}, a * 3.0 + 0.0 * b)
    rng = np.random.default_rng(0)
    points = {"b": rng.normal(size=(200, 1)), "a": rng.normal(size=(200, 1))}
    field = GradientField.from_neuron(Neuron.of(model), points, rows=100)
    assert field.names == ("a", "b")
    steep = np.abs(field.directions).mean(axis=0)
    assert steep[0] > 0.9 and steep[1] < 0.1
