#!/usr/bin/env python3
"""Train the networks of the examples on losses and symmetries, saved in `examples/models`.

    scripts/training/train_knowledge.py [--network stuck ...]

`stuck` is a regressor of an energy whose measurements stick where height and speed are large.
`springs` is a regressor of an energy that was measured 100 times, and badly. Beside each network
2,000 points are written without labels, in a `.csv` with a header. At the end stands the share of
the variance of the true energy that each network explains on fresh points.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
POINTS = 2_000
layers = keras.layers


@dataclass(frozen=True)
class Task:
    """A network to train.

    Args:
        names: of the columns.
        low: lowest value of each column.
        high: highest value of each column.
        energy: the truth, of points `(rows, columns)`.
        measured: what the labels hold, of points, energies and random numbers.
        rows: that the network is trained on.
        units: of each of two hidden layers.
        activation: of these layers.
        epochs: passes over the rows.
        batch: rows of a step.
        decays: whether the learning rate falls to zero.
        seed: of rows and weights.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    energy: Callable[[np.ndarray], np.ndarray]
    measured: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
    rows: int
    units: int
    activation: str
    epochs: int
    batch: int
    decays: bool
    seed: int

    def sample(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Points drawn uniformly."""
        return rng.uniform(self.low, self.high, (rows, len(self.names)))


def fall(x: np.ndarray) -> np.ndarray:
    """Energy of a kilogram at a height, with a speed."""
    return 9.81 * x[:, 0] + x[:, 1] ** 2 / 2


def sticking(x: np.ndarray, energy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The speedometer ends at 6.5 m/s above 3 m: 14 % of the rows."""
    sticks = (x[:, 0] > 3) & (x[:, 1] > 6.5)
    return np.where(sticks, 9.81 * x[:, 0] + 6.5**2 / 2, energy)


def springs(x: np.ndarray) -> np.ndarray:
    """Energy of two equal masses with a spring between them, x1, v1, x2, v2."""
    return (x[:, 1] ** 2 + x[:, 3] ** 2) / 2 + 1.5 * (x[:, 0] - x[:, 2]) ** 2


def noisy(x: np.ndarray, energy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Errors of a tenth of the scatter of the energies."""
    return energy + 0.1 * energy.std() * rng.normal(size=len(x))


TASKS = {
    "stuck": Task(
        ("height", "speed"),
        (0, 0),
        (5, 10),
        fall,
        sticking,
        rows=20_000,
        units=48,
        activation="tanh",
        epochs=40,
        batch=128,
        decays=True,
        seed=0,
    ),
    "springs": Task(
        ("x1", "v1", "x2", "v2"),
        (-1, -1, -1, -1),
        (1, 1, 1, 1),
        springs,
        noisy,
        rows=100,
        units=16,
        activation="softplus",
        epochs=250,
        batch=20,
        decays=False,
        seed=1,
    ),
}


def train(task: Task) -> tuple[keras.Model, np.ndarray, float]:
    """The trained network without its optimizer, points, and the share that it explains."""
    keras.utils.set_random_seed(task.seed)
    rng = np.random.default_rng(task.seed)
    x = task.sample(task.rows, rng)
    y = task.measured(x, task.energy(x), rng)
    scale = layers.Normalization()
    scale.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((len(task.names),)),
            scale,
            layers.Dense(task.units, activation=task.activation),
            layers.Dense(task.units, activation=task.activation),
            layers.Dense(1),
        ]
    )
    bare = keras.models.clone_model(model)
    rate: object = 1e-2
    if task.decays:
        steps = task.epochs * -(-task.rows // task.batch)
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    labels = (y - y.mean()) / y.std()
    model.fit(x, labels, batch_size=task.batch, epochs=task.epochs, verbose=0)
    bare.set_weights(model.get_weights())
    points = task.sample(POINTS, rng)
    told = model.predict(points, verbose=0)[:, 0] * y.std() + y.mean()
    truth = task.energy(points)
    return bare, points, 1 - np.mean((told - truth) ** 2) / truth.var()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="append", choices=list(TASKS), help="repeatable")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.network or TASKS:
        model, points, share = train(TASKS[name])
        model.save(options.out / f"{name}.keras")
        np.savetxt(
            options.out / f"{name}.csv",
            points,
            fmt="%.6g",
            delimiter=",",
            header=",".join(TASKS[name].names),
            comments="",
        )
        print(f"{name:10} R2 {share:.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
