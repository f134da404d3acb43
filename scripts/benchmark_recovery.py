"""Does the command line find the formulas that the shipped networks were trained on?

    .venv/bin/python scripts/benchmark_recovery.py [--systems A1 A B C D] [--seeds 3] [--json FILE]

Runs `keras-symgrad interpret` with its default settings on every shipped network, in a process
of its own and with several seeds, reads the formula that it chose from interpretation.json, and
judges it by class: mean(1 - |cos|) between its gradient and the truth's on 10,000 fresh points.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.conversion import from_sympy
from keras_symgrad.expressions.parsing import from_text
from keras_symgrad.expressions.trees import Alphabet
from keras_symgrad.judging import judge
from keras_symgrad.operators import OperatorSet
from keras_symgrad.systems import SYSTEMS

MODELS = Path(__file__).parent.parent / "examples" / "models"
COLUMNS = (
    *("system", "seed", "recovered", "cosine_error", "complexity", "truth_complexity"),
    *("agreement", "seconds", "search_seconds", "expression"),
)


def measure(name: str, seed: int, time_limit: float) -> dict:
    """One run of the command line, judged."""
    system = SYSTEMS[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "keras_symgrad",
            "interpret",
            str(MODELS / f"{name}.keras"),
        ]
        command += ["--data", str(MODELS / f"{name}.csv"), "--seed", str(seed), "--out", folder]
        command += ["--time-limit", str(time_limit), "--quiet"]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        result = json.loads((Path(folder) / "interpretation.json").read_text())
    operators = OperatorSet("default")
    alphabet = Alphabet(operators, system.names)
    truth = Complexity().over(operators)(from_sympy(system.expression, alphabet))
    verdict = judge(
        from_text(result["best"]["expression"], system.names),
        system,
        complexity=result["best"]["complexity"],
        truth_complexity=truth,
    )
    return {
        "system": name,
        "seed": seed,
        "recovered": verdict.kind,
        "cosine_error": verdict.concept_error,
        "complexity": result["best"]["complexity"],
        "truth_complexity": truth,
        "agreement": result["rule"]["agreement"],
        "seconds": round(seconds, 1),
        "search_seconds": round(result["timings"]["search"], 1),
        "expression": result["best"]["expression"],
    }


def main() -> None:
    """Runs all, prints the table, writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", default=["A1", "A", "B", "C", "D"])
    parser.add_argument("--seeds", type=int, default=3, help="runs of each system")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of search")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()

    rows = []
    for name in options.systems:
        for seed in range(options.seed, options.seed + options.seeds):
            rows.append(measure(name, seed, options.time_limit))
            print(" ".join(f"{rows[-1][column]}" for column in COLUMNS), file=sys.stderr)
    table = Table(title="Formulas read from the shipped networks")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "))
    for row in rows:
        cells = {**row, "cosine_error": f"{row['cosine_error']:.1e}"}
        cells["agreement"] = f"{100 * row['agreement']:.2f} %"
        table.add_row(*(str(cells[column]) for column in COLUMNS))
    Console(width=160).print(table)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
