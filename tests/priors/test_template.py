"""A tree of a template's form has its parts where they belong, and variation keeps it so."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import sympy

from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Constant, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.priors.template import Template
from keras_symgrad.search.core.template_variation import TemplateVariation
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.template_descent import TemplateDescent
from keras_symgrad.search.spectral.tree_loss import TreeLoss

NAMES = ["x1", "x2", "x3"]
ALPHABET = Alphabet(OperatorSet("default"), NAMES)
FORMS = (
    "f(x1, x2) + sin(g(x3))",
    "f(x1) * exp(g(x2, x3))",
    "sqrt(f(x1, x2, x3)) / x1 + 2*cos(g(x2))",
    "f(x1, x2) - g(x2, x3) * h(x1)",
)
x1, x2, x3 = (sympy.Symbol(name, real=True) for name in NAMES)


@pytest.fixture(params=FORMS)
def template(request) -> Template:
    return Template(request.param, ALPHABET)


def test_parts_are_found_where_they_were_put(template):
    variation = TemplateVariation(template, seed=1)
    for _ in range(200):
        tree = variation.random_tree(12)
        spans = template.spans(tree)
        assert set(spans) == set(template.parts)
        again = template.tree({name: tree[span] for name, span in spans.items()})
        assert [str(n.name) for n in again] == [str(n.name) for n in tree]


@pytest.mark.slow
def test_a_tree_is_the_form_with_its_parts(template):
    variation = TemplateVariation(template, seed=2)
    point = {x1: 0.7, x2: 1.3, x3: 0.4}
    for _ in range(30):
        tree = variation.random_tree(9)
        operators = ALPHABET.operators
        parts = {n: to_sympy(tree[span], operators) for n, span in template.spans(tree).items()}
        both = [to_sympy(tree, operators).subs(point), template.filled(parts).subs(point)]
        values = [complex(value) if value.is_finite else None for value in both]
        if None not in values:
            assert values[0] == pytest.approx(values[1], rel=1e-9, nan_ok=True)


def test_variation_never_leaves_the_form_and_reaches_all_of_it(template):
    variation = TemplateVariation(template, seed=3, max_nodes=30)
    trees = [variation.random_tree(variation.random.randint(2, 12)) for _ in range(100)]
    operators_seen: dict[str, Counter] = {name: Counter() for name in template.parts}
    sizes = set()
    for k in range(3000):
        first, second = (variation.random.randrange(len(trees)) for _ in range(2))
        made = (
            variation.cross(trees[first], trees[second])
            if k % 4
            else variation.mutate(trees[first])
        )
        if made is None:
            continue
        assert template.satisfies(made), str(made)
        assert len(made) <= 30
        trees[second] = made
        sizes.add(len(made))
        for name, span in template.spans(made).items():
            operators_seen[name].update(node.name for node in made[span] if node.arity)
    assert len(sizes) > 10
    for name, seen in operators_seen.items():
        assert set(seen) == set(ALPHABET.operators.names), name


def test_the_same_seed_gives_the_same_trees(template):
    def line(seed: int) -> list[str]:
        variation = TemplateVariation(template, seed)
        tree, written = variation.random_tree(10), []
        for _ in range(100):
            tree = variation.mutate(tree) or tree
            written.append(str(tree))
        return written

    assert line(1) == line(1)
    assert line(1) != line(2)


def test_a_part_with_a_variable_that_it_may_not_hold_is_not_of_the_form():
    template = Template("f(x1) + sin(g(x2))", ALPHABET)
    assert template.satisfies(ALPHABET.tree(["add", "square", 0, "sin", 1]))
    assert not template.satisfies(ALPHABET.tree(["add", 1, "sin", 1]))
    assert not template.satisfies(ALPHABET.tree(["add", 0, "cos", 1]))
    assert not template.satisfies(ALPHABET.tree(["sin", 1]))
    assert not template.satisfies(ALPHABET.tree([0]))


def test_whole_numbers_of_the_form_stay_and_others_may_move():
    template = Template("f(x1) + 2*sin(2.5*g(x2))", ALPHABET)
    tree = template.tree({"f": ALPHABET.tree([0]), "g": ALPHABET.tree([1])})
    numbers = [k for k, node in enumerate(tree) if isinstance(node, Constant)]
    for k in numbers:
        moved = list(tree)
        moved[k] = Constant(tree[k].value * 1.1)
        assert template.satisfies(moved) is (tree[k].value == 2.5)


def test_an_expression_is_written_in_the_form_up_to_a_factor_and_a_constant():
    template = Template("f(x1, x2) + sin(g(x3))", ALPHABET)
    parts = template.parts_of(3 * x1 * x2 + 6 * sympy.sin(x3**2) - 5)
    assert parts == {"f": x1 * x2 / 2, "g": x3**2}
    assert template.filled(parts) == x1 * x2 / 2 + sympy.sin(x3**2)
    assert template.parts_of(x1 * sympy.sin(x3)) is None


def test_a_variable_whose_name_is_no_identifier_is_quoted():
    alphabet = Alphabet(OperatorSet("default"), ["petal length (cm)", "x2"])
    template = Template("f('petal length (cm)') * g(x2)", alphabet)
    assert template.parts["f"].variables == ("petal length (cm)",)
    assert template.satisfies(alphabet.tree(["mul", "square", 0, 1]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("f(x1) + f(x2)", "Part 'f' stands 2 times"),
        ("f(x1)**3", "Part 'f' stands 2 times in the template as it is written"),
        ("0*f(x1) + x2", "Part 'f' stands 0 times"),
        ("f(x9)", "variables, not x9. The variables are x1, x2, x3"),
        ("f(x1**2)", r"variables, not x1 \*\* 2"),
        ("f(x1, x1)", "several different ones"),
        ("f()", "needs one variable"),
        ("x1(x2)", "is a variable and cannot be a part"),
        ("sinn(x1)", "did you mean 'sin'"),
        ("x1 + x2", "has free parts"),
        ("sin(x1)", "has free parts"),
        ("f(x1", "cannot be read"),
        ("", "cannot be read"),
        ("f(x1) + y", "Unknown name 'y'"),
        ("tanh(f(x1))", "cannot be written with the operators"),
        ("f(x1).real", "An attribute is not allowed"),
        ("f(x1) + __import__('os')", "variables, not 'os'"),
        (3, "A template is a text"),
    ],
)
def test_what_is_no_template_is_refused(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        Template(text, ALPHABET)
    assert "\n" not in str(caught.value)


def test_parts_that_the_form_bends_are_filled_one_after_the_other():
    x = np.random.default_rng(0).uniform(0.5, 2, (200, 3))
    a, b, c = x.T
    root = np.sqrt(a**2 + b * np.exp(c))
    slopes = np.stack([2 * a, np.exp(c), b * np.exp(c)], axis=1) * np.cos(root)[:, None]
    field = GradientField.from_gradients(x, slopes / (2 * root[:, None]))
    maker = FeatureMaker(ALPHABET)
    template = Template("sin(sqrt(f(x1) + x2*g(x3)))", ALPHABET)
    filling = TemplateDescent(maker, template, maker.variables(x), TreeLoss(maker, field))
    found = list(filling.trees())
    assert all(template.satisfies(tree) for tree, _ in found)
    tree, loss = min(found, key=lambda pair: pair[1])
    assert loss < 1e-12
    assert to_sympy(tree, ALPHABET.operators) == sympy.sin(sympy.sqrt(x1**2 + x2 * sympy.exp(x3)))
