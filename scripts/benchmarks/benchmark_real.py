#!/usr/bin/env python3
"""Fidelity of the best short formula to networks of real tables, beside simple models of them.

    scripts/benchmarks/benchmark_real.py [--tables wine iris ...] [--seed 0] [--seeds 1]
        [--time-limit 5] [--methods dictionary] [--networks DIR] [--json FILE]

One ReLU network with dropout and a `Normalization` layer for each table of `real_tables`, trained
on seven tenths of its rows. The network is interpreted with the rows that it was trained on. On the
others `formula` is the fidelity of the chosen formula (R2 of phi(g), or the share of decisions that
are alike), `linear` that of a linear or logistic model and `tree` that of a decision tree of depth
3, both fitted to the network's outputs on the rows that the formula was fitted to: four fifths of
those that the network was trained on, because `interpret` keeps the others apart.

Of a small table so few rows are left out that one of them may be more than 0.005. There several
networks are trained, each on another split, until 500 fresh rows are counted, 20 networks at most,
and the row of the table has the means over them. Its complexity is the greatest, its seconds their
mean, and its expression that of the first.

Five tables come with statsmodels and vega_datasets: `pip install '.[benchmarks]'`. Without these
packages they are left out, and named.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from real_tables import PACKAGES, TABLES, Task, here, task
from rows import print_rows, write_rows
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import keras_symgrad as ks

COLUMNS = ("network", "splits", "inputs", "metric", "formula", "linear", "tree", "complexity")
COLUMNS += ("regions", "matches", "seconds", "expression")
# What a formula may be behind the better of the simple models, and what it must gain to be ahead.
BEHIND = 0.005
AHEAD = 0.02
# Fresh rows that tables are split several times for, and at most; how far the seeds are apart.
FRESH_ROWS = 500
MOST_SPLITS = 20
SEED_STEP = 1000
# Characters of an expression in the table.
SHOWN = 70


def fidelities(concept: ks.Interpretation, made: Task) -> dict[str, float | str]:
    """Fidelity of formula, linear model and tree on rows that the network never saw."""
    fresh = ks.Neuron.of(made.model).values(made.fresh).astype(float)
    known = concept.sample.counted.train
    if not made.is_classifier:
        models = {"linear": LinearRegression(), "tree": DecisionTreeRegressor(max_depth=3)}
        fits = {name: model.fit(known.points, known.values) for name, model in models.items()}
        found = {name: model.predict(made.fresh) for name, model in fits.items()}
        found["formula"] = concept.phi(concept.best(made.fresh))
        r2 = {k: float(1 - np.mean((v - fresh) ** 2) / fresh.var()) for k, v in found.items()}
        return {"metric": "R2", **r2}
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    models = {"linear": logistic, "tree": DecisionTreeClassifier(max_depth=3, random_state=0)}
    fits = {name: model.fit(known.points, known.values > 0) for name, model in models.items()}
    found = {name: model.predict(made.fresh) for name, model in fits.items()}
    if concept.rule is not None:
        found["formula"] = concept.rule.decides(made.fresh)
    else:
        found["formula"] = concept.phi(concept.best(made.fresh)) > 0
    alike = {name: float(np.mean(yes == (fresh > 0))) for name, yes in found.items()}
    return {"metric": "agreement", **alike}


def measure(name: str, seed: int, options: argparse.Namespace) -> dict:
    """The row of one network."""
    made = task(name, seed, options.networks)
    began, processor = time.monotonic(), time.process_time()
    concept = ks.interpret(
        made.model,
        made.known,
        names=made.names,
        seed=seed,
        time_limit=options.time_limit,
        search=ks.Search(methods=options.methods),
        verbose=False,
    )
    return {
        "seed": seed,
        "rows": len(made.known) + len(made.fresh),
        "fresh_rows": len(made.fresh),
        "inputs": len(made.names),
        **fidelities(concept, made),
        "complexity": concept.best.complexity,
        # Fidelity is that of the single formula all the same.
        "regions": len(concept.regions),
        "matches": str(concept.matches),
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "fidelity": concept.fidelity.to_dict(),
        "expression": str(concept.best),
    }


def row_of(name: str, seed: int, options: argparse.Namespace) -> dict:
    """The row of a table, of one network or of several splits."""
    each = [measure(name, seed, options)]
    if each[0]["fresh_rows"] < FRESH_ROWS:
        splits = min(-(-FRESH_ROWS // each[0]["fresh_rows"]), MOST_SPLITS)
        seeds = range(seed + SEED_STEP, seed + splits * SEED_STEP, SEED_STEP)
        each += [measure(name, one, options) for one in seeds]
    return joined(f"{name}-{seed}", name, each)


def joined(network: str, table: str, each: list[dict]) -> dict:
    """One row for all splits of a table."""
    means = ("formula", "linear", "tree", "seconds", "processor_seconds")
    return {
        "network": network,
        "table": table,
        "splits": len(each),
        **each[0],
        **{key: float(np.mean([one[key] for one in each])) for key in means},
        **{key: max(one[key] for one in each) for key in ("complexity", "regions")},
        "fresh_rows": sum(one["fresh_rows"] for one in each),
        "matches": ", ".join(dict.fromkeys(one["matches"] for one in each)),
        "each": each,
    }


def summary(rows: list[dict]) -> list[str]:
    """Summary of the rows."""
    faithful, ahead = 0, 0
    for row in rows:
        best = max(row["linear"], row["tree"])
        faithful += row["formula"] >= best - BEHIND
        ahead += row["formula"] >= best + AHEAD or 1 - row["formula"] <= (1 - best) / 2 < 0.5
    seconds = [row["seconds"] for row in rows]
    return [
        f"as faithful as the better simple model (within {BEHIND}): {faithful} of {len(rows)}",
        f"clearly ahead (by {AHEAD}, or with half the error): {ahead} of {len(rows)}",
        f"greatest complexity: {max(row['complexity'] for row in rows):g}",
        f"median seconds: {np.median(seconds):.1f}",
        *means(rows),
    ]


def means(rows: list[dict]) -> list[str]:
    """Means over the seeds of each table, where there are several."""
    found = []
    for table in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == table]
        if len(own) > 1:
            numbers = ", ".join(
                f"{name} {np.mean([row[name] for row in own]):.4f}"
                for name in ("formula", "linear", "tree")
            )
            fresh = sum(row["fresh_rows"] for row in own)
            networks = sum(row["splits"] for row in own)
            found.append(f"{table}, mean of {networks} networks, {fresh} fresh rows: {numbers}")
    return found


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = row | {name: f"{row[name]:.3f}" for name in ("formula", "linear", "tree")}
    cells |= {"complexity": f"{row['complexity']:g}", "seconds": f"{row['seconds']:.1f}"}
    long = len(row["expression"]) > SHOWN
    cells["expression"] = row["expression"][:SHOWN] + ("..." if long else "")
    return [str(cells[column]) for column in COLUMNS]


def main() -> None:
    """Runs all, prints the table, writes the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=here())
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="networks of each table")
    parser.add_argument("--time-limit", type=float, default=5.0, help="seconds of each search")
    parser.add_argument("--methods", nargs="+", default=["dictionary"])
    parser.add_argument("--networks", type=Path, help="folder of trained networks")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    rows = []
    for seed in range(options.seed, options.seed + options.seeds):
        for name in options.tables:
            rows.append(row_of(name, seed, options))
            print(*shown(rows[-1]), sep="  ", flush=True)
            write_rows(options.json, rows)
    lines = summary(rows)
    if away := [name for name in TABLES if name not in here()]:
        packages = " ".join(dict.fromkeys(PACKAGES[name] for name in away))
        lines.append(f"left out: {', '.join(away)} (pip install {packages})")
    print_rows("Fidelity to networks of real tables", COLUMNS, map(shown, rows), lines)


if __name__ == "__main__":
    main()
