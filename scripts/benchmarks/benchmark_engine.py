#!/usr/bin/env python3
"""Measure the engine's candidate formulas per second, against the exact SymPy path.

    scripts/benchmarks/benchmark_engine.py [--rows N] [--seed N] [--repeats N] [--json FILE]

Random trees of 15 nodes over the default operators, in float32, trees per second:

- loss: value, gradient and loss of every tree, on all workers and on one, and on one per second of
  processor time;
- jacobian: the same and the exact derivatives of all residuals in the 4 constants that each
  tree has, reduced to normal equations;
- reference: one tree at a time, as a search without the engine would evaluate it: its SymPy
  expression, `sympy.diff` for every variable, `lambdify`, and the loss.

At the end a whole genetic search with breeding, duplicates, constant refinement and migration,
on x1**2 + sin(x2 + x3) with noisy directions, so that it never reaches its target: candidates that
it evaluates in a second, and in a second of processor time.

Compilation is done before the clock starts. Every number is the median of several repeats, each
on trees that were not seen before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import sympy
from deap import gp
from rich.console import Console
from rich.table import Table

from keras_symgrad.engine import Engine, reference, unit
from keras_symgrad.expressions import Alphabet, Constant, OperatorSet, to_sympy
from keras_symgrad.search.core import Stopping, Variation
from keras_symgrad.search.genetic import GeneticSearch

VARIABLES = (2, 3, 6, 20)
NODES = 15
CONSTANTS = 4
WORKERS = 2
OPERATORS = OperatorSet("default")
# Trees of one repeat: a fifth of a second for the engine, a second for the reference.
TREES = {"loss": 4096, "jacobian": 1024, "reference": 25}
GENERATIONS = 25


def alphabet_of(variables: int) -> Alphabet:
    return Alphabet(OPERATORS, [f"x{index}" for index in range(1, variables + 1)])


def random_trees(variation: Variation, count: int) -> list[gp.PrimitiveTree]:
    """Trees of 15 nodes."""
    trees: list[gp.PrimitiveTree] = []
    while len(trees) < count:
        tree = variation.random_tree(NODES)
        if len(tree) == NODES:
            trees.append(tree)
    return trees


def trees_with_constants(variation: Variation, count: int) -> list[gp.PrimitiveTree]:
    """Trees of 15 nodes, four of their leaves constants and all others variables."""
    trees: list[gp.PrimitiveTree] = []
    while len(trees) < count:
        (tree,) = random_trees(variation, 1)
        leaves = [at for at, node in enumerate(tree) if node.arity == 0]
        if len(leaves) > CONSTANTS:
            chosen = set(variation.random.sample(leaves, CONSTANTS))
            for at in leaves:
                variable = variation.random.choice(variation.alphabet.variables)
                constant = Constant(variation.random.gauss(0.0, 2.0))
                tree[at] = constant if at in chosen else variable
            trees.append(tree)
    return trees


def trees_per_second(
    evaluate: Callable[[list], object], batches: Sequence[list[gp.PrimitiveTree]]
) -> tuple[float, float]:
    """Medians over batches, after one more that warms up: by the clock and of processor time."""
    evaluate(batches[0])
    rates = []
    for trees in batches[1:]:
        start, processor = time.perf_counter(), time.process_time()
        evaluate(trees)
        processor = time.process_time() - processor
        rates.append((len(trees) / (time.perf_counter() - start), len(trees) / processor))
    return tuple(map(float, np.median(rates, axis=0)))


def measure(variables: int, rows: int, seed: int, repeats: int) -> dict:
    """All numbers for one number of variables."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.5, 2.0, (rows, variables)).astype(np.float32)
    directions = unit(rng.normal(size=(rows, variables))).astype(np.float32)
    alphabet = alphabet_of(variables)
    variation = Variation(alphabet, seed)

    def batches(name: str, made: Callable = random_trees, repeats: int = repeats) -> list[list]:
        return [made(variation, TREES[name]) for _ in range(repeats + 1)]

    def normal_equations(trees: list[gp.PrimitiveTree]) -> None:
        engine.normal_equations(engine.constant_tapes(trees), len(trees))

    def one_by_one(trees: list[gp.PrimitiveTree]) -> None:
        for tree in trees:
            expression = to_sympy(tree, OPERATORS)
            reference.loss(expression, alphabet.names, points, directions)

    row = {"variables": variables}
    plain = batches("loss")
    with Engine(OPERATORS, points, directions, lanes=CONSTANTS, workers=WORKERS) as engine:
        engine.compile()
        row["loss"], _ = trees_per_second(engine.losses, plain)
        row["jacobian"], _ = trees_per_second(
            normal_equations, batches("jacobian", trees_with_constants)
        )
        row["finite"] = float(np.mean(np.isfinite(engine.losses(plain[0]))))
    with Engine(OPERATORS, points, directions, lanes=CONSTANTS, workers=1) as engine:
        rates = trees_per_second(engine.losses, plain)
        row["loss_one_worker"], row["loss_per_processor_second"] = rates
    exact = batches("reference", repeats=min(repeats, 3))
    row["reference"], _ = trees_per_second(one_by_one, exact)
    row["ratio"] = row["loss"] / row["reference"]
    return row


