#!/usr/bin/env python3
"""Train the networks of the examples on many kinds of neurons, saved in `examples/models`.

    scripts/training/train_neurons.py [--network regions ...] [--epochs N]

`regions` is a classifier of three classes, `barrier` a model of two named inputs with
`Normalization` layers, `pendulum` a regressor with a bottleneck of one unit, `speckle` a
convolutional network. Beside each network but the last 2,000 of its training points are written, in
a `.csv` with a header. At the end stands how well each has learned its task on fresh points.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np
from scipy.special import ellipk

ROOT = Path(__file__).resolve().parents[2]
ROWS = 40_000
KEPT_ROWS = 2_000
BATCH = 256
LEARNING_RATE = 2e-3
layers = keras.layers


@dataclass(frozen=True)
class Task:
    """A network to train.

    Args:
        names: of the columns; none for pictures, whose points are not kept.
        sample: `(rows, rng)` to points `(rows, columns)`.
        target: of the points, one number or class a row.
        network: the untrained network, from points that its preprocessing may look at.
        inputs: takes the points apart as the network takes them.
        loss: of Keras.
        metric: of Keras, for the table.
        epochs: passes over the training points.
    """

    names: tuple[str, ...]
    sample: Callable[[int, np.random.Generator], np.ndarray]
    target: Callable[[np.ndarray], np.ndarray]
    network: Callable[[np.ndarray], keras.Model]
    inputs: Callable[[np.ndarray], object]
    loss: str
    metric: str
    epochs: int = 60


def regions_points(rows: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform([0, 0, -1.2, -1.2], [2, 2, 1.2, 1.2], size=(rows, 4))


def region(x: np.ndarray) -> np.ndarray:
    """The largest of 1, x1*x2 and x3^2 + x4^2: each pair of classes meets at another formula."""
    scores = [np.ones(len(x)), x[:, 0] * x[:, 1], x[:, 2] ** 2 + x[:, 3] ** 2]
    return np.argmax(scores, axis=0)


def regions_network(_: np.ndarray) -> keras.Model:
    hidden = [layers.Dense(48, activation="elu", name=f"hidden_{k}") for k in (1, 2, 3)]
    output = layers.Dense(3, activation="softmax", name="classes")
    return keras.Sequential([keras.Input((4,), name="x"), *hidden, output], name="regions")


def cars(rows: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform([800, -25, -25], [2400, 25, 25], size=(rows, 3))


def breaks_the_barrier(x: np.ndarray) -> np.ndarray:
    """Kinetic energy above 300 kJ: kilograms and metres a second, nothing scaled."""
    return (x[:, 0] * (x[:, 1] ** 2 + x[:, 2] ** 2) / 2 > 3e5).astype(float)


def barrier_network(x: np.ndarray) -> keras.Model:
    mass, velocity = keras.Input((1,), name="mass"), keras.Input((2,), name="velocity")
    scaled = [layers.Normalization(name=f"{kind}_scaled") for kind in ("mass", "velocity")]
    for layer, columns in zip(scaled, (x[:, :1], x[:, 1:])):
        layer.adapt(columns)
    joined = layers.Concatenate(name="joined")([scaled[0](mass), scaled[1](velocity)])
    for k in (1, 2, 3):
        joined = layers.Dense(48, activation="elu", name=f"hidden_{k}")(joined)
    broken = layers.Dense(1, activation="sigmoid", name="broken")(joined)
    return keras.Model({"mass": mass, "velocity": velocity}, broken, name="barrier")


def swings(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Angles and angular velocities of pendulums that do not go over the top."""
    x = rng.uniform([-2.6, -1.9], [2.6, 1.9], size=(4 * rows, 2))
    return x[energy(x) < 0.85][:rows]


def energy(x: np.ndarray) -> np.ndarray:
    return x[:, 1] ** 2 / 2 - np.cos(x[:, 0])


def period(x: np.ndarray) -> np.ndarray:
    """Period of a pendulum, from one observation: an elliptic integral of its energy."""
    return 4 * ellipk((1 + energy(x)) / 2)


