#!/usr/bin/env python3
"""Train the networks of the examples on everyday tables, saved in `examples/models`.

    scripts/training/train_tables.py [--out DIR]

Two tables come with scikit-learn: tumours (benign or malignant, 30 measurements) and wines (three
cultivars, 13 measurements). The third, bicycles lent in an hour, is drawn as `benchmark_real.py`
draws it; 1,500 of its rows are written beside the network, in a `.csv` with a header. All three are
ReLU networks with a `Normalization` layer, trained on seven tenths of the rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
from example_networks import save, trained
from sklearn import datasets

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts" / "benchmarks"))
real_tables = import_module("real_tables")

KEPT_ROWS = 1_500
WIDTHS = (32, 16)
# Tables of a few hundred rows are learned by heart without it.
DROPOUT = 0.1
BATCH = 64
LEARNING_RATE = 3e-3
# Rows that are passed in training, over and over.
PASSED_ROWS = 60_000
# The same for bicycles, whose rush hours are narrow; they have rows enough without dropout.
PASSED_BICYCLES = 250_000
SEED = 0
layers = keras.layers


def network(x: np.ndarray, output: layers.Layer, name: str, dropout: float) -> keras.Model:
    """An untrained network on the raw columns: what scales them is a layer of it."""
    scaling = layers.Normalization(mean=x.mean(axis=0), variance=x.var(axis=0), name="scaling")
    hidden = []
    for k, width in enumerate(WIDTHS, start=1):
        hidden.append(layers.Dense(width, "relu", name=f"hidden_{k}"))
        if dropout:
            hidden.append(layers.Dropout(dropout))
    inputs = keras.Input((x.shape[1],), name="x")
    return keras.Sequential([inputs, scaling, *hidden, output], name=name)


def learned(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    output: layers.Layer,
    loss: str,
    *,
    dropout: float = DROPOUT,
    passed: int = PASSED_ROWS,
) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A trained network, and the rows that it never saw with their answers."""
    keras.utils.set_random_seed(SEED)
    order = np.random.default_rng(SEED).permutation(len(x))
    known, fresh = np.split(order, [round(real_tables.TRAINED * len(x))])
    fit = {"batch": BATCH, "rate": LEARNING_RATE, "epochs": passed // len(known)}
    model = trained(network(x[known], output, name, dropout), x[known], y[known], loss, **fit)
    return model, x[fresh], y[fresh]


def main() -> int:
    """Train all three, and say how good they are on rows that they never saw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()

    tumours = datasets.load_breast_cancer()
    # Class 0 of the table is malignant.
    x, y = tumours.data, (tumours.target == 0).astype("float32")
    output = layers.Dense(1, "sigmoid", name="malignant")
    model, fresh, truth = learned("tumours", x, y, output, "binary_crossentropy")
    model.save(options.out / "tumours.keras")
    right = np.mean((model.predict(fresh, verbose=0)[:, 0] > 0.5) == truth)
    print(f"tumours: {right:.1%} of {len(fresh)} fresh rows")

    wines = datasets.load_wine()
    output = layers.Dense(3, "softmax", name="cultivar")
    loss = "sparse_categorical_crossentropy"
    model, fresh, truth = learned("wines", wines.data, wines.target, output, loss)
    model.save(options.out / "wines.keras")
    right = np.mean(np.argmax(model.predict(fresh, verbose=0), axis=1) == truth)
    print(f"wines: {right:.1%} of {len(fresh)} fresh rows")

    x, y, names = real_tables.bikes(SEED)
    # Counts of hundreds train badly: the network learns hundreds of bicycles.
    output, more = layers.Dense(1, name="lent"), {"dropout": 0.0, "passed": PASSED_BICYCLES}
    model, fresh, truth = learned("bicycles", x, y / 100, output, "mse", **more)
    save(model, x[:KEPT_ROWS], names, options.out)
    left = np.mean((model.predict(fresh, verbose=0)[:, 0] - truth) ** 2) / np.var(truth)
    print(f"bicycles: R2 {1 - left:.3f} on {len(fresh)} fresh rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
