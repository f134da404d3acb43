"""Measure recovery of twenty formulas of physics from exact, noisy and trained gradients.

    .venv/bin/python scripts/benchmarks/benchmark_formulas.py [--formulas 1 2 ...] [--noise 0 1e-3
        1e-2]
        [--regressors] [--seeds 1] [--seed 0] [--time-limit 60]
        [--metric covariance] [--json FILE]

Without `--regressors` the search is given 1,000 exact directions of the gradient, with Gaussian
noise whose length is, root mean square, `noise` times the length 1 of a direction. With it, a
network is trained on the formula's values and `interpret` reads the network; `--noise` then adds
nothing unless it is given as well.

Operators are the default ones. They write every formula up to its class: the arcsine of formula 9
is a monotone function around the whole, which does not change directions of gradients.

A formula is judged by its class: recovered is one whose gradient has mean(1 - |cos|) below 2e-3
with the truth's on 10,000 fresh uniform points, and whose complexity is at most 1.5 times the
truth's. Points where the truth has no gradient are left out. `field_error` is what the given
directions themselves have with the truth's, `truth_loss` the loss of the truth on them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from rows import print_rows, write_rows

from keras_symgrad import Sampling, interpret
from keras_symgrad.datasets import (
    COMPLEXITY_RATIO,
    FORMULAS,
    RECOVERY_TOLERANCE,
    System,
    concept_error,
    field_of,
    truth_complexity,
)
from keras_symgrad.engine import direction_error, loss
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron

FIELD_ROWS = 1_000
TRAINING_ROWS = 20_000
WIDTH = 64
DEPTH = 3
ACTIVATION = "swish"
BATCH = 256
EPOCHS = 120
LEARNING_RATE = 3e-3
OPERATORS = OperatorSet("default")
COLUMNS = (
    *("formula", "noise", "seed", "recovered", "cosine_error", "complexity", "truth_complexity"),
    *("loss", "truth_loss", "field_error", "seconds", "expression"),
)


def regressor(formula: System, seed: int) -> tuple[keras.Model, np.ndarray]:
    """A network trained on the formula's values, and its points, in the formula's own units."""
    keras.utils.set_random_seed(seed)
    x = formula.sample(TRAINING_ROWS, seed=seed).astype(np.float32)
    y = formula.values(x)
    standardize = keras.layers.Normalization()
    standardize.adapt(x)
    hidden = [keras.layers.Dense(WIDTH, activation=ACTIVATION) for _ in range(DEPTH)]
    model = keras.Sequential(
        [keras.Input((x.shape[1],)), standardize, *hidden, keras.layers.Dense(1)]
    )
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=True)
    model.fit(x, (y - y.mean()) / y.std(), batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model, x


def measure(
    number: int, noise: float | str, seed: int, time_limit: float, metric: str = "covariance"
) -> dict:
    """One run, judged; a run that fails is a row that says why."""
    formula = FORMULAS[number]
    row = dict.fromkeys(COLUMNS)
    row |= {"formula": number, "noise": noise, "seed": seed, "recovered": False}
    row["truth_complexity"] = truth_complexity(formula, OPERATORS, Complexity())
    options = {"operators": OPERATORS, "time_limit": time_limit, "seed": seed, "verbose": False}
    start = time.perf_counter()
    try:
        if noise == "regressor":
            model, x = regressor(formula, seed)
            field = GradientField.from_neuron(
                Neuron.of(model), x, names=formula.names, metric=metric
            )
            start = time.perf_counter()
            result = interpret(
                model, x, names=formula.names, sampling=Sampling(metric=metric), **options
            )
        else:
            field = field_of(formula, FIELD_ROWS, noise=noise, metric=metric, seed=seed)
            start = time.perf_counter()
            result = interpret(field, **options)
        row["seconds"] = round(time.perf_counter() - start, 1)
        best = result.best
        truth = field.directions_of(formula.gradients(field.points))
        row |= {
            "cosine_error": concept_error(best.expression, formula),
            "complexity": best.complexity,
            "loss": best.loss,
            "truth_loss": loss_on(formula, field),
            "field_error": direction_error(field.directions, truth),
            "expression": str(best),
            "front": [formula.to_dict() for formula in result.front],
            "timings": result.timings,
            "stopped": result.stopped,
        }
        short_enough = row["complexity"] <= COMPLEXITY_RATIO * row["truth_complexity"]
        row["recovered"] = short_enough and row["cosine_error"] < RECOVERY_TOLERANCE
    except Exception as error:
        row["seconds"] = round(time.perf_counter() - start, 1)
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def loss_on(formula: System, field: GradientField) -> float:
    """Loss of the truth on a field."""
    points, directions = field.points, field.directions
    return loss(formula.expression, formula.names, points, directions, frame=field.frame)


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = dict(row)
    for column in ("cosine_error", "loss", "truth_loss", "field_error"):
        cells[column] = "" if row[column] is None else f"{row[column]:.1e}"
    cells["recovered"] = "yes" if row["recovered"] else "no"
    cells["expression"] = row["expression"] or row.get("error", "")
    return ["" if cells[column] is None else str(cells[column]) for column in COLUMNS]


def summaries(rows: list[dict]) -> list[str]:
    """One line for each level of noise."""
    lines = []
    for noise in dict.fromkeys(row["noise"] for row in rows):
        group = [row for row in rows if row["noise"] == noise]
        found = sum(row["recovered"] for row in group)
        slowest = max(row["seconds"] for row in group)
        lines.append(f"noise {noise}: {found} of {len(group)} recovered, slowest {slowest:.0f} s")
    return lines


def main() -> None:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formulas", nargs="+", type=int, default=list(FORMULAS), metavar="N")
    parser.add_argument("--noise", nargs="+", type=float, help="default: 0 1e-3 1e-2")
    parser.add_argument("--regressors", action="store_true", help="read trained networks")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each formula")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of search")
    parser.add_argument(
        "--metric", choices=("covariance", "columns"), default="covariance", help="of directions"
    )
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    unknown = set(options.formulas) - set(FORMULAS)
    if unknown:
        parser.error(f"formulas have the numbers 1 to {len(FORMULAS)}, not {sorted(unknown)}")

    levels: list[float | str] = options.noise or ([] if options.regressors else [0.0, 1e-3, 1e-2])
    levels += ["regressor"] if options.regressors else []
    seeds = range(options.seed, options.seed + options.seeds)
    rows = []
    for noise in levels:
        for number in options.formulas:
            for seed in seeds:
                rows.append(measure(number, noise, seed, options.time_limit, options.metric))
                print(*shown(rows[-1]), file=sys.stderr)
                write_rows(options.json, rows)

    print_rows("Formulas read from gradients", COLUMNS, map(shown, rows), summaries(rows))


if __name__ == "__main__":
    main()
