"""Interprets one network after the other in one process for hours, and watches its memory.

    python scripts/soak.py --minutes 120 --json soak.json

Prints the resident memory after every search. It is flat if the median of ten searches in a row
never exceeds that of the ten at the end of the first ten minutes by more than 5 %.
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
from keras_symgrad.writing import write_json

MODELS = Path(__file__).parents[1] / "examples" / "models"
# One of each kind: classifiers of two, three and four variables, a regressor, own operators.
SYSTEMS = ("A1", "B", "C", "D", "pendulum")
# What memory may grow by after the first readings.
ALLOWED = 0.05
# Searches whose memory is compared.
TOGETHER = 10


def soak(minutes: float, seconds: float, seed: int) -> list[dict]:
    """Interprets until the time is over.

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


def growth(rows: list[dict], warm_up: float) -> tuple[float, float]:
    """Largest rise of memory after the warm-up, as a share of what it was at its end.

    What it was is the median of ten searches: one reading goes up and down by 3 %, as what freed
    memory the system gets back is left to the C library.

    Returns:
        The rise of the median of ten searches in a row, and of the highest single reading.
    """
    early = [row["megabytes"] for row in rows if row["minutes"] <= warm_up][-TOGETHER:]
    late = [row["megabytes"] for row in rows if row["minutes"] > warm_up]
    if len(early) < TOGETHER or len(late) < TOGETHER:
        return np.nan, np.nan
    medians = np.median(np.lib.stride_tricks.sliding_window_view(late, TOGETHER), axis=1)
    before = median(early)
    return float(medians.max() / before - 1), max(late) / before - 1


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--warm-up", type=float, default=10, help="minutes before memory is flat")
    parser.add_argument("--seconds", type=float, default=8, help="of each search")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args()
    rows = soak(options.minutes, options.seconds, options.seed)
    risen, highest = growth(rows, options.warm_up)
    print(
        f"{len(rows)} searches; after {options.warm_up:g} minutes memory rose by {risen:.1%}, "
        f"one reading by {highest:.1%}"
    )
    if options.json:
        content = {"rows": rows, "growth": risen, "highest": highest}
        write_json(options.json, content, "The table")
    raise SystemExit(0 if risen <= ALLOWED else 1)


if __name__ == "__main__":
    main()
