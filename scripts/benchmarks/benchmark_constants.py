#!/usr/bin/env python3
"""Measure the coverage of the intervals of constants and thresholds.

    scripts/benchmarks/benchmark_constants.py [--split calibration] [--seeds 2] [--seed 100]
        [--ensembles 3]
        [--networks DIR] [--json FILE]

For every concept below a small network is trained: a classifier of the labels g(x) > c and a
regressor of the values g(x), with several activations. The true form is then fitted to the
network's gradients, and its constants get their intervals by the same functions that `interpret`
calls. No formula is searched for: the benchmark measures whether the intervals hold the constants
that made the labels and values.

The two halves of the concepts have separate purposes. The limit of the profile was set on the half
"calibration"; the reported coverage is that on the half "test", with other concepts, other seeds
and other constants. `--ensembles K` reads K networks together, as `ks.interpret([...])` does.

`low` and `high` are the interval, `held` is true if the truth lies inside it, `width` is half its
length divided by the truth. Intervals that are open on both sides are counted separately: there the
network does not fix the constant, and they are not counted as held.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import sympy
from rows import print_rows, write_rows

from keras_symgrad.datasets import System, real_symbols
from keras_symgrad.formulas import MonotoneFit
from keras_symgrad.formulas.constants import Constant, constants, released, threshold_interval
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search.core import ConstantFit

ACTIVATIONS = ("elu", "tanh", "swish")
ROWS = 20_000
EPOCHS = 30
BATCH = 128
WIDTH = 48
DEPTH = 2
LEARNING_RATE = 3e-3
# Data points that a network is read with.
POINTS = 4_000
COLUMNS = (
    *("concept", "kind", "activation", "seed", "what"),
    *("truth", "value", "low", "high", "width", "held"),
)

x1, x2, x3, x4 = X = real_symbols(["x1", "x2", "x3", "x4"])


def _system(id: str, expression: sympy.Expr, threshold: float, box: list) -> System:
    names = tuple(symbol.name for symbol in X[: len(box)])
    return System(id, expression, threshold, tuple(map(tuple, box)), names)


# Concepts on which the limit was set, and others for the reported coverage.
CALIBRATION = (
    _system("ellipse", x1**2 + 1.71 * x2**2, 1.0, [(-1, 1)] * 2),
    _system("tilted", x1**2 + 0.83 * x1 * x2 + 2.19 * x2**2, 1.3, [(-1.5, 1.5)] * 2),
    _system("wave", x1 + sympy.sin(1.9 * x2) - 0.71 * x3, 0.2, [(-1.5, 1.5)] * 3),
    _system("rate", sympy.exp(x1 - 1.27 * x2) - 2.21 * x3, 0.9, [(-1, 1)] * 3),
    _system("bell", x1 * sympy.exp(-0.53 * x2**2 - 0.31 * x3**2), 0.5, [(0, 2), (-2, 2), (-2, 2)]),
    _system("product", x1 * x2 + 1.37 * x3**2 - 0.44 * x4, 0.6, [(-1, 1)] * 4),
    _system("shifted", x1 / (x2 + 1.64) + 0.58 * x3, 0.4, [(0, 2)] * 3),
    _system("cube", x1**3 + 1.46 * x2 * x1 - 0.67 * x2, 0.3, [(-1.2, 1.2)] * 2),
)
TEST = (
    _system("ellipse2", x1**2 + 2.37 * x2**2, 1.0, [(-1, 1)] * 2),
    _system("mixed", x1**2 + 1.18 * x1 * x2 + 0.77 * x2**2, 0.8, [(-1.5, 1.5)] * 2),
    _system(
        "coupled", sympy.exp(0.6 * x2 * x3) + 2.7 * x1, 1.4, [(-1, 1), (-1.5, 1.5), (-1.5, 1.5)]
    ),
    _system("sine", x1**2 + sympy.sin(1.4 * x2 + 0.8 * x3), 0.9, [(-1.5, 1.5)] * 3),
    _system("cone", sympy.sqrt(x1**2 + 1.62 * x2**2) - 0.87 * x3, 0.7, [(-2, 2)] * 3),
    _system("decay", x1 * sympy.exp(-0.74 * x2) - 0.36 * x3, 0.4, [(0, 2)] * 3),
    _system("hinge", sympy.tanh(1.3 * x1) + 0.56 * x2 * x3, 0.2, [(-1.5, 1.5)] * 3),
    _system("four", x1 * x2 - 1.83 * x3 + 0.69 * x4**2, 0.1, [(-1, 1)] * 4),
    _system("ratio", x1 * x2 / (x3 + 2.37), 0.25, [(0, 2)] * 3),
)
SPLITS = {"calibration": CALIBRATION, "test": TEST}


@dataclass(frozen=True)
class Task:
    """A network to train and read.

    Attributes:
        system: the concept, with its box and the threshold of its labels.
        activation: of the hidden layers.
        decides: whether the network is a classifier of the labels, or a regressor of the values.
        seed: of data and weights.
    """

    system: System
    activation: str
    decides: bool
    seed: int

    @property
    def kind(self) -> str:
        return "classifier" if self.decides else "regressor"

    @property
    def name(self) -> str:
        return f"{self.system.id}-{self.kind}-{self.activation}-{self.seed}"

    def network(self) -> keras.Model:
        """A network trained on fresh data; the same task gives the same network."""
        keras.utils.set_random_seed(self.seed)
        x = self.system.sample(ROWS, self.seed)
        values = self.system.values(x)
        wanted = values > self.system.threshold if self.decides else _standardized(values)
        hidden = [keras.layers.Dense(WIDTH, self.activation) for _ in range(DEPTH)]
        output = keras.layers.Dense(1, "sigmoid" if self.decides else None)
        model = keras.Sequential([keras.Input((x.shape[1],)), *hidden, output])
        rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * (ROWS // BATCH))
        loss = "binary_crossentropy" if self.decides else "mse"
        model.compile(keras.optimizers.Adam(rate), loss, jit_compile=True, steps_per_execution=39)
        model.fit(x.astype(np.float32), wanted.astype(np.float32), BATCH, epochs=EPOCHS, verbose=0)
        # A model that was never compiled has no optimizer in its file.
        return keras.Sequential([keras.Input((x.shape[1],)), *model.layers])

    def load_or_train(self, folder: Path | None) -> keras.Model:
        """The network from the folder, trained and saved there if it is missing."""
        path = folder / f"{self.name}.keras" if folder else None
        if path and path.exists():
            return keras.models.load_model(path)
        model = self.network()
        if path:
            folder.mkdir(parents=True, exist_ok=True)
            model.save(path)
        return model


def _standardized(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def tasks(split: str, seeds: int, first: int) -> Iterator[Task]:
    """One activation for each seed and concept in turn, classifiers and regressors."""
    for number, system in enumerate(SPLITS[split]):
        for k in range(seeds):
            activation = ACTIVATIONS[(number + k) % len(ACTIVATIONS)]
            for decides in (True, False):
                yield Task(system, activation, decides, first + k)


def measure(group: list[Task], folder: Path | None) -> Iterator[dict]:
    """One row for each constant of a concept, and for a classifier's threshold."""
    system = group[0].system
    neurons = [Neuron.of(task.load_or_train(folder)) for task in group]
    x = system.sample(POINTS, group[0].seed + 7)
    several = len(neurons) > 1
    read = GradientField.from_neurons if several else GradientField.from_neuron
    field, _ = read(neurons if several else neurons[0], x).split(seed=group[0].seed)
    form = released(system.expression)[0]
    truth = ConstantFit(form, field).start
    found = constants(form, field)
    for constant, true in zip(found, truth, strict=True):
        yield row_of(group, "constant", constant, float(true))
    if group[0].decides:
        fit = ConstantFit(form, field)
        fitted = fit.expression(np.array([constant.value for constant in found]))
        g = fit.values(np.array([constant.value for constant in found]))
        decides_at = MonotoneFit.through(g, field.values).preimage(0.0)
        threshold = threshold_interval(fitted, field, decides_at)
        yield row_of(group, "threshold", threshold, system.threshold)


