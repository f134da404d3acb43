"""The engine against whole-expression `sympy.diff`, on random trees over every operator.

That two trees can be compared at all is measured without either of the two (`engine.jets`): a tree
takes part if it is defined at every node, and if rounding errors put into every node grow little
enough for the tolerance. The others are the price of random trees (quotients
of near-zeros, saturated tanh, nested tan), and the tests say how few they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jets
import numpy as np
import pytest
import sympy
from deap import gp
from random_trees import every_operator, random_trees

from keras_symgrad.engine import reference
from keras_symgrad.engine.engine import Engine
from keras_symgrad.expressions.codegen.derivatives import differentiate
from keras_symgrad.expressions.trees import Alphabet, Constant, symbol, to_sympy

pytestmark = pytest.mark.slow

NAMES = ("x1", "x2", "x3")
ALPHABET = Alphabet(every_operator(), NAMES)
POINTS = np.random.default_rng(0).uniform(0.2, 1.8, (40, 3))
DIRECTIONS = reference.unit(np.random.default_rng(1).normal(size=POINTS.shape))
WEIGHTS = np.random.default_rng(2).uniform(0.0, 1.0, len(POINTS))
# Trees at random, and after them those that hold an operator which none before held.
TREES = 60
TREES_WITH_CONSTANTS = 24
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


@dataclass
class Truth:
    """A tree with what the reference says of it, in float64."""

    tree: gp.PrimitiveTree
    growth: jets.Growth
    values: np.ndarray
    gradients: np.ndarray

    @property
    def loss(self) -> float:
        """Mean over rows and columns of (u - U)^2, for the better sign of U."""
        unit = reference.unit(self.gradients)
        return min(
            np.average(np.mean((DIRECTIONS - sign * unit) ** 2, axis=1), weights=WEIGHTS)
            for sign in (1, -1)
        )


@dataclass
class ConstantTruth:
    """A tree with the reference's derivatives of its gradient in its constants."""

    tree: gp.PrimitiveTree
    growth: jets.Growth
    gradients: np.ndarray
    mixed: np.ndarray


def defined_trees(
    seed: int, constants: range, part: str, most: int
) -> Iterator[tuple[gp.PrimitiveTree, jets.Growth]]:
    """Trees with finite values, with every operator in one that float32 can compute."""
    missing = set(ALPHABET.operators.names)
    for tree in random_trees(ALPHABET, 4000, seed):
        count = sum(isinstance(node, Constant) for node in tree)
        if count not in constants or not jets.is_defined(tree, ALPHABET.operators, POINTS):
            continue
        growth = jets.growth(tree, ALPHABET.operators, POINTS)
        news = missing & {node.name for node in tree} if is_comparable(growth, part) else set()
        if most > 0 or news:
            most -= 1
            missing -= news
            yield tree, growth
        elif not missing:
            return


def is_comparable(growth: jets.Growth, part: str, dtype: str = "float32") -> bool:
    """True if grown rounding errors take up a quarter of the tolerance or less."""
    return getattr(growth, part) <= TOLERANCE[dtype] / (4 * np.finfo(dtype).eps)


def truth_of(tree: gp.PrimitiveTree, growth: jets.Growth) -> Truth:
    expression = to_sympy(tree, ALPHABET.operators)
    return Truth(
        tree,
        growth,
        reference.evaluate([expression], NAMES, POINTS)[0],
        reference.gradient(expression, NAMES, POINTS),
    )


def constant_truth_of(tree: gp.PrimitiveTree, growth: jets.Growth) -> ConstantTruth:
    """Constants become variables of their own; `sympy.diff` does the rest."""
    values = [node.value for node in tree if isinstance(node, Constant)]
    names = (*NAMES, *(f"c{number}" for number in range(len(values))))
    extended = Alphabet(ALPHABET.operators, names)
    symbols = iter(extended.variables[len(NAMES) :])
    opened = [next(symbols) if isinstance(node, Constant) else node for node in tree]
    points = np.hstack([POINTS, np.tile(values, (len(POINTS), 1))])

    expression = to_sympy(opened, ALPHABET.operators)
    partials = [differentiate(expression, symbol(name)) for name in NAMES]
    mixed = [differentiate(p, symbol(name)) for p in partials for name in names[len(NAMES) :]]
    found = reference.evaluate([*partials, *mixed], names, points)
    return ConstantTruth(
        tree,
        growth,
        found[: len(NAMES)].T,
        found[len(NAMES) :].T.reshape(len(POINTS), len(NAMES), len(values)),
    )


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Engine]]:
    engines = {
        dtype: Engine(ALPHABET.operators, POINTS, DIRECTIONS, WEIGHTS, dtype=dtype)
        for dtype in TOLERANCE
    }
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="module", autouse=True)
def compiled(engines):
    """XLA compiles, for half a minute, while SymPy differentiates."""
    leaf = [ALPHABET.tree([0])]
    with ThreadPoolExecutor(1) as thread:
        double, single = engines["float64"], engines["float32"]
        for program in (double.losses, double.gradients, double.jacobians, single.losses):
            thread.submit(program, leaf)
        yield


