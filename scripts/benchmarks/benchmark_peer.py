#!/usr/bin/env python3
"""Compare the engine with that of Operon, a compiled search for formulas of values.

    pip install pyoperon
    scripts/benchmarks/benchmark_peer.py [--rows N] [--seed N] [--repeats N] [--json FILE]

The same random trees of 15 nodes over the default operators, in float32, one thread each, trees per
second of processor time, medians of repeats that alternate in one run:

- engine: value, gradient and loss of every tree;
- Operon: the value alone, because its trees are fitted to values.

Before, the values of both are compared on trees that are finite everywhere. PySR, the leading tool,
needs Julia, which no package index has.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from benchmark_engine import (
    OPERATORS,
    TREES,
    VARIABLES,
    alphabet_of,
    random_trees,
    trees_per_second,
)
from deap import gp
from rows import print_rows, write_rows

from keras_symgrad.engine import Engine, unit
from keras_symgrad.expressions import symbol, to_sympy
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.search.core import Variation

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
COLUMNS = ("variables", "engine", "operon", "ratio", "compared", "agree")
# Trees whose values are compared, and the largest relative difference in float32.
COMPARED = 100
TOLERANCE = 1e-2


def text_of(tree: Sequence[gp.Primitive | gp.Terminal]) -> str:
    """A tree as Operon's parser reads it."""
    rest = iter(tree)

    def written() -> str:
        node = next(rest)
        if node.arity == 0:
            return f"({node.value!r})" if isinstance(node.value, float) else str(node.value)
        parts = [written() for _ in range(node.arity)]
        if node.name in INFIX:
            return f"({f' {INFIX[node.name]} '.join(parts)})"
        return f"{node.name}({', '.join(parts)})"

    return written()


class Operon:
    """Operon's evaluation of trees on points.

    Args:
        points: float32, `(rows, variables)`.
    """

    def __init__(self, points: np.ndarray):
        import pyoperon

        self._operon = pyoperon
        # It reads the array where it is.
        self._points = np.asfortranarray(points)
        self._data = pyoperon.Dataset(self._points)
        self._names = {f"x{k}": v.Hash for k, v in enumerate(self._data.Variables, start=1)}

    def parsed(self, trees: Sequence[gp.PrimitiveTree]) -> list:
        """Trees in its form."""
        return [self._operon.InfixParser.Parse(text_of(tree), self._names) for tree in trees]

    def values(self, trees: Sequence) -> np.ndarray:
        """Values of parsed trees, `(trees, rows)`, on one thread."""
        found = np.zeros((len(trees), len(self._points)), np.float32)
        rows = self._operon.Range(0, len(self._points))
        self._operon.EvaluateTrees(trees, self._data, rows, found, 1)
        return found


def agreeing(operon: Operon, trees: Sequence[gp.PrimitiveTree], points: np.ndarray) -> np.ndarray:
    """Whether the values of trees that are finite everywhere are those of SymPy."""
    names = [symbol(f"x{k + 1}") for k in range(points.shape[1])]
    with np.errstate(all="ignore"):
        exact = [numpy_function([to_sympy(t, OPERATORS)], names)(points)[:, 0] for t in trees]
    found = operon.values(operon.parsed(trees))
    finite = [np.isfinite(one).all() and np.isfinite(two).all() for one, two in zip(exact, found)]
    pairs = [pair for pair, usable in zip(zip(exact, found), finite) if usable]
    return np.array([np.allclose(two, one, TOLERANCE, TOLERANCE) for one, two in pairs])


def measure(variables: int, options: argparse.Namespace) -> dict:
    """The row of one number of variables."""
    rng = np.random.default_rng(options.seed)
    points = rng.uniform(0.5, 2.0, (options.rows, variables)).astype(np.float32)
    directions = unit(rng.normal(size=(options.rows, variables))).astype(np.float32)
    variation = Variation(alphabet_of(variables), options.seed)
    operon = Operon(points)
    agree = agreeing(operon, random_trees(variation, COMPARED), points.astype(float))
    rates = []
    with Engine(OPERATORS, points, directions, workers=1) as engine:
        engine.compile()
        for _ in range(options.repeats):
            batches = [random_trees(variation, TREES["loss"]) for _ in range(2)]
            _, ours = trees_per_second(engine.losses, batches)
            _, theirs = trees_per_second(operon.values, list(map(operon.parsed, batches)))
            rates.append((ours, theirs))
    ours, theirs = map(float, np.median(rates, axis=0))
    ratio = float(np.median([one / two for one, two in rates]))
    counts = {"compared": len(agree), "agree": int(agree.sum())}
    return {"variables": variables, "engine": ours, "operon": theirs, "ratio": ratio} | counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="points")
    parser.add_argument("--seed", type=int, default=0, help="of trees and points")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    try:
        peer = version("pyoperon")
    except ImportError:
        parser.error("Operon is not installed. Install it with: pip install pyoperon")
    rows = []
    for variables in VARIABLES:
        rows.append(measure(variables, options) | {"pyoperon": peer})
        write_rows(options.json, rows)
    numbers = dict.fromkeys(COLUMNS, ",.0f") | {"ratio": ".2f"}
    texts = [[format(row[c], numbers[c]) for c in COLUMNS] for row in rows]
    print_rows("Trees per processor second, one thread", COLUMNS, texts, [f"pyoperon {peer}"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
