"""Expression trees: DEAP's `PrimitiveTree` over an operator set, variables and constants.

A tree is the list of its nodes in prefix order. Inner nodes are DEAP primitives named after
their operator, leaves are a `Variable` or a `Constant`. No code is ever compiled from a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy
from deap import gp

from keras_symgrad.expressions.operators import Operator, OperatorSet

# Node codes: operators count up from 0, columns count down from -2.
CONSTANT_CODE = -1
FIRST_VARIABLE_CODE = -2


class Application(gp.Primitive):
    """An inner node: one operator of the set applied to the subtrees that follow.

    Args:
        operator: the operator.
        code: its number in the set, at least 0; the engine's instruction code.
    """

    __slots__ = ("code",)

    def __init__(self, operator: Operator, code: int):
        super().__init__(operator.name, [object] * operator.arity, object)
        self.code = code


class Variable(gp.Terminal):
    """A leaf that reads one column of the points.

    Args:
        index: the column.
        name: the column's name.
    """

    __slots__ = ("index", "code")

    def __init__(self, index: int, name: str):
        super().__init__(name, symbolic=True, ret=object)
        self.index = index
        self.code = FIRST_VARIABLE_CODE - index


class Constant(gp.Terminal):
    """A leaf that holds a number, which constant refinement may change.

    Args:
        value: a finite number.
    """

    __slots__ = ()
    code = CONSTANT_CODE

    def __init__(self, value: float):
        super().__init__(float(value), symbolic=False, ret=object)


class Alphabet:
    """Building blocks of trees over an operator set and named variables.

    Args:
        operators: the operator set.
        names: the variables' names, one a column.

    Example:

    >>> alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
    >>> tree = alphabet.tree(["add", "square", 0, 2.5])
    >>> to_sympy(tree, alphabet.operators)
    x1**2 + 2.5
    """

    def __init__(self, operators: OperatorSet, names: Sequence[str]):
        self.operators = operators
        self.names = tuple(names)
        self.variables = tuple(Variable(index, name) for index, name in enumerate(self.names))
        self.primitives = {
            operator.name: Application(operator, code) for code, operator in enumerate(operators)
        }

    def primitive_set(self) -> gp.PrimitiveSet:
        """The alphabet as DEAP's untyped `PrimitiveSet`, for DEAP's own generators and operators.

        Its terminals are the variables: random constants are not drawn by DEAP.

        Example:

        >>> alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
        >>> tree = gp.PrimitiveTree(gp.genFull(alphabet.primitive_set(), min_=2, max_=2))
        >>> tree.height
        2
        """
        primitives = gp.PrimitiveSet("formula", 0)
        nodes: list[Application | Variable] = [*self.primitives.values(), *self.variables]
        for node in nodes:
            primitives._add(node)
            primitives.mapping[node.name] = node
        primitives.prims_count, primitives.terms_count = len(self.primitives), len(self.variables)
        return primitives

    def tree(self, nodes: Sequence[str | int | float]) -> gp.PrimitiveTree:
        """A tree from prefix notation: operator names, column numbers (int), constants (float)."""
        kinds: dict[type, Callable[[Any], gp.Primitive | gp.Terminal]] = {
            str: self.primitives.__getitem__,
            int: self.variables.__getitem__,
            float: Constant,
        }
        return gp.PrimitiveTree([kinds[type(node)](node) for node in nodes])


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol of a variable: real, so that derivatives of kinks can be printed."""
    return sympy.Symbol(name, real=True)


def to_sympy(tree: Sequence[gp.Primitive | gp.Terminal], operators: OperatorSet) -> sympy.Expr:
    """The SymPy expression of a tree, with the constants as floats.

    Args:
        tree: nodes in prefix order.
        operators: the set that the tree's operator names belong to.

    Returns:
        A SymPy expression in real symbols named after the variables; NaN in places where
        SymPy finds that the tree is not real.
    """
    stack: list[sympy.Expr] = []
    for node in reversed(tree):
        if isinstance(node, Variable):
            stack.append(symbol(node.name))
        elif isinstance(node, Constant):
            stack.append(sympy.Float(node.value))
        else:
            arguments = [stack.pop() for _ in range(node.arity)]
            try:
                stack.append(operators[node.name](*arguments))
            except ValueError:  # SymPy cannot compare values that are not real
                stack.append(sympy.nan)
    return stack.pop()
