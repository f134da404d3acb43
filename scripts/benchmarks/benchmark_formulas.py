"""Measure recovery of formulas of physics from exact, noisy and trained gradients.

    .venv/bin/python scripts/benchmarks/benchmark_formulas.py [--set twenty | feynman | products |
        others] [--formulas I.6.2 B3 ...] [--noise 0 1e-3 1e-2] [--regressors] [--seeds 1]
        [--seed 0] [--time-limit 60] [--methods dictionary features trees] [--metric covariance]
        [--json FILE]

The set "feynman" holds all 119 formulas of more than one variable, "products" those of them whose
class is that of a product of powers, and "others" the rest.

Without `--regressors` the search is given 1,000 exact directions of the gradient, with Gaussian
noise whose length is, root mean square, `noise` times the length 1 of a direction. With it, a
network is trained on the formula's values and `interpret` reads the network; `--noise` then adds
nothing unless it is given as well.

Operators are the default ones. They write every formula up to its class: the arcsine of I.26.2
is a monotone function around the whole, which does not change directions of gradients.

A formula is judged by its class: recovered is one whose gradient has mean(1 - |cos|) below 2e-3
with the truth's on 10,000 fresh uniform points, and whose complexity is at most 1.5 times the
truth's. Points where the truth has no gradient, or no value, are left out. `r2` is that of a
trained network on fresh points; those below 0.9999 are counted apart. The column `class` tells
recovered ones below 1e-9 ("exact") from the others ("alike"), and "long" is one that is
recovered but for its length. `field_error` is what the given directions themselves have with the
truth's, `truth_loss` the loss of the truth on them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from rows import print_rows, write_rows

from keras_symgrad import Sampling, Search, interpret
from keras_symgrad.datasets import (
    COMPLEXITY_RATIO,
    FORMULAS,
    RECOVERY_TOLERANCE,
    TWENTY,
    System,
    concept_error,
    field_of,
    is_product_of_powers,
    truth_complexity,
)
from keras_symgrad.engine import direction_error, loss
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search.strategies import METHODS

FIELD_ROWS = 1_000
TRAINING_ROWS = 20_000
WIDTH = 64
DEPTH = 3
ACTIVATION = "swish"
BATCH = 256
EPOCHS = 120
LEARNING_RATE = 3e-3
OPERATORS = OperatorSet("default")
# Largest error of a formula that is called exact.
EXACT = 1e-9
# Rows on which R2 is measured, and the R2 of a network that has learned its formula.
R2_ROWS = 10_000
LEARNED = 0.9999
PRODUCTS = tuple(name for name, formula in FORMULAS.items() if is_product_of_powers(formula))
OTHERS = tuple(name for name in FORMULAS if name not in PRODUCTS)
SETS = {"twenty": TWENTY, "feynman": tuple(FORMULAS), "products": PRODUCTS, "others": OTHERS}
COLUMNS = (
    *("formula", "kind", "noise", "seed", "class", "cosine_error", "complexity"),
    *("truth_complexity", "loss", "truth_loss", "field_error", "r2", "seconds", "expression"),
)


def regressor(formula: System, seed: int) -> tuple[keras.Model, np.ndarray, float]:
    """A network trained on the formula's values, its points, and its R2 on fresh ones."""
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
    fresh = formula.sample(R2_ROWS, seed=seed + 1).astype(np.float32)
    true = (formula.values(fresh) - y.mean()) / y.std()
    predicted = model.predict(fresh, batch_size=R2_ROWS, verbose=0)[:, 0]
    return model, x, float(1 - np.mean((predicted - true) ** 2) / true.var())


def measure(
    name: str,
    noise: float | str,
    seed: int,
    time_limit: float,
    metric: str = "covariance",
    methods: Sequence[str] = METHODS,
) -> dict:
    """One run, judged; a run that fails is a row that says why."""
    formula = FORMULAS[name]
    row = dict.fromkeys(COLUMNS)
    row |= {"formula": name, "noise": noise, "seed": seed, "recovered": False, "class": "missed"}
    row["kind"] = "product" if name in PRODUCTS else "other"
    row["truth_complexity"] = truth_complexity(formula, OPERATORS, Complexity())
    options = {"operators": OPERATORS, "time_limit": time_limit, "seed": seed, "verbose": False}
    options["search"] = Search(methods=methods)
    start = time.perf_counter()
    try:
        if noise == "regressor":
            model, x, row["r2"] = regressor(formula, seed)
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
        row["class"] = class_of(row)
        row["recovered"] = row["class"] in ("exact", "alike")
    except Exception as error:
        row["seconds"] = round(time.perf_counter() - start, 1)
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def class_of(row: dict) -> str:
    """How near an answer is to the truth."""
    if row["cosine_error"] >= RECOVERY_TOLERANCE:
        return "missed"
    if row["complexity"] > COMPLEXITY_RATIO * row["truth_complexity"]:
        return "long"
    return "exact" if row["cosine_error"] < EXACT else "alike"


def loss_on(formula: System, field: GradientField) -> float:
    """Loss of the truth on a field."""
    points, directions = field.points, field.directions
    return loss(formula.expression, formula.names, points, directions, frame=field.frame)


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = dict(row)
    for column in ("cosine_error", "loss", "truth_loss", "field_error"):
        cells[column] = "" if row[column] is None else f"{row[column]:.1e}"
    cells["r2"] = "" if row["r2"] is None else f"{row['r2']:.6f}"
    cells["expression"] = row["expression"] or row.get("error", "")
    return ["" if cells[column] is None else str(cells[column]) for column in COLUMNS]


def summaries(rows: list[dict]) -> list[str]:
    """One line for each level of noise and kind of formula."""
    lines = []
    for noise, kind in dict.fromkeys((row["noise"], row["kind"]) for row in rows):
        group = [row for row in rows if (row["noise"], row["kind"]) == (noise, kind)]
        found = sum(row["recovered"] for row in group)
        counts = Counter(row["class"] for row in group)
        classes = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        seconds = sorted(row["seconds"] for row in group)
        lines.append(
            f"noise {noise}, {kind}: {found} of {len(group)} recovered ({classes}); seconds: "
            f"median {seconds[len(seconds) // 2]:.1f}, slowest {seconds[-1]:.0f}"
        )
        learned = [row["recovered"] for row in group if (row["r2"] or 0) >= LEARNED]
        if noise == "regressor":
            lines.append(f"R2 at least {LEARNED}: {sum(learned)} of {len(learned)} recovered")
    return lines


def main() -> None:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=SETS, default="twenty", help="of formulas")
    parser.add_argument(
        "--formulas", nargs="+", choices=FORMULAS, metavar="NAME", help="instead of a set"
    )
    parser.add_argument("--noise", nargs="+", type=float, help="default: 0 1e-3 1e-2")
    parser.add_argument("--regressors", action="store_true", help="read trained networks")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each formula")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of search")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument(
        "--metric", choices=("covariance", "columns"), default="covariance", help="of directions"
    )
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    levels: list[float | str] = options.noise or ([] if options.regressors else [0.0, 1e-3, 1e-2])
    levels += ["regressor"] if options.regressors else []
    seeds = range(options.seed, options.seed + options.seeds)
    rows = []
    for noise in levels:
        for name in options.formulas or SETS[options.set]:
            for seed in seeds:
                rows.append(
                    measure(name, noise, seed, options.time_limit, options.metric, options.methods)
                )
                print(*shown(rows[-1]), file=sys.stderr)
                write_rows(options.json, rows)

    print_rows("Formulas read from gradients", COLUMNS, map(shown, rows), summaries(rows))


if __name__ == "__main__":
    main()
