"""The scores that a classifier compares, from wherever its softmax is."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_symgrad.neurons.class_logits import ClassLogits

layers = keras.layers


def classifier(*ending: keras.Layer) -> keras.Sequential:
    keras.utils.set_random_seed(2)
    first = layers.Dense(5, activation="tanh", name="hidden")
    return keras.Sequential([keras.Input((2,)), first, *ending], name="net")


class PlainSoftmax(layers.Layer):
    def call(self, x):
        # Code that no layer can be recognised in: two results, of which one goes on.
        return keras.ops.softmax(x), x


def plain() -> keras.Model:
    keras.utils.set_random_seed(2)
    x = keras.Input((2,))
    z = layers.Dense(3)(layers.Dense(5, activation="tanh", name="hidden")(x))
    return keras.Model(x, PlainSoftmax()(z)[0], name="net")


@pytest.mark.parametrize(
    "model",
    [
        lambda: classifier(layers.Dense(3, activation="softmax")),
        lambda: classifier(layers.Dense(3), layers.Softmax()),
        lambda: classifier(layers.Dense(3)),
        plain,
    ],
    ids=["activation", "layer", "logits", "plain code"],
)
def test_differences_of_scores_are_those_of_log_probabilities(model):
    model = model()
    x = np.random.default_rng(0).normal(size=(40, 2))
    scores = ClassLogits.of(model)
    output = np.asarray(model(x), np.float64)
    logs = np.log(output) if np.allclose(output.sum(1), 1, atol=1e-3) else output
    pair = scores.pair(2, 0)

    np.testing.assert_allclose(pair(x), logs[:, 2] - logs[:, 0], atol=1e-4)
    np.testing.assert_array_equal(np.argmax(scores(x), axis=1), np.argmax(output, axis=1))
    assert pair.is_classifier
    step = 1e-2 * np.eye(2)
    slopes = [(np.asarray(pair(x + h)) - np.asarray(pair(x - h))) / 2e-2 for h in step]
    np.testing.assert_allclose(
        pair.values_and_gradients(x)[1], np.stack(slopes, axis=1), rtol=2e-2, atol=2e-3
    )


def test_the_scores_of_a_saved_model_are_logs_of_its_probabilities(tmp_path):
    model = classifier(layers.Dense(3, activation="softmax"))
    model.export(tmp_path / "net", verbose=False)
    x = np.random.default_rng(0).normal(size=(10, 2))
    expected = ClassLogits.of(model).pair(1, 0)(x)
    np.testing.assert_allclose(ClassLogits.of(tmp_path / "net").pair(1, 0)(x), expected, atol=1e-4)
