"""The benchmark of real tables: the row of a small table stands for several splits."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest


@pytest.fixture
def benchmark(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
    yield import_module("benchmark_real")
    sys.modules.pop("benchmark_real")


def split(formula: float, **fields) -> dict:
    """What is measured of one network."""
    found = {"seed": 0, "rows": 100, "fresh_rows": 30, "inputs": 4, "metric": "agreement"}
    found |= {"formula": formula, "linear": 0.9, "tree": 0.8, "complexity": 9, "regions": 1}
    found |= {"matches": "approximation", "seconds": 2.0, "processor_seconds": 3.0}
    return found | {"expression": "a + b"} | fields


def test_few_rows_are_counted_together_over_the_splits(benchmark):
    each = [split(29 / 30), split(27 / 30, complexity=55, matches="concept", expression="a")]
    row = benchmark.joined("iris-3", "iris", each)
    assert row["splits"] == 2 and row["fresh_rows"] == 60
    assert row["formula"] == pytest.approx(56 / 60)
    assert row["complexity"] == 55 and row["expression"] == "a + b"
    assert row["matches"] == "approximation, concept"
    assert benchmark.shown(row)[:4] == ["iris-3", "2", "4", "agreement"]


@pytest.mark.parametrize(
    ("rows", "fresh", "networks"),
    [(800, 240, 3), (1000, 300, 2), (100, 30, 17), (50, 15, 20), (2000, 600, 1)],
)
def test_small_tables_have_splits_with_seeds_of_their_own(
    benchmark, monkeypatch, rows, fresh, networks
):
    seeds = []

    def measure(name, seed, options):
        seeds.append(seed)
        return split(1.0, seed=seed, rows=rows, fresh_rows=fresh)

    monkeypatch.setattr(benchmark, "measure", measure)
    row = benchmark.row_of("iris", 7, None)
    assert row["splits"] == len(set(seeds)) == networks and seeds[0] == 7
