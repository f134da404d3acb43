#!/usr/bin/env python3
"""Measure recovery of the published systems from freshly trained networks.

    scripts/benchmarks/benchmark_systems.py [--systems A1 A B C D E F G] [--seeds N] [--seed FIRST]
        [--activations elu ...] [--deltas 0.01 ...] [--methods gradients labels values]
        [--metric covariance] [--networks DIR] [--study] [--json FILE]

For every system and seed a network of its own is trained on data of its own, interpreted with
default settings, and the formula that was chosen is judged by class, never by text.

- A1 to E: *concept* if mean(1 - |cos|) between the formula's gradient and the truth's is below 2e-3
  on fresh points of the box, *boundary* if it is so on the true decision boundary only, and in
  either case with at most 1.5 times the truth's complexity.
- F and G have two concepts that labels cannot tell apart, and the network itself is the truth:
  *concept* if the formula explains its gradients at least 10 times better (`ratio` of losses) than
  either concept alone, and its rule agrees with the network on more than 98 %. The rows are fresh
  ones of the kind that the network was trained on, with 0.01 <= p <= 0.99: where the two concepts
  disagree it has seen nothing. `cosine_error` is then that to the network's gradients.

Beside the gradients, the same genetic search may be fitted to labels (symbolic classification) or
to the logit's values, as other tools distil networks: for a whole minute, on 512 of the points
that the network was trained on. Neither depends on delta, so both run once for each network. The
rule that chooses from a front was made for gradients; `on_front` is therefore the best verdict that
any row of the front would have got.

`--study` varies delta and activation. Every row is written to the JSON file at once; a run that
fails is a row *missed* with the error as its expression. `seconds` is the time of `interpret` as in
a new process after its imports: what was compiled for one row is forgotten before the next.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from keras_symgrad import Sampling

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

import keras
import numpy as np
import sympy
from rich.console import Console
from rich.table import Table
from rows import write_rows
from training import ROWS, load_or_train

import keras_symgrad
from keras_symgrad.datasets import JOINT_SYSTEMS, SYSTEMS, JointSystem, System, judge, times_better
from keras_symgrad.engine import direction_error, interpreter, reference
from keras_symgrad.expressions import (
    Alphabet,
    Complexity,
    OperatorSet,
    canonicalize,
    from_sympy,
    to_sympy,
)
from keras_symgrad.formulas import Formula
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.search.core import Individual, Stopping
from keras_symgrad.search.genetic import TargetEngine, search_for

EVERY = {**SYSTEMS, **JOINT_SYSTEMS}
ACTIVATIONS = ("elu", "softplus", "swish", "tanh", "relu")
STUDY = {"systems": ("A1", "B", "D"), "activations": ACTIVATIONS, "deltas": (1e-3, 1e-2, 1e-1)}
USUAL = {"systems": tuple(EVERY), "activations": ("elu",), "deltas": (1e-2,)}
OPERATORS = OperatorSet("default")
# Criteria for the joint concept of F or G.
RATIO = 10.0
AGREEMENT = 0.98
KINDS = ("concept", "boundary", "missed")
# Rows for the searches on labels and values, as for that on gradients, and their time limit.
TARGET_ROWS = 512
TARGET_SECONDS = 60.0
# Added to a seed for points that no network and no search has seen.
FRESH = 1_000_003


@dataclass(frozen=True, eq=False)
class Task:
    """One network to read."""

    system: System | JointSystem
    seed: int
    activation: str
    delta: float
    model: keras.Model
    metric: str = "covariance"

    @property
    def points(self) -> np.ndarray:
        return self.system.data(ROWS, self.seed)[0]


@dataclass(frozen=True)
class Found:
    """Result of a method."""

    expression: sympy.Expr
    text: str
    complexity: float
    loss: float
    agreement: float | None = None
    matches: str | None = None
    front_seconds: float | None = None


Method = Callable[[Task], tuple[Found, list[Found]]]


def by_gradients(task: Task) -> tuple[Found, list[Found]]:
    """The tool with default settings: the chosen formula, and its front."""
    concept = keras_symgrad.interpret(
        task.model,
        task.points,
        seed=task.seed,
        verbose=False,
        sampling=Sampling(delta=task.delta, metric=task.metric),
    )
    front = [
        Found(row.expression, row.to_text(), row.complexity, row.loss) for row in concept.front
    ]
    best = Found(
        concept.best.expression,
        concept.best.to_text(),
        concept.best.complexity,
        concept.best.loss,
        concept.rule.agreement if concept.rule else 0.0,
        getattr(concept, "matches", None),
        getattr(concept, "front_seconds", None),
    )
    return best, front


def by_target(target_of: Callable[[Task, np.ndarray, np.ndarray], np.ndarray]) -> Method:
    """The genetic search on labels or values."""

    def method(task: Task) -> tuple[Found, list[Found]]:
        points, labels = (part[:TARGET_ROWS] for part in task.system.data(ROWS, task.seed))
        alphabet = Alphabet(OPERATORS, task.system.names)
        with TargetEngine(OPERATORS, points, target_of(task, points, labels)) as engine:
            search = search_for(engine, alphabet, seed=task.seed)
            archive = search.run(Stopping(time_limit=TARGET_SECONDS, patience=None))
        choice = _found(archive.choice(), task)
        choice = replace(choice, agreement=agreement_of(choice, task))
        return choice, [_found(row, task) for row in archive.front()]

    return method


def _found(row: Individual, task: Task) -> Found:
    """A row of an archive, written as shortly as what keeps the concept allows."""
    names = task.system.names
    expression = canonicalize(to_sympy(row.tree, OPERATORS), OPERATORS)
    formula = Formula(expression, min(row.complexity, complexity_of(expression, names)), 0.0, names)
    return Found(expression, formula.to_text(), formula.complexity, row.loss)


def agreement_of(found: Found, task: Task) -> float:
    """Share of fresh points on which the best threshold decides as the network does."""
    x = task.system.data(10_000, seed=FRESH + task.seed)[0]
    values = Formula(found.expression, found.complexity, found.loss, task.system.names)(x)
    yes = logit(task, x) > 0
    right = np.cumsum(np.where(yes[np.argsort(values)], -1, 1))
    above = yes.sum() + np.concatenate([[0], right])
    return float(np.max(np.maximum(above, len(yes) - above)) / len(yes))


def complexity_of(expression: sympy.Expr, names: Sequence[str]) -> float:
    """Complexity of the expression as written; infinite if the operators cannot write it."""
    try:
        return Complexity().over(OPERATORS)(from_sympy(expression, Alphabet(OPERATORS, names)))
    except ValueError:
        return np.inf


def logit(task: Task, x: np.ndarray) -> np.ndarray:
    return Neuron.of(task.model).values_and_gradients(x)[0]


METHODS: dict[str, Method] = {
    "gradients": by_gradients,
    "labels": by_target(lambda task, x, labels: labels > 0.5),
    "values": by_target(lambda task, x, labels: logit(task, x)),
}


def judged(found: Found, task: Task) -> dict:
    """Class, errors and the references of the measurement."""
    if isinstance(task.system, JointSystem):
        return _judged_by_network(found, task)
    truth = complexity_of(task.system.expression, task.system.names)
    verdict = judge(
        found.expression, task.system, complexity=found.complexity, truth_complexity=truth
    )
    return {
        "recovered": verdict.kind,
        "cosine_error": verdict.concept_error,
        "boundary_error": verdict.boundary_error,
        "truth_complexity": truth,
    }


def _judged_by_network(found: Found, task: Task) -> dict:
    field = _fresh_field(task)
    ratio = times_better(found.expression, task.system, field.points, field.directions)
    gradients = reference.gradient(found.expression, field.names, field.points)
    agreement = agreement_of(found, task) if found.agreement is None else found.agreement
    is_joint = ratio >= RATIO and agreement > AGREEMENT
    return {
        "recovered": "concept" if is_joint else "missed",
        "cosine_error": direction_error(gradients, field.directions),
        "ratio": ratio,
    }


@lru_cache(maxsize=1)
def _fresh_field(task: Task) -> GradientField:
    """Gradients on the rows of the slab among many points of the kind that were trained on."""
    x = task.system.data(400_000, seed=FRESH + task.seed)[0]
    return GradientField.from_neuron(
        Neuron.of(task.model), x, names=task.system.names, rows=5_000, draw=False, move=False
    )


def measure(task: Task, method: str) -> dict:
    """One row; a failure is a row too."""
    row = {
        "system": task.system.id,
        "seed": task.seed,
        "activation": task.activation,
        "delta": task.delta,
        "method": method,
        "metric": task.metric,
    }
    missed = dict.fromkeys(("ratio", "boundary_error", "truth_complexity"))
    missed |= {"recovered": "missed", "on_front": "missed", "cosine_error": 1.0}
    # A new process would have compiled nothing yet.
    interpreter.compiled_sums.cache_clear()
    start = time.perf_counter()
    try:
        found, front = METHODS[method](task)
        seconds = time.perf_counter() - start
        verdict, answer = missed | judged(found, task), asdict(found)
        kinds = [verdict["recovered"], *(judged(row, task)["recovered"] for row in front)]
        verdict["on_front"] = min(kinds, key=KINDS.index)
        answer["expression"] = answer.pop("text")
    except Exception as error:  # The other rows must be kept after any error.
        traceback.print_exc()
        seconds, verdict = time.perf_counter() - start, missed
        answer = dict.fromkeys(("complexity", "loss", "agreement", "matches", "front_seconds"))
        answer["expression"] = f"{type(error).__name__}: {error}"
    return {**row, **verdict, **answer, "seconds": round(seconds, 2)}


def table_of(rows: Iterable[dict]) -> Table:
    """One line for each system, activation, delta and method."""
    table = Table(
        title="Formulas read from freshly trained networks",
        caption="recovered: as concept + as boundary, of all; F and G: 10 times better than "
        "either concept alone and agreement above 98 %. Medians over seeds.",
    )
    for heading in ("system", "method", "activation"):
        table.add_column(heading)
    for heading in (
        *("delta", "recovered", "on front", "1 - |cos|", "loss", "ratio"),
        *("complexity", "truth", "seconds", "agreement"),
    ):
        table.add_column(heading, justify="right")
    keys = ("system", "method", "activation", "delta")
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    for (system, method, activation, delta), group in groups.items():
        table.add_row(
            *(system, method, activation, f"{delta:g}"),
            *(_counted(group, "recovered"), _counted(group, "on_front")),
            _median(group, "cosine_error", "{:.1e}"),
            _median(group, "loss", "{:.1e}"),
            _median(group, "ratio", "{:.1f}"),
            _median(group, "complexity", "{:g}"),
            _median(group, "truth_complexity", "{:g}"),
            _median(group, "seconds", "{:.1f}"),
            _median(group, "agreement", "{:.2%}"),
        )
    return table


def _counted(rows: list[dict], key: str) -> str:
    kinds = [row[key] for row in rows]
    return f"{kinds.count('concept')} + {kinds.count('boundary')} of {len(kinds)}"


def _median(rows: list[dict], key: str, form: str) -> str:
    numbers = [row[key] for row in rows if row[key] is not None]
    return form.format(float(np.median(numbers))) if numbers else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=EVERY)
    parser.add_argument("--seeds", type=int, help="networks of each kind; 5, or 1 in the study")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--activations", nargs="+", choices=ACTIVATIONS)
    parser.add_argument("--deltas", nargs="+", type=float)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["gradients"])
    parser.add_argument(
        "--metric", choices=("covariance", "columns"), default="covariance", help="of directions"
    )
    parser.add_argument("--networks", type=Path, help="where trained networks are kept")
    parser.add_argument("--study", action="store_true", help="vary delta and activation")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    usual = STUDY if options.study else USUAL
    seeds = options.seeds or (1 if options.study else 5)
    deltas = options.deltas or usual["deltas"]

    rows = []
    for name, activation, seed in itertools.product(
        options.systems or usual["systems"],
        options.activations or usual["activations"],
        range(options.seed, options.seed + seeds),
    ):
        model = load_or_train(EVERY[name], activation, seed, options.networks)
        for method in options.methods:
            for delta in deltas if method == "gradients" else deltas[:1]:
                task = Task(EVERY[name], seed, activation, delta, model, options.metric)
                row = measure(task, method)
                rows.append(row)
                print(
                    *(row[key] for key in ("system", "seed", "activation", "delta", "method")),
                    *(row["recovered"], f"{row['cosine_error']:.1e}", row["complexity"]),
                    *(f"{row['seconds']:.1f} s", row["expression"]),
                    file=sys.stderr,
                    flush=True,
                )
                write_rows(options.json, rows)
    Console(width=150).print(table_of(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
