#!/usr/bin/env python3
"""Train the network of the example on units, saved in `examples/models`.

    scripts/training/train_throws.py [--noise METRES] [--rows N] [--out DIR]

A ball is thrown upwards at some height with some speed, on planets much like the Earth. Does it fly
over a bar? Its highest point, h + v^2/(2 g), is judged by eye: with an error of 10 cm. Beside the
network 2,000 of its training points are written, in a `.csv` with a header.
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
NAMES = ("height", "speed", "gravity")
LOWEST = (1.0, 4.0, 9.0)
HIGHEST = (2.2, 6.0, 10.5)
BAR = 2.9
KEPT_ROWS = 2_000
BATCH = 128
LEARNING_RATE = 3e-3
EPOCHS = 60
layers = keras.layers


def highest_point(x: np.ndarray) -> np.ndarray:
    return x[:, 0] + x[:, 1] ** 2 / (2 * x[:, 2])


def network(x: np.ndarray) -> keras.Model:
    scaled = layers.Normalization(name="scaled")
    scaled.adapt(x)
    hidden = [layers.Dense(32, activation="elu", name=f"hidden_{k}") for k in (1, 2)]
    over = layers.Dense(1, activation="sigmoid", name="over")
    return keras.Sequential([keras.Input((3,), name="throw"), scaled, *hidden, over], name="throws")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, default=0.1, help="of the eye (default: 0.1 m)")
    parser.add_argument("--rows", type=int, default=4_000, help="throws to learn from")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.uniform(LOWEST, HIGHEST, size=(options.rows, 3))
    seen = highest_point(x) + options.noise * rng.normal(size=options.rows)
    keras.utils.set_random_seed(0)
    fit = {"batch": BATCH, "rate": LEARNING_RATE, "epochs": EPOCHS}
    model = trained(network(x), x, (seen > BAR).astype(float), "binary_crossentropy", **fit)
    save(model, x[:KEPT_ROWS], NAMES, options.out)
    fresh = rng.uniform(LOWEST, HIGHEST, size=(100_000, 3))
    yes = model.predict(fresh, batch_size=4096, verbose=0)[:, 0] > 0.5
    right = np.mean(yes == (highest_point(fresh) > BAR))
    print(f"throws: right about {right:.2%} of {len(fresh):,} fresh throws, judged without error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
