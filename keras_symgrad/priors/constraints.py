"""`Constraints` on the shape of formulas.

They are checked for every tree that is bred, some 20,000 times a second, so `satisfies` is one walk
over the nodes, of half a microsecond each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deap import gp

from keras_symgrad.expressions import Alphabet, Complexity
from keras_symgrad.files import Record


@dataclass(frozen=True)
class Constraints:
    """Constraints on the shape of every formula of a search.

    Args:
        forbidden: by operator, operators that are forbidden inside it; a string may hold several
            names with commas between them. `{"sin": "sin, cos"}` forbids a sine of anything that
            holds a sine or a cosine.
        arguments: by operator, the largest complexity of its arguments: one number for all of them,
            or one for each, where `None` stands for no limit. `{"exp": 5}` forbids an exponential
            of anything longer than 5, `{"div": (None, 1)}` allows division by variables and whole
            numbers only.
        depth: largest number of operators on a path from the whole formula down to a variable. A
            variable has the depth 0, `sin(x1 + x2)` the depth 2.

    Raises:
        ValueError: a rule does not have this form.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, sin, exp"), ["x1", "x2"])
    >>> rules = Constraints(forbidden={"sin": "sin, exp"}, arguments={"exp": 3}, depth=3)
    >>> rules.satisfies(alphabet.tree(["sin", "add", 0, 1]))
    True
    >>> rules.satisfies(alphabet.tree(["sin", "add", 0, "exp", 1]))
    False
    """

    forbidden: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    arguments: Mapping[str, float | Sequence[float | None]] = field(default_factory=dict)
    depth: int | None = None
    _complexity: Complexity = field(
        default_factory=Complexity, init=False, repr=False, compare=False
    )
    _bits: dict[str, tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_mapping("forbidden", self.forbidden, '{"sin": "sin, cos"}')
        _check_mapping("arguments", self.arguments, '{"exp": 5, "div": (None, 1)}')
        forbidden = {name: _names(name, inner) for name, inner in self.forbidden.items()}
        for name, limits in self.arguments.items():
            _check_limits(name, limits)
        is_whole = isinstance(self.depth, int) and not isinstance(self.depth, bool)
        if self.depth is not None and not (is_whole and self.depth >= 1):
            raise ValueError(
                "`depth` is the largest number of operators inside of each other, a whole number "
                f"of at least 1, or `None`. Received: depth={self.depth!r}"
            )
        # Each operator that a rule names has a bit; the mask beside it holds the forbidden ones.
        named = dict.fromkeys(
            [*forbidden, *(name for inner in forbidden.values() for name in inner)]
        )
        bit = {name: 1 << k for k, name in enumerate(named)}
        bits = {
            name: (bit[name], sum(bit[inner] for inner in set(forbidden.get(name, ()))))
            for name in named
        }
        object.__setattr__(self, "forbidden", forbidden)
        object.__setattr__(self, "_bits", bits)

    def over(self, alphabet: Alphabet, complexity: Complexity) -> Constraints:
        """The same rules for trees over an alphabet.

        Args:
            alphabet: its operators must include those of the rules.
            complexity: measure of the arguments.

        Returns:
            New rules.

        Raises:
            ValueError: a rule names an operator that is not in the alphabet, or gives limits for
                another number of arguments than the operator has.
        """
        operators = alphabet.operators
        unknown = [name for name in (*self._bits, *self.arguments) if name not in operators]
        if unknown:
            raise ValueError(
                f"The constraints name operators that formulas are not made of: "
                f"{', '.join(dict.fromkeys(unknown))}. The operators are "
                f"{', '.join(operators.names)}. Leave the rule out, or add the operator."
            )
        for name, limits in self.arguments.items():
            arity = operators[name].arity
            if isinstance(limits, Sequence) and len(limits) != arity:
                raise ValueError(
                    f"Operator '{name}' has {arity} argument{'s' if arity > 1 else ''}. Give one "
                    f"limit for all, or one for each. Received: arguments={{{name!r}: {limits!r}}}"
                )
        bound = replace(self)
        object.__setattr__(bound, "_complexity", complexity)
        return bound

    def to_dict(self) -> dict[str, object]:
        """The rules as plain data."""
        forbidden = {name: list(inner) for name, inner in self.forbidden.items()}
        arguments = {
            name: list(limits) if isinstance(limits, Sequence) else limits
            for name, limits in self.arguments.items()
        }
        return {"forbidden": forbidden, "arguments": arguments, "depth": self.depth}

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Constraints:
        """Read the rules from what `to_dict` returns.

        Args:
            content: the data.

        Raises:
            ValueError: they are no rules.

        Example:

        >>> rules = Constraints(forbidden={"sin": "sin, exp"}, arguments={"div": (None, 1)})
        >>> Constraints.from_dict(rules.to_dict()).to_dict() == rules.to_dict()
        True
        """
        record = Record.of(content)
        depth = record.whole("depth", lowest=1) if "depth" in record else None
        forbidden = record.by_name("forbidden", list)
        return cls(forbidden, record.by_name("arguments", (int, float, list)), depth)

    def satisfies(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> bool:
        """Return whether a tree obeys all rules.

        Args:
            tree: nodes in prefix order.
        """
        return self._broken(tree) is None

    def violation(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> str | None:
        """Describe the rule that a tree breaks; `None` if it breaks none.

        Args:
            tree: nodes in prefix order.

        Example:

        >>> from keras_symgrad import OperatorSet
        >>> alphabet = Alphabet(OperatorSet("add, sin"), ["x1"])
        >>> Constraints({"sin": "sin"}).violation(alphabet.tree(["sin", "add", 0, "sin", 0]))
        "'sin' inside of 'sin' is forbidden"
        """
        broken = self._broken(tree)
        if broken is None:
            return None
        at, kind = broken
        name = tree[at].name
        if kind == "depth":
            return f"it is more than {self.depth} operators deep"
        if kind == "argument":
            return f"an argument of '{name}' is more complex than {self.arguments[name]}"
        span = gp.PrimitiveTree(tree).searchSubtree(at)
        inner = next(
            n.name for n in tree[span.start + 1 : span.stop] if n.name in self.forbidden[name]
        )
        return f"'{inner}' inside of '{name}' is forbidden"

    def _broken(self, tree: Sequence[gp.Primitive | gp.Terminal]) -> tuple[int, str] | None:
        """The node and the kind of the first broken rule."""
        bits, arguments, most = self._bits, self.arguments, self.depth
        if not bits and not arguments and most is None:
            return None
        # For the subtrees after a node: bits of their operators, depth, number of nodes.
        stack: list[tuple[int, int, int]] = []
        for at in range(len(tree) - 1, -1, -1):
            node = tree[at]
            arity = node.arity
            if not arity:
                stack.append((0, 0, 1))
                continue
            name = node.name
            own, forbids = bits.get(name, (0, 0))
            inside, deepest, size = 0, 0, 1
            limits = arguments.get(name)
            for k in range(arity):
                mask, depth, nodes = stack.pop()
                if limits is not None:
                    limit = limits[k] if isinstance(limits, Sequence) else limits
                    part = tree[at + size : at + size + nodes]
                    if limit is not None and self._complexity(part) > limit:
                        return at, "argument"
                inside |= mask
                size += nodes
                if depth > deepest:
                    deepest = depth
            if inside & forbids:
                return at, "forbidden"
            if most is not None and deepest >= most:
                return at, "depth"
            stack.append((inside | own, deepest + 1, size))
        return None


def _check_mapping(name: str, rules: object, example: str) -> None:
    if not isinstance(rules, Mapping) or not all(isinstance(key, str) for key in rules):
        raise ValueError(
            f"`{name}` gives a rule for each of some operators by their names, such as {example}. "
            f"Received: {name}={rules!r}"
        )


def _names(operator: str, inner: str | Iterable[str]) -> tuple[str, ...]:
    """The operators that are forbidden inside another."""
    parts = inner.split(",") if isinstance(inner, str) else inner
    is_list = isinstance(parts, Sequence) and all(isinstance(part, str) for part in parts)
    names = tuple(part.strip() for part in parts) if is_list else ()
    if not names or not all(names):
        raise ValueError(
            f"`forbidden` names the operators that may not stand inside of '{operator}', such as "
            f"'sin, cos'. Received: forbidden={{{operator!r}: {inner!r}}}"
        )
    return names


def _check_limits(operator: str, limits: object) -> None:
    several = isinstance(limits, Sequence) and not isinstance(limits, str)
    for limit in limits if isinstance(limits, Sequence) and several else (limits,):
        if limit is None and several:
            continue
        is_number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
        if not isinstance(limit, (int, float)) or not (is_number and limit >= 1):
            raise ValueError(
                f"`arguments` gives the largest complexity of what '{operator}' is applied to: a "
                "number of at least 1, which is what a variable costs, or a sequence of one for "
                f"each argument. Received: arguments={{{operator!r}: {limits!r}}}"
            )