@pytest.fixture(scope="module")
def truths(compiled) -> list[Truth]:
    trees = defined_trees(1, constants=range(16), part="gradient", most=TREES)
    return [truth_of(*each) for each in trees]


@pytest.fixture(scope="module")
def constant_truths(compiled) -> list[ConstantTruth]:
    trees = defined_trees(2, constants=range(1, 5), part="jacobian", most=TREES_WITH_CONSTANTS)
    return [constant_truth_of(*each) for each in trees]


def comparable(truths: list, dtype: str, part: str, share: float) -> list:
    chosen = [truth for truth in truths if is_comparable(truth.growth, part, dtype)]
    assert len(chosen) >= share * len(truths)
    return chosen


def assert_below(errors: list[float], tolerance: float, truths: list) -> None:
    worst = int(np.argmax(errors))
    text = to_sympy(truths[worst].tree, ALPHABET.operators)
    assert errors[worst] <= tolerance, f"{text} (growth {truths[worst].growth})"


def test_values_are_those_of_the_sympy_expression(engines, truths):
    chosen = comparable(truths, "float64", "value", 0.97)
    values = engines["float64"].values([truth.tree for truth in chosen])
    errors = [jets.value_error(v, truth.values) for v, truth in zip(values, chosen)]
    assert_below(errors, TOLERANCE["float64"], chosen)


def test_gradients_are_those_of_sympy_diff(engines, truths):
    chosen = comparable(truths, "float64", "gradient", 0.97)
    gradients = engines["float64"].gradients([truth.tree for truth in chosen])
    errors = [jets.gradient_error(g, truth.gradients) for g, truth in zip(gradients, chosen)]
    assert_below(errors, TOLERANCE["float64"], chosen)


# Both precisions where a search computes; one program less to compile where it does not.
@pytest.mark.parametrize(("dtype", "share"), [("float32", 0.8), ("float64", 0.97)])
def test_losses_are_those_of_gradients_by_sympy_diff(dtype, share, engines, truths):
    chosen = comparable(truths, dtype, "gradient", share)
    losses = engines[dtype].losses([truth.tree for truth in chosen])
    errors = [abs(loss / truth.loss - 1) for loss, truth in zip(losses, chosen)]
    assert_below(errors, TOLERANCE[dtype], chosen)


def test_the_loss_of_the_reference_is_that_of_its_gradients(truths):
    for truth in truths[:30]:
        expression = to_sympy(truth.tree, ALPHABET.operators)
        loss = reference.loss(expression, NAMES, POINTS, DIRECTIONS, WEIGHTS)
        assert loss == pytest.approx(truth.loss, rel=1e-12)


def test_constant_jacobians_are_those_of_sympy_diff(engines, constant_truths):
    chosen = comparable(constant_truths, "float64", "jacobian", 0.97)
    jacobians = engines["float64"].jacobians([truth.tree for truth in chosen])
    errors = []
    for jacobian, truth in zip(jacobians, chosen):
        count = truth.mixed.shape[-1]
        errors.append(jets.jacobian_error(jacobian[..., :count], truth.gradients, truth.mixed))
        assert not jacobian[..., count:].any(), "lanes without a constant must be zero"
    assert_below(errors, TOLERANCE["float64"], chosen)


def test_every_operator_takes_part(truths, constant_truths):
    for part, cases in (("gradient", truths), ("jacobian", constant_truths)):
        names = {n.name for case in comparable(cases, "float32", part, 0.8) for n in case.tree}
        assert set(ALPHABET.operators.names) <= names


def test_the_arithmetic_that_judges_conditioning_sees_cancellation_and_saturation():
    def growth_of(*nodes):
        return jets.growth(ALPHABET.tree(nodes), ALPHABET.operators, POINTS)

    assert growth_of("mul", 0, 1).gradient < 5
    # tanh saturates: its derivative 1 - tanh^2 is a difference of nearly equal numbers.
    assert growth_of("tanh", "mul", 8.0, "add", 0, 1).gradient > 1e5
    # x1/x2 - x1*(1/x2) is zero, whatever rounding makes of it.
    assert growth_of("sub", "div", 0, 1, "mul", 0, "inv", 1).gradient == np.inf


def test_the_arithmetic_that_judges_conditioning_differentiates():
    tree = ALPHABET.tree(["mul", "sin", "mul", 2.0, 0, "exp", "div", 1, 0.5])
    jet = jets.jets(tree, ALPHABET.operators, POINTS)[-1]
    x1, x2, c, d = sympy.symbols("x1 x2 c d")
    f = sympy.sin(c * x1) * sympy.exp(x2 / d)
    arguments = (POINTS[:, 0], POINTS[:, 1], 2.0, 0.5)

    def column(expression: sympy.Expr) -> np.ndarray:
        evaluate: Callable = sympy.lambdify((x1, x2, c, d), expression)
        return evaluate(*arguments)

    np.testing.assert_allclose(jet.value, column(f), rtol=1e-12)
    for i, x in enumerate((x1, x2)):
        np.testing.assert_allclose(jet.by_variable[:, i], column(f.diff(x)), rtol=1e-12)
        for j, k in enumerate((c, d)):
            np.testing.assert_allclose(jet.mixed[:, i, j], column(f.diff(x, k)), rtol=1e-12)
