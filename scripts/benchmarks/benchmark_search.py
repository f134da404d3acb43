"""Measure the time until a search finds the true form, and the overhead of the portfolio.

    .venv/bin/python scripts/benchmarks/benchmark_search.py [--parts exact networks exotic]
        [--seeds 5]
        [--seed 0] [--networks DIR] [--json FILE]

exact: 1,000 rows of exact gradients of the six published concepts; seconds until the archive holds
a formula of loss below 1e-6. networks: the same concepts read from trained networks; seconds of
search until the front holds the true form (judged by class on fresh points and by length; for E
the form that its boundary shows counts as well). exotic: concepts over operators that no dictionary
is made for; seconds until the loss is below 1e-6 with the whole portfolio and with evolved trees
alone, one after the other in one run.

All searches run in one warm process: the engine's programs are compiled before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import numpy as np
import sympy
from rich.console import Console
from rich.table import Table
from rows import write_rows
from training import load_or_train

from keras_symgrad.datasets import SYSTEMS, System, judge, real_symbols
from keras_symgrad.engine import gradient
from keras_symgrad.expressions import Alphabet, Operator, OperatorSet, from_sympy, to_sympy
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search import PortfolioSearch
from keras_symgrad.search.callbacks import LambdaCallback, Logs
from keras_symgrad.search.core import Stopping
from keras_symgrad.search.strategies import METHODS

PARTS = ("exact", "networks", "exotic")
TARGET = 1e-6
SECONDS = 60.0
ROWS = 1000
SEARCH_ROWS = 512
WAVE = Operator("wave", lambda a: sympy.sin(a) * sympy.exp(-(a**2) / 4))
RIPPLE = Operator("ripple", lambda a, b: sympy.sin(a * b) / (1 + a**2))
BLEND = Operator("blend", lambda a, b: a * sympy.tanh(b))
EXOTIC = OperatorSet([WAVE, RIPPLE, BLEND])
X1, X2, X3 = real_symbols(["x1", "x2", "x3"])
# The first has groups of variables to be read off; in the others every pair sees the third.
EXOTIC_CONCEPTS = {
    "ripple(wave(x1), blend(x2, x3))": RIPPLE(WAVE(X1), BLEND(X2, X3)),
    "ripple(blend(x1, x2), blend(x2, x3))": RIPPLE(BLEND(X1, X2), BLEND(X2, X3)),
    "blend(ripple(x1, x2), ripple(x3, x1))": BLEND(RIPPLE(X1, X2), RIPPLE(X3, X1)),
}


def seconds_until(
    search: PortfolioSearch, reached: Callable[[Logs], bool], target: float = 0.0
) -> float:
    """Seconds of search until a condition holds, without those of checking it."""
    seconds, checking = np.inf, 0.0

    def check(generation: int, logs: Logs) -> None:
        nonlocal seconds, checking
        start = time.perf_counter()
        if reached(logs):
            seconds = logs["seconds"] - checking
            search.stop("found")
        checking += time.perf_counter() - start

    stopping = Stopping(SECONDS, patience=None, target_loss=target)
    search.run(stopping, [LambdaCallback(on_generation_end=check)])
    return seconds


def until_loss(search: PortfolioSearch) -> float:
    """Seconds until a loss is below 1e-6."""
    return seconds_until(search, lambda logs: logs["loss"] <= TARGET)


def exact(seed: int) -> Iterator[dict]:
    """The published concepts from exact gradients."""
    for name, system in SYSTEMS.items():
        points = system.sample(ROWS, seed=seed)
        field = GradientField.from_gradients(points, system.gradients(points), names=system.names)
        search = PortfolioSearch(alphabet_of(field), field, seed=seed)
        yield {"part": "exact", "name": name, "seconds": until_loss(search)}


def networks(seed: int, folder: Path | None) -> Iterator[dict]:
    """The published concepts from trained networks."""
    for name, system in SYSTEMS.items():
        model = load_or_train(system, "elu", seed, folder)
        points, _ = system.data(40_000, seed)
        field = GradientField.from_neuron(Neuron.of(model), points, names=system.names, seed=seed)
        field = field.subset(SEARCH_ROWS, seed)
        search = PortfolioSearch(alphabet_of(field), field, seed=seed)
        found = seconds_until(search, true_form_on_front(search, system))
        yield {"part": "networks", "name": name, "seconds": found}


def true_form_on_front(search: PortfolioSearch, system: System) -> Callable[[Logs], bool]:
    """Return whether a formula of the front is the concept, or for E its boundary."""
    wanted = ("concept", "boundary") if system.id == "E" else ("concept",)
    alphabet = search.problem.alphabet
    truth = search.problem.complexity(from_sympy(system.expression, alphabet))
    known: dict[str, bool] = {}

    def reached(_: Logs) -> bool:
        for individual in search.archive.front():
            text = str(individual.tree)
            if text not in known:
                expression = to_sympy(individual.tree, alphabet.operators)
                short = individual.complexity <= 1.5 * truth
                known[text] = short and judge(expression, system, rows=2000).kind in wanted
        return any(known[str(individual.tree)] for individual in search.archive.front())

    return reached


def exotic(seed: int) -> Iterator[dict]:
    """Concepts over operators of no dictionary, by the portfolio and by trees alone."""
    names = ["x1", "x2", "x3"]
    points = np.random.default_rng(seed).uniform(-2, 2, size=(ROWS, 3))
    alphabet = Alphabet(EXOTIC, names)
    for name, concept in EXOTIC_CONCEPTS.items():
        field = GradientField.from_gradients(points, gradient(concept, names, points), names=names)
        for methods in (METHODS, ("trees",)):
            search = PortfolioSearch(alphabet, field, methods=methods, seed=seed)
            part = "exotic, portfolio" if methods == METHODS else "exotic, trees alone"
            yield {"part": part, "name": name, "seconds": until_loss(search)}


def alphabet_of(field: GradientField) -> Alphabet:
    """The default operators over the field's variables."""
    return Alphabet(OperatorSet("default"), field.names)


