"""Whole numbers in the place of constants that are near them.

A whole number says in one digit what a fitted constant says in many, and is priced accordingly
(`Complexity`). Constant refinement never lands on one, so they are tried.
"""

from __future__ import annotations

from collections.abc import Iterator

from deap import gp

from keras_symgrad.expressions import CONSTANT_CODE, Constant, is_small_integer

# How near a constant must be to a whole number, as a share of its size.
NEAR = 0.1


def rounded_variants(tree: gp.PrimitiveTree) -> Iterator[gp.PrimitiveTree]:
    """The tree with all constants that are nearly whole made whole, and with each of them alone.

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
    near = abs(node.value - whole) <= NEAR * abs(node.value)
    return near and whole != 0 and is_small_integer(whole)
