"""Measure recovery of a concept of two to four variables among ten or twenty, time and memory.

    .venv/bin/python scripts/benchmarks/benchmark_variables.py [--concepts NAME ...] [--variables
        10 20]
        [--seeds 2] [--seed 0] [--activations elu swish] [--time-limit 60] [--json FILE]

For every row a network of three layers of 64 is trained on 40,000 labelled points of a box, with
a seed of its own, which also draws the columns that matter: none of the others enters the label.
Its interpretation runs with default settings in a process of its own, so that `memory` is that of
a process which loads one model and reads it. `seconds` is the time of `interpret`, without the
import of the package.

Judged by class, and by length: see `keras_symgrad.datasets.recovery`. `field_error` is the mean of
1 - |cos| between the network's gradients and the truth's on the rows that were searched on.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import sympy
from rows import print_rows, write_rows

from keras_symgrad import interpret
from keras_symgrad.datasets import System, judge, real_symbols, truth_complexity
from keras_symgrad.engine import direction_error
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron

TRAINING_ROWS = 40_000
WIDTH = 64
DEPTH = 3
BATCH = 256
EPOCHS = 60
LEARNING_RATE = 2e-3
DECAY = 1e-5
COLUMNS = (
    *("concept", "variables", "relevant", "activation", "seed", "recovered", "cosine_error"),
    *("complexity", "truth_complexity", "field_error", "accuracy", "seconds", "memory"),
    "expression",
)


@dataclass(frozen=True)
class Concept:
    """A function of a few variables, the threshold of its labels, and the interval of each."""

    write: Callable[..., sympy.Expr]
    threshold: float
    interval: tuple[float, float]

    @property
    def relevant(self) -> int:
        """Number of variables that matter."""
        return self.write.__code__.co_argcount

    def among(self, variables: int, seed: int) -> System:
        """The concept in columns that the seed draws from all."""
        names = tuple(f"x{k + 1}" for k in range(variables))
        chosen = np.random.default_rng([seed, variables]).permutation(variables)[: self.relevant]
        symbols = real_symbols(names)
        expression = self.write(*(symbols[k] for k in chosen))
        return System("hidden", expression, self.threshold, (self.interval,) * variables, names)


CONCEPTS = {
    "bell": Concept(lambda a, b: a * sympy.exp(-(b**2)), 0.4, (0.0, 2.0)),
    "sine": Concept(lambda a, b, c: a * b + sympy.sin(c), 0.5, (-2.0, 2.0)),
    "quadratic": Concept(lambda a, b, c, d: a**2 + b * c - d, 1.0, (-2.0, 2.0)),
    "ratio": Concept(lambda a, b, c, d: a * b / (c + d), 0.7, (0.5, 2.5)),
    "exponential": Concept(lambda a, b, c, d: a * sympy.exp(b) - c * d, 1.0, (-1.0, 2.0)),
}


def train(system: System, activation: str, seed: int) -> keras.Model:
    """A classifier trained on the system's noisy labels."""
    keras.utils.set_random_seed(seed)
    x, labels = system.data(TRAINING_ROWS, seed)
    decay = keras.regularizers.L2(DECAY)
    hidden = [
        keras.layers.Dense(WIDTH, activation=activation, kernel_regularizer=decay)
        for _ in range(DEPTH)
    ]
    output = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((x.shape[1],)), *hidden, output])
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", jit_compile=True)
    model.fit(x.astype(np.float32), labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def interpret_one(folder: Path, seed: int, time_limit: float) -> dict:
    """Load a network, read it and measure the memory, in a separate process."""
    x = np.load(folder / "points.npy")
    start = time.perf_counter()
    result = interpret(folder / "network.keras", x, seed=seed, time_limit=time_limit, verbose=False)
    seconds = time.perf_counter() - start
    # Kilobytes on Linux.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {
        "seconds": round(seconds, 1),
        "memory": round(memory, 2),
        "complexity": result.best.complexity,
        "expression": str(result.best),
        "loss": result.best.loss,
        "agreement": result.rule.agreement if result.rule else None,
        "front": [row.to_dict() for row in result.front],
        "timings": result.timings,
    }


