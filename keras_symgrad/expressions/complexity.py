"""Complexity of formulas: weights of operators, variables and digits of constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy
from deap import gp

from keras_symgrad.expressions.operators import OperatorSet, shipped
from keras_symgrad.expressions.trees import Constant, Variable, to_sympy

# Whole numbers up to this size have the least weight of a number.
LARGEST_SHORTEST = 2
# Whole numbers up to this size have one digit.
LARGEST_DIGIT = 9


class Complexity:
    """The weight of a tree: a sum over its nodes, or the user's own measure.

    Args:
        constant: weight of a constant: the largest weight of a number.
        variable: weight of a variable.
        operators: weights by operator name. An operator without an entry here has its own
            `complexity` as weight.
        function: a function of the SymPy expression that returns a number; it replaces the sum.
        integer: weight of 0, 1 and 2, of either sign: the least weight of a number. By default 1,
            or `constant` if that is less. Other whole numbers of one digit weigh the mean of
            `integer` and `constant`, those of more digits as much as any constant.

    Raises:
        ValueError: a weight is negative or not finite, or `function` returns such a number.

    Example:

    >>> from keras_symgrad.expressions.trees import Alphabet
    >>> tree = Alphabet(OperatorSet("mul, exp"), ["x1"]).tree(["mul", 2.5, "exp", 0])
    >>> Complexity()(tree)
    7
    >>> Complexity(constant=1, operators={"exp": 5})(tree)
    8
    >>> alphabet = Alphabet(OperatorSet("mul"), ["x1"])
    >>> [Complexity()(alphabet.tree(["mul", number, 0])) for number in (2.0, 7.0, 12.0, 0.7)]
    [3, 4, 5, 5]
    >>> Complexity(function=sympy.count_ops)(tree)
    2
    """

    def __init__(
        self,
        constant: float = 3,
        variable: float = 1,
        operators: Mapping[str, float] | None = None,
        function: Callable[[sympy.Expr], float] | None = None,
        integer: float | None = None,
    ):
        self.constant = _weight("constant", constant)
        self.integer = _weight("integer", min(1, self.constant) if integer is None else integer)
        self.variable = _weight("variable", variable)
        self.operators = {
            name: _weight(f"operators[{name!r}]", weight)
            for name, weight in (operators or {}).items()
        }
        self.function = function
        self._digit = _whole((self.integer + self.constant) / 2)
        self._set: OperatorSet | None = None
        self._weights = _OperatorWeights(self.operators)

    def over(self, operators: OperatorSet) -> Complexity:
        """The same measure for trees over `operators`.

        Without it a tree may hold shipped operators only: a tree stores its operators by name, and
        a user's own operators cannot be found by name alone.

        Args:
            operators: the set that the trees are made of.

        Returns:
            A new measure.

        Raises:
            ValueError: a weight was given for an operator that is not in the set.
        """
        unknown = [name for name in self.operators if name not in operators]
        if unknown:
            raise ValueError(
                "`operators` gives weights to operators that are not in the set: "
                f"{', '.join(unknown)}. The set has {', '.join(operators.names)}. "
                f"Received: operators={self.operators}"
            )
        bound = Complexity(
            self.constant, self.variable, self.operators, self.function, self.integer
        )
        bound._set = operators
        bound._weights.update(
            {o.name: _whole(o.complexity) for o in operators if o.name not in self.operators}
        )
        return bound

    def among(self, operators: OperatorSet) -> Complexity:
        """The same measure for trees over other operators, without weights of missing operators.

        Args:
            operators: the set that the trees are made of.

        Returns:
            A new measure.
        """
        weights = {name: self.operators[name] for name in self.operators if name in operators}
        measure = Complexity(self.constant, self.variable, weights, self.function, self.integer)
        return measure.over(operators)

    def __call__(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> float:
        """Weight of a tree.

        Args:
            tree: nodes in prefix order.

        Returns:
            A number of at least 0; an `int` when it is whole.
        """
        if self.function is not None:
            return self._of_expression(tree, self.function)
        # Called a dozen times for every candidate of a search: a plain loop, 0.05 us a node.
        weights = self._weights
        total = 0
        for node in tree:
            kind = type(node)
            if kind is Variable:
                total += self.variable
            elif kind is Constant:
                total += self._of_number(node.value)
            else:
                total += weights[node.name]
        return total if type(total) is int else _whole(total)

    def of_node(self, node: str | int | float) -> float:
        """Weight of a node in the notation of `Alphabet.tree`.

        Args:
            node: name of an operator, number of a column (int) or constant (float).

        Returns:
            A number of at least 0. `function` is not used here.
        """
        if isinstance(node, str):
            return self._weights[node]
        return self.variable if isinstance(node, int) else self._of_number(node)

    def _of_number(self, value: float) -> float:
        if not is_small_integer(value):
            return self.constant
        return self.integer if abs(value) <= LARGEST_SHORTEST else self._digit

    def _of_expression(
        self,
        tree: Sequence[gp.Primitive | gp.Terminal],
        function: Callable[[sympy.Expr], float],
    ) -> float:
        operators = self._set
        if operators is None:
            names = {node.name for node in tree if not isinstance(node, (Variable, Constant))}
            operators = OperatorSet(sorted(names) or "default")
        return _weight("function(expression)", function(to_sympy(tree, operators)))


def is_small_integer(value: float) -> bool:
    """Return whether a constant is a whole number of one digit."""
    return value.is_integer() and -LARGEST_DIGIT <= value <= LARGEST_DIGIT


class _OperatorWeights(dict[str, Any]):
    """Operator weights by name; missing ones are the shipped operator's own."""

    def __missing__(self, name: str) -> float:
        weight = _whole(shipped(name).complexity)
        self[name] = weight
        return weight


def _weight(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise ValueError(
            f"The complexity `{name}` must be a finite number of at least 0. "
            f"Received: {name}={value!r}"
        )
    return _whole(number)


def _whole(number: float) -> float:
    return int(number) if number == int(number) else float(number)
