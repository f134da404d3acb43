"""Random trees for the tests of formulas."""

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy

NAMES = ("x1", "x2", "x3")
BLEND = Operator("blend", lambda a, b, c: a * sympy.tanh(b) + (1 - a) * c)
SETS = {
    "arithmetic": OperatorSet("arithmetic"),
    "default": OperatorSet("default"),
    "polynomial": OperatorSet("polynomial"),
    "full": OperatorSet("full"),
    "own": OperatorSet(["add, sub, mul, div, exp, sigmoid, gauss", BLEND]),
}


@pytest.fixture(params=SETS)
def operators(request):
    return SETS[request.param]


@pytest.fixture
def random_trees():
    """A function `(operators, count, seed) -> trees` with 1 to 15 nodes."""

    def make(operators, count, seed=0, largest=15):
        rng = np.random.default_rng(seed)
        alphabet = Alphabet(operators, NAMES)

        def grow(size):
            fitting = [o for o in operators if o.arity < size]
            if not fitting:
                if rng.random() < 0.2:
                    return [float(rng.normal() * 2)]
                return [int(rng.integers(len(NAMES)))]
            operator = fitting[rng.integers(len(fitting))]
            nodes = [operator.name]
            cuts = np.sort(rng.choice(np.arange(1, size - 1), operator.arity - 1, replace=False))
            for part in np.diff([0, *cuts, size - 1]):
                nodes += grow(int(part))
            return nodes

        return [alphabet.tree(grow(int(rng.integers(1, largest + 1)))) for _ in range(count)]

    return make


@pytest.fixture
def real_formulas(random_trees):
    """A function `(operators, count, seed) -> (tree, expression)` where SymPy finds them real."""

    def make(operators, count, seed=0, **options):
        pairs = []
        for tree in random_trees(operators, count, seed, **options):
            try:
                expression = to_sympy(tree, operators)
            except ValueError:  # Max of something that SymPy cannot compare
                continue
            nonsense = (sympy.I, sympy.zoo, sympy.nan, sympy.oo, sympy.re, sympy.im, sympy.arg)
            if not expression.has(*nonsense):
                pairs.append((tree, expression))
        assert len(pairs) > count // 2
        return pairs

    return make
