"""Tables of real tasks and networks trained on them, for `benchmark_real.py`.

The tables come with scikit-learn, statsmodels and vega_datasets, or are drawn here after everyday
ones, one-hot columns and columns of few values among them; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn import datasets

WIDTHS = (64, 32)
DROPOUT = 0.1
BATCH = 64
# Steps of training: small tables are passed more often.
STEPS = 2000
LEARNING_RATE = 2e-3
# Passes over less rows than these cost more time than their steps.
SHORT_PASS = 2000
# Share of a table that the network is trained on, and explained with.
TRAINED = 0.7
# Side of the blocks of pixels that pictures of 8 x 8 are averaged over.
POOLED = 2

Columns = tuple[np.ndarray, np.ndarray, list[str]]


@dataclass(frozen=True)
class Task:
    """A trained network and the rows of its table.

    Attributes:
        model: on the raw columns.
        names: of the columns.
        known: rows that the network was trained on, `(rows, inputs)`.
        fresh: rows that it never saw.
        is_classifier: whether the output is a probability.
    """

    model: keras.Model
    names: list[str]
    known: np.ndarray
    fresh: np.ndarray
    is_classifier: bool


def bundled(name: str, positive: int | None = None, among: tuple[int, ...] = ()) -> Callable:
    """One of scikit-learn's tables; of several classes one against the rest, or among some."""

    def load(seed: int) -> Columns:
        data = getattr(datasets, f"load_{name}")()
        x, y = data.data, data.target
        if among:
            x, y = x[np.isin(y, among)], y[np.isin(y, among)]
        names = [str(name).replace(" ", "_").replace("/", "_") for name in data.feature_names]
        return x, y if positive is None else (y == positive).astype(int), names

    return load


def generated(name: str, rows: int = 2000, **options) -> Callable:
    """One of scikit-learn's generators."""

    def load(seed: int) -> Columns:
        x, y = getattr(datasets, f"make_{name}")(n_samples=rows, random_state=seed, **options)
        # Some label one class -1.
        y = y if y.dtype.kind == "f" and len(np.unique(y)) > 2 else (y > 0).astype(int)
        return x, y, [f"x{k + 1}" for k in range(x.shape[1])]

    return load


def moons(seed: int) -> Columns:
    """Two moons, and two columns of noise."""
    x, y, _ = generated("moons", noise=0.15)(seed)
    noise = np.random.default_rng(seed).normal(size=(len(x), 2))
    return np.column_stack([x, noise]), y, ["x1", "x2", "x3", "x4"]


def sensors(seed: int) -> Columns:
    """Forty columns, half of them sums of others, of widths from 0.1 to 10."""
    options = {"n_features": 40, "n_informative": 8, "n_redundant": 12, "class_sep": 1.5}
    x, y, _ = generated("classification", **options)(seed)
    return x * np.logspace(-1, 1, 40), y, [f"sensor_{k + 1}" for k in range(40)]


