"""Convert SymPy expressions to trees over an operator set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sympy
from deap import gp

from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.expressions.spelling import Spelling, Spellings
from keras_symgrad.expressions.trees import Alphabet

# A tree under construction: prefix notation as `Alphabet.tree` reads it.
Nodes = tuple[str | int | float, ...]

# Floats that are fractions of at most this denominator are treated as these fractions.
_LARGEST_DENOMINATOR = 64
# A spelling must be lighter by more than this to be better: weights may be fractional.
_NOTICED = 1e-9


def from_sympy(
    expression: sympy.Expr,
    alphabet: Alphabet,
    complexity: Complexity | None = None,
    *,
    everywhere: bool = False,
) -> gp.PrimitiveTree:
    """The lightest tree of a SymPy expression over an operator set.

    Sums and products of many parts become chains of two; powers, reciprocals and negations are
    written with the operators of the set (`square`, `mul`, `inv`, `pow`, ...); an operator of any
    other form, a user's own included, is used where its expression occurs. Among these spellings
    the one of least complexity is taken. Numbers, pi and E become constants.

    Args:
        expression: an expression in symbols named like the alphabet's variables.
        alphabet: the operators and variables to write it with.
        complexity: weights of nodes; `Complexity()` by default. If it is a `function` of the
            expression, the other weights decide, because all trees of the expression are equal to
            the function.
        everywhere: whether the tree must be defined wherever the expression is. Otherwise x**2 may
            become exp(2*log(x)) where the set has no better operator.

    Returns:
        A tree whose `to_sympy` equals the expression wherever both are defined.

    Raises:
        ValueError: the expression holds another symbol, a number that is not finite and real,
            or a function that cannot be written with the set.

    Example:

    >>> import sympy
    >>> from keras_symgrad import Operator, OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, mul, square, gauss"), ["x1", "x2"])
    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> str(from_sympy(sympy.exp(-(x1**2)) + 3 * x2**4, alphabet))
    'add(mul(3.0, square(square(x2))), gauss(x1))'
    >>> str(from_sympy(x1**2 + x2, alphabet, Complexity(operators={"square": 9})))
    'add(mul(x1, x1), x2)'
    """
    if not isinstance(expression, sympy.Expr):
        raise ValueError(
            "`from_sympy` expects a SymPy expression. "
            f"Received: {expression!r} (of type {type(expression).__name__})"
        )
    try:
        writer = _Writer(alphabet, complexity or Complexity())
        return alphabet.tree(writer.written(expression, everywhere))
    except _Unwritable as gap:
        raise ValueError(
            f"{gap} cannot be written with the operators {', '.join(alphabet.operators.names)}. "
            f"Add an operator for it to the set. Received: expression={expression}"
        ) from None
    except RecursionError:
        raise ValueError(
            "The expression is nested too deeply to be written as a tree. Simplify it first."
        ) from None


class _Unwritable(Exception):
    """The operators cannot write this part."""


class _Writer:
    """Finder of the lightest spelling of an expression and of all its subexpressions.

    Every part has spellings in terms of other parts, possibly circular: a - b is -(b - a). The
    least weights are shortest paths, found with the Bellman-Ford algorithm: start from infinity and
    take lighter spellings until nothing changes. As no node has a negative weight, the lightest
    spellings contain no cycle.
    """

    def __init__(self, alphabet: Alphabet, complexity: Complexity):
        self.columns = {name: index for index, name in enumerate(alphabet.names)}
        self.complexity = complexity.over(alphabet.operators)
        self.spellings = Spellings(alphabet.operators, lambda o: self.complexity.of_node(o.name))
        # For each part: its spellings, the least weight, and the spelling that has it.
        self.ways: dict[sympy.Expr, list[Spelling]] = {}
        self.weights: dict[sympy.Expr, float] = {}
        self.best: dict[sympy.Expr, Spelling | Nodes] = {}

    def written(self, expression: sympy.Expr, everywhere: bool) -> Nodes:
        for atom in expression.atoms():
            if isinstance(atom, sympy.Expr) and atom.is_number:
                _finite(atom)
        expression = _exact(expression)
        self.explore([expression], self.spellings.of)
        self.relax()
        if self.weights[expression] == float("inf") and not everywhere:
            gaps = [part for part in self.ways if self.weights[part] == float("inf")]
            self.explore(gaps, self.spellings.last_resort)
            self.relax()
        if self.weights[expression] == float("inf"):
            raise _Unwritable(self.missing(expression, set()))
        return self.nodes(expression)

    def explore(
        self, parts: Iterable[sympy.Expr], ways: Callable[[sympy.Expr], Iterable[Spelling]]
    ) -> None:
        """Spellings of some parts, and of all parts that these contain."""
        left = [(part, ways) for part in parts]
        while left:
            part, spelled = left.pop()
            known = self.ways.get(part)
            if known is not None and spelled == self.spellings.of:
                continue
            if known is None:
                known = self.ways[part] = []
                self.weights[part] = float("inf")
                self.begin(part)
            if self.is_leaf(part):
                continue
            found = list(dict.fromkeys(spelled(part)))
            known += found
            inner = (node for way in found for node in way if not isinstance(node, str))
            left += [(node, self.spellings.of) for node in inner]

    def is_leaf(self, part: sympy.Expr) -> bool:
        """Return whether a part is never written by operators: a variable or a number."""
        if part.is_Symbol:
            return part not in self.spellings.bound
        return part.is_number and not (part.is_Rational and part.q > 1)

    def begin(self, part: sympy.Expr) -> None:
        """Weight of a variable or a number, which need no operator."""
        if part.is_Symbol and part not in self.spellings.bound:
            if part.name not in self.columns:
                raise ValueError(
                    f"The expression holds '{part.name}', which is not a variable. "
                    f"Variables: {', '.join(self.columns)}."
                )
            self.best[part] = (self.columns[part.name],)
        elif part.is_number:
            try:
                self.best[part] = (_finite(part),)
            except ValueError:  # sqrt(-1 - x) is not a product with sqrt(-1)
                return
        else:
            return
        self.weights[part] = self.complexity.of_node(*self.best[part])

    def relax(self) -> None:
        # Parts met last are the simplest, and their weights are needed first.
        order = list(self.ways)[::-1]
        changed = True
        while changed:
            changed = False
            for part in order:
                for way in self.ways[part]:
                    weight = sum(map(self.weight, way))
                    if weight < self.weights[part] - _NOTICED:
                        self.weights[part], self.best[part] = weight, way
                        changed = True

    def weight(self, node: str | sympy.Expr) -> float:
        return self.complexity.of_node(node) if isinstance(node, str) else self.weights[node]

    def nodes(self, part: sympy.Expr) -> Nodes:
        return tuple(
            inner
            for node in self.best[part]
            for inner in (self.nodes(node) if isinstance(node, sympy.Expr) else (node,))
        )

    def missing(self, part: sympy.Expr, seen: set[Any]) -> str:
        """The innermost part that the operators cannot write, in words."""
        seen.add(part)
        if part.is_number:
            _finite(part)
        for way in self.ways[part]:
            for node in way:
                gap = not isinstance(node, str) and self.weights[node] == float("inf")
                if gap and node not in seen:
                    return self.missing(node, seen)
        kinds = {sympy.Add: "sum", sympy.Mul: "product", sympy.Pow: "power"}
        if part.func in kinds:
            return f"The {kinds[part.func]} {part}"
        return f"The function '{part.func.__name__}'"


def _exact(expression: sympy.Expr) -> sympy.Expr:
    """The expression with floats that equal whole numbers or short binary fractions made exact."""
    numbers = {}
    for number in expression.atoms(sympy.Float):
        value = float(number)
        if abs(value) < float("inf") and (value * _LARGEST_DENOMINATOR).is_integer():
            numbers[number] = sympy.Rational(value)
    return expression.xreplace(numbers)


def _finite(number: sympy.Expr) -> float:
    try:
        value = float(number)
    except (TypeError, OverflowError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(
            "A tree holds real, finite constants only. "
            f"Received: {number!s} as part of the expression"
        )
    return value
