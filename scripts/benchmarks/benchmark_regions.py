#!/usr/bin/env python3
"""Regions of networks that compute one formula here and another there.

    scripts/benchmarks/benchmark_regions.py [--tasks switch category ...] [--seed 1] [--seeds 3]
        [--time-limit 20] [--methods dictionary] [--networks DIR] [--json FILE]
    scripts/benchmarks/benchmark_regions.py --whole [--models A1 B-relu 001 ...] [--networks DIR]

A swish network is trained on each task. The tool has its rows and no word of the task. A row is
*recovered* if there are as many regions as formulas, each formula is the true one by class (mean
1 - |cos| of gradients below 2e-3 on fresh points that lie in both), and no fresh point is on the
wrong side of a boundary by more than 3 % of the range of what switches. `boundary` is the greatest
distance of a point on the wrong side, as a share of that range.

`--whole` reads networks of a single formula, those of the examples and of the latent systems
instead: none may have a second region. The time limit is that of the search, and again that of the
regions; beyond it nothing is divided.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import keras
import numpy as np
import sympy
from rows import print_rows, write_rows
from train_latent import load_or_train

import keras_symgrad as ks
from keras_symgrad.datasets import LATENT_SYSTEMS
from keras_symgrad.engine import gradient
from keras_symgrad.expressions import symbol

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
COLUMNS = ("network", "recovered", "regions", "error", "boundary", "matches", "seconds", "answer")
NAMES = ("x1", "x2", "x3")
X1, X2, X3 = (symbol(name) for name in NAMES)
ROWS = 10_000
# Rows of the table that networks are read with.
READ_ROWS = 4_000
FRESH_ROWS = 20_000
EPOCHS = 40
BATCH = 128
LEARNING_RATE = 3e-3
# The gate of `datasets.recovery`, and how far a boundary may be off.
CLASS_ERROR = 2e-3
BOUNDARY_SHARE = 0.03
# Points of a region that its formula is judged on.
JUDGED_POINTS = 5_000
EXAMPLES = ("A1", "A", "B", "B-relu", "C", "D", "E")


@dataclass(frozen=True)
class Task:
    """A function with a formula in each of its regions.

    Attributes:
        formulas: one for each region.
        switch: what switches, from points `(rows, 3)`.
        bounds: of the switch between one region and the next, ascending.
        classifies: the level above which the label is yes; `None` for values.
        levels: number of levels of x3; 0 where it is a number.
    """

    formulas: tuple[sympy.Expr, ...]
    switch: Callable[[np.ndarray], np.ndarray]
    bounds: tuple[float, ...]
    classifies: float | None = None
    levels: int = 0

    def points(self, rows: int, seed: int) -> np.ndarray:
        """Points of its domain, `(rows, 3)`."""
        rng = np.random.default_rng(seed)
        x = rng.uniform(-2, 2, (rows, 3))
        if self.levels:
            x[:, 2] = rng.integers(0, self.levels, rows)
        return x

    def region(self, x: np.ndarray) -> np.ndarray:
        """Number of the formula at each point."""
        return np.searchsorted(self.bounds, self.switch(x), side="left")

    def values(self, x: np.ndarray) -> np.ndarray:
        """Its values, or its labels."""
        columns = np.column_stack([values(formula, x) for formula in self.formulas])
        found = columns[np.arange(len(x)), self.region(x)]
        return found if self.classifies is None else (found > self.classifies).astype(float)


def values(formula: sympy.Expr, x: np.ndarray) -> np.ndarray:
    """Of a formula at points, `(rows,)`."""
    return np.asarray(sympy.lambdify((X1, X2, X3), formula)(*x.T))


def third(x: np.ndarray) -> np.ndarray:
    """The column that switches most of the tasks."""
    return x[:, 2]


TASKS = {
    "switch": Task((X1 + X2**2, X1 * X2), third, (0.0,)),
    "category": Task((X1 * X2, X1 + X2**2, sympy.sin(X1) + X2), third, (0.5, 1.5), levels=3),
    "oblique": Task((X1 + X3**2, X1 * X2 + X3), lambda x: x[:, 0] + x[:, 1], (1.0,)),
    # The same formula on both sides, up to its sign.
    "sign": Task((-X1 * X2 - X1, X1 * X2 + X1), third, (0.0,)),
    "classifier": Task((X1 + X2**2 - 1, X1 * X2 - 0.5), third, (0.0,), classifies=0.0),
}


def network(name: str, seed: int, folder: Path | None) -> keras.Model:
    """A network trained on a task, or the one of last time from the folder."""
    path = folder / f"{name}-{seed}.keras" if folder else None
    if path and path.exists():
        return keras.models.load_model(path)
    task = TASKS[name]
    keras.utils.set_random_seed(seed)
    x = task.points(ROWS, 100 + seed)
    hidden = [keras.layers.Dense(64, "swish") for _ in range(3)]
    last = keras.layers.Dense(1, None if task.classifies is None else "sigmoid")
    model = keras.Sequential([keras.Input((3,)), *hidden, last])
    steps = EPOCHS * ROWS // BATCH
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    loss = "mse" if task.classifies is None else "binary_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=39, jit_compile=True)
    model.fit(x, task.values(x), batch_size=BATCH, epochs=EPOCHS, verbose=0)
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return model


def read(
    model: keras.Model | str,
    x: np.ndarray | str,
    names: list[str] | None,
    options: argparse.Namespace,
) -> dict:
    """The answer of the tool, and what it took."""
    began = time.monotonic()
    concept = ks.interpret(
        model,
        x,
        names=names,
        time_limit=options.time_limit,
        search=ks.Search(methods=options.methods),
        verbose=False,
    )
    return {
        "regions": len(concept.regions),
        "complete": concept.regions.complete,
        "matches": ", ".join(str(region.matches) for region in concept.regions),
        "seconds": round(time.monotonic() - began, 1),
        "answer": concept.headline,
        "concept": concept,
    }


def judged(concept: ks.Interpretation, task: Task) -> dict:
    """True if the regions are those of the task."""
    x = task.points(FRESH_ROWS, seed=5)
    true, found = task.region(x), concept.regions.number_of(x)
    if len(concept.regions) != len(task.formulas):
        return {"recovered": False, "error": 1.0, "boundary": 1.0}
    error, off = 0.0, 0.0
    switch, moving = task.switch(x), slice(0, 2 if task.levels else 3)
    taken = set()
    for k, region in enumerate(concept.regions):
        own = int(np.bincount(true[found == k]).argmax())
        taken.add(own)
        rows = x[(found == k) & (true == own)][:JUDGED_POINTS]
        if task.classifies is not None:
            rows = rows[np.abs(values(task.formulas[own], rows)) < 0.1]
        mine = gradient(region.formula.expression, NAMES, rows)[:, moving]
        truth = gradient(task.formulas[own], NAMES, rows)[:, moving]
        lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(truth, axis=1)
        cosines = np.abs((mine * truth).sum(axis=1)) / np.maximum(lengths, 1e-300)
        error = max(error, float(np.mean(1 - cosines)))
        wrong = switch[(found == k) & (true != own)]
        if len(wrong):
            sides = [b for j, b in enumerate(task.bounds) if j in (own - 1, own)]
            away = np.min([np.abs(wrong - side) for side in sides], axis=0)
            off = max(off, float(away.max() / np.ptp(switch)))
    good = len(taken) == len(task.formulas) and error < CLASS_ERROR and off <= BOUNDARY_SHARE
    return {"recovered": good, "error": error, "boundary": off}


def whole(name: str, options: argparse.Namespace) -> dict:
    """The row of a network that computes one formula."""
    if name in LATENT_SYSTEMS:
        system = LATENT_SYSTEMS[name]
        model = load_or_train(system, "swish", options.seed, options.networks)
        answer = read(model, system.points(READ_ROWS, 7), list(system.names), options)
    else:
        points = str(MODELS / f"{name.removesuffix('-relu')}.csv")
        answer = read(str(MODELS / f"{name}.keras"), points, None, options)
    return answer | {"recovered": answer["regions"] == 1, "error": 0.0, "boundary": 0.0}


def main() -> None:
    """Runs all, writes the file after every row, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=3, help="networks of each task")
    parser.add_argument("--whole", action="store_true", help="networks of a single formula")
    parser.add_argument(
        "--models", nargs="+", choices=[*EXAMPLES, *LATENT_SYSTEMS], help="of those with --whole"
    )
    parser.add_argument("--time-limit", type=float, default=20.0, help="seconds of each search")
    parser.add_argument("--methods", nargs="+", default=["dictionary"])
    parser.add_argument("--networks", type=Path, help="folder of trained networks")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    rows = []

    def add(name: str, row: dict) -> None:
        row.pop("concept")
        rows.append({"network": name, **row})
        print(rows[-1], flush=True)
        write_rows(options.json, rows)

    if options.whole:
        for name in options.models or [*EXAMPLES, *LATENT_SYSTEMS]:
            add(name, whole(name, options))
    else:
        for seed in range(options.seed, options.seed + options.seeds):
            for name in options.tasks:
                model = network(name, seed, options.networks)
                x = TASKS[name].points(ROWS, 100 + seed)[:READ_ROWS]
                row = read(model, x, list(NAMES), options)
                add(f"{name}-{seed}", row | judged(row["concept"], TASKS[name]))
    good = sum(row["recovered"] for row in rows)
    print_rows(
        "Regions",
        COLUMNS,
        (
            [
                f"{row[c]:.1e}" if isinstance(row[c], float) and c != "seconds" else str(row[c])
                for c in COLUMNS
            ]
            for row in rows
        ),
        [f"recovered: {good} of {len(rows)}"],
    )


if __name__ == "__main__":
    main()
