"""Measure the throughput of islands by number of workers, and the cost of losing one.

    python scripts/benchmarks/benchmark_islands.py --model E --json islands.json

Searches the gradients of a shipped network with two islands, by one worker and by two: processes
of this machine, and workers of a local Dask cluster. Throughput counts the candidates of all
epochs but the first, which compiles. Then one of two Dask workers is killed in the middle.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

import keras_symgrad as ks
from keras_symgrad.callbacks import Callback
from keras_symgrad.expressions import Alphabet
from keras_symgrad.files import write_json
from keras_symgrad.search import PortfolioSearch
from keras_symgrad.search.islands import ONE_THREAD

MODELS = Path(__file__).parents[2] / "examples" / "models"
# By default Dask's workers use all cores each, and give freed memory back at once, which XLA's
# buffers feel.
DASK = {"distributed.nanny.pre-spawn-environ": ONE_THREAD}


class Stopwatch(Callback):
    """Callback with candidates and seconds of each epoch; may kill a Dask worker after one."""

    def __init__(self, cluster=None, kill_at: int | None = None):
        self.cluster, self.kill_at = cluster, kill_at
        self.marks: list[tuple[float, int]] = []
        self.killed = False

    def on_generation_end(self, generation: int, logs: dict | None = None) -> None:
        """Record the time."""
        if generation:
            self.marks.append((time.perf_counter(), logs["evaluations"]))
            if self.kill_at is not None and len(self.marks) == self.kill_at and not self.killed:
                self.killed = True
                worker = next(iter(self.cluster.workers.values()))
                worker.process.process._process.kill()

    @property
    def speed(self) -> float:
        """Candidates a second between the first epoch and the last."""
        (start, before), (end, after) = self.marks[0], self.marks[-1]
        return (after - before) / (end - start)


def search(field: ks.GradientField, options, watch: Stopwatch, executor, workers: int):
    """One search of a number of generations."""
    # Only trees and features: the dictionary is searched by one process in any case.
    found = PortfolioSearch(
        Alphabet(ks.OperatorSet("default"), field.names),
        field,
        methods=("features", "trees"),
        seed=options.seed,
        workers=workers,
        executor=executor,
        islands=options.islands,
    )
    limits = ks.Stopping(None, generations=options.generations, patience=None, target_loss=None)
    found.run(limits, [watch])
    return found


def by_dask(field, options, workers: int, kill_at: int | None = None):
    """A search by a local cluster of worker processes of one thread each."""
    import dask
    from dask.distributed import Client, LocalCluster

    with (
        dask.config.set(DASK),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        watch = Stopwatch(cluster, kill_at)
        found = search(field, options, watch, client.get_executor(), workers)
    return found, watch


def by_processes(field, options, workers: int):
    """A search by a number of processes."""
    watch = Stopwatch()
    return search(field, options, watch, "processes", workers), watch


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="E", help="of examples/models")
    parser.add_argument("--rows", type=int, default=512, help="of the gradient field")
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--islands", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("processes", "dask", "kill"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    neuron = ks.Neuron.of(MODELS / f"{options.model}.keras")
    x = MODELS / f"{options.model}.csv"
    field = ks.GradientField.from_neuron(neuron, x, seed=options.seed).subset(
        options.rows, options.seed
    )
    rows, table = [], Table("workers", "one, a second", "two, a second", "ratio")
    for name, run in (("processes", by_processes), ("dask", by_dask)):
        if options.only not in (None, name):
            continue
        speeds = {1: [], 2: []}
        for _ in range(options.repeats):
            for workers in (1, 2):
                speeds[workers].append(run(field, options, workers)[1].speed)
        one, two = median(speeds[1]), median(speeds[2])
        # From consecutive runs, because the machine's speed changes from minute to minute.
        ratio = median(b / a for a, b in zip(speeds[1], speeds[2]))
        rows.append({"workers": name, "one": speeds[1], "two": speeds[2], "ratio": ratio})
        table.add_row(name, f"{one:,.0f}", f"{two:,.0f}", f"{ratio:.2f}")
    Console().print(table)
    if options.only in (None, "kill"):
        undisturbed, _ = by_dask(field, options, 2)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found, watch = by_dask(field, options, 2, kill_at=2)
        fronts = [
            [(one.complexity, one.loss, str(one.tree)) for one in each.archive]
            for each in (undisturbed, found)
        ]
        lost = [str(one.message) for one in said if "worker" in str(one.message)]
        rows.append({"killed": watch.killed, "repeated": found.repeated, "stopped": found.stopped})
        rows[-1] |= {"same_front": fronts[0] == fronts[1], "said": lost}
        print(f"one of two Dask workers killed: {rows[-1]}")
    if options.json:
        write_json(options.json, {"rows": rows}, "The table")


if __name__ == "__main__":
    main()
