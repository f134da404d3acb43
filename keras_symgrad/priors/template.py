"""Templates: formulas with a known outer form and free parts.

    f(x1, x2) + sin(g(x3))

A formula of that form is stored as a plain tree. As its outer nodes never change, its parts are
found by walking template and tree together.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import sympy
from deap import gp

from keras_symgrad.expressions import (
    CONSTANT_CODE,
    FIRST_VARIABLE_CODE,
    Alphabet,
    Complexity,
    Operator,
    from_sympy,
    is_small_integer,
    symbol,
    unify,
)
from keras_symgrad.expressions.formats import FUNCTIONS, from_text
from keras_symgrad.files import listed_names

Nodes = Sequence[gp.Primitive | gp.Terminal]
# Weight of a variable or a part in a form, compared with any operator's.
HEAVY = 1e4
_EXAMPLE = "'f(x1, x2) + sin(g(x3))'"


@dataclass(frozen=True)
class Part:
    """A free part of a template.

    Attributes:
        name: its name.
        variables: names of the variables that it may hold.
    """

    name: str
    variables: tuple[str, ...]

    @property
    def symbol(self) -> sympy.Symbol:
        """Symbol of the part in the outer form."""
        return symbol(self.name)

    # Interface of an operator for the parser: here the value is a symbol, whatever the arguments.

    @property
    def arity(self) -> int:
        """Number of variables."""
        return len(self.variables)

    @property
    def arguments(self) -> tuple[sympy.Symbol, ...]:
        """Those of `expression`."""
        return ()

    @property
    def expression(self) -> sympy.Expr:
        """The part's symbol."""
        return self.symbol

    def __call__(self, *_: sympy.Expr) -> sympy.Symbol:
        """The part as it is called in a parsed formula."""
        return self.symbol


class Template:
    """A fixed outer form with free parts.

    A part is written as a function of the variables that it may hold, each once: every name before
    a bracket that is neither a function nor an operator is a part. Variables may also stand in the
    form itself. Whole numbers of the form are fixed, other numbers are starting values for
    refinement.

    Directions of gradients do not depend on factors and added constants of a whole formula: a
    formula matches the template if it can be written in the form up to these.

    Args:
        text: the template.
        alphabet: operators and variables of the formulas.

    Raises:
        ValueError: the text cannot be read, has no part, a part twice, or a part with an argument
            that is not a variable, or needs an operator that is not in the alphabet.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("default"), ["x1", "x2", "x3"])
    >>> template = Template("f(x1, x2) + sin(g(x3))", alphabet)
    >>> tree = template.tree({"f": alphabet.tree(["mul", 0, 1]), "g": alphabet.tree([2])})
    >>> str(tree), template.spans(tree)["f"]
    ('add(mul(x1, x2), sin(x3))', slice(1, 4, None))
    >>> x1, x2, x3 = sympy.symbols("x1 x2 x3", real=True)
    >>> template.parts_of(sympy.sin(x3**2) / 2 + x1 / x2)
    {'g': x3**2, 'f': 2*x1/x2}
    """

    def __init__(self, text: str, alphabet: Alphabet):
        self.text, self.alphabet = text, alphabet
        self.parts = {part.name: part for part in _parts(text, alphabet)}
        operators = {operator.name: operator for operator in alphabet.operators}
        known: dict[str, Operator | Part] = {**operators, **self.parts}
        try:
            self.form = from_text(text, alphabet.names, known)
            # Heavy variables: a spelling that contains a part twice does not have the form.
            named = Alphabet(alphabet.operators, self._names)
            tree = from_sympy(self.form, named, Complexity(variable=HEAVY))
        except ValueError as error:
            raise ValueError(f"The template cannot be used: {error}") from None
        holes = Counter(node.name for node in tree if self._is_hole(node))
        for name in self.parts:
            if holes[name] != 1:
                raise ValueError(
                    f"Part '{name}' stands {holes[name]} times in the template as it is written "
                    f"with the operators {', '.join(alphabet.operators.names)}: {tree}. Write it "
                    "so that it stands there once, or add an operator such as 'cube'. "
                    f"Received: template={text!r}"
                )
        self.outer = gp.PrimitiveTree(tree)

    def tree(self, parts: Mapping[str, Nodes]) -> gp.PrimitiveTree:
        """The form with nodes for its parts.

        Args:
            parts: nodes by the part's name.
        """
        nodes: list[gp.Primitive | gp.Terminal] = []
        for node in self.outer:
            nodes += parts[node.name] if self._is_hole(node) else [self._own(node)]
        return gp.PrimitiveTree(nodes)

    def spans(self, tree: Nodes) -> dict[str, slice] | None:
        """Find the parts of a tree.

        Args:
            tree: nodes in prefix order.

        Returns:
            Spans by the part's name; `None` if the tree does not have the form.
        """
        spans, at = {}, 0
        for node in self.outer:
            if at >= len(tree):
                return None
            code, end = tree[at].code, at + 1
            if self._is_hole(node):
                end = _end(tree, at)
                spans[node.name] = slice(at, end)
            elif code != node.code or (
                code == CONSTANT_CODE
                and is_small_integer(node.value)
                and tree[at].value != node.value
            ):
                return None
            at = end
        return spans if at == len(tree) else None

    def with_fixed_numbers(self, tree: Nodes) -> gp.PrimitiveTree:
        """Restore the whole numbers that the form fixes in a tree.

        Args:
            tree: nodes in prefix order.
        """
        nodes, at = list(tree), 0
        for node in self.outer:
            if self._is_hole(node):
                at = _end(tree, at)
                continue
            if node.code == CONSTANT_CODE and is_small_integer(node.value):
                nodes[at] = node
            at += 1
        return gp.PrimitiveTree(nodes)

    def satisfies(self, tree: Nodes) -> bool:
        """Return whether a tree has the form, with allowed variables in its parts.

        Args:
            tree: nodes in prefix order.
        """
        spans = self.spans(tree)
        if spans is None:
            return False
        return all(
            node.code > FIRST_VARIABLE_CODE or node.code in self._codes[name]
            for name, span in spans.items()
            for node in tree[span]
        )

    def violation(self, tree: Nodes) -> str | None:
        """Reason why a tree does not have the form; `None` if it has.

        Args:
            tree: nodes in prefix order.
        """
        return None if self.satisfies(tree) else f"it does not have the form {self.text}"

    def parts_of(self, expression: sympy.Expr) -> dict[str, sympy.Expr] | None:
        """Find parts with which the form equals an expression, up to a factor and a constant.

        Args:
            expression: in the alphabet's variables.

        Returns:
            Expressions by the part's name; `None` if it cannot be written in the form.
        """
        free = {part.symbol: frozenset(map(symbol, part.variables)) for part in self.parts.values()}
        found = unify(self.form, expression, free)
        return found and {hole.name: part for hole, part in found.items()}

    def filled(self, parts: Mapping[str, sympy.Expr]) -> sympy.Expr:
        """The form with expressions for its parts.

        Args:
            parts: expressions by the part's name.
        """
        return self.form.xreplace({self.parts[name].symbol: one for name, one in parts.items()})

    @cached_property
    def together(self) -> tuple[frozenset[int], ...]:
        """Groups of columns that may stand in one part, and each column alone."""
        alone = (frozenset([k]) for k in range(len(self.alphabet.names)))
        parts = (self._columns(part) for part in self.parts.values())
        return tuple(dict.fromkeys((*parts, *alone)))

    @property
    def _names(self) -> tuple[str, ...]:
        """Variables and, after them, parts."""
        return (*self.alphabet.names, *self.parts)

    def _columns(self, part: Part) -> frozenset[int]:
        return frozenset(map(self.alphabet.names.index, part.variables))

    @cached_property
    def _codes(self) -> dict[str, frozenset[int]]:
        """Node codes of the variables that each part may hold."""
        return {
            name: frozenset(FIRST_VARIABLE_CODE - k for k in self._columns(part))
            for name, part in self.parts.items()
        }

    def _is_hole(self, node: gp.Primitive | gp.Terminal) -> bool:
        return node.code <= FIRST_VARIABLE_CODE - len(self.alphabet.names)

    def _own(self, node: gp.Primitive | gp.Terminal) -> gp.Primitive | gp.Terminal:
        """Convert a node of the alphabet with parts to one of the alphabet."""
        if node.arity:
            return self.alphabet.primitives[node.name]
        if node.code == CONSTANT_CODE:
            return node
        return self.alphabet.variables[node.index]


