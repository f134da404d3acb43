#!/usr/bin/env python3
"""Measure recovery of the invariants that Siamese networks have learned.

    scripts/benchmarks/benchmark_latent.py [--systems 001 ... 012] [--seeds N] [--seed FIRST]
        [--activations swish ...] [--recipe published] [--projected on off] [--metric covariance]
        [--networks DIR] [--json FILE]

For every published latent system and seed an encoder of its own is trained (`train_latent.py`) and
read at 4,000 fresh anchors with default settings, within 60 s of search. The formula that was
chosen is judged by class, never by text: *concept* if mean(1 - |cos|) between its gradient and the
invariant's is below 2e-3 on 10,000 fresh anchors, along the surface that the data lie on where
there is one, with at most 1.5 times the invariant's complexity.

`network` is the same error of the network itself, which no search can remove. `full` is that error
with steps off the surface counted in, on which the network was not trained.
`loss` is the mean squared difference of unit gradients of formula and network; beside it stands
that of the published formulas, which were searched in full space. `--projected off` does so too,
and is judged along the surface all the same.

Every row is written to the JSON file at once; a run that fails is a row *missed* with the error as
its expression. `seconds` is the time of `interpret` as in a new process after its imports.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from keras_symgrad import Sampling

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import keras
import numpy as np
from benchmark_systems import complexity_of
from rich.console import Console
from rich.table import Table
from rows import write_rows
from train_latent import RECIPES, errors_of, load_or_train

import keras_symgrad
from keras_symgrad.datasets import LATENT_SYSTEMS, LatentSystem, judge_latent
from keras_symgrad.engine import interpreter

ACTIVATIONS = ("swish", "elu", "softplus", "tanh", "relu")
TANGENTS = {"on": "auto", "off": None}
POINTS = 4_000
# Added to a seed for anchors that no network was trained on.
UNSEEN = 500_009


def read(
    encoder: keras.Model, system: LatentSystem, seed: int, projected: str, metric: str
) -> dict:
    """The formula chosen by the tool, with the judge's verdict."""
    concept = keras_symgrad.interpret(
        encoder,
        system.points(POINTS, seed=UNSEEN + seed),
        names=system.names,
        seed=seed,
        verbose=False,
        sampling=Sampling(tangent=TANGENTS[projected], metric=metric),
    )
    truth = complexity_of(system.expression, system.names)
    verdict = judge_latent(
        concept.best.expression,
        system,
        complexity=concept.best.complexity,
        truth_complexity=truth,
    )
    return {
        "recovered": verdict.kind,
        "cosine_error": verdict.concept_error,
        "loss": concept.best.loss,
        "complexity": concept.best.complexity,
        "truth_complexity": truth,
        "expression": concept.best.to_text(),
    }


def measure(encoder: keras.Model, system: LatentSystem, seed: int, **kind: str) -> dict:
    """One row; a failure is a row too."""
    full, network = errors_of(encoder, system)
    row = {"system": system.id, "seed": seed, **kind, "full": full, "network": network}
    # A new process would have compiled nothing yet.
    interpreter.compiled_sums.cache_clear()
    start = time.perf_counter()
    try:
        answer = read(encoder, system, seed, kind["projected"], kind["metric"])
    except Exception as error:  # The other rows must be kept after any error.
        traceback.print_exc()
        answer = dict.fromkeys(("loss", "complexity", "truth_complexity"))
        answer |= {"recovered": "missed", "cosine_error": 1.0}
        answer["expression"] = f"{type(error).__name__}: {error}"
    return {**row, **answer, "seconds": round(time.perf_counter() - start, 2)}


def table_of(rows: Iterable[dict]) -> Table:
    """One line for each system, activation and way of reading, beside the published losses."""
    table = Table(
        title="Invariants read from freshly trained Siamese networks",
        caption="1 - |cos| to the true invariant, on the data's tangent space: of the network and "
        "of the formula. Medians over seeds; the expression is that of the first recovered seed.",
    )
    for heading in ("system", "invariant", "recipe", "activation", "projected"):
        table.add_column(heading)
    for heading in ("recovered", "full", "network", "formula", "loss", "published"):
        table.add_column(heading, justify="right")
    for heading in ("length", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("expression")
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("system", "recipe", "activation", "projected"))
        groups.setdefault(key, []).append(row)
    for (id, *kind), group in groups.items():
        system = LATENT_SYSTEMS[id]
        found = [row for row in group if row["recovered"] == "concept"]
        table.add_row(
            *(id, system.title, *kind, f"{len(found)} of {len(group)}"),
            *(_median(group, name, "{:.1e}") for name in ("full", "network", "cosine_error")),
            *(_median(group, "loss", "{:.1e}"), f"{system.published_loss:.1e}"),
            *(_median(group, "complexity", "{:g}"), _median(group, "seconds", "{:.0f}")),
            (found or group)[0]["expression"],
        )
    return table


def _median(rows: list[dict], key: str, form: str) -> str:
    numbers = [row[key] for row in rows if row[key] is not None]
    return form.format(float(np.median(numbers))) if numbers else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--systems", nargs="+", choices=LATENT_SYSTEMS, default=list(LATENT_SYSTEMS)
    )
    parser.add_argument("--seeds", type=int, default=3, help="networks of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--activations", nargs="+", choices=ACTIVATIONS, help="swish, or relu as published"
    )
    parser.add_argument("--recipe", choices=RECIPES, default="own", help="how to train")
    parser.add_argument("--projected", nargs="+", choices=TANGENTS, default=["on"])
    parser.add_argument(
        "--metric", choices=("covariance", "columns"), default="covariance", help="of directions"
    )
    parser.add_argument("--networks", type=Path, help="where trained networks are kept")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    usual = "relu" if options.recipe == "published" else "swish"

    rows = []
    for id, activation, seed in itertools.product(
        options.systems,
        options.activations or [usual],
        range(options.seed, options.seed + options.seeds),
    ):
        system = LATENT_SYSTEMS[id]
        encoder = load_or_train(system, activation, seed, options.networks, options.recipe)
        for projected in options.projected:
            kind = {
                "recipe": options.recipe,
                "activation": activation,
                "projected": projected,
                "metric": options.metric,
            }
            row = measure(encoder, system, seed, **kind)
            rows.append(row)
            print(
                *(row[key] for key in ("system", "seed", "activation", "projected", "recovered")),
                *(f"{row[name]:.1e}" for name in ("full", "network", "cosine_error")),
                *(row["complexity"], f"loss {row['loss']:.1e}" if row["loss"] else ""),
                *(f"{row['seconds']:.1f} s", row["expression"]),
                file=sys.stderr,
                flush=True,
            )
            write_rows(options.json, rows)
    Console(width=180).print(table_of(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
