"""The recipe of the networks that the examples and the benchmarks are made of.

Three layers of 64 and a sigmoid, trained on a system's noisy labels with Adam and a cosine decay.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from keras_symgrad.datasets import JointSystem, System

ROWS = 40_000
EPOCHS = 100
WIDTH = 64
DEPTH = 3
BATCH = 256
LEARNING_RATE = 1e-3
DECAY = 1e-5
# Steps between returns to Python: training takes half as long, and the weights are the same.
STEPS = 39


def network(system: System | JointSystem, activation: str = "elu") -> keras.Sequential:
    """An untrained network, small enough to ship."""
    regularizer = keras.regularizers.L2(DECAY)
    hidden = [
        keras.layers.Dense(
            WIDTH, activation=activation, kernel_regularizer=regularizer, name=f"hidden_{k + 1}"
        )
        for k in range(DEPTH)
    ]
    output = keras.layers.Dense(1, activation="sigmoid", name="probability")
    inputs = keras.Input((len(system.names),), name="x")
    return keras.Sequential([inputs, *hidden, output], name=f"system_{system.id}")


def train(
    system: System | JointSystem,
    activation: str = "elu",
    *,
    rows: int = ROWS,
    epochs: int = EPOCHS,
    seed: int,
) -> keras.Sequential:
    """A network trained on fresh data; the same seed gives the same network.

    It is never compiled itself, so that its file holds the weights and no optimizer.
    """
    keras.utils.set_random_seed(seed)
    x, labels = system.data(rows, seed)
    model = network(system, activation)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * (rows // BATCH))
    model.compile(
        keras.optimizers.Adam(rate),
        "binary_crossentropy",
        jit_compile=True,
        steps_per_execution=STEPS,
    )
    model.fit(x.astype(np.float32), labels, batch_size=BATCH, epochs=epochs, verbose=0)
    bare = network(system, activation)
    bare.set_weights(model.get_weights())
    return bare


def load_or_train(
    system: System | JointSystem, activation: str, seed: int, folder: Path | None
) -> keras.Model:
    """A freshly trained network, or the same one as last time from the folder."""
    path = folder / f"{system.id}-{activation}-{seed}.keras" if folder else None
    if path and path.exists():
        return keras.models.load_model(path)
    model = train(system, activation, seed=seed)
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return model
