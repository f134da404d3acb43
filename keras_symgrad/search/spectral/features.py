"""Features: short trees with their gradients, the basis functions of a spectral search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import chain, combinations, combinations_with_replacement, permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy
from deap import gp

from keras_symgrad.engine import unit
from keras_symgrad.expressions import Alphabet, Constant, Operator, Variable
from keras_symgrad.expressions.codegen import differentiate

if TYPE_CHECKING:
    from keras_symgrad.search.core import PriorKnowledge

Nodes = tuple[gp.Primitive | gp.Terminal, ...]
# Left out: around a feature they change nothing, within one they only double the dictionary.
_REDUNDANT = ("neg", "inv")


@dataclass(frozen=True, eq=False)
class Feature:
    """A tree with its values and gradients on the rows.

    Attributes:
        nodes: of the tree, in prefix order.
        values: `(rows,)`.
        gradients: in the coordinates in which directions are compared, `(rows, axes)`.
        is_logarithm: whether values and gradients are those of log|tree|. A sum of these is a
            product of the trees, which can be written without a logarithm.
        changes_sign: of a logarithm, whether the tree has positive and negative values.
    """

    nodes: Nodes
    values: np.ndarray
    gradients: np.ndarray
    is_logarithm: bool = False
    changes_sign: bool = False

    @property
    def tree(self) -> gp.PrimitiveTree:
        """The nodes as a tree."""
        return gp.PrimitiveTree(self.nodes)

    @cached_property
    def is_usable(self) -> bool:
        """True if it is finite on every row and its gradient is neither zero nor huge."""
        size = np.abs(self.gradients).max(initial=0)
        return bool(1e-12 < size < 1e12 and np.isfinite(self.values).all())

    @cached_property
    def concept(self) -> bytes:
        """A key, equal for features whose gradients are the same up to one factor."""
        some = self.gradients[:: max(1, len(self.gradients) // 32)]
        largest = some.flat[np.argmax(np.abs(some))]
        # Adding zero makes -0.0 the same bytes as 0.0.
        return (np.round(some / (largest or 1.0), 7) + 0.0).tobytes()

    @cached_property
    def level_sets(self) -> bytes:
        """A key, equal for features with parallel gradients: functions of one another."""
        some = unit(self.gradients[:: max(1, len(self.gradients) // 32)])
        largest = np.take_along_axis(some, np.abs(some).argmax(axis=1)[:, None], axis=1)
        return (np.round(some * np.sign(largest), 6) + 0.0).tobytes()

    def logarithm(self) -> Feature:
        """log|feature|: its gradient is the feature's, divided by its value."""
        with np.errstate(all="ignore"):
            values = np.log(np.abs(self.values))
            gradients = self.gradients / self.values[:, None]
        changes_sign = bool(self.values.min() < 0 < self.values.max())
        return Feature(self.nodes, values, gradients, True, changes_sign)


