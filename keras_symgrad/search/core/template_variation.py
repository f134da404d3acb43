"""Variation of trees with a fixed template: its parts are grown, mutated and crossed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deap import gp

from keras_symgrad.expressions import FIRST_VARIABLE_CODE
from keras_symgrad.priors import Template
from keras_symgrad.search.core.variation import Nodes, Variation

# Share of crossovers that take a whole part instead of a subtree of it.
WHOLE_PART_CROSSOVER_SHARE = 0.3


class TemplateVariation(Variation):
    """Random trees of a template's form, and mutations and crossover that keep it.

    Args:
        template: the form.
        seed: of the random numbers.
        max_nodes: no tree gets more nodes than this.
        blocks: subtrees that stand in for variables, in the parts that may hold theirs.
        admits: whether a tree keeps all rules of the search. Trees that do not are tried anew.
        admits_part: whether a part keeps those that it can keep alone.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("default"), ["x1", "x2", "x3"])
    >>> template = Template("f(x1, x2) + sin(g(x3))", alphabet)
    >>> variation = TemplateVariation(template, seed=1)
    >>> tree = variation.random_tree(9)
    >>> template.satisfies(tree), template.satisfies(variation.mutate(tree))
    (True, True)
    """

    def __init__(
        self,
        template: Template,
        seed: int,
        max_nodes: int = 40,
        blocks: Sequence[gp.PrimitiveTree] = (),
        *,
        satisfies: Callable[[Nodes], bool] | None = None,
        part_satisfies: Callable[[Nodes], bool] | None = None,
    ):
        alphabet = template.alphabet
        super().__init__(alphabet, seed, max_nodes, blocks, satisfies=satisfies)
        self.template = template
        columns = {
            name: [alphabet.names.index(variable) for variable in part.variables]
            for name, part in template.parts.items()
        }
        self._parts = {
            name: Variation(
                alphabet,
                self.random,
                max_nodes,
                [block for block in blocks if _columns(block) <= set(allowed)],
                variables=[alphabet.variables[k] for k in allowed],
                satisfies=part_satisfies,
            )
            for name, allowed in columns.items()
        }
        # Parts whose contents may stand in a part.
        self._donors = {
            name: [other for other in columns if set(columns[other]) <= set(allowed)]
            for name, allowed in columns.items()
        }
        self._names = list(columns)

    # What is inherited makes trees by these three.

    def _grow(self, nodes: int) -> Nodes:
        left = max(nodes - len(self.template.outer) + len(self._names), len(self._names))
        parts = {}
        for remaining, name in zip(range(len(self._names), 0, -1), self._names):
            most = left - remaining + 1
            share = most if remaining == 1 else self.random.randint(1, most)
            parts[name] = self._parts[name].random_tree(share)
            left -= share
        return self.template.tree(parts)

    def _mutated(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        spans = self.template.spans(tree)
        # Larger parts more often, as in a tree without a form.
        sizes = [spans[name].stop - spans[name].start for name in self._names]
        name = self.random.choices(self._names, sizes)[0]
        part = self._parts[name].mutate(gp.PrimitiveTree(tree[spans[name]]))
        return self._with(tree, spans[name], part)

    def _crossed(self, tree: gp.PrimitiveTree, other: gp.PrimitiveTree) -> gp.PrimitiveTree | None:
        spans, others = self.template.spans(tree), self.template.spans(other)
        name = self.random.choice(self._names)
        given = gp.PrimitiveTree(other[others[self.random.choice(self._donors[name])]])
        if self.random.random() < WHOLE_PART_CROSSOVER_SHARE:
            part = given
        else:
            part = self._parts[name].cross(gp.PrimitiveTree(tree[spans[name]]), given)
        return self._with(tree, spans[name], part)

    def _with(
        self, tree: gp.PrimitiveTree, span: slice, part: gp.PrimitiveTree | None
    ) -> gp.PrimitiveTree | None:
        if part is None or len(tree) - (span.stop - span.start) + len(part) > self.max_nodes:
            return None
        return gp.PrimitiveTree([*tree[: span.start], *part, *tree[span.stop :]])


def _columns(tree: Nodes) -> set[int]:
    return {FIRST_VARIABLE_CODE - n.code for n in tree if n.code <= FIRST_VARIABLE_CODE}