def in_a_process_of_its_own(folder: Path, seed: int, time_limit: float) -> dict:
    """`interpret_one` in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", str(folder), "--seed", str(seed)]
    command += ["--time-limit", str(time_limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RuntimeError(last)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, variables: int, activation: str, seed: int, time_limit: float) -> dict:
    """One network, read and judged; a run that fails is a row that says why."""
    concept = CONCEPTS[name]
    system = concept.among(variables, seed)
    row = dict.fromkeys(COLUMNS)
    row |= {"concept": name, "variables": variables, "relevant": concept.relevant}
    row |= {"activation": activation, "seed": seed, "recovered": "missed"}
    row["truth"] = str(system.expression)
    row["truth_complexity"] = truth_complexity(system, OperatorSet("default"), Complexity())
    try:
        model = train(system, activation, seed)
        row |= quality(model, system, seed)
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "network.keras")
            np.save(Path(folder) / "points.npy", system.sample(TRAINING_ROWS, seed))
            row |= in_a_process_of_its_own(Path(folder), seed, time_limit)
        verdict = judge(
            from_text(row["expression"], system.names),
            system,
            complexity=row["complexity"],
            truth_complexity=row["truth_complexity"],
        )
        row |= {"recovered": verdict.kind, "cosine_error": verdict.concept_error}
        row["boundary_error"] = verdict.boundary_error
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def quality(model: keras.Model, system: System, seed: int) -> dict:
    """Quality of the network: its accuracy on labels, and its gradients' error on the slab."""
    neuron = Neuron.of(model)
    x = system.sample(20_000, seed=seed + 1_000_003)
    right = (neuron.values_and_gradients(x)[0] > 0) == (system.values(x) > system.threshold)
    field = GradientField.from_neuron(neuron, x, names=system.names, seed=seed)
    error = direction_error(field.directions, field.directions_of(system.gradients(field.points)))
    return {"accuracy": round(float(right.mean()), 4), "field_error": error}


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = dict(row)
    for column in ("cosine_error", "field_error"):
        cells[column] = "" if row[column] is None else f"{row[column]:.1e}"
    cells["expression"] = row["expression"] or row.get("error", "")
    return ["" if cells[column] is None else str(cells[column]) for column in COLUMNS]


def summaries(rows: list[dict]) -> list[str]:
    """One line for each number of variables."""
    lines = []
    for variables in dict.fromkeys(row["variables"] for row in rows):
        group = [row for row in rows if row["variables"] == variables]
        found = sum(row["recovered"] == "concept" for row in group)
        seconds = max(row["seconds"] or 0 for row in group)
        memory = max(row["memory"] or 0 for row in group)
        lines.append(
            f"{variables} variables: {found} of {len(group)} recovered as concept, "
            f"at most {seconds:.0f} s and {memory:.1f} GB"
        )
    return lines


def main() -> None:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concepts", nargs="+", choices=list(CONCEPTS), default=list(CONCEPTS))
    parser.add_argument("--variables", nargs="+", type=int, default=[10, 20], metavar="N")
    parser.add_argument("--activations", nargs="+", default=["elu", "swish"])
    parser.add_argument("--seeds", type=int, default=2, help="networks of each kind")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--time-limit", type=float, default=60.0, help="seconds of search")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument("--one", type=Path, metavar="FOLDER", help="read a network kept there")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(interpret_one(options.one, options.seed, options.time_limit)))
        return

    rows = []
    for variables in options.variables:
        for name in options.concepts:
            for activation in options.activations:
                for seed in range(options.seed, options.seed + options.seeds):
                    rows.append(measure(name, variables, activation, seed, options.time_limit))
                    print(*shown(rows[-1]), file=sys.stderr)
                    write_rows(options.json, rows)

    print_rows("A few variables among many", COLUMNS, map(shown, rows), summaries(rows))


if __name__ == "__main__":
    main()