def digits(seed: int) -> Columns:
    """Threes and eights, in blocks of 2 x 2 pixels."""
    x, y, _ = bundled("digits", positive=8, among=(3, 8))(seed)
    x = x.reshape(-1, 8 // POOLED, POOLED, 8 // POOLED, POOLED).mean(axis=(2, 4))
    names = [f"p{row}{column}" for row in range(4) for column in range(4)]
    return x.reshape(len(x), -1), y, names


def columns_of(table: pd.DataFrame, target: str, yes: str | None = None) -> Columns:
    """The numbers of a table, texts in one-hot columns, and a column that is learned from them.

    Args:
        table: any; rows with missing values are left out.
        target: the column.
        yes: its value that a classifier tells from the others; `None` where it is a number.
    """
    table = table.dropna()
    y = table.pop(target)
    table = pd.get_dummies(table, dtype=float)
    names = ["".join(c if c.isalnum() else "_" for c in str(name)) for name in table]
    y = y.to_numpy(float) if yes is None else (y == yes).to_numpy(int)
    return table.to_numpy(float), y, names


def of_statsmodels(name: str, left_out: tuple[str, ...] = ()) -> pd.DataFrame:
    """One of the tables of statsmodels."""
    table = import_module(f"statsmodels.datasets.{name}").load_pandas().data
    return table.drop(columns=list(left_out))


def cars(seed: int) -> Columns:
    """Miles per gallon by what a car is."""
    table = import_module("vega_datasets").local_data.cars()
    table["Year"] = table["Year"].dt.year
    return columns_of(table.drop(columns="Name"), "Miles_per_Gallon")


def rain(seed: int) -> Columns:
    """Days of rain in Seattle by temperatures, wind and month."""
    table = import_module("vega_datasets").local_data.seattle_weather()
    table["month"] = table["date"].dt.month
    return columns_of(table.drop(columns=["date", "precipitation"]), "weather", "rain")


def affairs(seed: int) -> Columns:
    """Who had an affair, by answers of few values."""
    table = of_statsmodels("fair")
    table["affairs"] = np.where(table["affairs"] > 0, "yes", "no")
    return columns_of(table, "affairs", "yes")


def votes(seed: int) -> Columns:
    """Votes in an election by answers of few values, age and the size of the town."""
    table = of_statsmodels("anes96", left_out=("popul",))
    table["vote"] = np.where(table["vote"] == 1, "yes", "no")
    return columns_of(table, "vote", "yes")


def macroeconomy(seed: int) -> Columns:
    """Unemployment by quarterly numbers of an economy, which nearly all grow with time."""
    return columns_of(of_statsmodels("macrodata", left_out=("year", "quarter")), "unemp")


def churn(seed: int) -> Columns:
    """Customers who leave: contracts in one-hot columns, flags, and counts of few values."""
    r, rows = np.random.default_rng(seed), 3000
    contract = r.choice(3, rows, p=[0.55, 0.2, 0.25])
    fiber, support, senior, paperless = (r.random((4, rows)).T < [0.45, 0.3, 0.16, 0.6]).T
    tenure = np.minimum(r.gamma(1.3, 24, rows), 72).round()
    monthly = 25 + 40 * fiber + 12 * support + 10 * r.normal(size=rows)
    calls, age = r.poisson(1.2, rows), r.integers(18, 80, rows)
    logit = 0.6 - 0.06 * tenure * (contract == 0) - 1.2 * (contract == 1) - 2.4 * (contract == 2)
    logit += 1.1 * fiber + 0.5 * np.maximum(calls - 1, 0) - 0.7 * support * fiber
    logit += 0.02 * np.maximum(monthly - 60, 0) + 0.3 * senior
    y = (r.random(rows) < 1 / (1 + np.exp(-1.5 * logit))).astype(int)
    columns = [tenure, monthly, calls, age, fiber, support, senior, paperless]
    columns += [tenure * monthly, *np.eye(3)[contract].T]
    names = ["tenure", "monthly", "calls", "age", "fiber", "support", "senior", "paperless"]
    names += ["total", "contract_month", "contract_year", "contract_two"]
    return np.column_stack(columns), y, names


def housing(seed: int) -> Columns:
    """Prices of houses by eight numbers."""
    r, rows = np.random.default_rng(seed), 3000
    income, age = r.gamma(4, 1.0, rows), r.integers(1, 53, rows)
    rooms, people = 3 + r.gamma(6, 0.4, rows), 1 + r.gamma(4, 0.5, rows)
    bedrooms = rooms / 5 + 0.1 * r.normal(size=rows)
    north, east, crime = r.uniform(32, 42, rows), r.uniform(-124, -114, rows), r.gamma(1, 2, rows)
    coast = np.abs(east + 1.1 * (north - 37) + 120)
    y = 0.45 * np.minimum(income, 8) + 0.15 * rooms * income / people + 0.01 * age
    y += 2.5 * np.exp(-coast / 1.5) - 0.1 * np.log1p(crime) + 0.3 * r.normal(size=rows)
    names = ["income", "age", "rooms", "bedrooms", "people", "north", "east", "crime"]
    return np.column_stack([income, age, rooms, bedrooms, people, north, east, crime]), y, names


def bikes(seed: int) -> Columns:
    """Bicycles lent in an hour: weather, hour, a working day, and the season in four columns."""
    r, rows = np.random.default_rng(seed), 3000
    season, hour, working = r.integers(0, 4, rows), r.integers(0, 24, rows), r.random(rows) < 0.68
    warmth = np.array([4, 17, 25, 11])[season] + 5 * r.normal(size=rows)
    humidity, wind = np.clip(r.normal(62, 18, rows), 10, 100), r.gamma(2, 6, rows)
    peaks = np.exp(-((hour - 8) ** 2) / 4) + 1.2 * np.exp(-((hour - 17.5) ** 2) / 8)
    day = 0.8 * np.exp(-((hour - 14) ** 2) / 25)
    demand = 40 + 300 * (working * peaks + (1 - working) * day)
    comfort = 0.3 + np.clip(warmth, 0, 26) / 26 - 0.3 * (humidity > 85)
    y = demand * comfort * (1 + 0.1 * r.normal(size=rows)) - wind
    columns = [warmth, humidity, wind, hour, working, *np.eye(4)[season].T]
    names = ["warmth", "humidity", "wind", "hour", "working"]
    names += ["season_winter", "season_spring", "season_summer", "season_autumn"]
    return np.column_stack(columns), y, names


TABLES: dict[str, Callable[[int], Columns]] = {
    "breast_cancer": bundled("breast_cancer"),
    "wine": bundled("wine", positive=1),
    "iris": bundled("iris", positive=2, among=(1, 2)),
    "diabetes": bundled("diabetes"),
    "friedman1": generated("friedman1", noise=0.5),
    "friedman2": generated("friedman2", noise=20.0),
    "friedman3": generated("friedman3", noise=0.05),
    "classification": generated("classification", n_features=20, n_informative=6, n_redundant=4),
    "moons": moons,
    "quantiles": generated("gaussian_quantiles", n_features=5, n_classes=2),
    "sensors": sensors,
    "churn": churn,
    "housing": housing,
    "digits": digits,
    "bikes": bikes,
    "sparse": generated("sparse_uncorrelated"),
    "hastie": generated("hastie_10_2"),
    "cars": cars,
    "rain": rain,
    "affairs": affairs,
    "votes": votes,
    "macroeconomy": macroeconomy,
}
# Packages that some of them come with and the project does not need.
PACKAGES = dict.fromkeys(("cars", "rain"), "vega_datasets")
PACKAGES |= dict.fromkeys(("affairs", "votes", "macroeconomy"), "statsmodels")


def here() -> list[str]:
    """Names of the tables whose packages are installed."""
    return [name for name in TABLES if name not in PACKAGES or find_spec(PACKAGES[name])]


def train(x: np.ndarray, y: np.ndarray, seed: int) -> keras.Model:
    """A ReLU network with dropout on the raw columns: what scales them is a layer of it."""
    keras.utils.set_random_seed(seed)
    is_classifier = y.dtype.kind == "i"
    scaling = keras.layers.Normalization()
    scaling.adapt(x.astype(np.float32))
    layers = [keras.Input((x.shape[1],)), scaling]
    for width in WIDTHS:
        layers += [keras.layers.Dense(width, "relu"), keras.layers.Dropout(DROPOUT)]
    layers.append(keras.layers.Dense(1, "sigmoid" if is_classifier else None))
    model = keras.Sequential(layers)
    loss = "binary_crossentropy" if is_classifier else "mse"
    rate = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(rate, loss, steps_per_execution=20, jit_compile=True)
    target = y if is_classifier else (y - y.mean()) / y.std()
    copies = max(1, SHORT_PASS // len(x))
    rows, target = np.tile(x.astype(np.float32), (copies, 1)), np.tile(target, copies)
    passes = -(-STEPS * BATCH // len(rows))
    model.fit(rows, target, batch_size=BATCH, epochs=passes, verbose=0)
    return model


def task(name: str, seed: int, networks: Path | None = None) -> Task:
    """A table and its network, which comes from the folder if it was trained before.

    Args:
        name: of the table.
        seed: of the rows that are drawn, their split and the network.
        networks: folder of trained networks.

    Returns:
        The task.
    """
    x, y, names = TABLES[name](seed)
    order = np.random.default_rng(seed).permutation(len(x))
    known, fresh = np.split(order, [round(TRAINED * len(x))])
    path = networks and networks / f"{name}-{seed}.keras"
    if path and path.exists():
        model = keras.models.load_model(path)
    else:
        model = train(x[known], y[known], seed)
        if path:
            networks.mkdir(parents=True, exist_ok=True)
            model.save(path)
    return Task(model, names, x[known], x[fresh], y.dtype.kind == "i")
