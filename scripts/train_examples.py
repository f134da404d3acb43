#!/usr/bin/env python3
"""Trains one small ELU network for each published system and keeps it under `examples/models`.

    scripts/train_examples.py [--system A1 --system B ...] [--seed N] [--rows N] [--epochs N]

For each system it writes `<id>.keras` (weights only, no optimizer state) and `<id>.csv` (3,000 of
the points that the network was trained on, with a header). The table at the end says how good each
network is: its accuracy on fresh points, and how far its gradients are from the true concept's,
which is the noise floor of any search on them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from training import EPOCHS, ROWS, train

from keras_symgrad.directions import direction_error
from keras_symgrad.neurons import Neuron
from keras_symgrad.systems import SYSTEMS, System

ROOT = Path(__file__).resolve().parent.parent
TRAINED = ("A1", "A", "B", "C", "D", "E")
KEPT_ROWS = 3_000
SLAB = np.log(0.99 / 0.01)


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="repeatable")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=ROWS, help="training points")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    table = []
    for system in (SYSTEMS[id] for id in options.system or TRAINED):
        start = time.perf_counter()
        model = train(system, rows=options.rows, epochs=options.epochs, seed=options.seed)
        seconds = time.perf_counter() - start
        model.save(options.out / f"{system.id}.keras")
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