class FeatureMaker:
    """Builder of features from features, one operator at a time.

    Args:
        alphabet: the operators and variables.
        knowledge: rules of features; none by default.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> maker = FeatureMaker(Alphabet(OperatorSet("add, square"), ["a", "b"]))
    >>> atoms = maker.variables(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> [str(feature.tree) for feature in maker.dictionary(atoms, 100)]
    ['a', 'b', 'square(a)', 'square(b)', 'add(a, b)', 'square(add(a, b))']
    """

    def __init__(self, alphabet: Alphabet, knowledge: PriorKnowledge | None = None):
        self.alphabet = alphabet
        self.knowledge = knowledge if knowledge is not None and knowledge.restricts else None
        # Tests whether nodes keep the rules that apply to features; `None` without rules.
        self.satisfies = None if self.knowledge is None else self.knowledge.part_satisfies
        self._code = {operator.name: _code(operator) for operator in alphabet.operators}

    def of_tree(
        self, tree: Sequence[Any], variables: Sequence[Feature] | Mapping[int, Feature]
    ) -> Feature:
        """The feature of any tree, constants included.

        Args:
            tree: nodes in prefix order.
            variables: the columns as features, from `variables`.
        """
        stack: list[Feature] = []
        for node in reversed(tree):
            if isinstance(node, Variable):
                stack.append(variables[node.index])
            elif isinstance(node, Constant):
                like = variables[0]
                stack.append(
                    Feature(
                        (node,),
                        np.full(like.values.shape, node.value),
                        np.zeros(like.gradients.shape),
                    )
                )
            else:
                arguments = [stack.pop() for _ in range(node.arity)]
                stack.append(self.apply(self.alphabet.operators[node.name], arguments))
        return stack.pop()

    def variables(self, points: np.ndarray, frame: np.ndarray | None = None) -> list[Feature]:
        """One feature for each column.

        Args:
            points: `(rows, variables)`.
            frame: maps gradients to the coordinates in which directions are compared,
                `(axes, variables)` or `(rows, axes, variables)`; those of the variables by default.
        """
        frame = np.eye(points.shape[1]) if frame is None else frame
        return [
            Feature(
                (leaf,),
                points[:, k],
                np.broadcast_to(frame[..., k], (len(points), frame.shape[-2])),
            )
            for k, leaf in enumerate(self.alphabet.variables)
        ]

    def apply(self, operator: Operator, arguments: Sequence[Feature]) -> Feature:
        """The operator applied to features, its gradient by the chain rule."""
        with np.errstate(all="ignore"):
            columns = self._code[operator.name](*(argument.values for argument in arguments))
            value, *partials = (np.broadcast_to(c, arguments[0].values.shape) for c in columns)
            gradients = sum(p[:, None] * a.gradients for p, a in zip(partials, arguments))
        nodes = [node for argument in arguments for node in argument.nodes]
        head = self.alphabet.primitives[operator.name]
        return Feature((head, *nodes), np.asarray(value, float), np.asarray(gradients, float))

    def dictionary(self, atoms: Sequence[Feature], size: int) -> list[Feature]:
        """Make features over atoms, short ones first.

        Atoms; logarithms of atoms; operators of one argument on atoms; operators of two arguments
        on atoms; logarithms of these, and of sums and differences of squares; operators of one
        argument on all pairs; products of transformed atoms with atoms and with each other, and of
        transformed pairs with atoms.

        Args:
            atoms: variables, or features to use in their place.
            size: largest number of features.

        Returns:
            Usable features, all of different concepts.
        """
        found: dict[bytes, Feature] = {}
        for feature in self._candidates(atoms):
            if len(found) == size:
                break
            if self.is_usable(feature):
                found.setdefault(feature.concept, feature)
        return list(found.values())

    def is_usable(self, feature: Feature) -> bool:
        """Return whether a feature has values and gradients, and keeps the rules."""
        return feature.is_usable and (self.satisfies is None or self.satisfies(feature.nodes))

    def summable(self, features: Sequence[Feature]) -> list[list[Feature]]:
        """Features in groups whose weighted sums keep the rules; one group without rules."""
        if self.knowledge is None:
            return [list(features)] if features else []
        return self.knowledge.summable(features)

    def monomials(self, atoms: Sequence[Feature], degree: int) -> list[Feature]:
        """All products of powers of atoms up to a degree, by ascending degree.

        Args:
            atoms: what to multiply.
            degree: the largest; 2 gives the monomials of every quadratic form.

        Returns:
            Usable features; the atoms alone where the alphabet has no `mul`.
        """
        found = list(atoms)
        if "mul" in self.alphabet.operators:
            for size in range(2, degree + 1):
                groups = combinations_with_replacement(range(len(atoms)), size)
                found += [self._monomial(atoms, group) for group in groups]
        return [feature for feature in found if self.is_usable(feature)]

    def nonlinear_transforms(self, atom: Feature) -> list[Feature]:
        """The atom, and every operator of one argument on it that is not a polynomial."""
        operators = [o for o in self._bending if not o.expression.is_polynomial(*o.arguments)]
        bent = [self.apply(operator, [atom]) for operator in operators]
        return [atom, *filter(self.is_usable, bent)]

    @property
    def _bending(self) -> list[Operator]:
        operators = self.alphabet.operators
        return [o for o in operators if o.arity == 1 and o.name not in _REDUNDANT]

    def _monomial(self, atoms: Sequence[Feature], group: Sequence[int]) -> Feature:
        operators = self.alphabet.operators
        factors: list[Feature] = []
        for k in sorted(set(group)):
            power, count = atoms[k], group.count(k)
            while count % 2 == 0 and "square" in operators:
                power, count = self.apply(operators["square"], [power]), count // 2
            if count == 3 and "cube" in operators:
                power, count = self.apply(operators["cube"], [power]), 1
            factors += [power] * count
        return reduce(lambda one, other: self.apply(operators["mul"], [one, other]), factors)

    def _candidates(self, atoms: Sequence[Feature]) -> Iterator[Feature]:
        operators = self.alphabet.operators
        unary = self._bending
        bent = [self.apply(operator, [atom]) for operator in unary for atom in atoms]
        bent = [feature for feature in bent if self.is_usable(feature)]
        pairs = [pair for pair in self._pairs(atoms) if self.is_usable(pair)]
        logarithms = "mul" in operators
        yield from atoms
        if logarithms:
            yield from (atom.logarithm() for atom in atoms)
        yield from (*bent, *pairs)
        if logarithms:
            functions = (*pairs, *self._sums_of_squares(atoms), *bent)
            yield from (feature.logarithm() for feature in functions)
        yield from (self.apply(operator, [pair]) for operator in unary for pair in pairs)
        if "mul" in operators:
            bent_pairs = (self.apply(operator, [pair]) for operator in unary for pair in pairs)
            factors = chain(
                product(bent, atoms),
                combinations(bent, 2),
                ((b, a) for b in bent_pairs if self.is_usable(b) for a in (*atoms, *bent)),
            )
            yield from (self.apply(operators["mul"], pair) for pair in factors)

    def _sums_of_squares(self, atoms: Sequence[Feature]) -> Iterator[Feature]:
        operators = self.alphabet.operators
        if "square" in operators:
            squares = [self.apply(operators["square"], [atom]) for atom in atoms]
            for name in ("add", "sub"):
                if name in operators:
                    pairs = combinations(squares, 2)
                    yield from (self.apply(operators[name], pair) for pair in pairs)

    def _pairs(self, atoms: Iterable[Feature]) -> Iterator[Feature]:
        for operator in self.alphabet.operators:
            if operator.arity == 2:
                # a - b and b - a are one concept, and so are a/b and b/a.
                both = operator.symmetric or operator.name in ("sub", "div")
                for pair in combinations(atoms, 2) if both else permutations(atoms, 2):
                    yield self.apply(operator, pair)


@lru_cache(maxsize=256)
def _code(operator: Operator) -> Callable[..., Any]:
    partials = [differentiate(operator.expression, argument) for argument in operator.arguments]
    return sympy.lambdify(
        operator.arguments, [operator.expression, *partials], ["scipy", "numpy"], cse=True
    )
