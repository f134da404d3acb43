"""The comparison with another engine: it must be given the same formulas."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.trees import to_sympy
from keras_symgrad.search.core.variation import Variation


@pytest.fixture
def benchmark(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts" / "benchmarks"))
    yield import_module("benchmark_peer")
    for name in ("benchmark_peer", "benchmark_engine"):
        sys.modules.pop(name)


def test_a_tree_is_written_as_the_same_formula(benchmark):
    variation = Variation(benchmark.alphabet_of(3), 0)
    names = {f"x{k}": sympy.Symbol(f"x{k}", real=True) for k in (1, 2, 3)}
    names |= {"square": lambda a: a**2}
    points = np.random.default_rng(0).uniform(0.5, 2, (20, 3)).astype(complex)
    for tree in benchmark.random_trees(variation, 20):
        # This text was written above, by the project's own code.
        read = sympy.sympify(benchmark.text_of(tree), names)
        one, two = (
            sympy.lambdify([names[f"x{k}"] for k in (1, 2, 3)], form)(*points.T)
            for form in (read, to_sympy(tree, benchmark.OPERATORS))
        )
        np.testing.assert_allclose(one, two, rtol=1e-6)
