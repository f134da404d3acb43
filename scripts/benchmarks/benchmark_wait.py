#!/usr/bin/env python3
"""Time that a person waits for an answer, by its parts.

    scripts/benchmarks/benchmark_wait.py [--models A1 A B C D E] [--effort normal] [--seed 0]
        [--repeats 3] [--json FILE]

Wall and processor seconds of the whole command line, `keras-symgrad interpret MODEL --data POINTS`,
in a process of its own, and of the bare imports of TensorFlow, Keras and SymPy in another one, each
the median of the repeats, one after the other in one run. `over` is what the answer takes in
processor seconds over the bare imports. `gradients`, `search` and `finishing` are the wall seconds
that the result itself writes down. `warm` is `interpret` alone, in a process that has answered the
same question before, in processor seconds.
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
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rows import print_rows, write_rows

MODELS = Path(__file__).parents[2] / "examples" / "models"
BARE = "import tensorflow, keras, sympy"
WARM = """
import sys, time
import keras_symgrad as ks
model, data, effort, seed, repeats = sys.argv[1:]
for _ in range(1 + int(repeats)):
    start = time.process_time()
    search = ks.Search(effort=effort)
    ks.interpret(model, data, search=search, seed=int(seed), verbose=False)
    print(time.process_time() - start)
"""
PARTS = ("gradients", "search", "finishing")
COLUMNS = ("model", "wall", "processor", "bare", "over", *PARTS, "warm", "matches", "stopped")


def timed(command: Sequence[str], folder: Path) -> tuple[float, float, str]:
    """Wall and processor seconds of a process, and what it printed."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPYCACHEPREFIX": str(folder)}
    # As where the package is installed: its modules are compiled once.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))} failed: {done.stderr[-2000:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, done.stdout


def measure(name: str, options: argparse.Namespace, folder: Path) -> dict:
    """One row: medians of the repeats."""
    files = str(MODELS / f"{name}.keras"), str(MODELS / f"{name}.csv")
    settings = ["--effort", options.effort, "--seed", str(options.seed), "--quiet"]
    out = folder / name
    command = [sys.executable, "-m", "keras_symgrad", "interpret", files[0], "--data", files[1]]
    command += ["--out", str(out), *settings]
    bare, walls, used, parts = [], [], [], []
    for _ in range(options.repeats):
        bare.append(timed([sys.executable, "-c", BARE], folder)[1])
        wall, processor, _ = timed(command, folder)
        walls.append(wall)
        used.append(processor)
        written = json.loads((out / "interpretation.json").read_text("utf-8"))
        parts.append(written["timings"])
    warm = [sys.executable, "-c", WARM, *files, options.effort, str(options.seed)]
    _, _, printed = timed([*warm, str(options.repeats)], folder)
    return {
        "model": name,
        "wall": median(walls),
        "processor": median(used),
        "bare": median(bare),
        "over": median(used) - median(bare),
        **{part: median(timings[part] for timings in parts) for part in PARTS},
        "warm": median(map(float, printed.split()[1:])),
        "matches": written["matches"],
        "stopped": written["stopped"],
    }


def main() -> int:
    """Runs every model, prints the table, writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=("A1", "A", "B", "C", "D", "E"))
    parser.add_argument("--effort", default="normal", choices=("quick", "normal", "thorough"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    parser.add_argument("--json", type=Path, help="file that the rows are written to")
    options = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        # Modules are compiled and files are in memory before anything is measured.
        timed([sys.executable, "-c", f"{BARE}\nimport keras_symgrad as ks; ks.interpret"], folder)
        for name in options.models:
            rows.append(measure(name, options, folder))
            write_rows(options.json, rows)
            print(*(f"{key}={value}" for key, value in rows[-1].items()), file=sys.stderr)
    texts = [[_text(row[column]) for column in COLUMNS] for row in rows]
    over = (
        f"over the bare imports, processor seconds, median: {median(r['over'] for r in rows):.2f}"
    )
    print_rows("Seconds until the answer", COLUMNS, texts, [over])
    return 0


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
