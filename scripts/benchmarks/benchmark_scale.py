"""Measure time and memory of `interpret` as rows, variables and population grow, one at a time.

    .venv/bin/python scripts/benchmarks/benchmark_scale.py [--sweeps rows given variables
        population]
        [--concepts bell quadratic] [--sizes N ...] [--time-limit 60] [--seed 0]
        [--networks DIR] [--json FILE]

given: a shipped network (A1) is given that many rows of data and reads the default 2,000 of them.
rows: that many rows are read, of an exact function: a network is not the point, and a classifier's
slab holds few of its rows. variables: networks of three layers of 64, trained here on 40,000
points, of whose columns two or four matter; with default settings and the default limit of 60
seconds. population: trees alone, that many of them for four generations, on exact gradients of
system E; candidates a second tell whether a larger population costs more for each of its members.

Every measurement runs in a process of its own. `peak` is its largest resident memory by
`resource.getrusage`, in GB, when the search begins, when it ends, and in the end; `estimate` is
what `keras_symgrad.engine.memory.estimate` says beforehand. `cpu` are seconds of all cores
together, which other work on the machine disturbs less than `seconds`, the time of `interpret`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

SWEEPS = {
    "given": (1_000, 10_000, 100_000, 1_000_000),
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "variables": (2, 5, 10, 20, 50, 100),
    "population": (1_000, 10_000, 100_000),
}
# Concepts of the sweep over variables; one that has more variables than a network is left out.
CONCEPTS = ("bell", "quadratic")
ACTIVATION = "elu"
GENERATIONS = 4
MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
COLUMNS = (
    *("sweep", "size", "concept", "seconds", "cpu", "gradients", "search", "finishing"),
    *("peak_read", "peak_search", "peak", "estimate", "ratio", "per_second", "recovered"),
    "expression",
)


def peak() -> float:
    """Largest resident memory of this process so far, in GB."""
    # Kilobytes on Linux.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def cpu_seconds() -> float:
    """Processor seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(sweep: str, size: int, seed: int, folder: str, time_limit: float) -> dict:
    """One measurement; what a process of its own does."""
    from keras_symgrad import interpret
    from keras_symgrad.callbacks import LambdaCallback
    from keras_symgrad.engine import estimate

    what, options, sizes = _READ[sweep](size, seed, Path(folder))
    peaks = {}
    seen = LambdaCallback(
        on_search_begin=lambda logs: peaks.update(peak_read=peak()),
        on_search_end=lambda logs: peaks.update(peak_search=peak()),
    )
    options = {"time_limit": time_limit} | options
    before, start = cpu_seconds(), time.perf_counter()
    result = interpret(*what, seed=seed, callbacks=[seen], verbose=False, **options)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - before
    predicted = estimate(**sizes) / 1e9
    return {
        "seconds": seconds,
        "cpu": cpu,
        **result.timings,
        **peaks,
        "peak": peak(),
        "estimate": predicted,
        "ratio": peak() / predicted,
        "per_second": result.evaluations / result.timings["search"],
        "stopped": result.stopped,
        "complexity": result.best.complexity,
        "expression": str(result.best),
        "names": result.names,
    }


def _given(size: int, seed: int, folder: Path) -> tuple[tuple, dict, dict]:
    x = np.random.default_rng(seed).uniform(-2.0, 2.0, (size, 2))
    return (MODELS / "A1.keras", x), {}, {"given": size, "rows": 2000, "variables": 2}


def _rows(size: int, seed: int, folder: Path) -> tuple[tuple, dict, dict]:
    import tensorflow as tf

    from keras_symgrad import Neuron, Sampling

    neuron = Neuron("exact", lambda x: tf.exp(x[:, 0] * x[:, 1]) + 3 * x[:, 0], inputs=2)
    x = np.random.default_rng(seed).uniform(-1.0, 1.0, (size, 2))
    options = {"sampling": Sampling(rows=size)}
    return (neuron, x), options, {"given": size, "rows": size, "variables": 2}


def _variables(size: int, seed: int, folder: Path) -> tuple[tuple, dict, dict]:
    x = np.load(folder / "points.npy")
    return (
        (folder / "network.keras", x),
        {},
        {"given": len(x), "rows": 2000, "variables": size},
    )


def _population(size: int, seed: int, folder: Path) -> tuple[tuple, dict, dict]:
    from keras_symgrad import GradientField, Search, Stopping
    from keras_symgrad.datasets import SYSTEMS

    system = SYSTEMS["E"]
    x = system.sample(1000, seed=seed)
    field = GradientField.from_gradients(x, system.gradients(x), names=system.names)
    stopping = Stopping(None, GENERATIONS, patience=None)
    options = {"search": Search(methods="trees", population=size, stopping=stopping)}
    sizes = {"given": 0, "rows": 1000, "variables": field.variables, "population": size}
    return (field,), options, sizes


