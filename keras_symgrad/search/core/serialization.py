"""Serialize trees, individuals and random states.

A search is saved as lists, numbers and names, so it is the same in a file, in another process and
on another machine. Files are read as data: only operators are looked up by name, and variables by
number.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from deap import gp

from keras_symgrad.expressions import CONSTANT_CODE, Alphabet, Variable
from keras_symgrad.search.core.archive import Individual

Plain = dict[str, Any]


def tree_to_plain(tree: Sequence[gp.Primitive | gp.Terminal]) -> list[str | int | float]:
    """A tree in prefix order: operators by name, variables by column, constants as floats.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("add, square"), ["x1", "x2"])
    >>> tree_to_plain(alphabet.tree(["add", "square", 0, 2.5]))
    ['add', 'square', 0, 2.5]
    """
    return [
        node.value
        if node.code == CONSTANT_CODE
        else node.index
        if type(node) is Variable
        else node.name
        for node in tree
    ]


def tree_from_plain(nodes: Any, alphabet: Alphabet) -> gp.PrimitiveTree:
    """The tree of `tree_to_plain`.

    Args:
        nodes: in prefix order.
        alphabet: of the tree.

    Returns:
        The tree.

    Raises:
        ValueError: it is not a tree of this alphabet.
    """
    open_ = 1
    for node in nodes:
        kind = type(node)
        if open_ == 0 or kind not in (str, int, float):
            break
        if kind is str and node in alphabet.primitives:
            open_ += alphabet.primitives[node].arity - 1
        elif (kind is int and 0 <= node < len(alphabet.variables)) or (
            kind is float and np.isfinite(node)
        ):
            open_ -= 1
        else:
            break
    else:
        if open_ == 0:
            return alphabet.tree(nodes)
    raise ValueError(
        f"This is no tree of {', '.join(alphabet.primitives)} over {len(alphabet.variables)} "
        f"variables in prefix order: {str(nodes)[:80]}"
    )


def individual_to_plain(individual: Individual) -> list[Any]:
    """An individual as a list: tree, complexity, fingerprint, loss."""
    return [
        tree_to_plain(individual.tree),
        individual.complexity,
        individual.fingerprint,
        number_to_plain(individual.loss),
    ]


def individual_from_plain(plain: Sequence[Any], alphabet: Alphabet) -> Individual:
    """The individual of `individual_to_plain`."""
    nodes, complexity, fingerprint, loss = plain
    tree = tree_from_plain(nodes, alphabet)
    return Individual(tree, number(complexity), whole(fingerprint), number_from_plain(loss))


def number_to_plain(value: float) -> float | None:
    """A number; `None` for infinity, which JSON does not have."""
    return None if np.isinf(value) else float(value)


def number_from_plain(value: float | None) -> float:
    """The number of `number_to_plain`."""
    return np.inf if value is None else number(value)


def number(value: Any) -> float:
    """Check that the value is a finite number.

    Raises:
        ValueError: it is not.
    """
    if type(value) not in (int, float) or not -1e300 < value < 1e300:
        raise ValueError(f"A finite number was expected. Received: {str(value)[:80]}")
    return value


def whole(value: Any) -> int:
    """The value, if it is a whole number.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int:
        raise ValueError(f"A whole number was expected. Received: {str(value)[:80]}")
    return value


def array_to_text(array: np.ndarray) -> str:
    """Many numbers as one text: their little-endian bytes in base64.

    Sending a list of a hundred thousand numbers takes a tenth of a second; a text takes no time.

    Example:

    >>> array_to_text(np.array([1, 2]))
    'AQAAAAAAAAACAAAAAAAAAA=='
    """
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def array_from_text(text: str, dtype: type) -> np.ndarray:
    """The numbers of `array_to_text`.

    Raises:
        ValueError: the text does not hold numbers.
    """
    content = base64.b64decode(text, validate=True)
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))


def random_to_plain(random: Random) -> list[Any]:
    """The state of Python's random numbers."""
    version, words, gauss = random.getstate()
    return [version, list(words), gauss]


def restore_random(random: Random, plain: Sequence[Any]) -> None:
    """Set random numbers to a state of `random_to_plain`."""
    version, words, gauss = plain
    random.setstate((version, tuple(words), gauss))


def numbers_to_plain(numbers: np.random.Generator) -> Plain:
    """The state of NumPy's random numbers."""
    return dict(numbers.bit_generator.state)


def restore_numbers(numbers: np.random.Generator, plain: Plain) -> None:
    """Set random numbers to a state of `numbers_to_plain`."""
    numbers.bit_generator.state = plain
