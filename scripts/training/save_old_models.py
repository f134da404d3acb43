#!/usr/bin/env python
"""Saves small models as Keras 2 did, with what they compute, for tests/fixtures/keras_2.

    pip install tf_keras
    scripts/training/save_old_models.py tests/fixtures/keras_2

`tf_keras` is Keras 2 for the TensorFlow of today. Its weights here are random.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

layers = tf_keras.layers


def recurrent() -> tf_keras.Model:
    """Recurrent layers, which had a `time_major`, and a hard sigmoid with another slope."""
    return tf_keras.Sequential(
        [
            layers.Input((5, 2)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(2, reset_after=False, recurrent_activation="hard_sigmoid"),
            layers.Dense(1),
        ]
    )


def operations() -> tf_keras.Model:
    """TensorFlow operations among the layers, and a model inside of the model, called twice."""
    inner = tf_keras.Sequential(
        [layers.Input((3,)), layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
    )
    entry = layers.Input((3,), name="entry/of/all")
    once = inner(entry)
    twice = inner(once)
    parts = [layers.LeakyReLU(0.17)(once), tf.exp(-twice[:, :2]) * 2.0, 1 / (1 + tf.abs(twice))]
    return tf_keras.Model(entry, tf.nn.sigmoid(layers.Dense(1)(layers.Concatenate()(parts))))


def image() -> tf_keras.Model:
    """Convolutions, with a layer in the place of an activation."""
    return tf_keras.Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation=layers.LeakyReLU(0.3)),
            layers.SeparableConv2D(2, 2),
            layers.GlobalAveragePooling2D(),
            layers.LayerNormalization(),
            layers.Dense(1, "hard_sigmoid"),
        ]
    )


def normalized() -> tf_keras.Model:
    """A layer that computes with something made of its weights."""
    return tf_keras.Sequential([layers.Input((2,)), layers.Normalization(), layers.Dense(1)])


def with_optimizer() -> tf_keras.Model:
    """A model that was trained, with the slots of its optimizer."""
    model = tf_keras.Sequential(
        [layers.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")]
    )
    model.compile(tf_keras.optimizers.legacy.Adam(0.01), "binary_crossentropy")
    model.fit(np.ones((8, 2)), np.ones(8), verbose=0)
    return model


# By the endings of the files; none is a SavedModel folder.
MODELS = {
    recurrent: (".h5", ".keras", ".json"),
    operations: (".h5", ".keras"),
    image: (".h5",),
    normalized: (".h5", ".keras"),
    with_optimizer: ("",),
}


def main(folder: Path) -> None:
    """Saves all models, and values of theirs in `outputs.json`.

    Args:
        folder: for the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    values = {}
    for make, endings in MODELS.items():
        model, name = make(), make.__name__
        for weight in model.weights:
            sign = 1 if "variance" in weight.name else rng.choice([-1, 1], weight.shape)
            weight.assign(tf.cast(rng.uniform(0.1, 0.9, weight.shape) * sign, weight.dtype))
        for layer in model.layers:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
        x = rng.normal(size=(4, *model.input_shape[1:])).astype("float32")
        output = np.asarray(model(x, training=False))
        values[name] = {"x": x.round(5).tolist(), "output": output.tolist()}
        for ending in endings:
            if ending == ".json":
                (folder / f"{name}.json").write_text(model.to_json())
                model.save_weights(folder / f"{name}_weights.h5")
            else:
                model.save(folder / f"{name}{ending}")
    (folder / "outputs.json").write_text(json.dumps(values))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