_READ = {"given": _given, "rows": _rows, "variables": _variables, "population": _population}


def in_a_process_of_its_own(**task) -> dict:
    """Run `measure` in a fresh interpreter; a failure is a row with the reason."""
    command = [sys.executable, __file__, "--one", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"error": last}
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(sweep: str, options: argparse.Namespace) -> Iterator[dict]:
    """All measurements of one sweep."""
    common = {"sweep": sweep, "seed": options.seed, "time_limit": options.time_limit}
    for concept in options.concepts if sweep == "variables" else [None]:
        for size in options.sizes or SWEEPS[sweep]:
            row = dict.fromkeys(COLUMNS) | {"sweep": sweep, "size": size, "concept": concept}
            with tempfile.TemporaryDirectory() as folder:
                if concept is None:
                    yield row | in_a_process_of_its_own(**common, size=size, folder=folder)
                elif size >= _concept(concept).relevant:
                    networks = options.networks or Path(folder)
                    yield row | _trained(concept, size, networks, common)


def _concept(name: str):
    from benchmark_variables import CONCEPTS

    return CONCEPTS[name]


def _trained(concept: str, variables: int, networks: Path, common: dict) -> dict:
    """The reading of a network of many variables, judged by class."""
    from benchmark_variables import TRAINING_ROWS, train

    from keras_symgrad.datasets import judge, truth_complexity
    from keras_symgrad.expressions import Complexity, OperatorSet
    from keras_symgrad.expressions.formats import from_text

    seed = common["seed"]
    system = _concept(concept).among(variables, seed)
    folder = networks / f"{concept}-{variables}-{ACTIVATION}-{seed}"
    if not (folder / "network.keras").exists():
        folder.mkdir(parents=True, exist_ok=True)
        train(system, ACTIVATION, seed).save(folder / "network.keras")
        keras.backend.clear_session()
    np.save(folder / "points.npy", system.sample(TRAINING_ROWS, seed))
    row = in_a_process_of_its_own(**common, size=variables, folder=str(folder))
    if "error" not in row:
        verdict = judge(
            from_text(row["expression"], system.names),
            system,
            complexity=row["complexity"],
            truth_complexity=truth_complexity(system, OperatorSet("default"), Complexity()),
        )
        row |= {"recovered": verdict.kind, "cosine_error": verdict.concept_error}
    return row | {"truth": str(system.expression)}


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = {name: row[name] for name in COLUMNS}
    cells["size"] = f"{row['size']:,}"
    for name, value in cells.items():
        if isinstance(value, float):
            cells[name] = f"{value:,.0f}" if name == "per_second" else f"{value:.2f}"
    cells["expression"] = row["expression"] or row.get("error", "")
    return ["" if value is None else str(value) for value in cells.values()]


def growth(rows: list[dict]) -> Iterator[str]:
    """Growth of time and memory from each size to the next, and from 2 to 20 variables."""
    for key in dict.fromkeys((row["sweep"], row["concept"]) for row in rows):
        group = [row for row in rows if (row["sweep"], row["concept"]) == key and row["cpu"]]
        pairs = list(zip(group, group[1:]))
        first = next((row for row in group if row["size"] in (2, 5)), None)
        last = next((row for row in group if row["size"] == 20), None)
        if first and last:
            pairs.append((first, last))
        for one, other in pairs:
            name = " ".join(filter(None, key))
            yield (
                f"{name} {one['size']:,} -> {other['size']:,}: "
                f"{other['cpu'] / one['cpu']:.2f} times the CPU seconds, "
                f"{other['peak'] / one['peak']:.2f} times the memory"
            )


def main() -> None:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--concepts", nargs="+", choices=CONCEPTS, default=CONCEPTS)
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", help="instead of all sizes")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", type=Path, metavar="DIR", help="where networks are kept")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument("--one", type=json.loads, metavar="JSON", help="one measurement")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(**options.one)))
        return

    rows = []
    for sweep in options.sweeps:
        for row in rows_of(sweep, options):
            rows.append(row)
            print(*shown(row), file=sys.stderr)
            if options.json:
                text = json.dumps({"rows": rows}, indent=2) + "\n"
                options.json.write_text(text, encoding="utf-8")

    table = Table(title="One thing grows at a time")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*shown(row))
    console = Console(width=200)
    console.print(table)
    for line in growth(rows):
        console.print(line, highlight=False)


if __name__ == "__main__":
    main()
