"""`Collector`: gather the trees of all strategies in one archive, rounded and shortened.

A whole number has one digit where a fitted constant has many, and is lighter accordingly
(`Complexity`). Constant refinement never reaches one exactly, so constants near whole numbers are
rounded and tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import sympy
from deap import gp

from keras_symgrad.expressions import (
    CONSTANT_CODE,
    Constant,
    from_sympy,
    is_small_integer,
    shortest,
    to_sympy,
    with_whole_numbers,
    within_time_limit,
)
from keras_symgrad.search.core import (
    Archive,
    Individual,
    Plain,
    Replacements,
    individual_from_plain,
    individual_to_plain,
    number,
)
from keras_symgrad.search.islands.evaluators import Evaluators
from keras_symgrad.search.spectral import Candidate

# A sum is written with whole numbers if its loss grows by at most this factor.
WORTH_SHORTENING = 2.5
# Longer trees take SymPy tenths of a second, and are rarely useful.
MOST_NODES_SHORTENED = 25
# Number of sums that are too complex as found but are shortened nevertheless.
MOST_TOO_COMPLEX = 5


class Collector:
    """Collector that adds candidates and their other spellings to an archive.

    Args:
        instruments: evaluators of the problem.

    Attributes:
        archive: the best tree at each complexity.
    """

    def __init__(self, instruments: Evaluators):
        self.archive = Archive()
        self._instruments, self._problem = instruments, instruments.problem
        self._replacements = Replacements(self._problem.alphabet, self._problem.complexity)
        # Members of the front whose constants were already rounded.
        self._rounded: set[tuple[float, float]] = set()
        # Fingerprints of sums whose shortest spelling was looked for.
        self._shortened: set[int] = set()

    def keep(self, found: Sequence[Candidate]) -> bool:
        """Add candidates, and return whether one is the best at its complexity."""
        return sum(self.add(candidate.tree, candidate.loss) for candidate in found) > 0

    def add(self, tree: gp.PrimitiveTree, loss: float) -> bool:
        """Add a tree that is not too complex, and return whether it is the best at its complexity.

        A tree that breaks a rule of the problem is not added.
        """
        known = self._problem.knowledge
        lighter = self._replacements.lightened(tree)
        if lighter is not tree and (known is None or known.satisfies(lighter)):
            tree = lighter
        complexity = self._problem.complexity(tree)
        if complexity > self._problem.settings.max_complexity:
            return False
        if known is not None and not known.satisfies(tree):
            return False
        key = self._instruments.fingerprint(tree)
        return bool(key) and self.archive.add(Individual(tree, complexity, key, loss))

    def round(self) -> None:
        """Try whole numbers in new formulas of the front."""
        for individual in self.archive.front():
            if (key := (individual.complexity, individual.loss)) not in self._rounded:
                self._rounded.add(key)
                for tree in rounded_variants(individual.tree):
                    self.add(tree, self._instruments.measure(tree))

    def shorten(self, found: Sequence[Candidate]) -> Iterator[None]:
        """Add the shortest spelling of sums: those of the front, and those of whole numbers.

        Each is looked at once, however often it is given. A sum with whole numbers may be much
        shorter when it is factored, but hidden behind sums that fit a little better with many
        digits.

        Yields:
            `None` after each of them: together they take SymPy seconds.
        """
        alphabet, measure = self._problem.alphabet, self._instruments.measure
        if "mul" not in alphabet.primitives:
            return  # nothing to factor out
        front = self.archive.front()
        trees = [individual.tree for individual in front]
        least = front[-1].loss if front else float("inf")
        for candidate in islice(self._too_complex(found), MOST_TOO_COMPLEX):
            if candidate.loss < least:
                trees.append(candidate.tree)
        for candidate in found:
            whole = next(rounded_variants(candidate.tree), candidate.tree)
            if all(is_small_integer(n.value) for n in whole if n.code == CONSTANT_CODE):
                if measure(whole) <= WORTH_SHORTENING * candidate.loss + 1e-9:
                    trees.append(whole)
        fingerprint = self._instruments.fingerprint
        different = {fingerprint(t): t for t in trees if len(t) <= MOST_NODES_SHORTENED}
        for key, tree in different.items():
            if key in self._shortened:
                continue
            self._shortened.add(key)
            expression = with_whole_numbers(to_sympy(tree, alphabet.operators))
            with suppress(TimeoutError, ValueError):
                short = within_time_limit(1.0, partial(self._shortest_tree, expression))
                self.add(short, measure(short))
            yield

    def _too_complex(self, found: Sequence[Candidate]) -> Iterator[Candidate]:
        """The best candidates that were not added: shortened they may be simple enough."""
        most = self._problem.settings.max_complexity
        for candidate in sorted(found, key=lambda one: one.loss):
            tree = self._replacements.lightened(candidate.tree)
            if (
                len(candidate.tree) <= MOST_NODES_SHORTENED
                and self._problem.complexity(tree) > most
            ):
                yield candidate

    def _shortest_tree(self, expression: sympy.Expr) -> gp.PrimitiveTree:
        alphabet, known = self._problem.alphabet, self._problem.knowledge
        short = shortest(expression, alphabet, self._problem.complexity)
        tree = (
            from_sympy(short, alphabet, self._problem.complexity)
            if known is None
            else known.tree(short)
        )
        if tree is None:
            raise ValueError(f"It breaks a rule: {short}")
        return tree

    def receive(self, individuals: Sequence[list[Any]]) -> None:
        """Add individuals of another archive, given as plain data."""
        for plain in individuals:
            self.archive.add(individual_from_plain(plain, self._problem.alphabet))

    def state(self) -> Plain:
        """The archive as plain data."""
        return {
            "archive": [individual_to_plain(individual) for individual in self.archive],
            "rounded": sorted(map(list, self._rounded)),
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state`."""
        self.receive(state["archive"])
        self._rounded = {(number(weight), number(loss)) for weight, loss in state["rounded"]}


# Largest relative distance of a constant from a whole number.
RELATIVE_ROUNDING = 0.1


def rounded_variants(tree: gp.PrimitiveTree) -> Iterator[gp.PrimitiveTree]:
    """Round the nearly whole constants of a tree: all of them, and each of them alone.

    Args:
        tree: a tree, which is not changed.

    Yields:
        Trees; none if no constant is nearly whole.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, mul"), ["x1", "x2"])
    >>> tree = alphabet.tree(["add", "mul", 1.97, 0, "mul", 0.3, 1])
    >>> [str(variant) for variant in rounded_variants(tree)]
    ['add(mul(2.0, x1), mul(0.3, x2))']
    """
    places = [k for k, node in enumerate(tree) if _is_nearly_whole(node)]
    choices = [places, *([[place] for place in places] if len(places) > 1 else [])]
    for chosen in choices if places else ():
        yield gp.PrimitiveTree(
            [Constant(round(n.value)) if k in chosen else n for k, n in enumerate(tree)]
        )


def _is_nearly_whole(node: gp.Primitive | gp.Terminal) -> bool:
    if node.code != CONSTANT_CODE or is_small_integer(node.value):
        return False
    whole = float(round(node.value))
    near = abs(node.value - whole) <= RELATIVE_ROUNDING * abs(node.value)
    return near and whole != 0 and is_small_integer(whole)