def pendulum_network(_: np.ndarray) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((2,), name="state"),
            layers.Dense(48, activation="swish", name="encode_1"),
            layers.Dense(48, activation="swish", name="encode_2"),
            layers.Dense(1, name="bottleneck"),
            layers.Dense(24, activation="swish", name="decode"),
            # Small swings take 2 pi: a good first guess, which Adam would be long to find.
            layers.Dense(1, bias_initializer=keras.initializers.Constant(2 * np.pi), name="period"),
        ],
        name="pendulum",
    )


def speckles(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Pictures of 8 by 8 pixels, each with a brightness and a contrast of its own, flattened."""
    brightness = rng.uniform(0.4, 1.0, size=(rows, 1))
    contrast = rng.uniform(0.1, 0.6, size=(rows, 1))
    return brightness * (1 + contrast * rng.normal(size=(rows, 64)))


def is_coarse(x: np.ndarray) -> np.ndarray:
    """Return whether a picture's contrast, its standard deviation by its mean, is above 0.35."""
    return (x.std(axis=1) > 0.35 * x.mean(axis=1)).astype(float)


def speckle_network(_: np.ndarray) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            layers.Conv2D(16, 2, strides=2, activation="swish", name="patches"),
            layers.Conv2D(16, 1, activation="swish", name="conv"),
            layers.GlobalAveragePooling2D(name="pooled"),
            layers.Dense(24, activation="swish", name="dense"),
            layers.Dense(1, activation="sigmoid", name="coarse"),
        ],
        name="speckle",
    )


TASKS = {
    "regions": Task(
        ("x1", "x2", "x3", "x4"),
        regions_points,
        region,
        regions_network,
        lambda x: x,
        "sparse_categorical_crossentropy",
        "accuracy",
    ),
    "barrier": Task(
        ("mass", "velocity_1", "velocity_2"),
        cars,
        breaks_the_barrier,
        barrier_network,
        lambda x: {"mass": x[:, :1], "velocity": x[:, 1:]},
        "binary_crossentropy",
        "accuracy",
    ),
    "pendulum": Task(
        ("angle", "speed"), swings, period, pendulum_network, lambda x: x, "mse", "mae", epochs=200
    ),
    "speckle": Task(
        (),
        speckles,
        is_coarse,
        speckle_network,
        lambda x: x.reshape(-1, 8, 8, 1),
        "binary_crossentropy",
        "accuracy",
        epochs=100,
    ),
}


def train(task: Task, epochs: int) -> tuple[keras.Model, np.ndarray, float]:
    """The trained network without its optimizer, its points, and its score on fresh ones."""
    keras.utils.set_random_seed(0)
    x = task.sample(ROWS, np.random.default_rng(0)).astype(np.float32)
    model = task.network(x)
    bare = keras.models.clone_model(model)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * (ROWS // BATCH))
    model.compile(
        keras.optimizers.Adam(rate),
        task.loss,
        metrics=[task.metric],
        jit_compile=True,
        steps_per_execution=39,
    )
    model.fit(task.inputs(x), task.target(x), batch_size=BATCH, epochs=epochs, verbose=0)
    fresh = task.sample(ROWS, np.random.default_rng(1)).astype(np.float32)
    score = model.evaluate(task.inputs(fresh), task.target(fresh), batch_size=4096, verbose=0)[1]
    bare.set_weights(model.get_weights())
    return bare, x, score


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="append", choices=list(TASKS), help="repeatable")
    parser.add_argument("--epochs", type=int, help="for all of them; by default their own")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.network or TASKS:
        task = TASKS[name]
        model, x, score = train(task, options.epochs or task.epochs)
        model.save(options.out / f"{name}.keras")
        if task.names:
            np.savetxt(
                options.out / f"{name}.csv",
                x[:KEPT_ROWS],
                fmt="%.6g",
                delimiter=",",
                header=",".join(task.names),
                comments="",
            )
        print(f"{name:10} {task.metric} {score:.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
