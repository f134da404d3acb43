#!/usr/bin/env python3
"""Measure the gain of averaging over a neighbourhood for networks whose gradients jump.

    scripts/benchmarks/study_relu.py [--systems A1 B D] [--activations relu leaky_relu] [--seeds 1]
        [--seed 1]
        [--widths 0.05 0.1 0.14 0.2 0.28 0.4] [--time-limit 30] [--networks DIR] [--json FILE]

A network is trained for every system, activation and seed (`training.py`). Its gradients are read
on 2,000 rows of the slab around its boundary, raw and averaged over each width. For each of them
stands the loss that the *true* concept has there, which is the noise that a search has to cope
with, with equal weights of rows and with `weights_of` the spread of the raw directions. A star
marks the width that `choose_width` takes, `best` is the least loss of all widths.

Then `interpret` reads the network as it is and averaged over the chosen width, and its formula is
judged by class. `matches` is what the result says of itself. A network that was not read with
success is a row *missed* with the error as its expression.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import numpy as np
from rich.console import Console
from rich.table import Table
from training import ROWS, load_or_train

from keras_symgrad import interpret
from keras_symgrad.datasets import SYSTEMS, System, judge, truth_complexity
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.gradients import (
    GradientField,
    averaged,
    choose_width,
    gradient_spread,
    weights_of,
)
from keras_symgrad.neurons import Neuron

# Number of training points that the tool is given.
GIVEN_ROWS = 8_000


def truth_loss(field: GradientField, system: System, weights: np.ndarray | None = None) -> float:
    """Loss of the true concept on a field, for the better sign."""
    truth = field.directions_of(system.gradients(field.points))
    return min(
        float(np.average(np.mean((field.directions - way) ** 2, axis=1), weights=weights))
        for way in (truth, -truth)
    )


def read(field: GradientField, system: System, time_limit: float, seed: int) -> dict:
    """The judged result of `interpret` on a field; a failure is recorded too."""
    try:
        result = interpret(field, time_limit=time_limit, seed=seed, verbose=False)
    except Exception as error:
        return {"recovered": "missed", "expression": f"{type(error).__name__}: {error}"}
    verdict = judge(
        result.best.expression,
        system,
        complexity=result.best.complexity,
        truth_complexity=truth_complexity(system, OperatorSet("default"), Complexity()),
    )
    return {
        "recovered": verdict.kind,
        "matches": result.matches,
        "cosine_error": verdict.concept_error,
        "loss": result.best.loss,
        "complexity": result.best.complexity,
        "expression": str(result.best),
    }


def measure(
    system: System, activation: str, seed: int, widths: Sequence[float], options: argparse.Namespace
) -> dict:
    """All results of one network."""
    neuron = Neuron.of(load_or_train(system, activation, seed, options.networks))
    x = system.data(ROWS, seed)[0][:GIVEN_ROWS]
    field = GradientField.from_neuron(neuron, x, names=system.names, seed=seed)
    chosen = choose_width(neuron, x)
    averages = []
    for width in sorted({*widths, chosen}):
        smooth = averaged(field, neuron, x, width)
        weights = weights_of(gradient_spread(neuron, field.points, x, width))
        averages.append(
            {
                "width": width,
                "loss": truth_loss(smooth, system),
                "weighted": truth_loss(smooth, system, weights),
                "raw_weighted": truth_loss(field, system, weights),
            }
        )
    return {
        "system": system.id,
        "activation": activation,
        "seed": seed,
        "raw": truth_loss(field, system),
        "averages": averages,
        "chosen_width": chosen,
        "read_raw": read(field, system, options.time_limit, seed),
        "read_averaged": read(averaged(field, neuron, x, chosen), system, options.time_limit, seed),
    }


def losses_table(rows: list[dict]) -> Table:
    """Loss of the truth by width."""
    widths = sorted({average["width"] for row in rows for average in row["averages"]})
    table = Table(title="Loss of the true concept, and with rows weighted by their spread")
    for heading in ("system", "activation", "seed", "raw", *(f"{w:g}" for w in widths), "gain"):
        table.add_column(heading, justify="right")
    for row in rows:
        cells, gain = [], 1.0
        by_width = {average["width"]: average for average in row["averages"]}
        for width in widths:
            average = by_width.get(width)
            star = "*" if width == row["chosen_width"] else ""
            cells.append(
                f"{average['loss']:.1e}{star}\n{average['weighted']:.1e}" if average else ""
            )
            gain = row["raw"] / average["loss"] if star else gain
        name = (row["system"], row["activation"], str(row["seed"]))
        table.add_row(*name, f"{row['raw']:.1e}", *cells, f"{gain:.1f}")
    return table


def readings_table(rows: list[dict]) -> Table:
    """Table of the results of `interpret`, raw and averaged."""
    table = Table(title="What interpret finds")
    headings = ("system", "activation", "seed", "gradients", "recovered", "matches", "loss")
    for heading in (*headings, "complexity", "expression"):
        table.add_column(heading)
    for row in rows:
        for gradients in ("raw", "averaged"):
            found = row[f"read_{gradients}"]
            loss = f"{found['loss']:.1e}" if "loss" in found else ""
            table.add_row(
                *(row["system"], row["activation"], str(row["seed"]), gradients),
                *(found["recovered"], found.get("matches", ""), loss),
                *(f"{found.get('complexity', 0):g}", found["expression"]),
            )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["A1", "B", "D"])
    parser.add_argument("--activations", nargs="+", default=["relu", "leaky_relu"])
    parser.add_argument("--seeds", type=int, default=1, help="networks of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--widths", nargs="+", type=float, default=[0.05, 0.1, 0.14, 0.2, 0.28, 0.4]
    )
    parser.add_argument("--time-limit", type=float, default=30.0, help="seconds of each search")
    parser.add_argument("--networks", type=Path, help="where trained networks are kept")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()

    rows = []
    seeds = range(options.seed, options.seed + options.seeds)
    for name, activation, seed in itertools.product(options.systems, options.activations, seeds):
        rows.append(measure(SYSTEMS[name], activation, seed, options.widths, options))
        print(name, activation, seed, *rows[-1]["read_averaged"].values(), file=sys.stderr)
        if options.json:
            options.json.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")
    console = Console(width=150)
    console.print(losses_table(rows))
    console.print(readings_table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
