"""Interpret one network after the other in one process for hours, and record its memory.

    python scripts/soak/soak.py --minutes 120 --json soak.json

Prints the resident memory after every search. It is flat if no reading after the first ten minutes
exceeds those at their end by more than 5 %.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil

import keras_symgrad as ks
from keras_symgrad.files import write_json

MODELS = Path(__file__).parents[2] / "examples" / "models"
# One of each kind: classifiers of two, three and four variables, a regressor, own operators.
SYSTEMS = ("A1", "B", "C", "D", "pendulum")
# Allowed growth of memory after the first readings.
ALLOWED = 0.05


def soak(minutes: float, seconds: float, seed: int) -> list[dict]:
    """Interpret until the time is over.

    Args:
        minutes: of the whole.
        seconds: of each search.
        seed: of the first; each has the next one.

    Returns:
        A row for every search.
    """
    process, start, rows = psutil.Process(), time.monotonic(), []
    while (time.monotonic() - start) / 60 < minutes:
        number = len(rows)
        system = SYSTEMS[number % len(SYSTEMS)]
        concept = ks.interpret(
            MODELS / f"{system}.keras",
            MODELS / f"{system}.csv",
            time_limit=seconds,
            # Programs are compiled once for a number of variables, and kept.
            search=ks.Search(effort="thorough" if number < len(SYSTEMS) else "normal"),
            seed=seed + number,
            verbose=False,
        )
        gc.collect()
        rows.append(
            {
                "search": number,
                "system": system,
                "seed": seed + number,
                "minutes": (time.monotonic() - start) / 60,
                "megabytes": process.memory_info().rss / 1e6,
                "objects": len(gc.get_objects()),
                "expression": str(concept.best.expression),
                "matches": concept.matches,
            }
        )
        shown = rows[-1]
        print(
            f"{shown['minutes']:7.1f} min  {number:5d}  {system:9s} {shown['megabytes']:8.0f} MB  "
            f"{shown['objects']:9,d} objects  {shown['expression'][:50]}",
            flush=True,
        )
    return rows


def growth(rows: list[dict], warm_up: float) -> float:
    """Largest rise of memory after the warm-up, as a share of what it was at its end.

    Its level is the median of ten searches, as one reading is as much chance as memory.
    """
    early = [row["megabytes"] for row in rows if row["minutes"] <= warm_up]
    late = [row["megabytes"] for row in rows if row["minutes"] > warm_up]
    return max(late) / median(early[-10:]) - 1 if early and late else np.nan


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--warm-up", type=float, default=10, help="minutes before memory is flat")
    parser.add_argument("--seconds", type=float, default=8, help="of each search")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    rows = soak(options.minutes, options.seconds, options.seed)
    risen = growth(rows, options.warm_up)
    print(f"{len(rows)} searches; after {options.warm_up:g} minutes memory rose by {risen:.1%}")
    if options.json:
        write_json(options.json, {"rows": rows, "growth": risen}, "The table")
    raise SystemExit(0 if risen <= ALLOWED else 1)


if __name__ == "__main__":
    main()
