"""Fit the parts of a template by coordinate descent over dictionaries.

A part that is added to the rest is already found by the spectral fit. This module fits the parts
inside nonlinear functions, such as g in sqrt(f(x1) + x2*g(x3)): each part in turn becomes the basis
function that fits best while the others are fixed (coordinate descent), until no part changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from deap import gp

from keras_symgrad.expressions import Constant
from keras_symgrad.priors import Template
from keras_symgrad.search.spectral.features import Feature, FeatureMaker, Nodes

# Basis functions for a part, and rounds over all parts from one start.
MAX_BASIS_FUNCTIONS = 60
DESCENT_ROUNDS = 3
# Number of starts: the first basis functions of each part.
STARTS = 4


class TemplateDescent:
    """Coordinate descent that fills a template with basis functions.

    Args:
        maker: makes the basis functions, by the rules of the search.
        template: the form.
        variables: the columns as features.
        measure: loss of a tree.

    Example:

    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad import GradientField
    >>> from keras_symgrad import OperatorSet
    >>> from keras_symgrad.search.spectral.tree_loss import TreeLoss
    >>> x = np.random.default_rng(0).uniform(0.5, 2, (200, 2))
    >>> slopes = np.stack([2 * x[:, 0] * np.exp(x[:, 1]), x[:, 0]**2 * np.exp(x[:, 1])], axis=1)
    >>> field = GradientField.from_gradients(x, slopes)
    >>> alphabet = Alphabet(OperatorSet("default"), field.names)
    >>> maker, template = FeatureMaker(alphabet), Template("f(x1) * g(x2)", alphabet)
    >>> measure = TreeLoss(maker, field)
    >>> filling = TemplateDescent(maker, template, maker.variables(x), measure)
    >>> str(min(filling.trees(), key=lambda found: found[1])[0])
    'mul(square(x1), exp(x2))'
    """

    def __init__(
        self,
        maker: FeatureMaker,
        template: Template,
        variables: Sequence[Feature],
        measure: Callable[[gp.PrimitiveTree], float],
    ):
        self.maker, self.template, self.measure = maker, template, measure
        names = maker.alphabet.names
        self._words = {
            part.name: self._signed([variables[names.index(name)] for name in part.variables])
            for part in template.parts.values()
        }
        self._known: dict[tuple[Any, ...], float] = {}

    def trees(self) -> Iterator[tuple[gp.PrimitiveTree, float]]:
        """Trees of the form, each with its loss, which is finite."""
        for start in range(STARTS):
            chosen = {name: min(start, len(words) - 1) for name, words in self._words.items()}
            for _ in range(DESCENT_ROUNDS):
                before = dict(chosen)
                for name, words in self._words.items():
                    losses = []
                    for k in range(len(words)):
                        tree, loss, is_new = self._measured(chosen | {name: k})
                        losses.append(loss)
                        if is_new and np.isfinite(loss):
                            yield tree, loss
                    chosen[name] = int(np.argmin(losses))
                if chosen == before:
                    break

    def _measured(self, chosen: dict[str, int]) -> tuple[gp.PrimitiveTree, float, bool]:
        """The tree with the chosen functions, its loss, and whether it is a new one."""
        tree = self.template.tree({name: self._words[name][k] for name, k in chosen.items()})
        key = tuple(chosen.values())
        is_new = key not in self._known
        if is_new:
            known = self.maker.knowledge
            admitted = known is None or known.satisfies(tree)
            self._known[key] = self.measure(tree) if admitted else np.inf
        return tree, self._known[key], is_new

    def _signed(self, atoms: Sequence[Feature]) -> list[Nodes]:
        """The basis functions over some atoms, and the negative of each."""
        words = [
            f.nodes for f in self.maker.dictionary(atoms, MAX_BASIS_FUNCTIONS) if not f.is_logarithm
        ]
        times = self.maker.alphabet.primitives.get("mul")
        if times is None:
            return words
        return [signed for word in words for signed in (word, (times, Constant(-1.0), *word))]
