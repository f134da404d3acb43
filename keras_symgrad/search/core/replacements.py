"""Replace operators of a tree by equivalent ones of lower weight, such as square(a) by a*a.

The user's weights may make an operator heavier than an equivalent one. The tree's values do not
depend on the choice, and a formula must not be lost because it was bred with the heavier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from deap import gp

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.conversion import from_sympy
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, Variable

Nodes = tuple[gp.Primitive | gp.Terminal, ...]


class Replacements:
    """Rewriter of trees with lighter operators.

    Args:
        alphabet: operators and variables of the trees.
        complexity: what nodes weigh.

    Example:

    >>> alphabet = Alphabet(OperatorSet("add, mul, square"), ["x1", "x2"])
    >>> tree = alphabet.tree(["add", "square", 0, "mul", 2.0, "square", 1])
    >>> str(Replacements(alphabet, Complexity(operators={"square": 20})).lightened(tree))
    'add(mul(x1, x1), mul(2.0, mul(x2, x2)))'
    >>> Replacements(alphabet, Complexity()).lightened(tree) is tree
    True
    """

    def __init__(self, alphabet: Alphabet, complexity: Complexity):
        self.alphabet, self.complexity = alphabet, complexity.over(alphabet.operators)
        # For each operator: its spellings with others, its arguments as variables.
        self.forms: dict[str, gp.PrimitiveTree] = {}
        # A function of the expression gives all trees of it the same weight.
        if complexity.function is None:
            for operator in alphabet.operators:
                form = self._form(operator)
                if form is not None:
                    self.forms[operator.name] = form

    def lightened(self, tree: gp.PrimitiveTree) -> gp.PrimitiveTree:
        """Replace operators of a tree where that makes it lighter.

        Args:
            tree: a tree, which is not changed.

        Returns:
            A tree of the same values; the same object if nothing is replaced.
        """
        if not self.forms or not any(node.name in self.forms for node in tree if node.arity):
            return tree
        stack: list[Nodes] = []
        for node in reversed(tree):
            arguments = [stack.pop() for _ in range(node.arity)]
            nodes = (node, *(part for argument in arguments for part in argument))
            if node.arity and node.name in self.forms:
                other = self._filled(self.forms[node.name], arguments)
                nodes = min(nodes, other, key=self.complexity)
            stack.append(nodes)
        return gp.PrimitiveTree(stack.pop())

    def _filled(self, form: gp.PrimitiveTree, arguments: Sequence[Nodes]) -> Nodes:
        return tuple(
            part
            for node in form
            for part in (arguments[node.index] if isinstance(node, Variable) else (node,))
        )

    def _form(self, operator: Operator) -> gp.PrimitiveTree | None:
        """The operator by others, if that is lighter."""
        others = [other for other in self.alphabet.operators if other.name != operator.name]
        # Nearly always an operator is the lightest way to write itself, and SymPy is not needed.
        own = self.complexity.of_node(operator.name)
        if not others or own <= min(self.complexity.of_node(other.name) for other in others):
            return None
        names = [argument.name for argument in operator.arguments]
        alphabet = Alphabet(OperatorSet(others), names)
        with suppress(ValueError):
            tree = from_sympy(
                operator.expression,
                alphabet,
                self.complexity.among(alphabet.operators),
                everywhere=True,
            )
            if self.complexity(tree) < own + operator.arity * self.complexity.variable:
                primitives = self.alphabet.primitives
                return gp.PrimitiveTree([primitives[n.name] if n.arity else n for n in tree])
        return None
