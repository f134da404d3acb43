#!/usr/bin/env python3
"""Train a network whose bottleneck carries energy and angular momentum in mixed coordinates.

    scripts/training/train_bottleneck.py [--units N] [--seed N] [--rows N] [--epochs N] [--out DIR]

The input is the state (x, y, vx, vy) of a mass on a spring in the plane. The five targets are
functions of its energy E and its angular momentum L and of nothing else; all information about them
passes through a layer of a few units without an activation. Nothing forces any of these units to be
E or L.

The network is kept as `oscillator.keras` under `examples/models`, with 3,000 of its points as
`oscillator.csv`. The table says how much of each unit's gradient lies outside the span of the
gradients of E and L, on fresh points.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np

from keras_symgrad.engine import orthonormal_span, unit
from keras_symgrad.neurons import Neuron

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("x", "y", "vx", "vy")
WIDTH = 48
BATCH = 256
KEPT_ROWS = 3_000


def states(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Positions and velocities within 1.5 of rest."""
    return rng.uniform(-1.5, 1.5, size=(rows, 4))


def invariants(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy and angular momentum of each state."""
    return (x**2).sum(axis=1) / 2, x[:, 0] * x[:, 3] - x[:, 1] * x[:, 2]


def targets(x: np.ndarray) -> np.ndarray:
    """Five functions of energy and angular momentum, each of mean 0 and deviation 1."""
    energy, momentum = invariants(x)
    y = np.stack(
        [
            energy,
            momentum,
            np.sin(energy + momentum),
            energy * momentum,
            np.exp(-energy) - momentum**2,
        ],
        axis=1,
    )
    return (y - y.mean(axis=0)) / y.std(axis=0)


def network(units: int) -> keras.Sequential:
    """An untrained network, small enough to ship."""
    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input((len(NAMES),), name="state"),
            dense(WIDTH, activation="tanh", name="encoder_1"),
            dense(WIDTH, activation="tanh", name="encoder_2"),
            dense(units, name="bottleneck"),
            dense(WIDTH, activation="tanh", name="decoder_1"),
            dense(WIDTH, activation="tanh", name="decoder_2"),
            dense(5, name="targets"),
        ],
        name="oscillator",
    )


def outside(model: keras.Model, rows: int = 5_000) -> np.ndarray:
    """Share of each unit's squared gradient that neither E nor L has, on fresh points."""
    x = states(rows, np.random.default_rng(1_000_003))
    momentum = np.stack([x[:, 3], -x[:, 2], -x[:, 1], x[:, 0]], axis=1)
    _, span = orthonormal_span(np.stack([unit(x), unit(momentum)], axis=1))
    shares = []
    for k in range(model.get_layer("bottleneck").units):
        direction = unit(Neuron.of(model, "bottleneck", k).values_and_gradients(x)[1])
        inside = np.einsum("rja,ra->rj", span, direction)
        shares.append(1 - np.mean((inside**2).sum(axis=1)))
    return np.array(shares)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()

    keras.utils.set_random_seed(options.seed)
    x = states(options.rows, np.random.default_rng(options.seed))
    model = network(options.units)
    steps = options.epochs * -(-options.rows // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=True, steps_per_execution=39)
    y = targets(x).astype(np.float32)
    history = model.fit(x.astype(np.float32), y, BATCH, options.epochs, verbose=0)
    # Never compiled, so that the file holds the weights and no optimizer.
    bare = network(options.units)
    bare.set_weights(model.get_weights())
    options.out.mkdir(parents=True, exist_ok=True)
    bare.save(options.out / "oscillator.keras")
    np.savetxt(
        options.out / "oscillator.csv",
        x[:KEPT_ROWS],
        fmt="%.6f",
        delimiter=",",
        header=",".join(NAMES),
        comments="",
    )
    shares = ", ".join(f"{share:.1e}" for share in outside(bare))
    print(f"loss {history.history['loss'][-1]:.1e}; outside the span of E and L: {shares}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
