"""Initial trees from the user's guesses, as written and with fitted coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import count

import sympy
from deap import gp

from keras_symgrad.expressions import to_sympy, with_free_coefficients, within_time_limit
from keras_symgrad.search.core import SPECTRAL_ROWS, ConstantFit, Problem

# Time limit for the coefficients of one guess; nearly all take some milliseconds.
GUESS_FIT_SECONDS = 5.0
# Largest relative distance of a coefficient from a whole number.
RELATIVE_ROUNDING_OF_GUESSES = 0.03


def initial_trees(problem: Problem) -> list[gp.PrimitiveTree]:
    """The guesses of a problem, each followed by its fitted and its rounded version.

    Every coefficient is fitted, also those that are 1 or another whole number: a guessed form
    seldom has the right numbers. Exponents stay.

    Args:
        problem: with its guesses and its rows.

    Returns:
        Trees that keep the rules of the problem.

    Example:

    >>> import numpy as np
    >>> from keras_symgrad import Complexity
    >>> from keras_symgrad.expressions import CONSTANT_CODE, Alphabet
    >>> from keras_symgrad import GradientField
    >>> from keras_symgrad import OperatorSet
    >>> from keras_symgrad.search.core import PriorKnowledge
    >>> x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    >>> field = GradientField.from_gradients(x, 2 * x * [1, 3])
    >>> alphabet = Alphabet(OperatorSet("polynomial"), field.names)
    >>> known = PriorKnowledge(alphabet, Complexity(), guesses="x1**2 + x2**2")
    >>> as_written, fitted, *rounded = initial_trees(Problem(alphabet, field, knowledge=known))
    >>> weights = [node.value for node in fitted if node.code == CONSTANT_CODE]
    >>> round(max(weights) / min(weights), 6)
    3.0
    >>> str(rounded[-1])
    'add(square(x1), mul(3.0, square(x2)))'
    """
    known = problem.knowledge
    if known is None:
        return []
    rows = problem.gradients.subset(SPECTRAL_ROWS, problem.seed)
    trees = []
    for guess in known.guesses:
        trees.append(guess)
        free = _apart(with_free_coefficients(to_sympy(guess, problem.alphabet.operators)), count(1))
        with suppress(TimeoutError):
            fit = ConstantFit(free, rows, signed=problem.signed)
            constants = within_time_limit(GUESS_FIT_SECONDS, partial(fit.refined, fit.start))
            ways = map(known.tree, _with_rounded(fit.expression(constants)))
            trees += [tree for tree in ways if tree is not None]
    return trees


def _with_rounded(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """The expression, and the same with whole numbers for floats that are nearly whole."""
    yield expression
    smallest = min((abs(number) for number in expression.atoms(sympy.Float)), default=0)
    for scaled in (expression, expression / smallest if smallest else expression):
        scaled = sympy.expand(scaled)
        whole = {
            f: sympy.Integer(round(f)) for f in scaled.atoms(sympy.Float) if _is_nearly_whole(f)
        }
        if whole:
            yield scaled.xreplace(whole)


def _is_nearly_whole(number: sympy.Float) -> bool:
    return round(number) != 0 and abs(number - round(number)) < RELATIVE_ROUNDING_OF_GUESSES * abs(
        number
    )


def _apart(expression: sympy.Expr, numbers: Iterator[int]) -> sympy.Expr:
    """The expression with all floats different, so that each is a separate constant."""
    if expression.is_Float:
        return sympy.Float(float(expression) * (1 + 1e-9 * next(numbers)), 17)
    if not expression.args:
        return expression
    return expression.func(*(_apart(argument, numbers) for argument in expression.args))
