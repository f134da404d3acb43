"""Constraints admit exactly the trees that keep them, and are refused when they say nothing."""

from __future__ import annotations

import json
import pickle

import pytest
import sympy
from random_trees import random_trees

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.priors.constraints import Constraints

ALPHABET = Alphabet(OperatorSet("default"), ["x1", "x2"])
TREES = random_trees(ALPHABET, 400, seed=3, nodes=(1, 20))


def subtrees(tree):
    for at in range(len(tree)):
        yield tree[at], [tree[span] for span in argument_spans(tree, at)]


def argument_spans(tree, at):
    start, spans = at + 1, []
    for _ in range(tree[at].arity):
        spans.append(tree.searchSubtree(start))
        start = spans[-1].stop
    return spans


def test_what_is_forbidden_stands_nowhere_inside():
    rules = Constraints(forbidden={"sin": "sin, cos", "exp": ["exp"]})
    verdicts = set()
    for tree in TREES:
        breaks = any(
            (node.name == "sin" and {n.name for part in parts for n in part} & {"sin", "cos"})
            or (node.name == "exp" and any(n.name == "exp" for part in parts for n in part))
            for node, parts in subtrees(tree)
        )
        assert rules.satisfies(tree) is not bool(breaks), str(tree)
        verdicts.add(bool(breaks))
    assert verdicts == {True, False}


def test_an_operator_beside_another_is_not_inside_of_it():
    rules = Constraints(forbidden={"sin": "cos"})
    assert rules.satisfies(ALPHABET.tree(["add", "sin", 0, "cos", 1]))
    assert rules.satisfies(ALPHABET.tree(["cos", "sin", 0]))
    assert not rules.satisfies(ALPHABET.tree(["sin", "add", 0, "exp", "cos", 1]))


def test_arguments_are_weighed_with_the_complexity_of_the_search():
    weigh = Complexity(constant=1, operators={"sin": 4}).over(ALPHABET.operators)
    rules = Constraints(arguments={"exp": 5, "div": (None, 2)}).over(ALPHABET, weigh)
    verdicts = set()
    for tree in TREES:
        keeps = True
        for node, parts in subtrees(tree):
            if node.name == "exp":
                keeps &= weigh(parts[0]) <= 5
            if node.name == "div":
                keeps &= weigh(parts[1]) <= 2
        assert rules.satisfies(tree) is keeps, str(tree)
        verdicts.add(keeps)
    assert verdicts == {True, False}


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_depth_is_that_of_deap(depth):
    rules = Constraints(depth=depth)
    assert {rules.satisfies(tree) == (tree.height <= depth) for tree in TREES} == {True}


def test_an_operator_of_ones_own_takes_part():
    bell = Operator("bell", lambda a: sympy.exp(-(a**2)))
    alphabet = Alphabet(OperatorSet(["add", bell]), ["x"])
    rules = Constraints({"bell": "bell"}).over(alphabet, Complexity())
    tree = alphabet.tree(["bell", "add", 0, "bell", 0])
    assert to_sympy(tree, alphabet.operators).has(sympy.exp)
    assert not rules.satisfies(tree)


def test_a_complaint_names_the_rule_that_is_broken():
    rules = Constraints({"sin": "cos"}, {"exp": 2}, 3)
    for nodes, words in (
        (["sin", "cos", 0], "'cos' inside of 'sin' is forbidden"),
        (["exp", "add", 0, 1], "an argument of 'exp' is more complex than 2"),
        (["log", "log", "log", "log", 0], "it is more than 3 operators deep"),
    ):
        assert rules.violation(ALPHABET.tree(nodes)) == words
    assert rules.violation(ALPHABET.tree(["sin", 0])) is None


def test_rules_can_be_sent_to_another_process():
    rules = Constraints({"sin": "cos"}, {"exp": 2}, 3)
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert not pickle.loads(pickle.dumps(rules)).satisfies(ALPHABET.tree(["sin", "cos", 0]))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"forbidden": "sin"}, "`forbidden` gives a rule for each"),
        ({"forbidden": {"sin": ""}}, "inside of 'sin'"),
        ({"forbidden": {"sin": 3}}, "inside of 'sin'"),
        ({"arguments": {"exp": 0}}, "at least 1"),
        ({"arguments": {"exp": "long"}}, "at least 1"),
        ({"arguments": {"exp": None}}, "at least 1"),
        ({"arguments": {"exp": True}}, "at least 1"),
        ({"depth": 0}, "Received: depth=0"),
        ({"depth": 2.5}, "Received: depth=2.5"),
    ],
)
def test_what_is_no_rule_is_refused(rules, words):
    with pytest.raises(ValueError, match=words):
        Constraints(**rules)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Constraints({"sinh": "sin"}), "not made of: sinh"),
        (Constraints({"sin": "sinh"}), "not made of: sinh"),
        (Constraints(arguments={"tanh": 3}), "not made of: tanh"),
        (Constraints(arguments={"div": (1, 2, 3)}), "'div' has 2 arguments"),
        (Constraints(arguments={"exp": (1, 2)}), "'exp' has 1 argument. "),
    ],
)
def test_a_rule_for_an_operator_that_is_not_there_is_refused(rules, words):
    with pytest.raises(ValueError, match=words):
        rules.over(ALPHABET, Complexity())


def test_rules_are_read_from_json_as_they_were_written():
    rules = Constraints({"sin": "sin, cos"}, {"exp": 5, "div": (None, 1)}, depth=4)
    again = Constraints.from_dict(json.loads(json.dumps(rules.to_dict())))
    alphabet = Alphabet(OperatorSet("add, sin, cos, exp, div"), ["x1", "x2"])
    for tree in random_trees(alphabet, 300, seed=2):
        assert again.satisfies(tree) == rules.satisfies(tree)
    assert Constraints.from_dict(Constraints().to_dict()) == Constraints()


@pytest.mark.parametrize(
    "change",
    [{"depth": 0}, {"forbidden": {"sin": []}}, {"arguments": {"exp": "5"}}, {"forbidden": None}],
    ids=str,
)
def test_data_that_are_no_rules_are_refused(change):
    with pytest.raises(ValueError, match="Received"):
        Constraints.from_dict({**Constraints({"sin": "sin"}).to_dict(), **change})
