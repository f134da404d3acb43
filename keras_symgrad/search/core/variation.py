"""Random trees, mutation and crossover.

DEAP's own mutations draw from Python's global random numbers and know no constants that can be
refined; these take a generator of their own, so that a seed decides everything and nothing
outside is touched. They work on DEAP's `PrimitiveTree` and return new trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from deap import gp

from keras_symgrad.expressions import CONSTANT_CODE, Alphabet, Constant, Variable

Nodes = list[gp.Primitive | gp.Terminal]

# Relative frequencies. Growing by a node and shrinking by one keep the balance; crossover
# mixes what two trees have found.
MUTATIONS = {
    "insert": 5.0,
    "delete": 2.0,
    "point": 3.0,
    "subtree": 1.0,
    "hoist": 0.5,
    "constant": 1.0,
    "swap": 0.5,
}
# Where a rule is to be kept, a tree is tried so many times: most steps off a tree that keeps it
# break it, and one that is tried again costs a tenth of an evaluation.
MAX_ATTEMPTS_TO_KEEP_RULES = 12


class Variation:
    """Random trees, mutations and crossover over an alphabet.

    Args:
        alphabet: operators and variables.
        seed: of the random numbers, or such a generator to share.
        max_nodes: no tree gets more nodes than this.
        blocks: subtrees that stand in for variables in one of three new leaves.
        variables: leaves of new trees; all of the alphabet's by default.
        admits: whether a tree keeps the rules of the search. Trees that do not are tried anew.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> variation = Variation(Alphabet(OperatorSet("default"), ["x1", "x2"]), seed=1)
    >>> tree = variation.random_tree(5)
    >>> len(tree), len(variation.insert(tree)) > len(tree)
    (5, True)
    """

    def __init__(
        self,
        alphabet: Alphabet,
        seed: int | Random,
        max_nodes: int = 40,
        blocks: Sequence[gp.PrimitiveTree] = (),
        *,
        variables: Sequence[Variable] | None = None,
        satisfies: Callable[[Nodes], bool] | None = None,
    ):
        self.alphabet = alphabet
        self.random = seed if isinstance(seed, Random) else Random(seed)
        self.max_nodes = max_nodes
        self.satisfies = satisfies
        self._variables = alphabet.variables if variables is None else variables
        self._blocks = [list(block) for block in blocks]
        primitives = list(alphabet.primitives.values())
        self._by_arity = {
            arity: [p for p in primitives if p.arity == arity]
            for arity in sorted({p.arity for p in primitives})
        }
        self._arities = list(self._by_arity)
        self._kinds = list(MUTATIONS)
        self._weights = [sum(list(MUTATIONS.values())[: k + 1]) for k in range(len(MUTATIONS))]

    def random_tree(self, nodes: int) -> gp.PrimitiveTree:
        """A random tree of that many nodes, up to half as many more where operators need them.

        Where rules are to be kept it may be smaller; where none was found that keeps them, it is
        the last that was tried.
        """
        tree = gp.PrimitiveTree(self._grow(nodes))
        attempts = 0
        while (
            self.satisfies is not None
            and not self.satisfies(tree)
            and attempts < MAX_ATTEMPTS_TO_KEEP_RULES
        ):
            nodes, attempts = max(nodes - attempts % 2, 1), attempts + 1
            tree = gp.PrimitiveTree(self._grow(nodes))
        return tree

    def mutate(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """A mutated copy, or `None` where the mutation that was drawn does not apply."""
        return self._admitted(self._mutated, tree)

    def cross(self, tree: gp.PrimitiveTree, other: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """The tree with one subtree replaced by one of the other tree."""
        return self._admitted(self._crossed, tree, other)

    def _admitted(
        self, make: Callable[..., gp.PrimitiveTree | None], *trees: gp.PrimitiveTree
    ) -> gp.PrimitiveTree | None:
        """What is made of trees, made until it keeps the rules; `None` where it never does."""
        if self.satisfies is None:
            return make(*trees)
        for _ in range(MAX_ATTEMPTS_TO_KEEP_RULES):
            made = make(*trees)
            if made is not None and self.satisfies(made):
                return made
        return None

    def _mutated(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        kind = self.random.choices(self._kinds, cum_weights=self._weights)[0]
        return getattr(self, kind)(tree)

    def _crossed(self, tree: gp.PrimitiveTree, other: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        taken = self._span(other, self._place(other))
        return self._replaced(tree, self._span(tree, self._place(tree)), other[taken])

    def subtree(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """A random subtree in place of one that is there."""
        span = self._span(tree, self._place(tree))
        return self._replaced(tree, span, self._grow(self.random.randint(1, 7)))

    def hoist(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """A subtree in place of the subtree that it stands in."""
        span = self._span(tree, self._place(tree))
        if span.stop - span.start < 2:
            return None
        inner = self._span(tree, self.random.randrange(span.start + 1, span.stop))
        return self._replaced(tree, span, tree[inner])

    def point(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """One node replaced by another of the same arity."""
        at = self.random.randrange(len(tree))
        node = tree[at]
        new = [self.random.choice(self._by_arity[node.arity])] if node.arity else self._leaf()
        return None if new[0] is node else self._replaced(tree, slice(at, at + 1), new)

    def insert(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """An operator between a subtree and what it stands in, other arguments being leaves."""
        span = self._span(tree, self.random.randrange(len(tree)))
        operator = self._operator()
        at = self.random.randrange(operator.arity)
        arguments = [self._leaf() for _ in range(operator.arity)]
        arguments[at] = tree[span]
        return self._replaced(tree, span, [operator, *(n for part in arguments for n in part)])

    def delete(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """An operator replaced by one of its arguments."""
        inner = [at for at, node in enumerate(tree) if node.arity]
        if not inner:
            return None
        span = self._span(tree, self.random.choice(inner))
        return self._replaced(tree, span, self.random.choice(self._arguments(tree, span)))

    def swap(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """Two arguments of one operator exchanged."""
        inner = [at for at, node in enumerate(tree) if node.arity > 1]
        if not inner:
            return None
        span = self._span(tree, self.random.choice(inner))
        arguments = self._arguments(tree, span)
        self.random.shuffle(arguments)
        return self._replaced(
            tree, span, [tree[span.start], *(n for part in arguments for n in part)]
        )

    def constant(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        """One constant scaled by a factor, sometimes with its sign changed."""
        constants = [at for at, node in enumerate(tree) if node.code == CONSTANT_CODE]
        if not constants:
            return None
        at = self.random.choice(constants)
        factor = self.random.lognormvariate(0.0, 0.5) * self.random.choice((1, 1, 1, 1, -1))
        return self._replaced(tree, slice(at, at + 1), [Constant(tree[at].value * factor)])

    def _grow(self, nodes: int) -> Nodes:
        if nodes <= 1:
            return self._leaf()
        arities = [arity for arity in self._arities if arity < nodes] or self._arities[:1]
        operator = self.random.choice(self._by_arity[self.random.choice(arities)])
        left = max(nodes - 1, operator.arity)
        grown: Nodes = [operator]
        for remaining in range(operator.arity, 0, -1):
            most = left - remaining + 1
            share = most if remaining == 1 else self.random.randint(1, most)
            grown += self._grow(share)
            left -= share
        return grown

    def _leaf(self) -> Nodes:
        if self.random.random() < 0.2:
            return [Constant(self.random.gauss(0.0, 2.0))]
        if self._blocks and self.random.random() < 1 / 3:
            return self.random.choice(self._blocks)
        return [self.random.choice(self._variables)]

    def _operator(self) -> gp.Primitive:
        return self.random.choice(self._by_arity[self.random.choice(self._arities)])

    def _place(self, tree: gp.PrimitiveTree) -> int:
        """A node, inner nodes nine times in ten: leaves are half of all and say little."""
        at = self.random.randrange(len(tree))
        if tree[at].arity or self.random.random() < 0.1:
            return at
        return self.random.choice([k for k, node in enumerate(tree) if node.arity] or [0])

    @staticmethod
    def _span(tree: gp.PrimitiveTree, start: int) -> slice:
        end, open_ = start, 1
        while open_:
            open_ += tree[end].arity - 1
            end += 1
        return slice(start, end)

    def _arguments(self, tree: gp.PrimitiveTree, span: slice) -> list[Nodes]:
        arguments, at = [], span.start + 1
        while at < span.stop:
            argument = self._span(tree, at)
            arguments.append(tree[argument])
            at = argument.stop
        return arguments

    def _replaced(self, tree: Nodes, span: slice, nodes: Nodes) -> gp.PrimitiveTree | None:
        if len(tree) - (span.stop - span.start) + len(nodes) > self.max_nodes:
            return None
        return gp.PrimitiveTree([*tree[: span.start], *nodes, *tree[span.stop :]])