def table_of(rows: Sequence[dict]) -> Table:
    """Medians over the seeds, and their geometric mean."""
    table = Table(title=f"Seconds until the form is found, at most {SECONDS:g}")
    for column in ("part", "concept", "median", "slowest", "missed"):
        table.add_column(column, justify="left" if column in ("part", "concept") else "right")
    for part in dict.fromkeys(row["part"] for row in rows):
        medians = []
        mine = [row for row in rows if row["part"] == part]
        for name in dict.fromkeys(row["name"] for row in mine):
            seconds = np.array([row["seconds"] for row in mine if row["name"] == name])
            medians.append(float(np.median(np.minimum(seconds, SECONDS))))
            missed = f"{np.isinf(seconds).sum()} of {len(seconds)}"
            slowest = f"{seconds.max():.2f}"
            table.add_row(part, name, f"{medians[-1]:.2f}", slowest, missed)
        table.add_row(part, "geometric mean", f"{np.exp(np.mean(np.log(medians))):.2f}", "", "")
        table.add_section()
    return table


def main() -> int:
    """Run the parts, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each concept")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--networks", type=Path, help="where trained networks are kept")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()

    rows: list[dict] = []
    # The first round only warms the process up.
    for seed in (options.seed, *range(options.seed, options.seed + options.seeds)):
        first = seed == options.seed and not rows
        runs = {
            "exact": lambda s=seed: exact(s),
            "networks": lambda s=seed: networks(s, options.networks),
            "exotic": lambda s=seed: exotic(s),
        }
        found = [{"seed": seed, **row} for part in options.parts for row in runs[part]()]
        for row in found:
            print(*row.values(), "(warming up)" if first else "", file=sys.stderr, flush=True)
        rows += [{**row, "warm": not first} for row in found]
    measured = [row for row in rows if row["warm"]]
    Console(width=110).print(table_of(measured))
    write_rows(options.json, measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
