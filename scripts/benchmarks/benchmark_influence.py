"""Compare the reported influence of inputs with permutation importance.

    .venv/bin/python scripts/benchmarks/benchmark_influence.py [--tables NAME ...] [--seeds 1]
        [--seed 0]
        [--json FILE]

Networks of real tables (those that scikit-learn brings along) and of generated ones, with ReLU,
tanh, ELU and swish, dropout, batch normalization and `Normalization` layers, are trained on 70 % of
the rows. `interpret` gets all rows. Independent of it, each input is permuted 20 times, the columns
of a one-hot block together: `network` is the drop of the agreement with the network's own decisions
(of R2 with its own values for a regressor), `labels` that with the labels.

A network counts where the three inputs with the largest reported influence contain the two of the
largest permutation importance. `margin` is the importance of the second over that of the fourth:
near 1 it is a tie.

Needs scikit-learn, for its tables.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from rows import print_rows, write_rows
from sklearn import datasets

from keras_symgrad import Search, interpret
from keras_symgrad.neurons import Neuron

WIDTH = 32
DEPTH = 2
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 3e-3
REPEATS = 20
COLUMNS = (
    *("table", "activation", "layers", "seed", "inputs", "score"),
    *("network", "labels", "margin", "influence", "importance"),
)


@dataclass(frozen=True)
class Table:
    """Data, and the network that is trained on them.

    Attributes:
        load: `seed -> (x, y, names)`; whole numbers in `y` are the classes 0 and 1.
        activation: of the hidden layers.
        dropout: after each hidden layer.
        batch_normalization: whether each hidden layer has it.
        blocks: columns of one-hot blocks, by name.
    """

    load: Callable[[int], tuple[np.ndarray, np.ndarray, list[str]]]
    activation: str
    dropout: float = 0.0
    batch_normalization: bool = False
    blocks: tuple[tuple[str, ...], ...] = ()

    @property
    def layers(self) -> str:
        """Layers of the network beside dense ones."""
        parts = ["Normalization"]
        parts += ["BatchNormalization"] * self.batch_normalization
        return ", ".join(parts + ["Dropout"] * bool(self.dropout))


def bundled(name: str, positive: int | None = None, among: tuple[int, ...] = ()) -> Callable:
    """One of scikit-learn's tables; of several classes one against the rest, or among some."""

    def load(seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        data = getattr(datasets, f"load_{name}")()
        x, y = data.data, data.target
        if among:
            x, y = x[np.isin(y, among)], y[np.isin(y, among)]
        names = [str(name).replace(" ", "_") for name in data.feature_names]
        return x, y if positive is None else (y == positive).astype(int), names

    return load


def generated(name: str, rows: int = 1000, **options) -> Callable:
    """One of scikit-learn's generators."""

    def load(seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        x, y = getattr(datasets, f"make_{name}")(rows, random_state=seed, **options)
        return x, y, [f"x{k + 1}" for k in range(x.shape[1])]

    return load


def ill_scaled(seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Twelve columns, some of them sums of others, of widths from 0.01 to 100."""
    options = {"n_features": 12, "n_informative": 4, "n_redundant": 4}
    x, y, names = generated("classification", **options)(seed + 1)
    return x * np.logspace(-2, 2, 12), y, names


def cars(seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Consumption of cars: correlated columns, and the origin in three one-hot columns."""
    r, rows = np.random.default_rng(seed), 900
    origin, size = r.choice(3, rows, p=[0.6, 0.2, 0.2]), r.normal(size=rows)
    year = r.integers(70, 83, rows)
    weight = 2970 + 650 * size + 200 * r.normal(size=rows) + np.array([300, -200, -300])[origin]
    power = 105 + 35 * size + 12 * r.normal(size=rows)
    displacement = 195 + 90 * size + 30 * r.normal(size=rows)
    acceleration = 15.5 - 2 * size + 1.8 * r.normal(size=rows)
    y = 46 - 0.006 * weight - 0.03 * power + 0.7 * (year - 76) + np.array([0, 1, 2.5])[origin]
    columns = [displacement, power, weight, acceleration, year, np.eye(3)[origin]]
    names = ["displacement", "power", "weight", "acceleration", "year"]
    levels = ["origin_usa", "origin_europe", "origin_japan"]
    return np.column_stack(columns), y + 1.5 * r.normal(size=rows), names + levels


ORIGIN = ("origin_usa", "origin_europe", "origin_japan")
TABLES = {
    "breast cancer": Table(bundled("breast_cancer"), "relu", dropout=0.2),
    "breast cancer, tanh": Table(bundled("breast_cancer"), "tanh"),
    "wine": Table(bundled("wine", positive=1), "relu", dropout=0.2),
    "iris": Table(bundled("iris", positive=2, among=(1, 2)), "tanh", batch_normalization=True),
    "digits": Table(bundled("digits", positive=8, among=(3, 8)), "relu", dropout=0.2),
    "diabetes": Table(bundled("diabetes"), "relu", dropout=0.2),
    "diabetes, swish": Table(bundled("diabetes"), "swish"),
    "friedman1": Table(generated("friedman1", noise=0.3), "swish"),
    "friedman2": Table(generated("friedman2"), "relu", batch_normalization=True),
    "friedman3": Table(generated("friedman3"), "elu"),
    "ill-scaled": Table(ill_scaled, "relu", batch_normalization=True),
    "cars": Table(cars, "relu", dropout=0.1, blocks=(ORIGIN,)),
}


def train(table: Table, x: np.ndarray, y: np.ndarray, seed: int) -> keras.Model:
    """A small network on the raw columns, with a layer that scales them."""
    keras.utils.set_random_seed(seed)
    is_classifier = y.dtype.kind == "i"
    scaling = keras.layers.Normalization()
    scaling.adapt(x.astype(np.float32))
    layers = [keras.Input((x.shape[1],)), scaling]
    for _ in range(DEPTH):
        layers.append(keras.layers.Dense(WIDTH))
        if table.batch_normalization:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.Activation(table.activation))
        layers.append(keras.layers.Dropout(table.dropout))
    layers.append(keras.layers.Dense(1, activation="sigmoid" if is_classifier else None))
    model = keras.Sequential(layers)
    rate = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(rate, "binary_crossentropy" if is_classifier else "mse")
    target = y if is_classifier else (y - y.mean()) / y.std()
    model.fit(x.astype(np.float32), target, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def score(values: np.ndarray, truth: np.ndarray, is_classifier: bool) -> float:
    """Agreement of decisions, or R2 of values."""
    if is_classifier:
        return float(np.mean((values > 0) == (truth > 0)))
    return float(1 - np.mean((values - truth) ** 2) / truth.var())


def permutation_importance(
    neuron: Neuron,
    x: np.ndarray,
    truth: np.ndarray,
    blocks: list[list[int]],
    is_classifier: bool,
    seed: int,
) -> np.ndarray:
    """The mean drop of the score where the columns of a block are permuted."""
    rng = np.random.default_rng([seed, 77])
    whole = score(neuron.values(x), truth, is_classifier)
    drops = np.zeros((REPEATS, len(blocks)))
    for repeat in range(REPEATS):
        for k, block in enumerate(blocks):
            permuted = x.copy()
            permuted[:, block] = x[rng.permutation(len(x))][:, block]
            drops[repeat, k] = whole - score(neuron.values(permuted), truth, is_classifier)
    return drops.mean(axis=0)


def measure(name: str, seed: int) -> dict:
    """One network: its influences as they are reported, and permutation importance."""
    table = TABLES[name]
    x, y, names = table.load(seed)
    order = np.random.default_rng(seed).permutation(len(x))
    first, rest = np.split(order, [round(0.7 * len(x))])
    model = train(table, x[first], y[first], seed)
    neuron, is_classifier = Neuron.of(model), y.dtype.kind == "i"
    concept = interpret(
        model, x, names=names, seed=seed, time_limit=2, search=Search(methods="dictionary")
    )
    strongest = [set(one.columns) for one in concept.influence[:3]]

    inside = {column for block in table.blocks for column in block}
    blocks = [list(block) for block in table.blocks]
    blocks += [[column] for column in names if column not in inside]
    numbers = [[names.index(column) for column in block] for block in blocks]
    own = neuron.values(x).astype(float)
    labels = y if is_classifier else (y - y[first].mean()) / y[first].std()
    row = {"table": name, "activation": table.activation, "layers": table.layers, "seed": seed}
    row |= {"inputs": len(blocks), "score": score(own[rest], labels[rest], is_classifier)}
    for kind, truth in (("network", own), ("labels", labels)):
        drops = permutation_importance(neuron, x, truth, numbers, is_classifier, seed)
        ranked = [blocks[k] for k in np.argsort(-drops, kind="stable")]
        row[kind] = all(set(block) in strongest for block in ranked[:2])
        if kind == "network":
            fourth = max(np.sort(drops)[-4], 1e-9)
            row["margin"] = float(np.sort(drops)[-2] / fourth)
            row["importance"] = ["/".join(block) for block in ranked[:2]]
    row["influence"] = [one.name for one in concept.influence[:3]]
    return row


def shown(row: dict) -> list[str]:
    """The cells of a row."""
    cells = row | {"score": f"{row['score']:.3f}", "margin": f"{min(row['margin'], 999):.2f}"}
    cells |= {kind: "yes" if row[kind] else "no" for kind in ("network", "labels")}
    cells |= {kind: ", ".join(row[kind]) for kind in ("influence", "importance")}
    return [str(cells[column]) for column in COLUMNS]


def main() -> None:
    """Run all, print the table, write the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=1, help="networks of each table")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    rows = []
    for seed in range(options.seed, options.seed + options.seeds):
        for name in options.tables:
            rows.append(measure(name, seed))
            write_rows(options.json, rows)
    counts = [
        f"{sum(row[kind] for row in rows)} of {len(rows)} by the {kind}"
        for kind in ("network", "labels")
    ]
    title = "The three largest influences hold the two largest permutation importances"
    print_rows(title, COLUMNS, map(shown, rows), [f"{title}: {', '.join(counts)}"])


if __name__ == "__main__":
    main()