def _end(tree: Nodes, start: int) -> int:
    """The end of the subtree that starts at a node."""
    end, open_ = start, 1
    while open_:
        open_ += tree[end].arity - 1
        end += 1
    return end


def _parts(text: str, alphabet: Alphabet) -> list[Part]:
    """The parts that a template names, checked."""
    if not isinstance(text, str):
        raise ValueError(
            f"A template is a text such as {_EXAMPLE}. Received: template={text!r} "
            f"(of type {type(text).__name__})"
        )
    known = {*FUNCTIONS, "Piecewise", *alphabet.operators.names}
    calls = [(name, call) for name, call in _calls(text) if name not in known]
    if not calls:
        raise ValueError(
            f"A template has free parts, written as functions of the variables that they may hold, "
            f"such as {_EXAMPLE}. Received: template={text!r}"
        )
    for name, times in Counter(name for name, _ in calls).items():
        if times > 1:
            raise ValueError(
                f"Part '{name}' stands {times} times in the template. Each part is one formula of "
                f"its own: give them different names. Received: template={text!r}"
            )
        if name in alphabet.names:
            raise ValueError(
                f"'{name}' is a variable and cannot be a part as well. Rename the part. "
                f"Received: template={text!r}"
            )
        near = get_close_matches(name, known, n=1, cutoff=0.75) if len(name) > 2 else ()
        if near:
            raise ValueError(
                f"There is no function or operator '{name}'; did you mean '{near[0]}'? A free "
                f"part needs a name that is less like it. Received: template={text!r}"
            )
    return [_part(name, call, text, alphabet) for name, call in calls]


def _part(name: str, call: ast.Call, text: str, alphabet: Alphabet) -> Part:
    read = [(argument, _variable(argument)) for argument in call.args]
    unknown = [ast.unparse(a) for a, v in read if v not in alphabet.names]
    unknown += [ast.unparse(keyword) for keyword in call.keywords]
    if unknown:
        raise ValueError(
            f"Part '{name}' may hold variables, not {listed_names(unknown)}. The variables "
            f"are {listed_names(alphabet.names)}. Received: template={text!r}"
        )
    variables = tuple(variable for _, variable in read if variable is not None)
    if not variables or len(set(variables)) < len(variables):
        raise ValueError(
            f"Part '{name}' needs one variable or several different ones in its brackets. "
            f"Received: template={text!r}"
        )
    return Part(name, variables)


def _calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    """Names that are called, with their calls, from left to right."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"The template cannot be read: {str(error).split(' (')[0]}. Write it like {_EXAMPLE}. "
            f"Received: template={text!r}"
        ) from None
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    yield from ((call.func.id, call) for call in calls if isinstance(call.func, ast.Name))


def _variable(node: ast.expr) -> str | None:
    """The name in an argument, with or without quotation marks."""
    if isinstance(node, ast.Name):
        return node.id
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