def search_evaluations_per_second(rows: int, seed: int, repeats: int) -> tuple[float, float]:
    """Candidates that a whole search evaluates in a second, and in one of processor time."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-2.0, 0.0, (rows, 3))
    slope = np.cos(points[:, 1] + points[:, 2])
    directions = unit(np.stack([2 * points[:, 0], slope, slope], axis=1))
    directions = unit(directions + rng.normal(0.0, 0.05, directions.shape))
    stopping = Stopping(time_limit=None, patience=None, generations=GENERATIONS, target_loss=0.0)
    rates = []
    with Engine(OPERATORS, points, directions, workers=WORKERS) as engine:
        engine.compile()
        GeneticSearch(engine, alphabet_of(3), seed=seed).run(Stopping(generations=2))
        for repeat in range(repeats):
            search = GeneticSearch(engine, alphabet_of(3), seed=seed + repeat)
            start, processor = time.perf_counter(), time.process_time()
            search.run(stopping)
            seconds = time.perf_counter() - start, time.process_time() - processor
            rates.append(search.evaluations / np.array(seconds))
    return tuple(map(float, np.median(rates, axis=0)))


def table_of(rows: Sequence[dict]) -> Table:
    table = Table(title="Trees per second")
    for heading in (
        *("variables", f"loss, {WORKERS} workers", "loss, 1 worker", "per processor second"),
        *(f"loss and Jacobian in {CONSTANTS} constants", "reference", "loss / reference"),
    ):
        table.add_column(heading, justify="right")
    for row in rows:
        names = ("loss", "loss_one_worker", "loss_per_processor_second", "jacobian")
        engine = (f"{row[name]:,.0f}" for name in names)
        exact = f"{row['reference']:.1f}", f"{row['ratio']:,.0f}"
        table.add_row(str(row["variables"]), *engine, *exact)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="points of the gradient field")
    parser.add_argument("--seed", type=int, default=0, help="of trees and points")
    parser.add_argument("--repeats", type=int, default=7, help="of each engine measurement")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    if options.rows < 1 or options.repeats < 1:
        parser.error("--rows and --repeats must be at least 1")

    console = Console(width=100)
    console.print(
        f"Trees of {NODES} nodes over {len(OPERATORS)} operators ({', '.join(OPERATORS.names)}), "
        f"{options.rows:,} rows, float32, {os.cpu_count()} cores.\n"
        f"Medians of {options.repeats} repeats on new trees; compilation is not counted."
    )
    rows = []
    for variables in VARIABLES:
        rows.append(measure(variables, options.rows, options.seed, options.repeats))
        print(f"{variables} variables measured", file=sys.stderr, flush=True)
    growth = rows[0]["loss"] / rows[-1]["loss"]
    searched, processed = search_evaluations_per_second(
        options.rows, options.seed, min(options.repeats, 3)
    )

    console.print(table_of(rows))
    console.print(
        f"Cost of a tree from {VARIABLES[0]} to {VARIABLES[-1]} variables: x {growth:.2f}"
    )
    console.print(
        f"Genetic search, 3 variables, {GENERATIONS} generations, {WORKERS} workers: "
        f"{searched:,.0f} evaluated candidates per second, {processed:,.0f} of processor time"
    )
    if options.json:
        report = {
            "rows": rows,
            "search_evaluations_per_s": searched,
            "search_evaluations_per_processor_s": processed,
            "growth": growth,
            "points": options.rows,
            "nodes": NODES,
            "constants": CONSTANTS,
            "workers": WORKERS,
            "dtype": "float32",
            "operators": OPERATORS.names,
            "repeats": options.repeats,
            "seed": options.seed,
            "cores": os.cpu_count(),
            "machine": platform.platform(),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": version("tensorflow"),
                "sympy": sympy.__version__,
            },
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
