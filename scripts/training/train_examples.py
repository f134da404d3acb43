#!/usr/bin/env python3
"""Train one small ELU network for each published system and save it in `examples/models`.

    scripts/training/train_examples.py [--system A1 --system B ...] [--activation relu]
        [--regressor]
        [--seed N] [--rows N] [--epochs N]

For each system it writes `<id>.keras` (weights only, no optimizer state) and `<id>.csv` (3,000 of
the points that the network was trained on, with a header). The table at the end says how good each
network is: its accuracy on fresh points, and how far its gradients are from the true concept's,
which is the noise floor of any search on them.

With another activation the network is `<id>-<activation>.keras`; it learns from the same points.
`--regressor` trains `air_pressure.keras` instead, on the barometric formula in everyday units.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np
from training import EPOCHS, ROWS, train

from keras_symgrad.datasets import SYSTEMS, System
from keras_symgrad.engine import direction_error
from keras_symgrad.neurons import Neuron

ROOT = Path(__file__).resolve().parents[2]
TRAINED = ("A1", "A", "B", "C", "D", "E")
KEPT_ROWS = 3_000
SLAB = np.log(0.99 / 0.01)
# Acceleration of gravity and the gas constant. Grams per mole and kilometres cancel.
GRAVITY = 9.81
GAS_CONSTANT = 8.314


def measure(model: keras.Model, system: System, rows: int = 200_000) -> dict[str, float]:
    """Accuracy and errors of the gradients' directions on fresh uniform points."""
    x = system.sample(rows, seed=1_000_003)
    logit, gradients = Neuron.of(model).values_and_gradients(x)
    truth = system.gradients(x)
    slab = np.abs(logit) <= SLAB
    return {
        "accuracy": float(np.mean((logit > 0) == (system.values(x) > system.threshold))),
        "slab": float(slab.mean()),
        "error_slab": direction_error(gradients[slab], truth[slab]),
        "error_box": direction_error(gradients, truth),
    }


def train_air_pressure(rows: int, epochs: int, seed: int, out: Path) -> float:
    """Train and save a regressor of p/p0 = exp(-g M h/(R T)); return its r2 on fresh points."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    # Grams per mole from methane to carbon dioxide, kilometres, kelvin.
    x = rng.uniform([16, 0, 200], [44, 12, 320], size=(rows + 10_000, 3)).astype(np.float32)
    y = np.exp(-GRAVITY / GAS_CONSTANT * x[:, 0] * x[:, 1] / x[:, 2])
    scaling = keras.layers.Normalization()
    scaling.adapt(x[:rows])
    hidden = [keras.layers.Dense(32, activation="swish") for _ in range(3)]
    model = keras.Sequential(
        [keras.Input((3,)), scaling, *hidden, keras.layers.Dense(1)], name="air_pressure"
    )
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * (rows // 256))
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=True, steps_per_execution=39)
    model.fit(x[:rows], y[:rows], batch_size=256, epochs=epochs, verbose=0)
    # A model that was never compiled has no optimizer in its file.
    bare = keras.Sequential([keras.Input((3,)), *model.layers], name=model.name)
    bare.save(out / "air_pressure.keras")
    np.savetxt(
        out / "air_pressure.csv",
        x[:KEPT_ROWS],
        fmt="%.7g",
        delimiter=",",
        header="mass,height,temperature",
        comments="",
    )
    error = np.mean((model.predict(x[rows:], verbose=0)[:, 0] - y[rows:]) ** 2)
    return float(1 - error / np.var(y[rows:]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="repeatable")
    parser.add_argument("--activation", default="elu", help="of the hidden layers")
    parser.add_argument("--regressor", action="store_true", help="train the regressor only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=ROWS, help="training points")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.regressor:
        r2 = train_air_pressure(options.rows, options.epochs, options.seed, options.out)
        print(f"trained air_pressure: r2 = {r2:.6f} on fresh points")
        return 0

    table = []
    for system in (SYSTEMS[id] for id in options.system or TRAINED):
        start = time.perf_counter()
        model = train(
            system,
            options.activation,
            rows=options.rows,
            epochs=options.epochs,
            seed=options.seed,
        )
        seconds = time.perf_counter() - start
        twin = "" if options.activation == "elu" else f"-{options.activation}"
        model.save(options.out / f"{system.id}{twin}.keras")
        np.savetxt(
            options.out / f"{system.id}.csv",
            system.sample(options.rows, seed=options.seed)[:KEPT_ROWS],
            fmt="%.7g",
            delimiter=",",
            header=",".join(system.names),
            comments="",
        )
        table.append((system.id, seconds, measure(model, system)))
        print(f"trained {system.id} in {seconds:.0f} s", flush=True)

    print(f"\n{'system':8}{'accuracy':>10}{'in slab':>9}{'1-|cos| in slab':>17}{'in the box':>12}")
    for id, _, m in table:
        print(
            f"{id:8}{m['accuracy']:10.4f}{m['slab']:9.3f}"
            f"{m['error_slab']:17.2e}{m['error_box']:12.2e}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
