"""All prior knowledge restricts one search together; contradictions are errors before it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.priors.constraints import Constraints
from keras_symgrad.search.core.prior_knowledge import PriorKnowledge
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.search import SpectralSearch

NAMES = ("height", "time", "speed")
UNITS = {"height": "m", "time": "s", "speed": "m/s"}
ALPHABET = Alphabet(OperatorSet("default"), NAMES)
height, time, speed = (sympy.Symbol(name, real=True) for name in NAMES)
POINTS = np.random.default_rng(0).uniform(0.5, 2, (300, 3))


def knowledge(**options) -> PriorKnowledge:
    return PriorKnowledge(ALPHABET, Complexity().over(ALPHABET.operators), **options)


def field_of(expression: sympy.Expr) -> GradientField:
    return GradientField.from_gradients(POINTS, gradient(expression, NAMES, POINTS), names=NAMES)


def test_where_nothing_is_known_everything_is_admitted():
    free = knowledge()
    assert not free.restricts
    assert free.satisfies(ALPHABET.tree(["add", 0, 1]))
    assert free.conforming(height + time) == height + time


def test_all_rules_hold_together():
    known = knowledge(
        constraints=Constraints(forbidden={"sin": "square"}),
        dimensions=UNITS,
        template="f(height, time, speed) * sin(g(height, time, speed))",
    )
    for nodes, words in (
        (["mul", 2, "sin", "div", 0, "mul", 1, 2], None),
        (["mul", 2, "sin", "div", 0, 1], "'sin' of [length]/[time] has no dimension"),
        (["mul", 2, "div", 0, 1], "it does not have the form"),
        (
            ["mul", 2, "sin", "square", "div", 0, "mul", 1, 2],
            "'square' inside of 'sin' is forbidden",
        ),
    ):
        tree = ALPHABET.tree(nodes)
        violation = known.violation(tree)
        assert known.satisfies(tree) is (words is None)
        assert violation == words or violation.startswith(words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"dimensions": UNITS},
        {"constraints": Constraints({"sin": "sin, cos", "cos": "sin, cos"}, {"exp": 4}, 5)},
        {"template": "f(height, time) + speed*g(time)"},
        {"template": "f(height, time) + speed*g(time)", "dimensions": UNITS},
    ],
)
def test_variation_breeds_trees_that_keep_the_rules(options):
    known = knowledge(**options)
    variation = known.variation(seed=1, max_nodes=30)
    trees = [variation.random_tree(variation.random.randint(2, 9)) for _ in range(1000)]
    trees = [tree for tree in trees if known.satisfies(tree)]
    assert len({str(tree) for tree in trees}) > 10
    bred = [variation.mutate(tree) for tree in trees]
    bred += [variation.cross(a, b) for a, b in zip(trees, trees[::-1])]
    made = [tree for tree in bred if tree is not None]
    assert len(made) > 0.6 * len(bred)
    assert all(map(known.satisfies, made))


def test_features_of_a_sum_have_one_dimension():
    maker = FeatureMaker(ALPHABET, knowledge(dimensions=UNITS))
    features = maker.dictionary(maker.variables(POINTS), 300)
    assert len(features) > 20
    groups = maker.summable(features)
    assert sum(map(len, groups)) == len(features)
    analysis = maker.knowledge.analysis
    for group in groups:
        assert len({analysis.of(f.nodes) for f in group if not f.is_logarithm}) <= 1
    assert max(map(len, groups)) > 2
    # With constants of any dimension all may be added up.
    free = FeatureMaker(ALPHABET, knowledge())
    assert len(free.summable(features)) == 1


def test_a_dictionary_holds_no_feature_that_breaks_a_rule():
    rules = Constraints(forbidden={"exp": "sin, cos", "sin": "exp"}, depth=2)
    maker = FeatureMaker(ALPHABET, knowledge(constraints=rules))
    features = maker.dictionary(maker.variables(POINTS), 400)
    assert all(rules.satisfies(feature.nodes) for feature in features)
    free = FeatureMaker(ALPHABET).dictionary(maker.variables(POINTS), 400)
    assert not all(rules.satisfies(feature.nodes) for feature in free)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "truth"),
    [
        ({"dimensions": UNITS}, height - 2 * speed * time),
        ({"dimensions": UNITS}, speed**2 * time / height + speed),
        ({"dimensions": UNITS}, height * speed / time**2),
        ({"template": "f(height, time) + sin(g(speed))"}, height / time + sympy.sin(speed**2)),
        ({"template": "f(height) * g(time, speed)"}, height**2 * (time + speed)),
        ({"constraints": Constraints({"square": "add, sub"})}, (height + time) ** 2 + speed),
    ],
    ids=str,
)
def test_sums_that_keep_the_rules_are_found_by_the_spectrum(options, truth):
    known = knowledge(**options)
    search = SpectralSearch(ALPHABET, field_of(truth), knowledge=known)
    best = None
    for stage in filter(None, search.stages()):
        assert all(known.satisfies(candidate.tree) for candidate in stage)
        best = min((*stage, *filter(None, [best])), key=lambda one: one.loss, default=None)
        if best is not None and best.loss < 1e-12:
            break
    found = gradient(to_sympy(best.tree, ALPHABET.operators), NAMES, POINTS)
    assert direction_error(found, gradient(truth, NAMES, POINTS)) < 1e-9


def test_an_expression_is_shown_only_if_it_keeps_the_rules():
    known = knowledge(dimensions=UNITS, constraints=Constraints(forbidden={"exp": "square"}))
    fall = height - speed * time
    assert known.conforming(fall) == fall
    assert known.conforming(height + time) is None
    ratio = height / (speed * time)
    assert known.conforming(sympy.exp(ratio)) == sympy.exp(ratio)
    assert known.conforming(sympy.exp(ratio**2)) is None
    assert known.conforming(sympy.tanh(ratio)) is None  # no operator of the set


def test_guesses_are_text_or_expressions_of_anybodys_symbols():
    known = knowledge(
        guesses=["height - speed*time", sympy.Symbol("height") / sympy.Symbol("time")]
    )
    shown = [to_sympy(tree, ALPHABET.operators) for tree in known.guesses]
    assert shown == [height - speed * time, height / time]
    (tree,) = knowledge(
        guesses="sin(speed) + 2*height", template="f(height) + sin(g(speed))"
    ).guesses
    assert str(tree) == "add(mul(2.0, height), sin(speed))"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"guesses": ["height + time"], "dimensions": UNITS}, "'add' of .* has no dimension"),
        (
            {"guesses": ["sin(sin(time))"], "constraints": Constraints({"sin": "sin"})},
            "'sin' inside of 'sin' is forbidden",
        ),
        (
            {"guesses": ["height + speed"], "template": "f(height) * g(time)"},
            r"does not have the form f\(height\) \* g\(time\)",
        ),
        ({"guesses": ["tanh(time)"]}, "cannot be written with the operators"),
        ({"guesses": ["width"]}, "Unknown name 'width'"),
        ({"guesses": [sympy.Symbol("width")]}, "holds 'width', which is not a variable"),
        ({"guesses": ["__import__('os')"]}, "Unknown function"),
        ({"guesses": ["height +"]}, "cannot be used"),
        ({"guesses": ["2 + 3"]}, "is a constant"),
        ({"guesses": 3}, "`guesses` are formulas"),
        ({"guesses": [3]}, "`guesses` are formulas"),
        ({"guesses": ["height + time"], "max_complexity": 2}, "has the complexity 3"),
        (
            {
                "template": "sin(f(height) + sin(g(time)))",
                "constraints": Constraints({"sin": "sin"}),
            },
            "No formula of the template's form keeps the constraints",
        ),
        ({"constraints": {"sin": "sin"}}, "`constraints` are rules"),
        ({"constraints": Constraints({"sinh": "sin"})}, "not made of: sinh"),
        ({"dimensions": {"height": "foo"}}, "cannot be read"),
        ({"dimensions": {"width": "m"}}, "no variable: width"),
        ({"template": "f(width)"}, "may hold variables, not width"),
    ],
)
def test_what_cannot_hold_together_is_told_at_once(options, words):
    with pytest.raises(ValueError, match=words) as caught:
        knowledge(**options)
    assert "\n" not in str(caught.value)


def test_a_kept_search_is_the_same_only_with_the_same_knowledge():
    units = knowledge(dimensions=UNITS, guesses="height - speed*time")
    assert units.described == {
        "constraints": None,
        "dimensions": {"variables": UNITS, "result": None, "constants": "dimensionless"},
        "template": None,
        "guesses": ["sub(height, mul(speed, time))"],
    }
    assert knowledge(dimensions=UNITS).described != units.described
    assert knowledge().described is None


def test_what_is_known_travels_to_another_process():
    known = knowledge(
        constraints=Constraints({"sin": "square"}),
        dimensions=UNITS,
        template="f(height, time) + g(speed, time)",
        guesses=["height + speed*time"],
    )
    again = pickle.loads(pickle.dumps(known))
    variation, other = (one.variation(seed=1, max_nodes=30) for one in (known, again))
    for _ in range(50):
        assert str(variation.random_tree(8)) == str(other.random_tree(8))
    assert [str(tree) for tree in again.guesses] == [str(tree) for tree in known.guesses]