def row_of(group: list[Task], what: str, found: Constant, truth: float) -> dict:
    """A constant with its interval beside the truth."""
    return {
        "concept": group[0].system.id,
        "kind": group[0].kind,
        "activation": group[0].activation,
        "seed": group[0].seed,
        "networks": len(group),
        "what": what,
        "truth": round(truth, 6),
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "open": not found.is_fixed,
        "held": bool(found.is_fixed and found.holds(truth)),
        "width": (found.high - found.low) / 2 / abs(truth),
    }


def groups(split: str, seeds: int, first: int, ensembles: int) -> Iterator[list[Task]]:
    """Networks that are read together: one, or as many seeds as there are to an ensemble."""
    for task in tasks(split, seeds, first):
        if ensembles == 1:
            yield [task]
        elif task.seed == first:
            yield [replace(task, seed=first + k) for k in range(ensembles)]


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = dict(row)
    for column in ("value", "low", "high", "width"):
        cells[column] = f"{row[column]:.3g}"
    cells["held"] = "open" if row["open"] else "yes" if row["held"] else "no"
    return [str(cells[column]) for column in COLUMNS]


def summaries(rows: list[dict]) -> Iterator[str]:
    """Coverage of each kind of number."""
    for what in ("constant", "threshold"):
        for kind in ("classifier", "regressor", "all"):
            of_kind = [r for r in rows if r["what"] == what and kind in (r["kind"], "all")]
            fixed = [row for row in of_kind if not row["open"]]
            if fixed:
                held = sum(row["held"] for row in fixed)
                yield (
                    f"{what}s, {kind}: {held} of {len(fixed)} intervals hold the truth "
                    f"({held / len(fixed):.0%}), median half-width "
                    f"{np.median([row['width'] for row in fixed]):.1%}; "
                    f"{len(of_kind) - len(fixed)} open"
                )


def main() -> None:
    """Measure all, print the table, write the file after every network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=SPLITS, default="test", help="half of the concepts")
    parser.add_argument("--seeds", type=int, default=2, help="networks of each concept and kind")
    parser.add_argument("--seed", type=int, default=100, help="the first seed")
    parser.add_argument("--ensembles", type=int, default=1, help="networks that are read together")
    parser.add_argument("--networks", type=Path, help="where trained networks are kept")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    rows: list[dict] = []
    for group in groups(options.split, options.seeds, options.seed, options.ensembles):
        rows += measure(group, options.networks)
        keras.backend.clear_session()
        write_rows(options.json, rows)
    print_rows("Constants read from networks", COLUMNS, map(shown, rows), summaries(rows))


if __name__ == "__main__":
    main()
