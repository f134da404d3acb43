#!/usr/bin/env python3
"""Train the network of the example on regions, saved in `examples/models`.

    scripts/training/train_switch.py [--rows N] [--out DIR]

It learns x1*x2 where x3 > 0, and x1 + x2**2 elsewhere. Beside the network 3,000 of its training
points are written, in a `.csv` with a header.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
from example_networks import save, trained

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("x1", "x2", "x3")
KEPT_ROWS = 3_000
WIDTH = 48
BATCH = 128
LEARNING_RATE = 3e-3
EPOCHS = 50
layers = keras.layers


def switched(x: np.ndarray) -> np.ndarray:
    return np.where(x[:, 2] > 0, x[:, 0] * x[:, 1], x[:, 0] + x[:, 1] ** 2)


def network() -> keras.Model:
    hidden = [layers.Dense(WIDTH, activation="swish", name=f"hidden_{k}") for k in (1, 2, 3)]
    return keras.Sequential(
        [keras.Input((3,), name="x"), *hidden, layers.Dense(1, name="value")], name="switch"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000, help="points to learn from")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(options.rows, 3))
    keras.utils.set_random_seed(0)
    fit = {"batch": BATCH, "rate": LEARNING_RATE, "epochs": EPOCHS}
    model = trained(network(), x, switched(x), "mse", **fit)
    save(model, x[:KEPT_ROWS], NAMES, options.out)
    fresh = rng.uniform(-2, 2, size=(100_000, 3))
    values, true = model.predict(fresh, batch_size=4096, verbose=0)[:, 0], switched(fresh)
    left = np.mean((values - true) ** 2) / np.var(true)
    print(f"switch: R2 {1 - left:.4f} on {len(fresh):,} fresh points")
    return 0


if __name__ == "__main__":
    sys.exit(main())
