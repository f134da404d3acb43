#!/usr/bin/env python3
"""Measure the loss and gain when a part of a network is replaced by its formula.

    .venv/bin/python scripts/benchmarks/benchmark_replacing.py [--cases NAME ...] [--seed 0]
        [--time-limit 20] [--epochs 20] [--batch-size 1024] [--repeats 200] [--json FILE]

Each network of `examples/models` is read, and the formula put in the place of the layer that was
read (`output`: of the whole network). `parameters` and `ms` are before and after; `ms` is the
median time of a compiled call on one batch, both models in turns. `agreement` is the share of
decisions that are alike, for networks that return numbers R2; `tuned` is the same after `fit` has
moved all that is trainable towards what the network returns. Both are measured on rows
that nothing was read or fitted on.

In `oscillator` two formulas, read jointly, stand in the place of three units, and a small network
of its own between them learns phi.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from rows import print_rows, write_rows

import keras_symgrad as ks
from keras_symgrad.files import read_points

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
# The last fifth of each table is what agreement is measured on.
KEPT = 5
BATCH = 50
LEARNING_RATE = 2e-3
WIDTH = 32
PHI_EPOCHS = 100
COLUMNS = (
    *("case", "layer", "formula", "agreement", "tuned"),
    *("parameters", "parameters_after", "ms", "ms_after"),
)


@dataclass(frozen=True)
class Case:
    """A part of a shipped network.

    Args:
        model: name of the file.
        layer: that is replaced, `None` for the whole network.
        jointly: whether its units are read together.
    """

    model: str
    layer: str | None = None
    jointly: bool = False


CASES = {
    "pendulum": Case("pendulum", "bottleneck"),
    "pendulum-output": Case("pendulum"),
    "air_pressure": Case("air_pressure"),
    "A1": Case("A1"),
    "B": Case("B"),
    "E": Case("E"),
    "oscillator": Case("oscillator", "bottleneck", jointly=True),
}


def measure(name: str, options: argparse.Namespace) -> dict:
    """One row of the table."""
    case = CASES[name]
    keras.utils.set_random_seed(options.seed)
    model = keras.models.load_model(MODELS / f"{case.model}.keras", compile=False)
    points, names = read_points(MODELS / f"{case.model}.csv")
    kept = len(points) // KEPT
    known, fresh = points[:-kept], points[-kept:]
    row = dict.fromkeys(COLUMNS) | {"case": name, "seed": options.seed}
    row |= {"layer": case.layer or "output"}
    try:
        found = read(case, model, known, names, options)
        row["formula"] = found.text
        new = found.put_in(model)
        before = compare(model, new, fresh, options)
        row |= {"agreement": before.agreement, "decides": before.decides}
        row |= {"parameters": before.before.parameters, "ms": before.before.milliseconds}
        row |= {"parameters_after": new.count_params(), "ms_after": before.after.milliseconds}
        loss = "binary_crossentropy" if before.decides else "mse"
        fit(new, known, np.asarray(model(known)), options.epochs, loss, LEARNING_RATE)
        row["tuned"] = compare(model, new, fresh, options).agreement
    except Exception as error:
        row["formula"] = f"{type(error).__name__}: {error}"
    return row


@dataclass(frozen=True)
class Found:
    """Result of a reading.

    Args:
        text: the formula, for people.
        put_in: function from a model to the one with the formula in the place of the part.
    """

    text: str
    put_in: Callable[[keras.Model], keras.Model]


def read(
    case: Case, model: keras.Model, x: np.ndarray, names: tuple, options: argparse.Namespace
) -> Found:
    """The formula, or formulas, of a part of a network."""
    settings = {"names": names, "time_limit": options.time_limit, "seed": options.seed}
    if not case.jointly:
        concept = ks.interpret(model, x, layer=case.layer, verbose=False, **settings)
        return Found(
            concept.best.to_pretty(), lambda model: ks.replace(model, case.layer, concept, x)
        )
    joint = ks.interpret_jointly(model, x, layer=case.layer, verbose=False, **settings)

    def put_in(model: keras.Model) -> keras.Model:
        return ks.replace(model, case.layer, joint.best, phi=learned(joint, model, case, x))

    return Found("; ".join(formula.to_pretty() for formula in joint.best), put_in)


def learned(
    joint: ks.JointInterpretation, model: keras.Model, case: Case, x: np.ndarray
) -> keras.Model:
    """A network from the concepts to the units, taught on known rows."""
    g = np.stack([formula(x) for formula in joint.best], axis=1)
    units = keras.Model(model.inputs[0], model.get_layer(case.layer).output)(x)
    scale = keras.layers.Normalization()
    scale.adapt(g)
    hidden = keras.layers.Dense(WIDTH, activation="tanh")
    phi = keras.Sequential([scale, hidden, keras.layers.Dense(units.shape[1])], name="phi")
    fit(phi, g, np.asarray(units), PHI_EPOCHS, "mse", 1e-2)
    return phi


def compare(
    model: keras.Model, new: keras.Model, x: np.ndarray, options: argparse.Namespace
) -> ks.ModelComparison:
    """Both models on fresh rows."""
    return ks.compare_models(model, new, x, batch_size=options.batch_size, repeats=options.repeats)


def fit(
    model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int, loss: str, rate: float
) -> None:
    """Train with a rate that falls to zero."""
    falling = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(falling), loss)
    model.fit(x, y, BATCH, epochs, verbose=0)


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = dict(row)
    for column in ("agreement", "tuned"):
        cells[column] = "" if row[column] is None else f"{row[column]:.2%}"
    for column in ("ms", "ms_after"):
        cells[column] = "" if row[column] is None else f"{row[column]:.3f}"
    return ["" if cells[column] is None else str(cells[column]) for column in COLUMNS]


def main() -> int:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seed", type=int, default=0, help="of search, rows and training")
    parser.add_argument("--time-limit", type=float, default=20.0, help="seconds of search")
    parser.add_argument("--epochs", type=int, default=20, help="of fine-tuning")
    parser.add_argument("--batch-size", type=int, default=1024, help="rows that are timed")
    parser.add_argument("--repeats", type=int, default=200, help="timed calls of each model")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()

    rows = []
    for name in options.cases:
        rows.append(measure(name, options))
        print(*shown(rows[-1]), file=sys.stderr)
        write_rows(options.json, rows)

    title = f"A part of a network becomes its formula ({options.batch_size} rows)"
    print_rows(title, COLUMNS, map(shown, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
