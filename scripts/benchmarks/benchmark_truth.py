#!/usr/bin/env python3
"""Measure false claims of a concept for networks without a formula, and missed concepts.

    scripts/benchmarks/benchmark_truth.py [--without random_weights ...] [--with A1 A B C D ...]
        [--activations elu tanh swish relu] [--seed 0] [--seeds 1] [--rows 10000] [--epochs 40]
        [--time-limit 5] [--methods dictionary] [--effort normal] [--networks DIR] [--json FILE]

Networks of three layers of 64, one for each kind, activation and seed. Those without a formula:

- `random_weights`: never trained; a number, or the logit of a decision.
- `untrained`: the same with the weights that Keras gives a new network.
- `random_labels`: labels of a coin, learned by heart.
- `fourier`: taught by 40 random waves, their values or their signs.
- `gaussians`: two classes of six Gaussians each, their centres drawn.
- `overfitted`: 200 rows of A1 to D, a sixth of the labels wrong, learned by heart.

Those with one are the published classifiers A1 to E, and numbers that are functions of formulas
that nothing in the package knows (`product`, `ratio`, ...). `angle` is that of the formula that was
chosen on the rows read; `truth` is 1 - |cos| between its gradients and the truth's on fresh points.
A "concept" of a network without a formula is false; anything else of one with a formula, where the
truth was found, is missed.

`settled` is when `effort="normal"` would have ended the search, in seconds, and `settled_as` the
word then. With `--effort thorough` the search goes on, and `apart` is 1 - |cos| between the formula
settled on and the one that was chosen in the end: above 2e-3 the answer is of another class.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import keras
import numpy as np
import sympy
from rows import print_rows, write_rows
from training import train

import keras_symgrad as ks
from keras_symgrad.datasets import SYSTEMS, real_symbols
from keras_symgrad.engine import direction_error, gradient
from keras_symgrad.results.assessment import SAME_CLASS

ACTIVATIONS = ("elu", "tanh", "swish", "relu")
WIDTH = 64
DEPTH = 3
WAVES = 40
GAUSSIANS = 12
# Rows and passes that are enough to learn 200 or 500 labels by heart.
FEW_ROWS = 200
LABELLED_ROWS = 500
BY_HEART = 300
MANY_ROWS = 5000
FLIPPED = 1 / 6
# Points of the domain that a formula is compared with the truth on.
FRESH_POINTS = 5000
X1, X2, X3, X4 = real_symbols([f"x{k}" for k in range(1, 5)])
# Numbers that are phi(g): g, phi and the box.
NUMBERS = {
    "product": (X1 * X2 + X3, sympy.tanh, (-1, 1)),
    "ratio": (X1**2 / X2 + X3, lambda g: g, (0.5, 2)),
    "bell": (X2 * sympy.exp(-(X1**2)) + X3, lambda g: g, (-1.5, 1.5)),
    "root": (sympy.sqrt(X1**2 + X2**2) - X3, lambda g: g + g**3 / 10, (-2, 2)),
    "wave": (sympy.sin(2 * X1) + X2 * X3, sympy.exp, (-1, 1)),
    "cubes": (X1**3 - X2 * X4 + X3, lambda g: g, (-1.5, 1.5)),
}
COLUMNS = ("network activation seed says angle fidelity truth s settled apart formula").split()


@dataclass(frozen=True)
class Case:
    """A network and points of its domain.

    Attributes:
        model: built.
        points: `(rows, inputs)`.
        kind: of the output, as for `interpret`.
        truth: the concept that it was taught, if any.
    """

    model: keras.Model
    points: np.ndarray
    kind: str
    truth: sympy.Expr | None = None


def network(inputs: int, activation: str, output: str | None, gain: float = 1.0) -> keras.Model:
    """An untrained network, its weights wider by a factor."""
    start = keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
    layers = [
        keras.layers.Dense(WIDTH, activation, kernel_initializer=start, bias_initializer="normal")
        for _ in range(DEPTH)
    ]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(1, output)])


def taught(
    x: np.ndarray, y: np.ndarray, activation: str, epochs: int, *, decides: bool
) -> keras.Model:
    """A network trained on points, to decide or to return a number."""
    model = network(x.shape[1], activation, "sigmoid" if decides else None)
    # Several passes over few rows are one: returns to Python cost more than steps.
    passes = max(1, MANY_ROWS // len(x))
    x, y, epochs = np.tile(x, (passes, 1)), np.tile(y, passes), -(-epochs // passes)
    steps = epochs * -(-len(x) // 256)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    loss = "binary_crossentropy" if decides else "mse"
    model.compile(keras.optimizers.Adam(rate), loss, jit_compile=True, steps_per_execution=20)
    model.fit(x.astype(np.float32), y.astype(np.float32), batch_size=256, epochs=epochs, verbose=0)
    return model


def drawn(activation: str, seed: int) -> np.random.Generator:
    """Random numbers that differ from one activation to the next."""
    return np.random.default_rng([seed, ACTIVATIONS.index(activation)])


def random_weights(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    inputs, decides = int(rng.integers(2, 7)), bool(rng.integers(2))
    model = network(inputs, activation, "sigmoid" if decides else None, rng.uniform(0.5, 2))
    kind = "probability" if decides else "value"
    return Case(model, rng.uniform(-1.5, 1.5, (rows, inputs)), kind)


def untrained(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    inputs, decides = int(rng.integers(2, 7)), bool(rng.integers(2))
    hidden = [keras.layers.Dense(WIDTH, activation) for _ in range(DEPTH)]
    output = keras.layers.Dense(1, "sigmoid" if decides else None)
    kind = "probability" if decides else "value"
    model = keras.Sequential([keras.Input((inputs,)), *hidden, output])
    return Case(model, rng.uniform(-1.5, 1.5, (rows, inputs)), kind)


def random_labels(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    x = rng.uniform(-1, 1, (rows, int(rng.integers(2, 7))))
    labels = rng.integers(0, 2, LABELLED_ROWS)
    model = taught(x[:LABELLED_ROWS], labels, activation, BY_HEART, decides=True)
    return Case(model, x, "probability")


def fourier(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    inputs, decides = int(rng.integers(2, 7)), bool(rng.integers(2))
    x = rng.uniform(-1.5, 1.5, (rows, inputs))
    waves = rng.normal(size=(inputs, WAVES)) * rng.uniform(0.2, 1)
    y = np.sin(x @ waves + rng.uniform(0, 2 * np.pi, WAVES)) @ rng.normal(size=WAVES)
    y = y > np.median(y) if decides else y / y.std()
    model = taught(x, y, activation, epochs, decides=decides)
    return Case(model, x, "probability" if decides else "value")


def gaussians(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    inputs = int(rng.integers(2, 5))
    centres, which = rng.uniform(-2, 2, (GAUSSIANS, inputs)), rng.integers(0, GAUSSIANS, rows)
    x = centres[which] + 0.5 * rng.normal(size=(rows, inputs))
    return Case(taught(x, which % 2, activation, epochs, decides=True), x, "probability")


def overfitted(activation: str, seed: int, rows: int, epochs: int) -> Case:
    rng = drawn(activation, seed)
    system = SYSTEMS[("A1", "A", "B", "C", "D")[int(rng.integers(5))]]
    x, labels = system.data(FEW_ROWS, seed)
    labels = np.where(rng.random(FEW_ROWS) < FLIPPED, 1 - labels, labels)
    model = taught(x, labels, activation, 2 * BY_HEART, decides=True)
    return Case(model, system.sample(rows, seed + 1), "probability")


WITHOUT: dict[str, Callable[[str, int, int, int], Case]] = {
    made.__name__: made
    for made in (random_weights, untrained, random_labels, fourier, gaussians, overfitted)
}


def published(name: str, activation: str, seed: int, rows: int, epochs: int) -> Case:
    """A network of the published classifiers."""
    system = SYSTEMS[name]
    model = train(system, activation, rows=rows, epochs=epochs, seed=seed)
    return Case(model, system.sample(rows, seed), "probability", system.expression)


def number(name: str, activation: str, seed: int, rows: int, epochs: int) -> Case:
    """A network taught the values of phi(g)."""
    concept, phi, (low, high) = NUMBERS[name]
    names = sorted(concept.free_symbols, key=str)
    x = np.random.default_rng(seed).uniform(low, high, (rows, len(names)))
    y = sympy.lambdify(names, phi(concept))(*x.T)
    model = taught(x, y / y.std(), activation, epochs, decides=False)
    return Case(model, x, "value", concept)


def made(name: str, activation: str, seed: int, options: argparse.Namespace) -> Case:
    """The case of a name; its network comes from the folder if it was trained before."""
    keras.utils.set_random_seed(seed)
    size = activation, seed, options.rows, options.epochs
    path = options.networks and options.networks / f"{name}-{activation}-{seed}.keras"
    if path and path.exists():
        points = np.load(path.with_suffix(".npy"))
        model = keras.models.load_model(path, compile=False)
        decides = model.layers[-1].activation.__name__ == "sigmoid"
        return Case(model, points, "probability" if decides else "value", truth_of(name))
    if name in WITHOUT:
        case = WITHOUT[name](*size)
    else:
        case = (published if name in SYSTEMS else number)(name, *size)
    if path:
        options.networks.mkdir(parents=True, exist_ok=True)
        case.model.save(path)
        np.save(path.with_suffix(".npy"), case.points)
    return case


def truth_of(name: str) -> sympy.Expr | None:
    """The concept that a network of this name was taught."""
    if name in SYSTEMS:
        return SYSTEMS[name].expression
    return NUMBERS[name][0] if name in NUMBERS else None


class Settled(ks.callbacks.Callback):
    """Keeps the first assessment that would have ended a search of normal effort."""

    def __init__(self):
        self.seconds: float | None = None
        self.assessment = None
        self.margins: list[tuple] = []

    def on_generation_end(self, generation: int, logs: dict | None = None) -> None:
        found = self.search.assessment
        if found is None:
            return
        self.margins.append((logs["seconds"], str(found.matches), asdict(found.margin)))
        if self.assessment is None and found.is_settled:
            self.seconds, self.assessment = logs["seconds"], found


def measure(name: str, activation: str, seed: int, options: argparse.Namespace) -> dict:
    """One row; a failure is a row too."""
    row = {"network": name, "activation": activation, "seed": seed}
    case = made(name, activation, seed, options)
    start, settled = time.perf_counter(), Settled()
    try:
        concept = ks.interpret(
            ks.Neuron.of(case.model, kind=case.kind),
            case.points,
            callbacks=[settled],
            time_limit=options.time_limit,
            seed=seed,
            verbose=False,
            search=ks.Search(methods=options.methods, effort=options.effort),
        )
    except ValueError as error:  # no row on the slab, say
        return row | {"says": "refused", "formula": str(error)}
    row |= {"s": round(time.perf_counter() - start, 1), "says": str(concept.matches)}
    row |= {"formula": concept.best.to_pretty(), "angle": concept.angle}
    row |= {"fidelity": str(concept.fidelity), "reason": dict(concept.remarks)["matches"]}
    row |= {"stopped": concept.stopped, "margins": settled.margins}
    if case.truth is not None:
        row["truth"] = distance(concept.best.expression, case.truth, case.points, seed)
    if settled.assessment is not None:
        earlier = settled.assessment.best
        row |= {"settled": settled.seconds, "settled_on": earlier.to_pretty()}
        row["settled_as"] = str(settled.assessment.matches)
        row["apart"] = distance(earlier.expression, concept.best.expression, case.points, seed)
    return row


def distance(one: sympy.Expr, other: sympy.Expr, points: np.ndarray, seed: int) -> float:
    """1 - |cos| between the gradients of two formulas, at fresh points of the box of some."""
    low, high = points.min(axis=0), points.max(axis=0)
    fresh = np.random.default_rng(seed + 1).uniform(low, high, (FRESH_POINTS, len(low)))
    names = [f"x{k + 1}" for k in range(len(low))]
    return direction_error(*(gradient(g, names, fresh) for g in (one, other)))


def summary(rows: Iterable[dict]) -> list[str]:
    """The two rates, in words."""
    rows = [row for row in rows if row["says"] != "refused"]
    without = [row for row in rows if row["network"] in WITHOUT]
    having = [row for row in rows if row["network"] not in WITHOUT]
    false = [row for row in without if row["says"] == "concept"]
    worst = max((row["angle"] for row in false), default=0.0)
    missed = [row for row in having if row["says"] != "concept"]
    settled = [row for row in rows if "settled" in row]
    other = [
        row for row in settled if row["says"] != row["settled_as"] or row["apart"] > SAME_CLASS
    ]
    return [
        f'false "concept": {len(false)} of {len(without)} networks without a formula, at most '
        f"{worst:.1f} degrees off",
        f'missed "concept": {len(missed)} of {len(having)} networks with one',
        f"settled before the end: {len(settled)} of {len(rows)}, {len(other)} of them on an answer "
        "of another word or class than the last one",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    having = ("A1", "A", "B", "C", "D", *NUMBERS)
    parser.add_argument("--without", nargs="*", choices=WITHOUT, default=tuple(WITHOUT))
    parser.add_argument("--with", dest="having", nargs="*", choices=(*SYSTEMS, *NUMBERS))
    parser.add_argument("--activations", nargs="+", choices=ACTIVATIONS, default=ACTIVATIONS)
    parser.add_argument("--seed", type=int, default=0, help="of the first network of each kind")
    parser.add_argument("--seeds", type=int, default=1, help="networks of each kind")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--time-limit", type=float, default=5.0)
    parser.add_argument("--methods", nargs="+", default=("dictionary",))
    parser.add_argument("--effort", default="normal", choices=("quick", "normal", "thorough"))
    parser.add_argument("--networks", type=Path, help="folder that networks are kept in")
    parser.add_argument("--json", type=Path, help="file that the rows are written to")
    options = parser.parse_args()
    names = [*options.without, *(having if options.having is None else options.having)]
    rows = []
    for seed in range(options.seed, options.seed + options.seeds):
        for name in names:
            for activation in options.activations:
                rows.append(measure(name, activation, seed, options))
                write_rows(options.json, rows)
                shown = {name: rows[-1].get(name) for name in COLUMNS}
                print(*(f"{key}={value}" for key, value in shown.items()), flush=True)
    texts = [[_text(row.get(column, "")) for column in COLUMNS] for row in rows]
    print_rows("What results say of networks", COLUMNS, texts, summary(rows))
    return 0


def _text(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
